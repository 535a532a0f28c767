//! Becoming a daemon, and the pid file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::wait::waitpid;
use nix::unistd::{fork, pipe2, setsid, ForkResult};

use crate::errno;

/// How to leave the starting process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detach {
    /// Fork twice: the command returns once the daemon is ready, with its true exit status.
    Fork,
    /// Stay the same process (`--nofork`): for a parent that watches its child.
    InPlace,
}

/// A daemon that has not yet said whether its start succeeded. Dropped without a word (a crash), the
/// waiting command exits with 1.
#[derive(Debug)]
#[must_use = "the starting command waits for ready() or fail()"]
pub struct Readiness {
    null: File,
    waiting: Option<File>,
}

/// Detaches from the terminal: standard input and output lead to /dev/null, a session of its own. Standard
/// error stays until [`Readiness::ready`], so that start-up errors are seen. Directory and umask stay, as
/// in the original. With [`Detach::Fork`] the calling process never returns from here.
///
/// Call it before any thread is started, and before [`PidFile::create`].
///
/// # Errors
/// Those of fork(2), pipe(2) and open(2).
pub fn daemonise(detach: Detach) -> io::Result<Readiness> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let waiting = match detach {
        Detach::Fork => Some(File::from(fork_twice()?)),
        Detach::InPlace => None,
    };
    // Fails only for a process that already leads a group: it has what it needs.
    let _ = setsid();
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO] {
        replace(stream, &null)?;
    }
    Ok(Readiness { null, waiting })
}

/// Returns, in the grandchild, the pipe on which it reports. The parent waits for the report and exits.
fn fork_twice() -> io::Result<OwnedFd> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the process has one thread (documented precondition), so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(writer);
            let mut status = [1];
            // Nothing was written: the daemon died. Its status is then the 1 that stands there.
            let _ = File::from(reader).read(&mut status);
            let _ = waitpid(child, None);
            exit_now(status[0].into())
        }
        ForkResult::Child => {
            drop(reader);
            // SAFETY: as above.
            match unsafe { fork() } {
                Ok(ForkResult::Parent { .. }) => exit_now(0),
                Ok(ForkResult::Child) => Ok(writer),
                Err(error) => Err(error.into()),
            }
        }
    }
}

/// Exits without running exit handlers, which belong to the process that goes on.
fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) only ends this process.
    unsafe { libc::_exit(status) }
}

fn replace(stream: libc::c_int, file: &File) -> io::Result<()> {
    // SAFETY: both are open descriptors; the standard streams have no Rust owner that would close them.
    let result = unsafe { libc::dup2(file.as_raw_fd(), stream) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

impl Readiness {
    /// The start succeeded: standard error leads to /dev/null from now on, and the command that started the
    /// daemon exits with 0.
    pub fn ready(mut self) {
        let _ = replace(libc::STDERR_FILENO, &self.null);
        self.report(0);
    }

    /// The start failed: the command that started the daemon exits with `status`. The caller then exits too.
    pub fn fail(mut self, status: u8) {
        self.report(status);
    }

    fn report(&mut self, status: u8) {
        if let Some(waiting) = &mut self.waiting {
            // Nobody may be waiting any more: that is no reason not to start.
            let _ = waiting.write_all(&[status]);
        }
    }
}

/// A pid file that this process holds locked: `PID\n`. Removed when dropped.
///
/// The lock, not the file, says that a daemon runs: a file left over by a crash is harmless.
#[derive(Debug)]
pub struct PidFile {
    file: Flock<File>,
    path: PathBuf,
}

/// Why a pid file could not be taken.
#[derive(Debug)]
pub enum PidFileError {
    /// Another process holds it; its pid, if the file tells.
    AlreadyRunning {
        /// The file.
        path: PathBuf,
        /// The holder.
        pid: Option<i32>,
    },
    /// The file cannot be written. The originals log this and go on.
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl PidFile {
    /// Locks `path` and writes this process's id into it. Call it after [`daemonise`].
    ///
    /// # Errors
    /// [`PidFileError::AlreadyRunning`] if another process holds the lock.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, PidFileError> {
        let path = path.into();
        loop {
            let file = match open(&path).map_err(|source| PidFileError::Io { path: path.clone(), source })? {
                Ok(file) => file,
                Err(pid) => return Err(PidFileError::AlreadyRunning { path, pid }),
            };
            // A holder that just ended may have removed the file between our open and our lock.
            if is_at(&file, &path) {
                return match write_pid(&file) {
                    Ok(()) => Ok(PidFile { file, path }),
                    Err(source) => Err(PidFileError::Io { path, source }),
                };
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The locked file, or the pid of who has it.
fn open(path: &Path) -> io::Result<Result<Flock<File>, Option<i32>>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o644).open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Ok(Ok(locked)),
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            Ok(Err(text.trim().parse().ok()))
        }
        Err((_, error)) => Err(error.into()),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidFileError::AlreadyRunning { path, pid: Some(pid) } => {
                write!(f, "already running as pid {pid} ({})", path.display())
            }
            PidFileError::AlreadyRunning { path, pid: None } => {
                write!(f, "already running ({} is locked)", path.display())
            }
            PidFileError::Io { path, source } => {
                write!(f, "failed to open {}: {}", path.display(), errno::text(source))
            }
        }
    }
}

impl std::error::Error for PidFileError {}

#[cfg(test)]
#[path = "daemon_tests.rs"]
mod tests;
