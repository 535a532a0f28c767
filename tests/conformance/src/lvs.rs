//! Plays the rows of `data/lvs`: an lvs.cf, services that are there or not, signals; and the calls of ipvsadm,
//! the nannies and the log lines that follow.

use crate::program::{original, Program};
use crate::rows::{Row, Step};
use crate::sandbox::Sandbox;
use crate::streams::{Streams, PATIENCE};
use nix::sys::signal::{kill, Signal};
use nix::sys::socket::{self, sockopt, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs::{self, File};
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Notes its arguments in the file `calls`; fails if the first one is written in the file `failing`.
const IPVSADM: &str = r#"
read -r failing < "$0.failing"
line="call:"
for word; do line="$line $word"; done
echo "$line" >> "$0.log"
for word in $failing; do [ "$word" != "$1" ] || exit 1; done
exit 0"#;

/// Notes its arguments, those with blanks in quotes, and becomes a nanny.
const MONITOR: &str = r#"
line="argv:"
for word; do
    case $word in '' | *' '*) word="'$word'" ;; esac
    line="$line $word"
done
echo "$line" >> "$0.log"
NANNY "$@""#;

/// Plays one row.
///
/// # Errors
/// What was not as expected.
pub fn play(row: &Row) -> Result<(), String> {
    let mut stage = Stage::new();
    let steps: Vec<_> = row.steps_for(original()).collect();
    let mut at = 0;
    while at < steps.len() {
        let step = steps[at];
        // Neighbours of one kind with `~` may come in any order.
        let mut group = vec![step];
        if step.verb.ends_with('~') {
            group.extend(steps[at + 1..].iter().take_while(|next| next.verb == step.verb).copied());
        }
        stage.step(step, &group).map_err(|text| format!("line {}: {text}{}", step.line, stage.context()))?;
        at += group.len();
    }
    stage.end()
}

struct Stage {
    sandbox: Sandbox,
    streams: Streams,
    services: HashMap<SocketAddrV4, OwnedFd>,
    lvs: Option<Child>,
    /// The name of lvs's log lines where they go: `lvs` on standard output, `lvsd` in the syslog.
    log: &'static str,
    semaphore: Option<File>,
}

impl Stage {
    fn new() -> Self {
        let sandbox = Sandbox::enter();
        let mut streams = Streams::new(&sandbox.syslog);
        let nanny = format!("exec {}", Program::Nanny.path().display());
        sandbox.script("ipvsadm", IPVSADM);
        fs::write(sandbox.directory.join("ipvsadm.failing"), "\n").unwrap();
        sandbox.script("monitor", &MONITOR.replace("NANNY", &nanny));
        for file in ["ipvsadm.log", "monitor.log", "stdout"] {
            streams.follow(&sandbox.directory.join(file));
        }
        streams.follow_as("stderr", &sandbox.directory.join("stderr"));
        Self { sandbox, streams, services: HashMap::new(), lvs: None, log: "lvs", semaphore: None }
    }

