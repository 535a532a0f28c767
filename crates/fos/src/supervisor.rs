//! What fos does when: a state machine without system calls.
//!
//! ```text
//!            each service in turn                       the end, whatever brings it about
//!  active    stop_cmd, start_cmd   ── all run ──▶       all stop_cmds in turn ──▶ exit
//!  monitor   stop_cmd, monitor     ── all watch ──▶     TERM to all monitors ──▶ exit
//! ```
//!
//! One command runs at a time. It has a time limit, which the runtime keeps, so the end never waits for long: a
//! `start_cmd` is ended at once, a `stop_cmd` may finish.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use heartbeat::NEVER_ANSWERED;
use lvs_cf::{Config, Text};

use crate::command::{self, Command, Style};
use crate::message::{Endpoint, Message, Step};

/// What fos is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Start the services; stop them at the end.
    Active,
    /// Monitor the partner's services; the end of a monitor is the end.
    Monitor,
}

/// A failover block, as far as fos needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    name: Text,
    at: Endpoint,
    stop: Option<Command>,
    start: Option<Command>,
    monitor: Command,
}

impl Service {
    /// The active failover blocks, in the order of the file.
    pub fn all(config: &Config, partner: Ipv4Addr, style: Style) -> Vec<Self> {
        let service = |block: &lvs_cf::Virtual| Self {
            name: block.name.clone(),
            at: Endpoint { address: block.address, port: block.port },
            stop: Command::of(block.stop_cmd.as_ref()),
            start: Command::of(block.start_cmd.as_ref()),
            monitor: command::monitor(block, partner, style),
        };
        config.failovers.iter().filter(|block| block.active).map(service).collect()
    }
}

/// Names a monitor: the number of its service.
pub type MonitorId = usize;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run this command with a time limit, then feed [`Input::CommandEnded`]. A `start_cmd` ends with fos, however
    /// that ends; a `stop_cmd` may finish.
    Run(Step, Command),
    /// End the command that runs, then feed [`Input::CommandEnded`] all the same.
    Abort,
    /// Start this monitor, then feed [`Input::MonitorStarted`] or [`Input::MonitorNotStarted`].
    Watch(MonitorId, Command),
    /// TERM to this monitor; its end is fed as any other.
    Unwatch(MonitorId),
    /// Tell the operator.
    Log(Message),
    /// Withdraw the virtual addresses in place of a dead pulse.
    Withdraw,
    /// Tell the partner in its place that nobody serves here any more.
    SayGoodbye,
    /// All is done; end with this status.
    Exit(u8),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The command of the last [`Action::Run`] ended.
    CommandEnded(Outcome),
    /// A monitor runs, with this process id.
    MonitorStarted(MonitorId, i32),
    /// A monitor could not be started; the reason follows.
    MonitorNotStarted(MonitorId, String),
    /// A monitor ended, with status 0 if its service has ever answered.
    MonitorEnded(MonitorId, bool),
    /// Some other child ended.
    StrangerEnded {
        /// Its process id.
        pid: i32,
        /// Its exit status, or 128 and the signal that killed it.
        status: i32,
    },
    /// TERM, INT or HUP.
    Signal(i32),
    /// The pulse that started this fos is gone.
    PulseDied,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With this exit status, or 128 and the signal that killed it.
    Ended(i32),
    /// Not within the limit, or not before it was aborted; it was ended.
    TimedOut(std::time::Duration),
    /// Not at all: it could not be started, for this reason.
    NotStarted(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Stopping and starting, service by service; this one is next.
    Starting(usize),
    /// Stopping everything; this service is next.
    Leaving(usize),
}

/// The command that runs.
#[derive(Debug, Clone, Copy)]
struct Running {
    service: usize,
    step: Step,
    aborted: bool,
}

/// The state of one fos.
#[derive(Debug)]
pub struct Supervisor {
    mode: Mode,
    services: Vec<Service>,
    phase: Phase,
    running: Option<Running>,
    /// Process ids of the monitors that run.
    monitors: BTreeMap<MonitorId, i32>,
    /// A pulse of this suite reads the exit status.
    under_pulse: bool,
    orphaned: bool,
    status: u8,
}

impl Supervisor {
    /// Begins with the first service. `under_pulse` tells that a pulse of this suite reads the exit status, which is
    /// always 0 else, as with the original.
    pub fn start(mode: Mode, services: Vec<Service>, under_pulse: bool) -> (Self, Vec<Action>) {
        let (phase, monitors) = (Phase::Starting(0), BTreeMap::new());
        let mut fos =
            Self { mode, services, phase, running: None, monitors, under_pulse, orphaned: false, status: 0 };
        let mut actions = Vec::new();
        fos.proceed(&mut actions);
        (fos, actions)
    }

