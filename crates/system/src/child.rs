//! Starting, signalling and reaping children.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

pub use nix::sys::signal::Signal;
use nix::sys::signal::{sigprocmask, SigSet, SigmaskHow};
pub use nix::unistd::Pid;

use crate::{clock, limits};

/// Signals that a daemon handles or ignores, and that a program it starts must not find that way.
const RESET: [libc::c_int; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGCHLD,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// Where one of a child's standard streams leads.
#[derive(Debug, Default)]
pub enum Stream {
    /// The parent's own stream.
    #[default]
    Inherit,
    /// /dev/null.
    Null,
    /// A pipe, whose other end is in [`Child`].
    Piped,
    /// This descriptor; it is closed in the parent.
    To(OwnedFd),
}

impl From<Stream> for Stdio {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Inherit => Stdio::inherit(),
            Stream::Null => Stdio::null(),
            Stream::Piped => Stdio::piped(),
            Stream::To(descriptor) => Stdio::from(descriptor),
        }
    }
}

/// A program to start. The child begins with an empty signal mask (but for `held`), default dispositions and no descriptors
/// but its standard streams and those in `inherited`.
#[derive(Debug, Default)]
pub struct Spawn {
    /// Path of the program. Without a slash it is looked up in `PATH` if `search_path`, else taken relative
    /// to the current directory, as execv(3) does.
    pub program: OsString,
    /// `argv[0]`; the program's path if absent.
    pub name: Option<OsString>,
    /// `argv[1]` and on.
    pub arguments: Vec<OsString>,
    /// Variables added to the parent's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Variables taken out of it.
    pub environment_without: Vec<OsString>,
    /// Descriptors that the child keeps, **under the number they have here**; closed in the parent once the
    /// child has started. Tell the child the number by argument or environment.
    pub inherited: Vec<OwnedFd>,
    /// Signal that the child gets when the parent (the thread that called [`Spawn::spawn`]) ends, however it
    /// ends. The child is not started if the parent is gone already.
    pub death_signal: Option<Signal>,
    /// Start the program without first copying this process, as posix_spawn(3) does: several times as fast. Signals
    /// that this process ignores stay ignored in the child. Has no effect with `death_signal` or `new_session`.
    pub light: bool,
    /// A signal that waits until the child can deal with it and unblocks it: it would end a program that has just been
    /// started. Has no effect with `light`.
    pub held: Option<Signal>,
    /// Make the child the leader of a process group of its own, for [`kill_group`].
    pub new_group: bool,
    /// Make the child the leader of a session (and group) of its own.
    pub new_session: bool,
    /// Look a program without a slash up in `PATH`.
    pub search_path: bool,
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
}

/// A started child. Dropping it neither ends nor reaps the process.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub pid: Pid,
    /// Write end of its standard input, if [`Stream::Piped`].
    pub stdin: Option<OwnedFd>,
    /// Read end of its standard output, if [`Stream::Piped`].
    pub stdout: Option<OwnedFd>,
    /// Read end of its standard error, if [`Stream::Piped`].
    pub stderr: Option<OwnedFd>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Status(i32),
    /// This signal killed it.
    Signal(i32),
}

impl Exit {
    /// Whether it exited with status 0.
    pub fn success(self) -> bool {
        self == Exit::Status(0)
    }
}

impl Spawn {
    /// A child that runs `program` with the parent's streams and environment.
    pub fn new(program: impl Into<OsString>) -> Self {
        Spawn { program: program.into(), ..Self::default() }
    }

    /// Starts the program.
    ///
    /// # Errors
    /// Why it could not be started, a failing exec included (`ENOENT`, `EACCES`, …).
    pub fn spawn(self) -> io::Result<Child> {
        let mut command = Command::new(self.path());
        command.arg0(self.name.as_deref().unwrap_or(&self.program));
        command.args(&self.arguments).envs(self.environment);
        for variable in &self.environment_without {
            command.env_remove(variable);
        }
        if self.new_group && !self.new_session {
            command.process_group(0);
        }
        command.stdin(self.stdin).stdout(self.stdout).stderr(self.stderr);
        let inherited: Vec<RawFd> = self.inherited.iter().map(AsRawFd::as_raw_fd).collect();
        let (death_signal, new_session, held) = (self.death_signal, self.new_session, self.held);
        if self.light && death_signal.is_none() && !new_session {
            return started(command, &inherited);
        }
        let parent = nix::unistd::getpid().as_raw();
        // SAFETY: the closure makes only async-signal-safe system calls, and allocates nothing.
        unsafe {
            command.pre_exec(move || {
                reset_signals();
                hold(held)?;
                if new_session {
                    check(libc::setsid())?;
                }
                keep_open(&inherited)?;
                die_with_parent(death_signal, parent)
            })
        };
        started(command, &[])
    }