    fn step(&mut self, step: &Step, group: &[&Step]) -> Result<(), String> {
        let words = self.fill(&step.words);
        let lines: Vec<_> = group.iter().map(|step| self.fill(&step.words)).collect();
        match step.verb.trim_end_matches('~') {
            "file" => {
                self.write(&dress(&self.fill(&step.body), &self.path("ipvsadm"), &self.path("monitor")))
            }
            "raw" => self.write(step.body.strip_suffix('\n').unwrap_or_default()),
            "slow-file" => self.hold_file_back()?,
            "no-file" => fs::remove_file(self.path("lvs.cf")).map_err(|error| error.to_string())?,
            "serve" => self.serve(words.parse().unwrap()),
            "close" => drop(self.services.remove(&words.parse().unwrap())),
            "fail" => fs::write(self.path("ipvsadm.failing"), format!("{words}\n")).unwrap(),
            "monitor" => {
                let monitor = step.body.replace("NANNY", &Program::Nanny.path().display().to_string());
                self.sandbox.script("monitor", &MONITOR.replace("NANNY \"$@\"", &self.fill(&monitor)));
            }
            "semaphore" => self.semaphore = Some(self.semaphore()),
            "bad-semaphore" => fs::create_dir("/dev/shm/sem.lvs").unwrap(),
            "read-only-run" => self.sandbox.make_run_read_only(),
            // Before openlog(3): under the name of the program's file.
            "early-log" => {
                let program = Program::Lvsd.path();
                let name = program.file_name().unwrap().to_str().unwrap();
                self.streams.expect(name, &lines)?;
            }
            "posted" => self.posted()?,
            "run" => self.run(&words),
            "pause" => std::thread::sleep(Duration::from_secs_f64(words.parse().unwrap())),
            "signal" => self.signal(&words)?,
            "exit" => self.exit(&words)?,
            "detached" => self.detached()?,
            "pid-file" => self.pid_file(&words)?,
            "alone" => self.sandbox.wait_until_empty()?,
            "nanny" => self.streams.expect("argv", &lines)?,
            "call" => self.streams.expect("call", &lines)?,
            "log" => self.streams.expect(self.log, &lines)?,
            "stderr" => self.streams.expect("stderr", &lines)?,
            verb => panic!("line {}: no such step: {verb}", step.line),
        }
        Ok(())
    }

    /// Everything that was done has been expected.
    fn end(mut self) -> Result<(), String> {
        let rest = self.streams.rest(&["call", "argv", self.log, "stderr"]);
        match rest.is_empty() {
            true => Ok(()),
            false => Err(format!("nobody expected\n  {}", rest.join("\n  "))),
        }
    }

    /// What else has come, to explain a failure.
    fn context(&mut self) -> String {
        let rest = self.streams.rest(&["call", "argv", "nanny", "lvs", "lvsd", "stderr", "other"]);
        rest.iter().map(|line| format!("\n  also seen: {line}")).collect()
    }

    fn path(&self, name: &str) -> String {
        self.sandbox.directory.join(name).display().to_string()
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{CF}", &self.path("lvs.cf"))
            .replace("{I}", &self.path("ipvsadm"))
            .replace("{DIR}", &self.path(""))
    }

    fn write(&self, text: &str) {
        fs::write(self.path("lvs.cf"), text).unwrap();
    }

    /// Whoever reads lvs.cf waits until it is written again.
    fn hold_file_back(&self) -> Result<(), String> {
        let path = self.path("lvs.cf");
        fs::remove_file(&path).map_err(|error| error.to_string())?;
        nix::unistd::mkfifo(path.as_str(), Mode::S_IRUSR | Mode::S_IWUSR).map_err(|error| error.to_string())
    }

    /// Listens. Connections are made by the kernel; nobody accepts them.
    fn serve(&mut self, address: SocketAddrV4) {
        let kind = SockType::Stream;
        let listener = socket::socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
        socket::setsockopt(&listener, sockopt::ReuseAddr, &true).unwrap();
        socket::bind(listener.as_raw_fd(), &SockaddrIn::from(address)).unwrap();
        socket::listen(&listener, Backlog::new(1024).unwrap()).unwrap();
        self.services.insert(address, listener);
    }

    fn run(&mut self, words: &str) {
        let words: Vec<_> = words.split_whitespace().collect();
        self.log = if words.contains(&"-n") || words.contains(&"--nodaemon") { "lvs" } else { "lvsd" };
        let create = |name| File::create(self.path(name)).unwrap();
        let mut command = Command::new(Program::Lvsd.path());
        command.args(&words).stdin(Stdio::null()).stdout(create("stdout")).stderr(create("stderr"));
        self.lvs = Some(command.env_remove("RUST_LOG").spawn().unwrap());
    }

