//! The fos that pulse runs with `service = fos`: at most one at a time, in one of two modes.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use system::child::{self, Pid, Signal, Spawn};
use system::startup::LIFELINE;

/// What fos is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Run the services.
    Services,
    /// Monitor the partner's.
    Monitors,
}

impl Task {
    /// The option that says so.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Services => "--active",
            Self::Monitors => "--monitor",
        }
    }
}

/// How fos is started.
pub struct Program {
    /// The path of the program.
    pub path: OsString,
    /// Its arguments after the one of its task.
    pub arguments: Vec<OsString>,
    /// Reads end-of-file when pulse is gone.
    pub lifeline: OwnedFd,
}

struct Running {
    pid: Pid,
    task: Task,
    /// When patience with an ending fos runs out.
    kill_at: Option<Duration>,
}

/// Keeps the one fos.
pub struct Fos {
    program: Program,
    running: Option<Running>,
}

/// What the end of a child meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was not fos.
    Stranger,
    /// fos, as it was told to.
    Expected,
    /// fos, by itself.
    Unexpected,
}

impl Fos {
    /// None runs yet.
    pub fn new(program: Program) -> Self {
        Self { program, running: None }
    }

    /// Starts fos. There must be none.
    ///
    /// # Errors
    ///
    /// Those of starting a program.
    pub fn start(&mut self, task: Task) -> io::Result<()> {
        let lifeline = self.program.lifeline.try_clone()?;
        let mut fos = Spawn::new(&self.program.path);
        fos.arguments.push(task.option().into());
        fos.arguments.extend_from_slice(&self.program.arguments);
        fos.environment.push((LIFELINE.into(), child::name_inherited(&lifeline)));
        fos.inherited.push(lifeline);
        log::debug!("DEBUG -- Executing {} {}", self.program.path.to_string_lossy(), task.option());
        self.running = Some(Running { pid: fos.spawn()?.pid, task, kill_at: None });
        Ok(())
    }

    /// Tells fos to end, which may take `patience` before it is killed. It is not waited for here.
    pub fn stop(&mut self, now: Duration, patience: Duration) {
        if let Some(running @ Running { kill_at: None, .. }) = &mut self.running {
            signal(running.pid, Signal::SIGTERM);
            running.kill_at = Some(now + patience);
        }
    }

    /// Whether any fos is there, ending or not.
    pub fn is_present(&self) -> bool {
        self.running.is_some()
    }

    /// Whether one does this, and is not ending.
    pub fn does(&self, task: Option<Task>) -> bool {
        let does = |running: &Running| (running.kill_at.is_none(), Some(running.task)) == (true, task);
        self.running.as_ref().is_some_and(does)
    }

    /// When patience with an ending fos runs out.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.running.as_ref().and_then(|running| running.kill_at)
    }

    /// Kills a fos that does not end.
    pub fn proceed(&mut self, now: Duration) {
        let Some(Running { pid, kill_at: Some(kill_at), .. }) = &mut self.running else { return };
        if now >= *kill_at {
            log::info!("fos does not end; killing process {pid}");
            signal(*pid, Signal::SIGKILL);
            *kill_at = now + Duration::from_secs(1);
        }
    }

    /// A child was reaped.
    pub fn ended(&mut self, reaped: Pid) -> Ended {
        match self.running.take_if(|running| running.pid == reaped) {
            None => Ended::Stranger,
            Some(Running { kill_at: None, .. }) => Ended::Unexpected,
            Some(_) => Ended::Expected,
        }
    }
}

/// A process that is gone will be reaped; anything else is worth a line.
fn signal(pid: Pid, signal: Signal) {
    if let Err(error) = child::kill(pid, signal) {
        log::info!("cannot signal process {pid}: {error}");
    }
}