    /// Takes in what happened. What is to be done is in the order in which it must be done.
    pub fn handle(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::CommandEnded(outcome) => self.command_ended(outcome, &mut actions),
            Input::MonitorStarted(id, pid) => self.monitor_started(id, pid, &mut actions),
            Input::MonitorNotStarted(id, reason) => self.monitor_not_started(id, reason, &mut actions),
            Input::MonitorEnded(id, answered) => self.monitor_ended(id, answered, &mut actions),
            Input::StrangerEnded { pid, status } => {
                actions.push(Action::Log(Message::ChildDied { pid, status }));
                self.leave(&mut actions);
            }
            Input::Signal(signal) if !self.is_leaving() => {
                actions.push(Action::Log(Message::ShuttingDown { signal }));
                self.leave(&mut actions);
            }
            Input::Signal(_) => {}
            Input::PulseDied => self.pulse_died(&mut actions),
        }
        actions
    }

    const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_))
    }

    /// Takes the next service's turn.
    fn proceed(&mut self, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Starting(next) if next < self.services.len() => {
                self.phase = Phase::Starting(next + 1);
                actions.push(Action::Log(Message::StoppingServices));
                self.run(next, Step::Stop, actions);
            }
            // Everything runs.
            Phase::Starting(_) => {}
            Phase::Leaving(next) if self.mode == Mode::Active && next < self.services.len() => {
                self.phase = Phase::Leaving(next + 1);
                self.run(next, Step::Stop, actions);
            }
            Phase::Leaving(_) => self.unwatch_all(actions),
        }
    }

    /// Runs a command of a service, or goes on without.
    fn run(&mut self, service: usize, step: Step, actions: &mut Vec<Action>) {
        let Service { at, stop, start, .. } = &self.services[service];
        let (command, message) = match step {
            Step::Stop => (stop, Message::StoppingService(*at)),
            Step::Start => (start, Message::StartingService(*at)),
        };
        let Some(command) = command.clone() else {
            actions.push(Action::Log(Message::NoCommand(step, *at)));
            return self.done(service, step, actions);
        };
        actions.extend([Action::Log(message), Action::Run(step, command)]);
        self.running = Some(Running { service, step, aborted: false });
    }

    fn command_ended(&mut self, outcome: Outcome, actions: &mut Vec<Action>) {
        let Some(Running { service, step, aborted }) = self.running.take() else { return };
        if !aborted {
            self.report(service, step, outcome, actions);
        }
        self.done(service, step, actions);
    }

    /// A command that fails is reported, and that is all.
    fn report(&self, service: usize, step: Step, outcome: Outcome, actions: &mut Vec<Action>) {
        let Service { at, stop, start, .. } = &self.services[service];
        let status = match outcome {
            Outcome::Ended(0) => return,
            Outcome::Ended(status) => status,
            Outcome::TimedOut(limit) => {
                actions.push(Action::Log(Message::TimedOut(step, *at, limit)));
                1
            }
            Outcome::NotStarted(reason) => {
                let command = if step == Step::Stop { stop } else { start };
                let program = command.as_ref().map(Command::path).unwrap_or_default();
                actions.push(Action::Log(Message::NotStarted { program, reason }));
                1
            }
        };
        actions.push(Action::Log(match step {
            Step::Stop => Message::StopFailed(*at, status),
            Step::Start => Message::StartFailed(*at),
        }));
    }

    /// What follows when a step of a service has been dealt with.
    fn done(&mut self, service: usize, step: Step, actions: &mut Vec<Action>) {
        if self.is_leaving() || step == Step::Start {
            return self.proceed(actions);
        }
        match self.mode {
            Mode::Active => self.run(service, Step::Start, actions),
            Mode::Monitor => actions.push(Action::Watch(service, self.services[service].monitor.clone())),
        }
    }

    fn monitor_started(&mut self, id: MonitorId, pid: i32, actions: &mut Vec<Action>) {
        self.monitors.insert(id, pid);
        actions.push(Action::Log(Message::StartingMonitor(self.services[id].at, pid)));
        self.proceed(actions);
    }

    /// Without its monitor fos is of no use, but that says nothing of the partner's service: the status tells pulse.
    fn monitor_not_started(&mut self, id: MonitorId, reason: String, actions: &mut Vec<Action>) {
        let program = self.services[id].monitor.path();
        actions.push(Action::Log(Message::NotStarted { program, reason }));
        self.status = 1;
        self.leave(actions);
    }

    fn monitor_ended(&mut self, id: MonitorId, answered: bool, actions: &mut Vec<Action>) {
        if self.monitors.remove(&id).is_none() {
            return;
        }
        if self.is_leaving() {
            return self.exit_when_alone(actions);
        }
        if self.under_pulse && !answered {
            self.status = NEVER_ANSWERED;
        }
        actions.push(Action::Log(Message::MonitorExited(self.services[id].at)));
        self.leave(actions);
    }

    fn pulse_died(&mut self, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.orphaned, true) {
            actions.push(Action::Log(Message::PulseDied));
            if self.mode == Mode::Active {
                actions.push(Action::Withdraw);
            }
            self.leave(actions);
        }
    }

    /// Begins the end, once.
    fn leave(&mut self, actions: &mut Vec<Action>) {
        if self.is_leaving() {
            return;
        }
        self.phase = Phase::Leaving(0);
        match &mut self.running {
            None => self.proceed(actions),
            Some(running) if running.step == Step::Start => {
                running.aborted = true;
                actions.push(Action::Abort);
            }
            Some(_) => {}
        }
    }

    fn unwatch_all(&self, actions: &mut Vec<Action>) {
        for (id, pid) in &self.monitors {
            let Service { name, at, .. } = &self.services[*id];
            let message = Message::StoppingMonitor { name: name.clone(), at: *at, pid: *pid };
            actions.extend([Action::Log(message), Action::Unwatch(*id)]);
        }
        self.exit_when_alone(actions);
    }

    fn exit_when_alone(&self, actions: &mut Vec<Action>) {
        if !self.monitors.is_empty() {
            return;
        }
        if self.orphaned && self.mode == Mode::Active {
            actions.push(Action::SayGoodbye);
        }
        actions.extend([Action::Log(Message::Exiting), Action::Exit(self.status)]);
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