    /// `signal NAME [RPORT]`: to lvs, or to the nanny of the server with this port.
    fn signal(&mut self, words: &str) -> Result<(), String> {
        let (name, server) =
            words.split_once(' ').map_or((words, None), |(name, server)| (name, Some(server)));
        let signal: Signal = format!("SIG{name}").parse().unwrap();
        let pid = match server {
            None => self.pid(),
            Some(port) => self.nanny(port)?,
        };
        kill(pid, signal).map_err(|error| format!("signal to {pid}: {error}"))
    }

    fn nanny(&self, port: &str) -> Result<Pid, String> {
        let checks = |words: &[String]| {
            words.windows(2).any(|pair| pair == ["-r", port])
                && words.last().is_some_and(|word| word == "--lvs")
        };
        let found = self.sandbox.processes().into_iter().find(|(_, words)| checks(words));
        found.map(|(pid, _)| pid).ok_or_else(|| format!("no nanny for port {port}"))
    }

    /// The daemon: the child, or what the pid file names when that has forked.
    fn pid(&mut self) -> Pid {
        if let Ok(text) = fs::read_to_string("/run/lvs.pid") {
            return Pid::from_raw(text.trim().parse().unwrap());
        }
        Pid::from_raw(self.lvs.as_ref().unwrap().id().try_into().unwrap())
    }

    fn exit(&mut self, words: &str) -> Result<(), String> {
        let mut lvs = self.lvs.take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = lvs.try_wait().unwrap() {
                break status;
            }
            if Instant::now() >= deadline {
                self.lvs = Some(lvs);
                return Err("lvs does not end".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let seen = describe(status);
        (seen == words).then_some(()).ok_or_else(|| format!("exit {seen} instead of {words}"))
    }

    /// The daemon leads a session and has nothing to do with our terminal.
    fn detached(&mut self) -> Result<(), String> {
        let pid = self.pid();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| error.to_string())?;
        let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
        if session != pid.to_string() {
            return Err(format!("session {session} of {pid}"));
        }
        for stream in 0..3 {
            let target =
                fs::read_link(format!("/proc/{pid}/fd/{stream}")).map_err(|error| error.to_string())?;
            if target != std::path::Path::new("/dev/null") {
                return Err(format!("descriptor {stream} is {}", target.display()));
            }
        }
        Ok(())
    }

    /// `pid-file child`, `pid-file other` (than the child), `pid-file none`
    fn pid_file(&mut self, words: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string("/var/run/lvs.pid").unwrap_or_default();
            let child = self.lvs.as_ref().map(|lvs| format!("{}\n", lvs.id()));
            let good = match words {
                "none" => text.is_empty(),
                "child" => child.as_ref() == Some(&text),
                _ => text.ends_with('\n') && child.as_ref() != Some(&text),
            };
            if good {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("pid file: {text:?}, child {child:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What a waiting pulse makes before it starts lvs: an empty semaphore `lvs`, as the C library lays it out.
    fn semaphore(&self) -> File {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open("/dev/shm/sem.lvs").unwrap();
        file.set_len(32).unwrap();
        file
    }

    /// Posted once, and its name is gone.
    fn posted(&mut self) -> Result<(), String> {
        let file = self.semaphore.as_ref().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut value = [0; 4];
            file.read_exact_at(&mut value, 0).unwrap();
            let (value, named) = (u32::from_ne_bytes(value), fs::exists("/dev/shm/sem.lvs").unwrap());
            if (value, named) == (1, false) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("semaphore: value {value}, named {named}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(lvs) = &mut self.lvs {
            let _ = lvs.kill();
            let _ = lvs.wait();
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "unknown".into(),
    }
}

/// Adds the recording programs to an lvs.cf.
fn dress(body: &str, ipvsadm: &str, monitor: &str) -> String {
    let mut text = format!("ipvsadm = {ipvsadm}\n");
    for line in body.lines() {
        text.push_str(line);
        text.push('\n');
        if line.trim_start().starts_with("virtual ") {
            text.push_str(&format!("client_monitor = {monitor}\n"));
        }
    }
    text
}
