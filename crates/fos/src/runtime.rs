//! fos's loop: the only interpreter of what the supervisor decides.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use heartbeat::wire::{self, ByteOrder, Word};
use lvs_cf::Config;
use system::child::{self, Exit, Pid, Signal, Spawn, Stream};
use system::command_limit::GRACE;
use system::poll::{Interest, Poller};
use system::signals::Signals;
use system::{clock, errno, orphan};

use crate::command::Command;
use crate::message::{Message, Step};
use crate::supervisor::{Action, Input, MonitorId, Outcome, Supervisor};

/// How long a monitor may take to end before it is killed.
const MONITOR_PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait for room for a process or descriptor.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(200);

/// The poller's names for what it waits on.
const SIGNALS: usize = 0;
const LIFELINE: usize = 1;

/// Everything that the loop works with.
pub struct Fos {
    /// The file's content.
    pub config: Config,
    /// What to do when.
    pub supervisor: Supervisor,
    /// How long a command may take.
    pub limit: Duration,
    /// TERM, INT, HUP and CHLD.
    pub signals: Signals,
    /// Reads end-of-file when the pulse that started us is gone.
    pub lifeline: Option<OwnedFd>,
}

/// The `start_cmd` or `stop_cmd` that runs. It leads a process group.
struct RunningCommand {
    pid: Pid,
    /// When it is to get the next signal.
    due: Duration,
    /// It got TERM, because it was late or aborted.
    ending: bool,
}

/// A `start_cmd` or `stop_cmd` that there was no process or descriptor for. A shortage passes; a service that is not
/// stopped here while the partner starts it does harm.
struct WaitingCommand {
    step: Step,
    command: Command,
    /// When it is tried again.
    retry_at: Duration,
    /// When it must have ended.
    due: Duration,
    /// What there is too little of.
    reason: String,
}

struct Monitor {
    id: MonitorId,
    /// When patience with an ending monitor runs out.
    kill_at: Option<Duration>,
}

struct Runtime {
    fos: Fos,
    poller: Poller,
    command: Option<RunningCommand>,
    waiting: Option<WaitingCommand>,
    monitors: HashMap<Pid, Monitor>,
    /// The virtual addresses are off this node, in place of a dead pulse.
    withdrawn: bool,
    status: Option<u8>,
}

/// Carries out `actions`, the first ones, and what follows from them. The exit status, once all is done.
///
/// # Errors
///
/// Those of waiting for events.
pub fn run(fos: Fos, actions: Vec<Action>) -> io::Result<u8> {
    let mut poller = Poller::new();
    poller.register(SIGNALS, fos.signals.fd(), Interest::Read);
    if let Some(lifeline) = &fos.lifeline {
        poller.register(LIFELINE, lifeline.as_fd(), Interest::Read);
    }
    let mut runtime = Runtime {
        fos,
        poller,
        command: None,
        waiting: None,
        monitors: HashMap::new(),
        withdrawn: false,
        status: None,
    };
    runtime.carry_out(actions);
    loop {
        if let Some(status) = runtime.status {
            return Ok(status);
        }
        runtime.turn()?;
    }
}

