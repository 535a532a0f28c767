//! Running a check program or a load command.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use health::ProgramResult;
use system::child::{self, Exit, Pid, Signal, Spawn, Stream};
use system::clock;
use system::errno;
use system::poll::{self, Interest};

use crate::wait::{End, Waiter, Woken};

/// How much of a program's output counts, in bytes.
pub const OUTPUT_LIMIT: usize = 4095;

/// Runs the program in `words`, found in `PATH`, for at most `timeout`. It gets /dev/null as input and a
/// process group of its own, all of which is killed when the time is over or nanny must end.
///
/// `buffer` holds the output; it has room for at least [`OUTPUT_LIMIT`] bytes.
///
/// # Errors
/// Why nanny must end.
pub fn run(
    words: Vec<Vec<u8>>,
    timeout: Duration,
    waiter: &mut Waiter,
    buffer: &mut [u8],
) -> Result<ProgramResult, End> {
    let deadline = clock::now() + timeout;
    let mut words = words.into_iter().map(OsString::from_vec);
    let Some(program) = words.next() else { return Ok(ProgramResult::Failed) };
    let arguments: Vec<_> = words.collect();
    let spawn = Spawn {
        arguments,
        search_path: true,
        new_group: true,
        stdin: Stream::Null,
        stdout: Stream::Piped,
        stderr: Stream::Null,
        ..Spawn::new(program)
    };
    let started = match spawn.spawn() {
        Ok(started) => started,
        Err(error) if errno::is_shortage(&error) => {
            return Ok(ProgramResult::NotStarted(errno::text(&error)))
        }
        Err(_) => return Ok(ProgramResult::Failed),
    };
    let mut running = Running { pid: started.pid, output: started.stdout.map(File::from), length: 0 };
    match running.finish(deadline, waiter, buffer) {
        Ok(Some(Exit::Status(0))) => Ok(ProgramResult::Output(buffer[..running.length].to_vec())),
        Ok(Some(_)) => Ok(ProgramResult::Failed),
        Ok(None) => {
            running.kill();
            Ok(ProgramResult::TimedOut)
        }
        Err(end) => {
            running.kill();
            Err(match end {
                End::Signal { signal, .. } => End::Signal { signal, killed: Some(running.pid) },
                End::ParentGone => End::ParentGone,
            })
        }
    }
}

/// A program at work.
struct Running {
    pid: Pid,
    /// What it writes, until it closes that.
    output: Option<File>,
    /// Bytes of it that are in the buffer.
    length: usize,
}

impl Running {
    /// Waits for the program's exit (nothing if it takes too long), taking in its output meanwhile.
    fn finish(
        &mut self,
        deadline: Duration,
        waiter: &mut Waiter,
        buffer: &mut [u8],
    ) -> Result<Option<Exit>, End> {
        loop {
            match child::reap_one(self.pid) {
                Ok(None) => {}
                Ok(Some(exit)) => {
                    self.drain(buffer);
                    return Ok(Some(exit));
                }
                Err(_) => return Ok(Some(Exit::Status(1))),
            }
            // There may always be something to read.
            if clock::now() >= deadline {
                return Ok(None);
            }
            let target = self.output.as_ref().map(|output| (output.as_fd(), Interest::Read));
            match waiter.wait(target, Some(deadline))? {
                Woken::Ready => self.take(buffer),
                Woken::Timeout => return Ok(None),
                Woken::Signal => {}
            }
        }
    }

    /// Takes what is there to read. What goes beyond the limit is thrown away, so that a program which
    /// writes much is not stopped by a full pipe.
    fn take(&mut self, buffer: &mut [u8]) {
        let Some(output) = &mut self.output else { return };
        let mut excess = [0; 512];
        let room = &mut buffer[self.length..OUTPUT_LIMIT];
        let full = room.is_empty();
        match output.read(if full { &mut excess } else { room }) {
            Ok(0) | Err(_) => self.output = None,
            Ok(_) if full => {}
            Ok(count) => self.length += count,
        }
    }

    /// Takes what the program left behind; does not wait for its children, who may hold the pipe open.
    fn drain(&mut self, buffer: &mut [u8]) {
        while self.length < OUTPUT_LIMIT && self.output.as_ref().is_some_and(is_readable) {
            self.take(buffer);
        }
    }

    fn kill(&self) {
        // The group may be gone, but for the program itself, which is only collected below.
        let _ = child::kill_group(self.pid, Signal::SIGKILL);
        let _ = child::terminate(self.pid, Duration::ZERO);
    }
}

fn is_readable(output: &File) -> bool {
    matches!(poll::wait(&[output.as_fd()], Some(Duration::ZERO)), Ok(ready) if !ready.is_empty())
}
