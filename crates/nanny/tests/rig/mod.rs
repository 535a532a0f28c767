//! Runs a nanny against a scripted service, with a recording ipvsadm, and notes what it does when.

pub mod server;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

/// Something that happened: seconds since nanny's start line, and what.
pub type Event = (f64, String);

/// A directory of its own for a test, removed at the end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nanny-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    /// Writes an executable shell script; returns its path.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        // Written by another process: while this one had the file open for writing, a fork in another thread could
        // hold on to it, and the script could not be executed ("Text file busy").
        let mut writer = Command::new("sh");
        writer.args(["-c", r#"cat > "$0" && chmod 755 "$0""#]).arg(&path).stdin(Stdio::piped());
        let mut writer = writer.spawn().unwrap();
        write!(writer.stdin.take().unwrap(), "#!/bin/sh\n{text}\n").unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    /// An ipvsadm that notes the time and its arguments, and fails if the first one is `failing`.
    pub fn ipvsadm(&self, failing: &str) -> PathBuf {
        let calls = self.calls();
        let text = format!("echo \"$(date +%s.%N) $*\" >> {}\n[ \"$1\" != \"{failing}\" ]", calls.display());
        self.script("ipvsadm", &text)
    }

    fn calls(&self) -> PathBuf {
        self.0.join("calls")
    }

    /// What the recording ipvsadm noted: seconds since the epoch and arguments.
    pub fn recorded(&self) -> Vec<Event> {
        let text = std::fs::read_to_string(self.calls()).unwrap_or_default();
        let split = |line: &str| {
            let (time, arguments) = line.split_once(' ').unwrap();
            (time.parse().unwrap(), arguments.to_owned())
        };
        text.lines().map(split).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A nanny in the foreground.
pub struct Nanny {
    child: Child,
    lines: Receiver<(Instant, String)>,
    /// What it logged, since its start line.
    pub log: Vec<Event>,
    /// When it logged its start line.
    pub started: Instant,
    started_at: f64,
}

impl Nanny {
    /// Starts nanny; `path` is searched for programs first. Waits for the line that tells of the start.
    pub fn start(arguments: &[String], path: &Path) -> Nanny {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nanny"));
        let search = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
        command.args(arguments).env("PATH", search).env_remove("RUST_LOG");
        Nanny::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Nanny {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        let mut nanny = Nanny { child, lines, log: Vec::new(), started: Instant::now(), started_at: 0.0 };
        nanny.await_start();
        nanny
    }

    fn await_start(&mut self) {
        loop {
            let (time, line) =
                self.lines.recv_timeout(Duration::from_secs(20)).expect("nanny does not start");
            let line = line.strip_prefix("nanny: ").expect("the prefix of every line").to_owned();
            self.started = time;
            let is_start = line.starts_with("starting ") || line.starts_with("Failover ");
            self.log.push((0.0, line));
            if is_start {
                break;
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.started_at = (now - self.started.elapsed()).as_secs_f64();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Lets nanny work until so many seconds after its start, or until it ends.
    pub fn run_until(&mut self, seconds: f64) {
        let end = self.started + Duration::from_secs_f64(seconds);
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((time, line)) => self.note(time, &line),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn note(&mut self, time: Instant, line: &str) {
        let line = line.strip_prefix("nanny: ").expect("the prefix of every line");
        self.log.push(((time - self.started).as_secs_f64(), line.to_owned()));
    }

    pub fn signal(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill(self.pid(), signal);
    }

    /// Waits for the end. Nanny is killed if it does not come.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while let Ok((time, line)) = self.lines.recv_timeout(Duration::from_secs(5)) {
                    self.note(time, &line);
                }
                return status;
            }
            assert!(Instant::now() < deadline, "nanny does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Moves times since the epoch to times since the start.
    pub fn since_start(&self, events: Vec<Event>) -> Vec<Event> {
        events.into_iter().map(|(time, what)| (time - self.started_at, what)).collect()
    }
}

impl Drop for Nanny {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