impl Runtime {
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.next_deadline().map(|due| due.saturating_sub(clock::now()));
        let lost_pulse = self.poller.wait(timeout)?.iter().any(|ready| ready.token == LIFELINE);
        if lost_pulse {
            self.poller.deregister(LIFELINE);
            // Withdrawing takes a descriptor, and there may be no other.
            self.fos.lifeline = None;
            self.handle(Input::PulseDied);
        }
        for signal in self.fos.signals.take() {
            match signal {
                libc::SIGCHLD => self.reap(),
                signal => self.handle(Input::Signal(signal)),
            }
        }
        self.keep_limits(clock::now());
        Ok(())
    }

    fn handle(&mut self, input: Input) {
        let actions = self.fos.supervisor.handle(input);
        self.carry_out(actions);
    }

    /// Answers come at once where a program cannot be started, and in order.
    fn carry_out(&mut self, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            if let Some(answer) = self.perform(action) {
                queue.extend(self.fos.supervisor.handle(answer));
            }
        }
    }

    fn perform(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Log(message) => tell(&message),
            Action::Run(step, command) => return self.run_command(step, command),
            Action::Abort => return self.abort(),
            Action::Watch(id, command) => return Some(self.watch(id, command)),
            Action::Unwatch(id) => self.unwatch(id),
            Action::Withdraw => self.withdraw(),
            Action::SayGoodbye => self.say_goodbye(),
            Action::Exit(status) => self.status = Some(status),
        }
        None
    }

    fn withdraw(&mut self) {
        if let Some(addresses) = orphan::withdraw(&self.fos.config) {
            self.withdrawn = true;
            tell(&Message::Withdrawn { addresses });
        }
    }

    /// Addresses that could not be withdrawn at once get a second try. The partner is not told to take over what is
    /// still here: it finds out by itself.
    fn say_goodbye(&mut self) {
        if !self.withdrawn {
            self.withdraw();
        }
        if !self.withdrawn {
            return;
        }
        let word = wire::encode(Word::FosStopped, ByteOrder::NATIVE);
        if let Err(error) = orphan::say_goodbye(&self.fos.config, word) {
            log::info!("cannot notify the partner: {error}");
        }
    }

    fn run_command(&mut self, step: Step, command: Command) -> Option<Input> {
        let answer = self.start_command(step, command, clock::now() + self.fos.limit);
        if let Some(WaitingCommand { command, reason, .. }) = &self.waiting {
            tell(&Message::PutOff { program: command.path(), reason: reason.clone() });
        }
        answer
    }

    /// In a process group of its own, so that what it started can be ended with it. Without room for a process it
    /// waits, until it would have to have ended.
    fn start_command(&mut self, step: Step, command: Command, due: Duration) -> Option<Input> {
        let mut program = program(command.clone());
        program.new_group = true;
        // The next fos begins with the stop_cmd: a start_cmd must not go on beside it.
        program.death_signal = (step == Step::Start).then_some(Signal::SIGTERM);
        let now = clock::now();
        match program.spawn() {
            Ok(child) => {
                self.command = Some(RunningCommand { pid: child.pid, due, ending: false });
                None
            }
            Err(error) if errno::is_shortage(&error) && now < due => {
                let (retry_at, reason) = (now + SHORTAGE_PAUSE, errno::text(&error));
                self.waiting = Some(WaitingCommand { step, command, retry_at, due, reason });
                None
            }
            Err(error) => Some(Input::CommandEnded(Outcome::NotStarted(errno::text(&error)))),
        }
    }

    /// Tries a command again that there was no room for.
    fn retry(&mut self, now: Duration) {
        let Some(WaitingCommand { step, command, due, .. }) =
            self.waiting.take_if(|waiting| waiting.retry_at <= now)
        else {
            return;
        };
        if let Some(answer) = self.start_command(step, command, due) {
            self.handle(answer);
        }
    }

    /// A command that waits is dropped, one that runs is ended.
    fn abort(&mut self) -> Option<Input> {
        if let Some(command) = &mut self.command {
            command.end(clock::now());
        }
        self.waiting.take().map(|_| Input::CommandEnded(Outcome::TimedOut(self.fos.limit)))
    }

    /// Monitors die with us, however that happens.
    fn watch(&mut self, id: MonitorId, command: Command) -> Input {
        let mut program = program(command);
        program.death_signal = Some(Signal::SIGTERM);
        match program.spawn() {
            Ok(child) => {
                self.monitors.insert(child.pid, Monitor { id, kill_at: None });
                Input::MonitorStarted(id, child.pid.as_raw())
            }
            Err(error) => Input::MonitorNotStarted(id, errno::text(&error)),
        }
    }

    fn unwatch(&mut self, id: MonitorId) {
        let kill_at = clock::now() + MONITOR_PATIENCE;
        for (pid, monitor) in self.monitors.iter_mut().filter(|(_, monitor)| monitor.id == id) {
            signal(child::kill(*pid, Signal::SIGTERM));
            monitor.kill_at = Some(kill_at);
        }
    }

    fn reap(&mut self) {
        for (pid, exit) in child::reap() {
            if let Some(monitor) = self.monitors.remove(&pid) {
                self.handle(Input::MonitorEnded(monitor.id, exit.success()));
            } else if let Some(command) = self.command.take_if(|command| command.pid == pid) {
                self.handle(Input::CommandEnded(command.outcome(exit, self.fos.limit)));
            } else {
                self.handle(Input::StrangerEnded { pid: pid.as_raw(), status: status(exit) });
            }
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        let monitors = self.monitors.values().filter_map(|monitor| monitor.kill_at);
        let command = self.command.as_ref().map(|command| command.due);
        let waiting = self.waiting.as_ref().map(|waiting| waiting.retry_at);
        monitors.chain(command).chain(waiting).min()
    }

    /// Ends what is late, and starts what had to wait.
    fn keep_limits(&mut self, now: Duration) {
        self.retry(now);
        if let Some(command) = self.command.as_mut().filter(|command| command.due <= now) {
            command.end(now);
        }
        for (pid, monitor) in &mut self.monitors {
            if monitor.kill_at.is_some_and(|at| at <= now) {
                signal(child::kill(*pid, Signal::SIGKILL));
                monitor.kill_at = Some(now + MONITOR_PATIENCE);
            }
        }
    }
}

impl RunningCommand {
    /// TERM to the whole group at first, KILL after that.
    fn end(&mut self, now: Duration) {
        let with = if self.ending { Signal::SIGKILL } else { Signal::SIGTERM };
        signal(child::kill_group(self.pid, with));
        self.ending = true;
        self.due = now + GRACE;
    }

    /// Whatever a command that had to be ended leaves of its group goes too.
    fn outcome(&self, exit: Exit, limit: Duration) -> Outcome {
        if !self.ending {
            return Outcome::Ended(status(exit));
        }
        signal(child::kill_group(self.pid, Signal::SIGKILL));
        Outcome::TimedOut(limit)
    }
}

/// Our standard input is not for others.
fn program(command: Command) -> Spawn {
    let mut program = Spawn::new(command.program);
    program.arguments = command.arguments;
    program.stdin = Stream::Null;
    program
}

const fn status(exit: Exit) -> i32 {
    match exit {
        Exit::Status(status) => status,
        Exit::Signal(signal) => 128 + signal,
    }
}

/// What is gone already needs no signal.
fn signal(result: io::Result<()>) {
    if let Err(error) = result {
        log::debug!("cannot signal a child: {error}");
    }
}

/// Writes a line to the log.
pub fn tell(message: &Message) {
    log::info!("{message}");
}
