//! Waiting: for a descriptor, a time, a signal or the loss of the parent, whichever comes first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use system::child::Pid;
use system::clock;
use system::poll::{Interest, Poller};
use system::signals::{Signals, SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

/// Names of the descriptors that are waited for.
const SIGNALS: usize = 0;
const PARENT: usize = 1;
const TARGET: usize = 2;

/// Why nanny must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A signal asks for it; a program that was running then has been killed.
    Signal {
        /// TERM or INT.
        signal: i32,
        /// The program.
        killed: Option<Pid>,
    },
    /// Nobody reads the verdicts any more.
    ParentGone,
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor is ready.
    Ready,
    /// The time is over.
    Timeout,
    /// A signal came that does not end nanny; look around and wait on.
    Signal,
}

/// Waits for one thing at a time, always with an eye on signals and on the parent.
pub struct Waiter {
    signals: Signals,
    parent: Option<OwnedFd>,
    poller: Poller,
    commands: Vec<i32>,
}

impl Waiter {
    /// Takes over the signals. `parent`: the pipe to the parent, if there is one.
    ///
    /// # Errors
    /// Those of sigaction(2) and socketpair(2).
    pub fn new(parent: Option<OwnedFd>) -> io::Result<Self> {
        let signals = Signals::install(&[SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD])?;
        Ok(Waiter { signals, parent, poller: Poller::new(), commands: Vec::new() })
    }

    /// The administrator's signals (HUP, USR1, USR2) that arrived since the last call. They take effect
    /// between checks.
    pub fn take_commands(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.commands)
    }

    /// Waits for `target`, if any, until `deadline`, if any.
    ///
    /// # Errors
    /// Why nanny must end.
    pub fn wait(
        &mut self,
        target: Option<(BorrowedFd<'_>, Interest)>,
        deadline: Option<Duration>,
    ) -> Result<Woken, End> {
        let left = deadline.map(|deadline| deadline.saturating_sub(clock::now()));
        self.poller.clear();
        self.poller.register(SIGNALS, self.signals.fd(), Interest::Read);
        if let Some(parent) = &self.parent {
            self.poller.register(PARENT, parent.as_fd(), Interest::HangUp);
        }
        if let Some((descriptor, interest)) = target {
            self.poller.register(TARGET, descriptor, interest);
        }
        // Out of kernel memory at worst: as if a signal had come, but not in a tight loop.
        let ready = self.poller.wait(left).inspect_err(|_| pause()).unwrap_or_default();
        let is_ready = |token| ready.iter().any(|ready| ready.token == token);
        let (signals, parent, target) = (is_ready(SIGNALS), is_ready(PARENT), is_ready(TARGET));
        if signals {
            self.sort_signals()?;
        }
        match (parent, target, signals) {
            (true, ..) => Err(End::ParentGone),
            (_, true, _) => Ok(Woken::Ready),
            (.., true) => Ok(Woken::Signal),
            _ if deadline.is_some_and(|deadline| clock::now() >= deadline) => Ok(Woken::Timeout),
            _ => Ok(Woken::Signal),
        }
    }

    fn sort_signals(&mut self) -> Result<(), End> {
        for signal in self.signals.take() {
            match signal {
                SIGINT | SIGTERM => return Err(End::Signal { signal, killed: None }),
                // Programs are waited for; their end only wakes the wait.
                SIGCHLD => {}
                command => self.commands.push(command),
            }
        }
        Ok(())
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}
