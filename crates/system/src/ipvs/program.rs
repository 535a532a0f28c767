//! The IPVS table by way of a program: for sites whose `ipvsadm =` names one of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ipvs::{Backend, Error, ErrorKind, Operation, Table};

use super::call::Call;
use crate::{child, clock, poll};

/// How long the program may take for one operation before it is killed.
const LIMIT: Duration = Duration::from_secs(10);

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
        let mut call = self.start(clock::now(), arguments)?;
        let mut pause = PAUSES.0;
        loop {
            match child::reap_one(call.pid()) {
                Ok(Some(exit)) => return call.result(Some(exit)),
                Ok(None) => {}
                Err(error) => return Err(format!("{}: {error}", self.path.display())),
            }
            if call.proceed(clock::now()) {
                return call.result(None);
            }
            // The end of its standard error mostly means its own.
            pause = if listen(&call, pause) { PAUSES.0 } else { PAUSES.1.min(pause * 2) };
        }
    }

    /// Starts the program with these arguments, beside whatever the caller does meanwhile.
    ///
    /// # Errors
    /// In words, why it cannot be started.
    pub fn start<S: AsRef<OsStr>>(&self, now: Duration, arguments: &[S]) -> Result<Call, String> {
        Call::start(now, &self.path, arguments, self.limit)
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

/// So that the error names the file that was meant.
fn unsearched(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().contains(&b'/') {
        path.to_path_buf()
    } else {
        Path::new(".").join(path)
    }
}

/// Waits for the program to say something, or to close its standard error; whether it did within that time.
fn listen(call: &Call, time: Duration) -> bool {
    match call.descriptor() {
        Some(stderr) => poll::wait(&[stderr], Some(time)).is_ok_and(|ready| !ready.is_empty()),
        None => {
            thread::sleep(time);
            false
        }
    }
}
