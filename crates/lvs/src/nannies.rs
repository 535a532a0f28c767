//! The nanny processes: starting them, hearing their reports, ending them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use system::child::{self, Pid, Signal, Spawn, Stream};
use system::clock;
use system::poll::{Interest, Poller};
use system::sibling::is_our_nanny;

use crate::report::{Lines, Tokens};
use crate::supervisor::{NannyId, Report, Start};

/// How long a nanny may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Names, in nanny's environment, the descriptor that takes its reports.
const STATUS: &str = "PIRANHA_STATUS_FD";

/// Set for a nanny whose server is in service already: it skips the slow start.
const RESUME: &str = "PIRANHA_RESUME";

struct Nanny {
    pid: Pid,
    status: File,
    lines: Lines,
    /// Its standard output and error, and what they tell of a nanny that does not report.
    output: Option<(File, Tokens)>,
    /// Until it says something: when it should have.
    silent_until: Option<Duration>,
}

/// A nanny that was told to end.
struct Ending {
    /// When patience runs out.
    kill_at: Duration,
    /// Not read any more. A nanny without this pipe would take lvs for dead and edit the table itself.
    _status: File,
    /// Nor this. A program without it would be killed by the first line that it logs, before it has edited the table.
    _output: Option<(File, Tokens)>,
}

/// All nannies of this lvs.
#[derive(Default)]
pub struct Nannies {
    running: HashMap<NannyId, Nanny>,
    by_pid: HashMap<Pid, NannyId>,
    ending: HashMap<Pid, Ending>,
    /// Whether a program is this suite's own nanny.
    ours: HashMap<OsString, bool>,
}

impl Nannies {
    /// Starts a nanny. It dies with us.
    ///
    /// # Errors
    ///
    /// Those of making a pipe or of starting a program.
    pub fn start(&mut self, start: &Start, poller: &mut Poller) -> io::Result<Pid> {
        let (status, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let mut program = program(start, writer);
        self.bind_to_us(&mut program);
        let output = start.overheard.then(|| overhear(&mut program)).transpose()?;
        let pid = program.spawn()?.pid;
        poller.register(token(start.id), status.as_fd(), Interest::Read);
        if let Some(output) = &output {
            poller.register(token(start.id) + 1, output.as_fd(), Interest::Read);
        }
        self.by_pid.insert(pid, start.id);
        let nanny = Nanny {
            pid,
            status: File::from(status),
            lines: Lines::default(),
            output: output.map(|output| (File::from(output), Tokens::default())),
            silent_until: Some(clock::now() + start.check_limit),
        };
        self.running.insert(start.id, nanny);
        Ok(pid)
    }

    /// Reads what the nanny of this token has reported; nothing for a token of something else.
    pub fn read(&mut self, token: usize, poller: &mut Poller, mut hand: impl FnMut(NannyId, Report)) {
        let id = (token / 2) as NannyId;
        let Some(nanny) = self.running.get_mut(&id) else { return };
        let mut reports = Vec::new();
        let ended = match (token % 2, &mut nanny.output) {
            (0, _) => {
                drain(&mut nanny.status, |bytes| nanny.lines.feed(bytes, |report| reports.push(report)))
            }
            (_, Some((output, tokens))) => {
                drain(output, |bytes| tokens.feed(bytes, |up| reports.push(Report::Edited(up))))
            }
            (_, None) => true,
        };
        // What our own nannies log is no news: they report.
        if token % 2 == 0 && !reports.is_empty() {
            nanny.output.iter_mut().for_each(|(_, tokens)| tokens.stop());
        }
        if !reports.is_empty() {
            nanny.silent_until = None;
        }
        if ended {
            // It has closed the pipe, or has ended. SIGCHLD tells which.
            poller.deregister(token);
        }
        reports.into_iter().for_each(|report| hand(id, report));
    }

    /// Tells a nanny to end; what it still says is not heard.
    pub fn stop(&mut self, id: NannyId, now: Duration, poller: &mut Poller) {
        let Some(nanny) = self.running.remove(&id) else { return };
        forget(id, poller);
        self.by_pid.remove(&nanny.pid);
        signal(nanny.pid, Signal::SIGTERM);
        let ending = Ending { kill_at: now + PATIENCE, _status: nanny.status, _output: nanny.output };
        self.ending.insert(nanny.pid, ending);
    }

    /// The same, one after the other, and waits for each: together no longer than the patience with one.
    pub fn stop_and_wait(&mut self, ids: &[NannyId], poller: &mut Poller) {
        let give_up = clock::now() + PATIENCE;
        for id in ids {
            let Some(pid) = self.running.get(id).map(|nanny| nanny.pid) else { continue };
            self.stop(*id, clock::now(), poller);
            if ends_before(pid, give_up) {
                self.ending.remove(&pid);
            }
        }
    }

    /// A child was reaped; the nanny that it was, if it had not been told to end.
    pub fn ended(&mut self, pid: Pid, poller: &mut Poller) -> Option<NannyId> {
        self.ending.remove(&pid);
        let id = self.by_pid.remove(&pid)?;
        self.running.remove(&id);
        forget(id, poller);
        Some(id)
    }

    /// When patience with a nanny runs out: with one that is to end, or one that says nothing.
    pub fn next_deadline(&self) -> Option<Duration> {
        let silent = self.running.values().filter_map(|nanny| nanny.silent_until);
        self.ending.values().map(|ending| ending.kill_at).chain(silent).min()
    }

    /// Kills nannies that do not end, and tells of those that say nothing.
    pub fn proceed(&mut self, now: Duration, mut silent: impl FnMut(NannyId)) {
        for (pid, ending) in self.ending.iter_mut().filter(|(_, ending)| now >= ending.kill_at) {
            signal(*pid, Signal::SIGKILL);
            ending.kill_at = now + PATIENCE;
        }
        for (id, nanny) in &mut self.running {
            if nanny.silent_until.is_some_and(|due| now >= due) {
                nanny.silent_until = None;
                silent(*id);
            }
        }
    }

    /// It shall not outlive us. Our own nanny sees our end by the pipe, and starts faster for it.
    fn bind_to_us(&mut self, program: &mut Spawn) {
        let ours = self.ours.entry(program.program.clone()).or_insert_with_key(|path| is_our_nanny(path));
        program.light = *ours;
        program.death_signal = (!*ours).then_some(Signal::SIGTERM);
    }

    /// Whether any is left.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.ending.is_empty()
    }
}