    fn path(&self) -> OsString {
        if self.search_path || self.program.as_encoded_bytes().contains(&b'/') {
            return self.program.clone();
        }
        let mut path = OsStr::new("./").to_owned();
        path.push(&self.program);
        path
    }
}

/// Starts a command that keeps these descriptors. They are open to exec only for the moment of the start: no other
/// thread may start a program meanwhile.
fn started(mut command: Command, inherited: &[RawFd]) -> io::Result<Child> {
    keep_open(inherited)?;
    let child = command.spawn();
    close_on_exec(inherited)?;
    let mut child = child?;
    let pid = Pid::from_raw(child.id() as libc::pid_t);
    limits::restore_for(pid);
    Ok(Child {
        pid,
        stdin: child.stdin.take().map(OwnedFd::from),
        stdout: child.stdout.take().map(OwnedFd::from),
        stderr: child.stderr.take().map(OwnedFd::from),
    })
}

fn close_on_exec(descriptors: &[RawFd]) -> io::Result<()> {
    for &descriptor in descriptors {
        // SAFETY: plain fcntl(2) with an integer argument.
        check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// In the child: a signal that is ignored stays ignored through exec, so each goes back to its default.
fn reset_signals() {
    for signal in RESET {
        // SAFETY: SIG_DFL installs no handler code; signal(2) is async-signal-safe.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// In the child: blocks a signal. The mask outlives exec.
fn hold(signal: Option<Signal>) -> io::Result<()> {
    let Some(signal) = signal else { return Ok(()) };
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::from(signal)), None)?;
    Ok(())
}

/// In the child: takes close-on-exec off these descriptors.
fn keep_open(descriptors: &[RawFd]) -> io::Result<()> {
    for &descriptor in descriptors {
        // SAFETY: plain fcntl(2) with an integer argument.
        check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) })?;
    }
    Ok(())
}

/// In the child: asks for `signal` when the parent ends, and makes sure that it has not ended before.
fn die_with_parent(signal: Option<Signal>, parent: libc::pid_t) -> io::Result<()> {
    let Some(signal) = signal else { return Ok(()) };
    // SAFETY: prctl(2) and getppid(2) with integer arguments.
    let now = unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong, 0, 0, 0))?;
        libc::getppid()
    };
    if now == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// What to write into the environment variable for [`take_inherited`]: the number and the inode. A wrapper between
/// parent and child may have closed the descriptor and opened another under its number.
pub fn name_inherited(descriptor: &OwnedFd) -> OsString {
    let number = descriptor.as_raw_fd();
    match inode(number) {
        Some(inode) => format!("{number}:{inode}").into(),
        None => number.to_string().into(),
    }
}

fn inode(number: RawFd) -> Option<u64> {
    std::fs::metadata(format!("/proc/self/fd/{number}")).ok().map(|metadata| metadata.ino())
}

