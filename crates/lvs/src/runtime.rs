//! lvs's loop: the only interpreter of what the supervisor decides.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ipvs::{Backend, Error, ErrorKind, Operation, Table};
use lvs_cf::{Config, Text};
use system::child;
use system::clock;
use system::config::LoadError;
use system::errno::{self, SHORTAGE_PAUSE};
use system::poll::{Interest, Poller};
use system::rereading::Rereading;
use system::signals::Signals;

use crate::command::Style;
use crate::message::Message;
use crate::nannies::Nannies;
use crate::orphan;
use crate::supervisor::{Action, Reason, Report, Start, Supervisor};
use crate::wanted::Wanted;

/// Nannies started in one turn of the loop: reports of the first must not wait for the last.
const STARTS_PER_TURN: usize = 8;

/// How often the table is compared with what it should hold, at most. Reading a large one takes time: no more
/// than one part in `INSPECTION_SHARE` of it.
const INSPECTION_PAUSE: Duration = Duration::from_secs(5);
const INSPECTION_SHARE: u32 = 200;

/// The pause when an operation has shown that somebody else edits the table.
const HURRIED_PAUSE: Duration = Duration::from_secs(1);

/// The poller's names for what is not a nanny.
const OURS: usize = 0;
const LIFELINE: usize = usize::MAX;
const REREADING: usize = usize::MAX - 1;

/// Everything that the loop works with.
pub struct Lvs {
    /// The file that HUP reads again.
    pub file: Rereading<Result<Config, LoadError>>,
    /// The file's content as it is in force.
    pub config: Config,
    /// How this lvs runs.
    pub style: Style,
    /// Where the table is.
    pub backend: Box<dyn Backend>,
    /// TERM, INT, HUP and CHLD.
    pub signals: Signals,
    /// What the pulse that started us left open.
    pub pulse: Pulse,
}

/// The descriptors between pulse and its lvs; none of them when lvs was started by somebody else.
pub struct Pulse {
    /// Takes a line once the table is filled.
    pub ready: Option<OwnedFd>,
    /// Reads end-of-file when pulse is gone.
    pub lifeline: Option<OwnedFd>,
}

/// Runs until told to end, or until `hard_shutdown` ends it.
///
/// # Errors
///
/// Those of waiting for events.
pub fn run(lvs: Lvs, started: impl FnOnce()) -> io::Result<()> {
    let mut poller = Poller::new();
    poller.register(OURS, lvs.signals.fd(), Interest::Read);
    if let Some(lifeline) = &lvs.pulse.lifeline {
        poller.register(LIFELINE, lifeline.as_fd(), Interest::Read);
    }
    let nannies = Nannies::default();
    let inspect_at = Some(clock::now() + INSPECTION_PAUSE);
    let starts = VecDeque::new();
    let mut runtime = Runtime {
        lvs,
        nannies,
        poller,
        starts,
        paused_until: None,
        at_once: false,
        inspect_at,
        leaving: false,
    };
    runtime.run(started)
}

struct Runtime {
    lvs: Lvs,
    nannies: Nannies,
    poller: Poller,
    /// Nannies to be started.
    starts: VecDeque<Start>,
    /// They wait until then.
    paused_until: Option<Duration>,
    /// Nannies are started where the original starts them: after their service, before the next one. That counts
    /// with a program for the table; the kernel is quick enough to have all services first.
    at_once: bool,
    /// When the table is read again; never when it cannot be.
    inspect_at: Option<Duration>,
    leaving: bool,
}

impl Runtime {
    fn run(&mut self, started: impl FnOnce()) -> io::Result<()> {
        let wanted = Wanted::of(&self.lvs.config, self.lvs.style).mark_foreign_monitors();
        // A program shows no table: it is cleared and built anew.
        let current = self.lvs.backend.table();
        self.at_once = is_program(&current);
        let mut actions = Vec::new();
        let mut supervisor = Supervisor::start(wanted, current.as_ref().ok(), &mut actions);
        supervisor.set_by_program(self.at_once);
        if let (Err(error), false) = (&current, self.at_once) {
            log::info!("the table cannot be read, and is built anew: {error}");
        }
        drop(current);
        self.carry_out(&mut supervisor, actions);
        started();
        while !(self.leaving && self.nannies.is_empty()) {
            self.turn(&mut supervisor)?;
        }
        Ok(())
    }

