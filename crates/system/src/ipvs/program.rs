//! The IPVS table by way of a program: for sites whose `ipvsadm =` names one of their own.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipvs::{Backend, Error, ErrorKind, Operation, Table};

/// How long the program may take for one operation before it is killed.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How much of what the program says goes into the error.
const SAID: usize = 512;

/// Between two looks for the program's end: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(50));

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

/// Waits for the program's end, and takes in what it says meanwhile. Not for what it leaves running, which may hold on
/// to its standard error. No status if it has not ended by `deadline`.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<(Option<ExitStatus>, String)> {
    let mut ear = Ear { stderr: child.stderr.take(), said: Vec::new() };
    let mut pause = PAUSES.0;
    loop {
        let status = child.try_wait()?;
        let left = deadline.saturating_duration_since(Instant::now());
        if status.is_some() || left.is_zero() {
            while ear.said.len() < SAID && ear.listen(Duration::ZERO)? {}
            return Ok((status, String::from_utf8_lossy(&ear.said).trim().to_string()));
        }
        // The end of its standard error mostly means its own.
        pause = if ear.listen(pause.min(left))? { PAUSES.0 } else { PAUSES.1.min(pause * 2) };
    }
}

/// Takes in what a program says.
struct Ear {
    /// Until it is closed.
    stderr: Option<ChildStderr>,
    /// The beginning of what was said.
    said: Vec<u8>,
}

impl Ear {
    /// Waits for the program to say something, or to close its standard error; whether it did within that time.
    fn listen(&mut self, time: Duration) -> io::Result<bool> {
        let Some(stderr) = &mut self.stderr else {
            thread::sleep(time);
            return Ok(false);
        };
        if crate::poll::wait(&[stderr.as_fd()], Some(time))?.is_empty() {
            return Ok(false);
        }
        let mut piece = [0; SAID];
        match stderr.read(&mut piece)? {
            0 => self.stderr = None,
            length => self.said.extend_from_slice(&piece[..length.min(SAID - self.said.len())]),
        }
        Ok(true)
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself meanwhile; then there is nothing to kill, but still a status to collect.
    let _ = child.kill();
    let _ = child.wait();
}
