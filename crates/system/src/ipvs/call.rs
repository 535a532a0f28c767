//! One run of a program in ipvsadm's place, beside whatever else its caller does.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{fcntl, FcntlArg, OFlag};

use crate::child::{self, Exit, Pid, Signal, Spawn, Stream};

/// How long a killed program is waited for: one that is stuck in the kernel may never go.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much of what the program says goes into the error.
const SAID: usize = 512;

/// A program that runs.
#[derive(Debug)]
pub struct Call {
    name: String,
    pid: Pid,
    /// Its standard error, until it is closed.
    stderr: Option<File>,
    said: Vec<u8>,
    limit: Duration,
    deadline: Duration,
    killed: bool,
}

impl Call {
    /// Starts the program, which may take so long.
    pub(super) fn start<S: AsRef<OsStr>>(
        now: Duration,
        program: &Path,
        arguments: &[S],
        limit: Duration,
    ) -> Result<Self, String> {
        let name = program.display().to_string();
        let mut spawn = Spawn::new(program);
        spawn.arguments = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
        (spawn.stdin, spawn.stdout, spawn.stderr) = (Stream::Null, Stream::Null, Stream::Piped);
        spawn.new_group = true;
        let child = spawn.spawn().map_err(|error| format!("{name}: {error}"))?;
        // Of a program whose words cannot be heard, the end is told all the same.
        let stderr = child.stderr.and_then(|stderr| unblocked(stderr).ok());
        let deadline = now + limit;
        Ok(Self { name, pid: child.pid, stderr, said: Vec::new(), limit, deadline, killed: false })
    }

    /// The program's process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it took too long.
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    /// What to wait on: what the program says has to be taken in, or it might wait for that.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.stderr.as_ref().map(AsFd::as_fd)
    }

    /// When patience with the program ends.
    pub fn next_deadline(&self) -> Duration {
        self.deadline
    }

    /// Hears the program, and kills it, with what it has started, when its time is over. True when there is no use in
    /// waiting for it any longer.
    pub fn proceed(&mut self, now: Duration) -> bool {
        self.listen();
        if now < self.deadline {
            return false;
        }
        if self.killed {
            return true;
        }
        log::info!("{} does not end; killing process {}", self.name, self.pid);
        if let Err(error) = child::kill_group(self.pid, Signal::SIGKILL) {
            log::info!("cannot signal process {}: {error}", self.pid);
        }
        self.killed = true;
        self.deadline = now + PATIENCE;
        false
    }

    /// What became of it. No `exit` when it was not waited for.
    ///
    /// # Errors
    ///
    /// In words, why it failed.
    pub fn result(mut self, exit: Option<Exit>) -> Result<(), String> {
        self.listen();
        let ended = match exit {
            _ if self.killed => format!("killed after {} s", self.limit.as_secs_f32()),
            Some(Exit::Status(0)) => return Ok(()),
            Some(Exit::Status(status)) => format!("exit status: {status}"),
            Some(Exit::Signal(signal)) => format!("signal: {signal}"),
            None => "not ended".to_owned(),
        };
        let said = String::from_utf8_lossy(&self.said);
        match said.trim() {
            "" => Err(format!("{}: {ended}", self.name)),
            said => Err(format!("{}: {ended}: {said}", self.name)),
        }
    }

    fn listen(&mut self) {
        let mut piece = [0; SAID];
        while let Some(stderr) = &mut self.stderr {
            match stderr.read(&mut piece) {
                Ok(length) if length > 0 => {
                    let wanted = length.min(SAID - self.said.len());
                    self.said.extend_from_slice(&piece[..wanted]);
                    // One that never stops writing must not keep the loop.
                    if self.said.len() == SAID {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => self.stderr = None,
            }
        }
    }
}

fn unblocked(descriptor: OwnedFd) -> io::Result<File> {
    fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(descriptor))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn shell(script: &str) -> Call {
        Call::start(START, Path::new("/bin/sh"), &["-c", script], Duration::from_secs(10)).unwrap()
    }

    /// Waits for the program's end; its words are heard meanwhile.
    fn ended(mut run: Call, now: Duration) -> Result<(), String> {
        loop {
            assert!(!run.proceed(now));
            if let Some(exit) = child::reap_one(run.pid()).unwrap() {
                return run.result(Some(exit));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn what_became_of_it_is_told_in_words() {
        let table = [
            ("true", None),
            ("exit 3", Some("/bin/sh: exit status: 3")),
            ("echo no such service >&2; exit 2", Some("/bin/sh: exit status: 2: no such service")),
            ("kill -9 $$", Some("/bin/sh: signal: 9")),
            ("exec 2>&-; sleep 0.1; exit 1", Some("/bin/sh: exit status: 1")),
        ];
        for (script, words) in table {
            assert_eq!(ended(shell(script), START).err().as_deref(), words, "{script}");
        }
    }

    #[test]
    fn one_that_says_too_much_is_not_kept_waiting() {
        let words = ended(shell("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1"), START).unwrap_err();
        assert_eq!(words, format!("/bin/sh: exit status: 1: {}", "x".repeat(SAID)));
    }

    #[test]
    fn one_that_takes_too_long_is_killed_and_what_it_leaves_running_is_not_waited_for() {
        let mut run = shell("sleep 1000 & sleep 1000");
        let due = run.next_deadline();
        assert_eq!(due, START + Duration::from_secs(10));
        assert!(!run.proceed(due - Duration::from_millis(1)) && !run.is_killed());
        assert!(!run.proceed(due) && run.is_killed());
        assert_eq!(ended(run, due), Err("/bin/sh: killed after 10 s".into()));
    }

    #[test]
    fn one_that_even_then_does_not_end_is_given_up() {
        let mut run = shell("sleep 1000");
        run.proceed(run.next_deadline());
        let pid = run.pid();
        assert!(run.proceed(run.next_deadline()));
        assert_eq!(run.result(None), Err("/bin/sh: killed after 10 s".into()));
        while child::reap_one(pid).unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
