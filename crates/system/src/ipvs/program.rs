//! The IPVS table by way of a program: for sites whose `ipvsadm =` names one of their own.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipvs::{Backend, Error, ErrorKind, Operation, Table};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

/// How long the program may take for one operation before it is killed.
const LIMIT: Duration = Duration::from_secs(10);

/// How much of what the program says goes into the error.
const SAID: usize = 512;

/// Runs the program once for each operation, with the argument vector that Piranha gave it.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    limit: Duration,
}

impl Program {
    /// The program at `path`. As with Piranha PATH is not searched: a mere name means the current directory.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: unsearched(path.as_ref()), limit: LIMIT }
    }

    /// Kills the program after `limit` instead of 10 seconds.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Runs the program with these arguments to its end.
    ///
    /// # Errors
    /// What went wrong, in words: it could not be started, failed, was killed or took too long.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<(), String> {
        let name = self.path.display();
        let mut child = Command::new(&self.path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        match wait(&mut child, Instant::now() + self.limit) {
            Ok((Some(status), _)) if status.success() => Ok(()),
            Ok((Some(status), said)) if said.is_empty() => Err(format!("{name}: {status}")),
            Ok((Some(status), said)) => Err(format!("{name}: {status}: {said}")),
            Ok((None, _)) => {
                end(&mut child);
                Err(format!("{name}: killed after {} s", self.limit.as_secs_f32()))
            }
            Err(error) => {
                end(&mut child);
                Err(format!("{name}: {error}"))
            }
        }
    }
}

impl Backend for Program {
    /// The program's listing is for people; its callers flush and add everything instead.
    fn table(&mut self) -> Result<Table, Error> {
        Err(Error::reading(ErrorKind::Unsupported))
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Error>> {
        let run = |operation: &Operation| {
            self.run(&operation.arguments()).map_err(|what| Error::new(operation, ErrorKind::Program(what)))
        };
        operations.iter().map(run).collect()
    }
}

/// `Command` searches PATH for a name without a slash.
fn unsearched(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().contains(&b'/') {
        path.to_path_buf()
    } else {
        Path::new(".").join(path)
    }
}

/// Reads what the program says until it closes its standard error, which mostly means that it ended, and waits
/// for its end. No status if it has not ended by `deadline`.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<(Option<ExitStatus>, String)> {
    let mut said = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        let mut piece = [0; SAID];
        while readable(stderr.as_fd(), deadline)? {
            match stderr.read(&mut piece)? {
                0 => break,
                length => said.extend_from_slice(&piece[..length.min(SAID.saturating_sub(said.len()))]),
            }
        }
    }
    let said = String::from_utf8_lossy(&said).trim().to_string();
    let mut pause = Duration::from_micros(100);
    loop {
        let status = child.try_wait()?;
        let left = deadline.saturating_duration_since(Instant::now());
        if status.is_some() || left.is_zero() {
            return Ok((status, said));
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Waits for something to read; false when the time is up.
fn readable(fd: std::os::fd::BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself meanwhile; then there is nothing to kill, but still a status to collect.
    let _ = child.kill();
    let _ = child.wait();
}