/// Takes over the descriptor that the parent named in an environment variable, as [`name_inherited`] does or by
/// its mere number; it is not passed on: the variable is removed, the descriptor becomes close-on-exec. Call it
/// once, before other descriptors are opened. Nothing if the variable is absent or names no open descriptor above
/// the standard streams, or if that is not the one that was meant.
pub fn take_inherited(variable: &str) -> Option<OwnedFd> {
    let name = std::env::var(variable).ok()?;
    std::env::remove_var(variable);
    let (number, expected) =
        name.split_once(':').map_or((&*name, None), |(number, inode)| (number, Some(inode)));
    let number = number.parse::<RawFd>().ok().filter(|&number| number > 2)?;
    if expected
        .is_some_and(|expected| inode(number).map(|inode| inode.to_string()).as_deref() != Some(expected))
    {
        return None;
    }
    // SAFETY: plain fcntl(2); it fails for a number that is not open.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }).ok()?;
    // SAFETY: it is open, was opened by the parent for us, and nothing else in this process knows of it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Collects every child that has ended, without waiting.
pub fn reap() -> Vec<(Pid, Exit)> {
    // The only error left is that there is no child.
    std::iter::from_fn(|| collect_one(-1).ok().flatten()).collect()
}

/// Collects this child if it has ended, without waiting.
///
/// # Errors
/// `ECHILD` if it is no child of this process, or was collected before.
pub fn reap_one(pid: Pid) -> io::Result<Option<Exit>> {
    Ok(collect_one(valid(pid)?.as_raw())?.map(|(_, exit)| exit))
}

/// Collects a child that has ended: this one, or any for -1. Every status is understood: nix refuses that of a
/// real-time signal, when the child is collected already.
fn collect_one(pid: libc::pid_t) -> io::Result<Option<(Pid, Exit)>> {
    loop {
        let mut status = 0;
        // SAFETY: waitpid(2) writes an integer that is ours alone.
        let ended = match unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } {
            0 => return Ok(None),
            ended if ended > 0 => Pid::from_raw(ended),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error => return Err(error),
            },
        };
        // Anything else is a child under ptrace(2) that was stopped.
        if let Some(exit) = exit_of(status) {
            return Ok(Some((ended, exit)));
        }
    }
}

fn exit_of(status: libc::c_int) -> Option<Exit> {
    if libc::WIFEXITED(status) {
        Some(Exit::Status(libc::WEXITSTATUS(status)))
    } else {
        libc::WIFSIGNALED(status).then(|| Exit::Signal(libc::WTERMSIG(status)))
    }
}

/// Refuses what kill(2) and waitpid(2) would take for "my whole group" or "everyone".
fn valid(pid: Pid) -> io::Result<Pid> {
    if pid.as_raw() > 0 {
        Ok(pid)
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// Sends a signal to one process.
///
/// # Errors
/// Those of kill(2); `ESRCH` for a pid that is not positive.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::kill(valid(pid)?, signal)?)
}

/// Sends a signal to every process of the group that `leader` leads.
///
/// # Errors
/// Those of killpg(2); `ESRCH` for a pid that is not positive.
pub fn kill_group(leader: Pid, signal: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::killpg(valid(leader)?, signal)?)
}

/// Ends a child: TERM, then KILL after `grace`. Returns how it ended, or nothing if even KILL had no effect
/// within another second (a process stuck in the kernel) or it was no child of ours.
pub fn terminate(pid: Pid, grace: Duration) -> Option<Exit> {
    terminate_all(&[pid], grace).pop().map(|(_, exit)| exit)
}

/// Ends several children at once: TERM to all, KILL after `grace` to those that remain. Returns those that
/// ended, in order of their end. Takes at most `grace` and one second.
pub fn terminate_all(pids: &[Pid], grace: Duration) -> Vec<(Pid, Exit)> {
    let mut remaining = pids.to_vec();
    let mut ended = Vec::new();
    for (signal, patience) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, Duration::from_secs(1))] {
        remaining.retain(|&pid| kill(pid, signal).is_ok());
        collect(&mut remaining, &mut ended, clock::now() + patience);
    }
    ended
}

/// Reaps `remaining` into `ended` until all are gone or the time has come.
fn collect(remaining: &mut Vec<Pid>, ended: &mut Vec<(Pid, Exit)>, deadline: Duration) {
    let mut pause = Duration::from_micros(200);
    loop {
        remaining.retain(|&pid| match reap_one(pid) {
            Ok(Some(exit)) => {
                ended.push((pid, exit));
                false
            }
            Ok(None) => true,
            Err(_) => false,
        });
        let left = deadline.saturating_sub(clock::now());
        if remaining.is_empty() || left.is_zero() {
            return;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
#[path = "child_tests.rs"]
mod tests;

/// A pipe, first the end to read from. Both ends are closed on exec unless inherited.
///
/// One that nobody writes to is a lifeline: it reads end-of-file once the process that keeps the other end is gone,
/// however it went.
///
/// # Errors
/// Those of pipe2(2).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}