fn program(start: &Start, status: OwnedFd) -> Spawn {
    let mut nanny = Spawn::new(&start.command.program);
    nanny.arguments.clone_from(&start.command.arguments);
    nanny.environment.push((STATUS.into(), child::name_inherited(&status)));
    if start.resume {
        nanny.environment.push((RESUME.into(), "1".into()));
    }
    nanny.inherited.push(status);
    nanny
}

/// Has the program write into a pipe; the end to read from. As with the original, nothing blocks on it.
fn overhear(program: &mut Spawn) -> io::Result<OwnedFd> {
    let (output, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    program.stdin = Stream::Null;
    program.stderr = Stream::To(writer.try_clone()?);
    program.stdout = Stream::To(writer);
    Ok(output)
}

/// Reads all there is. True at the end of file.
fn drain(file: &mut File, mut hand: impl FnMut(&[u8])) -> bool {
    let mut buffer = [0; 512];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return true,
            Ok(length) => hand(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// The poller's names for a nanny's pipes: this one for its reports, the next for its output. 0 is taken by what
/// is not a nanny; ids begin with 1.
fn token(id: NannyId) -> usize {
    id as usize * 2
}

fn forget(id: NannyId, poller: &mut Poller) {
    poller.deregister(token(id));
    poller.deregister(token(id) + 1);
}

fn ends_before(pid: Pid, give_up: Duration) -> bool {
    loop {
        match child::reap_one(pid) {
            Ok(None) if clock::now() < give_up => std::thread::sleep(Duration::from_millis(1)),
            Ok(exit) => return exit.is_some(),
            Err(_) => return true,
        }
    }
}

fn signal(pid: Pid, signal: Signal) {
    if let Err(error) = child::kill(pid, signal) {
        log::debug!("cannot signal process {pid}: {error}");
    }
}

#[cfg(test)]
#[path = "nannies_tests.rs"]
mod tests;
