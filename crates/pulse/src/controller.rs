//! The lvs that pulse runs while it is active: at most one at a time.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use system::child::{self, Pid, Signal, Spawn};
use system::poll;
use system::sibling::is_our_lvs;
use system::startup::{LIFELINE, READY};

/// How long lvs may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How lvs is started.
pub struct Program {
    /// The path of the program.
    pub path: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Reads end-of-file when pulse is gone.
    pub lifeline: OwnedFd,
}

enum State {
    Absent,
    Running(Running),
    Ending { pid: Pid, kill_at: Duration, again: bool },
}

struct Running {
    pid: Pid,
    /// Where lvs says that the table is filled, until it has.
    ready: Option<OwnedFd>,
}

/// Keeps the one lvs.
pub struct Controller {
    program: Program,
    state: State,
}

/// What the end of a child meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was not lvs.
    Stranger,
    /// lvs, as it was told to.
    Expected,
    /// lvs, by itself.
    Unexpected,
}

impl Controller {
    /// No lvs runs yet.
    pub fn new(program: Program) -> Self {
        Self { program, state: State::Absent }
    }

    /// Starts lvs; one that is just ending is waited for first.
    ///
    /// # Errors
    ///
    /// Those of starting a program.
    pub fn start(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Running(_) => Ok(()),
            State::Ending { again, .. } => {
                *again = true;
                Ok(())
            }
            State::Absent => {
                self.state = State::Running(self.spawn()?);
                Ok(())
            }
        }
    }

    fn spawn(&self) -> io::Result<Running> {
        let lifeline = self.program.lifeline.try_clone()?;
        let (ready, says_ready) = child::pipe()?;
        let mut lvs = Spawn::new(&self.program.path);
        lvs.arguments.clone_from(&self.program.arguments);
        lvs.environment.push((LIFELINE.into(), child::name_inherited(&lifeline)));
        lvs.environment.push((READY.into(), child::name_inherited(&says_ready)));
        lvs.inherited.extend([lifeline, says_ready]);
        // A program of somebody else's may never unblock it.
        lvs.held = is_our_lvs(&self.program.path).then_some(Signal::SIGHUP);
        Ok(Running { pid: lvs.spawn()?.pid, ready: Some(ready) })
    }

    /// Tells lvs to end. It is not waited for here.
    pub fn stop(&mut self, now: Duration) {
        match &mut self.state {
            State::Absent => {}
            State::Ending { again, .. } => *again = false,
            State::Running(Running { pid, .. }) => {
                let pid = *pid;
                signal(pid, Signal::SIGTERM);
                self.state = State::Ending { pid, kill_at: now + PATIENCE, again: false };
            }
        }
    }

    /// Passes HUP on, to a living lvs only.
    pub fn reload(&self) {
        if let State::Running(Running { pid, .. }) = self.state {
            signal(pid, Signal::SIGHUP);
        }
    }

    /// Whether any lvs is there, ending or not.
    pub fn is_present(&self) -> bool {
        !matches!(self.state, State::Absent)
    }

    /// What to wait on for lvs to say that the table is filled.
    pub fn ready_descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Running(Running { ready: Some(ready), .. }) => Some(ready.as_fd()),
            _ => None,
        }
    }

    /// Reads what lvs says there, if it has said something. True once, when the table is filled.
    pub fn take_ready(&mut self) -> bool {
        let State::Running(running) = &mut self.state else { return false };
        let Some(ready) = running.ready.take_if(|ready| is_readable(ready)) else { return false };
        // End of file without a word: an lvs that cannot tell.
        matches!(File::from(ready).read(&mut [0; 16]), Ok(length) if length > 0)
    }

    /// When patience with an ending lvs runs out.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Ending { kill_at, .. } => Some(kill_at),
            _ => None,
        }
    }

    /// Kills an lvs that does not end.
    pub fn proceed(&mut self, now: Duration) {
        if let State::Ending { pid, kill_at, .. } = &mut self.state {
            if now >= *kill_at {
                log::info!("lvs does not end; killing process {pid}");
                signal(*pid, Signal::SIGKILL);
                *kill_at = now + PATIENCE;
            }
        }
    }

    /// A child was reaped.
    ///
    /// # Errors
    ///
    /// Those of starting lvs again, where that had been asked for meanwhile.
    pub fn ended(&mut self, reaped: Pid) -> io::Result<Ended> {
        match self.state {
            State::Running(Running { pid, .. }) if pid == reaped => {
                self.state = State::Absent;
                Ok(Ended::Unexpected)
            }
            State::Ending { pid, again, .. } if pid == reaped => {
                self.state = State::Absent;
                if again {
                    self.start()?;
                }
                Ok(Ended::Expected)
            }
            _ => Ok(Ended::Stranger),
        }
    }
}

fn is_readable(descriptor: &OwnedFd) -> bool {
    poll::wait(&[descriptor.as_fd()], Some(Duration::ZERO)).is_ok_and(|ready| !ready.is_empty())
}

/// A process that is gone will be reaped; anything else is worth a line.
fn signal(pid: Pid, signal: Signal) {
    if let Err(error) = child::kill(pid, signal) {
        log::info!("cannot signal process {pid}: {error}");
    }
}