    fn turn(&mut self, supervisor: &mut Supervisor) -> io::Result<()> {
        let timeout = match self.starts.is_empty() || self.paused_until.is_some() {
            false => Some(Duration::ZERO),
            true => self.next_deadline().map(|due| due.saturating_sub(clock::now())),
        };
        let ready: Vec<usize> = self.poller.wait(timeout)?.iter().map(|ready| ready.token).collect();
        let mut actions = Vec::new();
        let mut is_read = false;
        for token in ready {
            match token {
                OURS => {}
                REREADING => is_read = true,
                LIFELINE => self.lost_pulse(supervisor, &mut actions),
                nanny => self.nannies.read(nanny, &mut self.poller, |id, report| {
                    supervisor.report(id, report, &mut actions);
                }),
            }
        }
        for signal in self.lvs.signals.take() {
            self.on_signal(signal, supervisor, &mut actions);
        }
        self.reread(is_read, supervisor, &mut actions);
        self.carry_out(supervisor, actions);
        self.start_some(supervisor);
        self.tell_ready(supervisor);
        let mut actions = Vec::new();
        self.nannies.proceed(clock::now(), |id| supervisor.report(id, Report::Silence, &mut actions));
        self.carry_out(supervisor, actions);
        if !self.leaving && self.inspect_at.is_some_and(|due| clock::now() >= due) {
            self.inspect(supervisor);
        }
        Ok(())
    }

    fn next_deadline(&self) -> Option<Duration> {
        let inspection = self.inspect_at.filter(|_| !self.leaving);
        let reading = self.lvs.file.next_deadline().filter(|_| !self.leaving);
        [self.nannies.next_deadline(), inspection, self.paused_until, reading].into_iter().flatten().min()
    }

    /// Puts right what somebody else has done to the table.
    fn inspect(&mut self, supervisor: &mut Supervisor) {
        let started = clock::now();
        let mut actions = Vec::new();
        match self.lvs.backend.table() {
            Ok(current) => supervisor.repair(&current, &mut actions),
            Err(error) if error.kind == ErrorKind::Unsupported => return self.inspect_at = None,
            Err(error) => log::debug!("{error}"),
        }
        let now = clock::now();
        self.inspect_at = Some(now + INSPECTION_PAUSE.max((now - started) * INSPECTION_SHARE));
        self.carry_out(supervisor, actions);
    }

    /// Pulse moves the addresses to this node when it hears that every service can be served from here.
    fn tell_ready(&mut self, supervisor: &Supervisor) {
        if self.lvs.pulse.ready.is_none() || !supervisor.is_ready() {
            return;
        }
        if let Some(ready) = self.lvs.pulse.ready.take() {
            // A pulse that has gone meanwhile is noticed by the lifeline.
            let _ = std::fs::File::from(ready).write_all(b"ready\n");
        }
    }

    fn on_signal(&mut self, signal: i32, supervisor: &mut Supervisor, actions: &mut Vec<Action>) {
        match signal {
            libc::SIGCHLD => {
                for (pid, _) in child::reap() {
                    if let Some(id) = self.nannies.ended(pid, &mut self.poller) {
                        supervisor.nanny_ended(id, actions);
                    }
                }
            }
            _ if self.leaving => {}
            libc::SIGHUP => {
                tell(&Message::Rereading);
                self.lvs.file.ask();
            }
            _ => supervisor.stop(Reason::Signal(signal), actions),
        }
    }

    fn lost_pulse(&mut self, supervisor: &mut Supervisor, actions: &mut Vec<Action>) {
        self.poller.deregister(LIFELINE);
        // Withdrawing takes a descriptor, and there may be no other.
        self.lvs.pulse.lifeline = None;
        // Also of an lvs that is ending already: pulse would have waited for it.
        supervisor.stop(Reason::PulseDied, actions);
    }

    /// Reads the file as often as HUP has asked for it. Nothing waits for that.
    fn reread(&mut self, is_read: bool, supervisor: &mut Supervisor, actions: &mut Vec<Action>) {
        if is_read {
            self.poller.deregister(REREADING);
        }
        let goes_on = !is_read && self.lvs.file.descriptor().is_some();
        let mut readable = is_read;
        while let Some(read) = self.lvs.file.proceed(clock::now(), std::mem::take(&mut readable)) {
            if !self.leaving {
                self.reload(read, supervisor, actions);
            }
        }
        if let Some(descriptor) = self.lvs.file.descriptor().filter(|_| !goes_on) {
            self.poller.register(REREADING, descriptor, Interest::Read);
        }
    }

    /// A file that cannot be used is refused and everything stays as it is.
    fn reload(
        &mut self,
        read: Result<Config, LoadError>,
        supervisor: &mut Supervisor,
        actions: &mut Vec<Action>,
    ) {
        match read {
            Ok(config) if config.service != self.lvs.config.service => tell(&Message::ServiceChanged),
            Ok(config) => {
                let ipvsadm = self.change_backend(supervisor, &config);
                self.paused_until = None;
                supervisor.reload(Wanted::of(&config, self.lvs.style).mark_foreign_monitors(), actions);
                let heard = std::mem::take(&mut self.lvs.config);
                self.lvs.config = Config { ipvsadm, ..orphan::with_heartbeats_of(heard, config) };
            }
            Err(error @ LoadError::Open { .. }) => {
                tell(&Message::OpenFailed { path: error.path().display().to_string() });
                self.read_later(&error);
            }
            Err(error) => {
                let path = error.path().display().to_string();
                tell(&Message::ParseFailed { path, line: error.line() });
                tell(&Message::Reason { text: error.to_string() });
            }
        }
    }

