//! The nanny processes: starting them, hearing their reports, ending them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use system::child::{self, Pid, Signal, Spawn};
use system::poll::{Interest, Poller};

use crate::report::Lines;
use crate::supervisor::{NannyId, Report, Start};

/// How long a nanny may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Names, in nanny's environment, the descriptor that takes its reports.
const STATUS: &str = "PIRANHA_STATUS_FD";

/// Set for a nanny whose server is in service already: it skips the slow start.
const RESUME: &str = "PIRANHA_RESUME";

struct Nanny {
    pid: Pid,
    status: File,
    lines: Lines,
}

/// All nannies of this lvs.
#[derive(Default)]
pub struct Nannies {
    running: HashMap<NannyId, Nanny>,
    by_pid: HashMap<Pid, NannyId>,
    /// Told to end, with the time at which patience runs out.
    ending: HashMap<Pid, Duration>,
}

impl Nannies {
    /// Starts a nanny. It dies with us.
    ///
    /// # Errors
    ///
    /// Those of making a pipe or of starting a program.
    pub fn start(&mut self, start: &Start, poller: &mut Poller) -> io::Result<Pid> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let pid = self.program(start, writer).spawn()?.pid;
        poller.register(token(start.id), reader.as_fd(), Interest::Read);
        self.by_pid.insert(pid, start.id);
        self.running.insert(start.id, Nanny { pid, status: File::from(reader), lines: Lines::default() });
        Ok(pid)
    }

    fn program(&self, start: &Start, status: OwnedFd) -> Spawn {
        let mut nanny = Spawn::new(&start.command.program);
        nanny.arguments.clone_from(&start.command.arguments);
        nanny.environment.push((STATUS.into(), status.as_raw_fd().to_string().into()));
        if start.resume {
            nanny.environment.push((RESUME.into(), "1".into()));
        }
        nanny.inherited.push(status);
        nanny.death_signal = Some(Signal::SIGTERM);
        nanny
    }

    /// Reads what the nanny of this token has reported; nothing for a token of something else.
    pub fn read(&mut self, token: usize, poller: &mut Poller, mut hand: impl FnMut(NannyId, Report)) {
        let id = token as NannyId;
        let Some(nanny) = self.running.get_mut(&id) else { return };
        let mut buffer = [0; 512];
        loop {
            match nanny.status.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => nanny.lines.feed(&buffer[..length], |report| hand(id, report)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        // End of file: it has closed the pipe, or has ended. SIGCHLD tells which.
        poller.deregister(token);
    }

    /// Tells a nanny to end; what it still says is not heard.
    pub fn stop(&mut self, id: NannyId, now: Duration, poller: &mut Poller) {
        let Some(nanny) = self.running.remove(&id) else { return };
        poller.deregister(token(id));
        self.by_pid.remove(&nanny.pid);
        signal(nanny.pid, Signal::SIGTERM);
        self.ending.insert(nanny.pid, now + PATIENCE);
    }

    /// A child was reaped; the nanny that it was, if it had not been told to end.
    pub fn ended(&mut self, pid: Pid, poller: &mut Poller) -> Option<NannyId> {
        self.ending.remove(&pid);
        let id = self.by_pid.remove(&pid)?;
        self.running.remove(&id);
        poller.deregister(token(id));
        Some(id)
    }

    /// When patience with an ending nanny runs out.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.ending.values().min().copied()
    }

    /// Kills nannies that do not end.
    pub fn proceed(&mut self, now: Duration) {
        for (pid, kill_at) in self.ending.iter_mut().filter(|(_, kill_at)| now >= **kill_at) {
            signal(*pid, Signal::SIGKILL);
            *kill_at = now + PATIENCE;
        }
    }

    /// Whether any is left.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.ending.is_empty()
    }
}

/// The poller's name for a nanny. 0 is taken by what is not a nanny; ids begin with 1.
fn token(id: NannyId) -> usize {
    id as usize
}

fn signal(pid: Pid, signal: Signal) {
    if let Err(error) = child::kill(pid, signal) {
        log::debug!("cannot signal process {pid}: {error}");
    }
}
