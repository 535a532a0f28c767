//! Plays the rows of `data/pulse`: a pulse, a scripted partner, and what follows on the wire, in the log, at the
//! addresses and in the calls of programs.

use crate::peer::Peer;
use crate::program::{original, Program};
use crate::rows::{Row, Step};
use crate::sandbox::{run, Sandbox};
use crate::streams::{Streams, PATIENCE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MASTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const BACKUP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// The virtual address of every row.
const VIRTUAL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

/// How late an `at` may be.
const LATE: Duration = Duration::from_millis(900);

/// What is expected line by line.
const STREAMS: &[&str] = &["pulse", "lvsd", "lvs", "call", "active", "inactive", "stderr"];

/// Notes its arguments and its end. USR1 makes it exit with 3.
const LVSD: &str = r#"
echo "lvsd: $*" >> "$0.log"
echo $$ > "$0.pid"
trap 'kill $!; echo "lvsd: ends" >> "$0.log"; exit 0' TERM
trap 'kill $!; exit 3' USR1
trap 'echo "lvsd: HUP" >> "$0.log"' HUP
while :; do sleep 1000 & wait; done"#;

/// Notes its arguments.
const NOTE: &str = r#"echo "NAME: $*" >> "$0.log""#;

/// Plays one row.
///
/// # Errors
/// What was not as expected.
pub fn play(row: &Row) -> Result<(), String> {
    let mut stage = Stage::new();
    for step in row.steps_for(original()) {
        stage.step(step).map_err(|text| format!("line {}: {text}{}", step.line, stage.context()))?;
    }
    stage.end()
}

struct Stage {
    sandbox: Sandbox,
    streams: Streams,
    peer: Option<Peer>,
    pulse: Option<Child>,
    started: Instant,
}

impl Stage {
    fn new() -> Self {
        let sandbox = Sandbox::enter();
        let mut streams = Streams::new(&sandbox.syslog);
        sandbox.script("lvsd", LVSD);
        for name in ["ipvsadm", "active", "inactive"] {
            sandbox.script(name, &NOTE.replace("NAME", if name == "ipvsadm" { "call" } else { name }));
        }
        for file in ["ipvsadm.log", "active.log", "inactive.log", "lvsd.log", "stdout"] {
            streams.follow(&sandbox.directory.join(file));
        }
        streams.follow_as("stderr", &sandbox.directory.join("stderr"));
        Self { sandbox, streams, peer: None, pulse: None, started: Instant::now() }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let words = self.fill(&step.words);
        let expected = std::slice::from_ref(&words);
        match step.verb.as_str() {
            "node" => self.node(&words),
            "file" => fs::write(self.path("lvs.cf"), configuration(&self.fill(&step.body))).unwrap(),
            "broken-file" => fs::write(self.path("lvs.cf"), "colour = red\n").unwrap(),
            "run" => self.run(&words),
            "read-only-run" => self.sandbox.make_run_read_only(),
            "early-log" => self.streams.expect("pulse", expected)?,
            "unroute" => run("ip route del 10.0.0.0/24 dev eth0"),
            "more-cards" => run("ip link add eth1 type veth peer name eth2"),
            "at" => self.at(words.parse().unwrap())?,
            "send" => self.peer().send(&words),
            "heard" => self.heard(&words, false)?,
            "heard-private" => self.heard(&words, true)?,
            "pause" => std::thread::sleep(Duration::from_secs_f64(words.parse().unwrap())),
            "announced" => self.announced()?,
            "plug" => self.peer().plug(&words),
            "holds" => self.holds(true)?,
            "holds-not" => self.holds(false)?,
            "remove" => run(&format!("ip addr del {VIRTUAL}/{words} dev eth0")),
            "quiet" => self.quiet()?,
            "signal" => kill(self.pid(), format!("SIG{words}").parse::<Signal>().unwrap())
                .map_err(|e| e.to_string())?,
            "lvsd-gets" => kill(self.lvsd_pid(), format!("SIG{words}").parse::<Signal>().unwrap()).unwrap(),
            "exit" => self.exit(&words)?,
            "detached" => self.detached()?,
            "log" => self.streams.expect("pulse", expected)?,
            stream @ ("lvsd" | "lvs" | "call" | "active" | "inactive" | "stderr") => {
                self.streams.expect(stream, expected)?
            }
            verb => panic!("line {}: no such step: {verb}", step.line),
        }
        Ok(())
    }

    /// Everything that was done has been expected.
    fn end(mut self) -> Result<(), String> {
        let rest = self.streams.rest(STREAMS);
        match rest.is_empty() {
            true => Ok(()),
            false => Err(format!("nobody expected\n  {}", rest.join("\n  "))),
        }
    }

    fn context(&mut self) -> String {
        let rest = self.streams.rest(&[STREAMS, &["other"]].concat());
        let at = self.started.elapsed().as_secs_f32();
        let rest: String = rest.iter().map(|line| format!("\n  also seen: {line}")).collect();
        format!(" (at {at:.1}){rest}")
    }

    fn path(&self, name: &str) -> String {
        self.sandbox.directory.join(name).display().to_string()
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{CF}", &self.path("lvs.cf")).replace("{DIR}", &self.path(""))
    }

    fn peer(&self) -> &Peer {
        self.peer.as_ref().expect("a `node` before")
    }

    fn node(&mut self, role: &str) {
        let (node, partner) = if role == "master" { (MASTER, BACKUP) } else { (BACKUP, MASTER) };
        self.peer = Some(Peer::new(node, partner));
        fs::write(self.path("lvs.cf"), configuration("")).unwrap();
    }

    fn run(&mut self, words: &str) {
        let create = |name| File::create(self.path(name)).unwrap();
        let mut command = Command::new(Program::Pulse.path());
        command.args(words.split_whitespace()).env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(create("stdout")).stderr(create("stderr"));
        self.pulse = Some(command.spawn().unwrap());
        self.started = Instant::now();
    }

    /// Waits until so many seconds after the start. It must not be later already.
    fn at(&self, seconds: f64) -> Result<(), String> {
        let due = self.started + Duration::from_secs_f64(seconds);
        if Instant::now() > due + LATE {
            return Err("too late".into());
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn heard(&self, words: &str, on_private: bool) -> Result<(), String> {
        let heard = self.peer().heard(on_private).join(" ");
        (heard == words).then_some(()).ok_or_else(|| format!("heard {heard:?} instead of {words:?}"))
    }

    /// An announcement has arrived since the last time that this was asked for.
    fn announced(&self) -> Result<(), String> {
        until(|| self.peer().announced(VIRTUAL) > 0).then_some(()).ok_or_else(|| "no announcement".into())
    }

    fn holds(&self, wanted: bool) -> Result<(), String> {
        let holds = || {
            let output =
                Command::new("ip").args(["-4", "-o", "addr", "show", "dev", "eth0"]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.contains(&format!("inet {VIRTUAL}/"))
        };
        until(|| holds() == wanted).then_some(()).ok_or_else(|| format!("holds {VIRTUAL}: {}", !wanted))
    }

    /// Nothing has happened that was not expected.
    fn quiet(&mut self) -> Result<(), String> {
        let rest = self.streams.rest(STREAMS);
        rest.is_empty().then_some(()).ok_or_else(|| "not quiet".into())
    }

    fn pid(&self) -> Pid {
        if let Ok(text) = fs::read_to_string("/run/pulse.pid") {
            return Pid::from_raw(text.trim().parse().unwrap());
        }
        Pid::from_raw(self.pulse.as_ref().unwrap().id().try_into().unwrap())
    }

    fn lvsd_pid(&self) -> Pid {
        Pid::from_raw(fs::read_to_string(self.path("lvsd.pid")).unwrap().trim().parse().unwrap())
    }

    fn exit(&mut self, words: &str) -> Result<(), String> {
        let mut pulse = self.pulse.take().unwrap();
        let mut status = None;
        until(|| {
            status = pulse.try_wait().unwrap();
            status.is_some()
        });
        let seen = match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => code.to_string(),
            Some((_, Some(signal))) => format!("signal {signal}"),
            _ => {
                self.pulse = Some(pulse);
                return Err("pulse does not end".into());
            }
        };
        (seen == words).then_some(()).ok_or_else(|| format!("exit {seen} instead of {words}"))
    }

    /// A pid file, a session of its own, and nothing of our terminal.
    fn detached(&self) -> Result<(), String> {
        let pid = self.pid();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| error.to_string())?;
        let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
        let stream = |number| fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap_or_default();
        let alone = (0..3).all(|number| stream(number) == std::path::Path::new("/dev/null"));
        let own = session == pid.to_string();
        (own && alone).then_some(()).ok_or_else(|| format!("pid {pid}, session {session}, alone {alone}"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(pulse) = &mut self.pulse {
            let _ = pulse.kill();
            let _ = pulse.wait();
        }
    }
}

fn until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// The pair of the rows with one virtual service; `lines` may say it otherwise.
fn configuration(lines: &str) -> String {
    format!(
        "primary = {MASTER}\nbackup = {BACKUP}\nbackup_active = 1\nkeepalive = 2\ndeadtime = 5\n{lines}\n\
         virtual web {{\nactive = 1\naddress = {VIRTUAL} eth0:1\nvip_nmask = 255.255.255.0\nport = 80\n}}\n"
    )
}