    /// HUP shall not be lost on a shortage that passes.
    fn read_later(&mut self, error: &LoadError) {
        if let Some(reason) = error.shortage() {
            let pause = SHORTAGE_PAUSE.as_secs();
            tell(&Message::Reason { text: format!("{reason}: the file is read again in {pause} seconds") });
            self.lvs.file.put_off(clock::now() + SHORTAGE_PAUSE);
        }
    }

    /// Another `ipvsadm =`: another way to the same table. The one that is in force from now on.
    fn change_backend(&mut self, supervisor: &mut Supervisor, config: &Config) -> Text {
        let before = &self.lvs.config.ipvsadm;
        if config.ipvsadm == *before {
            return before.clone();
        }
        match system::ipvs::backend(config.ipvsadm.as_os_str()) {
            Ok(mut backend) => {
                self.at_once = is_program(&backend.table());
                supervisor.set_by_program(self.at_once);
                self.lvs.backend = backend;
                self.inspect_at = Some(clock::now() + INSPECTION_PAUSE);
                config.ipvsadm.clone()
            }
            Err(error) => {
                log::info!("no access to the kernel's IPVS table: {error}");
                before.clone()
            }
        }
    }

    fn carry_out(&mut self, supervisor: &mut Supervisor, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Log(message) => tell(&message),
                Action::Start(start) if self.at_once => queue.extend(self.start(supervisor, &start)),
                Action::Start(start) => self.starts.push_back(start),
                Action::Stop(id) => self.nannies.stop(id, clock::now(), &mut self.poller),
                Action::Await(ids) => self.nannies.stop_and_wait(&ids, &mut self.poller),
                Action::Inspect => {
                    let soon = clock::now() + HURRIED_PAUSE;
                    self.inspect_at = self.inspect_at.map(|due| due.min(soon));
                }
                Action::Withdraw => orphan::withdraw(&self.lvs.config),
                Action::Exit => self.leaving = true,
                Action::Apply(operations) => {
                    for action in self.apply(supervisor, &operations).into_iter().rev() {
                        queue.push_front(action);
                    }
                }
            }
        }
    }

    fn apply(&mut self, supervisor: &mut Supervisor, operations: &[Operation]) -> Vec<Action> {
        let mut actions = Vec::new();
        for (operation, result) in operations.iter().zip(self.lvs.backend.apply(operations)) {
            if let Err(error) = result {
                supervisor.failed(operation, &error, &mut actions);
            }
        }
        actions
    }

    /// Starts some of the nannies that are due, the rest in later turns.
    fn start_some(&mut self, supervisor: &mut Supervisor) {
        if self.leaving {
            self.starts.clear();
        }
        if self.paused_until.is_some_and(|until| clock::now() < until && !self.leaving) {
            return;
        }
        self.paused_until = None;
        for _ in 0..STARTS_PER_TURN {
            let Some(start) = self.starts.pop_front() else { return };
            let actions = self.start(supervisor, &start);
            self.carry_out(supervisor, actions);
            if self.paused_until.is_some() {
                return;
            }
        }
    }

    /// Starts one nanny, unless it is no longer wanted. What follows if that fails.
    fn start(&mut self, supervisor: &mut Supervisor, start: &Start) -> Vec<Action> {
        let mut actions = Vec::new();
        if !supervisor.expects(start.id) {
            return actions;
        }
        let Start { service, server, .. } = start.clone();
        match self.nannies.start(start, &mut self.poller) {
            Ok(pid) => tell(&Message::NannyStarted { service, server, pid: pid.as_raw() }),
            Err(error) => {
                tell(&Message::NannyNotStarted { service, server, reason: error.to_string() });
                if errno::is_shortage(&error) && supervisor.goes_on_without_a_nanny() {
                    self.starts.push_front(start.clone());
                    self.paused_until = Some(clock::now() + SHORTAGE_PAUSE);
                } else {
                    supervisor.nanny_ended(start.id, &mut actions);
                }
            }
        }
        actions
    }
}

/// Whether the table is edited by a program, which cannot show it.
fn is_program(table: &Result<Table, Error>) -> bool {
    matches!(table, Err(error) if error.kind == ErrorKind::Unsupported)
}

fn tell(message: &Message) {
    log::info!("{message}");
}
