//! A program that runs on a host and whose output goes to the journal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use crate::journal::Journal;
use crate::wait::wait_until;

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in the calling thread's namespaces.
    pub(crate) fn start(mut command: Command, source: &str, journal: &Journal) -> Process {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        follow(child.stdout.take().expect("a pipe"), source, journal);
        follow(child.stderr.take().expect("a pipe"), source, journal);
        Process { child, ended: None }
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.status().is_none() {
            kill(self.pid(), signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.pid()));
        }
    }

    /// The exit status if the process has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child");
        }
        self.ended
    }

    /// Waits for the end of the process. Panics after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let pid = self.pid();
        wait_until(limit, &format!("process {pid} ends"), || self.status().is_some());
        self.ended.expect("it has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Copies the lines of `output` to the journal until all writers have closed it.
fn follow(output: impl Read + Send + 'static, source: &str, journal: &Journal) {
    let (source, journal) = (source.to_owned(), journal.clone());
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            journal.add(&source, &String::from_utf8_lossy(&line));
        }
    });
}
