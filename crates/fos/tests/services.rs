//! fos with recording commands and monitors: each writes its words into one file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

/// Longer than anything here takes, short enough for somebody who waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with scripts and their record, which goes with its test.
struct Site(PathBuf);

impl Site {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fos-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let site = Self(path);
        site.script("command", "");
        site.script("monitor", "trap 'echo ended >>\"${0%/*}/record\"; exit' TERM; echo ready >>\"${0%/*}/record\"; while [ -d \"${0%/*}\" ]; do sleep 0.01; done");
        site
    }

    /// A script that records its name and words, and then does `body`.
    fn script(&self, name: &str, body: &str) {
        // Another process writes it: a file that this one had open, a child of another test might still have open,
        // and then it cannot be executed.
        let write = r#"printf '#!/bin/sh\nprintf "%%s\\\\n" "%s $*" >>%s\n%s\n' "$2" "$3" "$4" >"$1" && chmod 755 "$1""#;
        let status = Command::new("sh")
            .args(["-c", write, "sh", &self.path(name), name, &self.path("record"), body])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Two services, with these lines in the first one.
    fn config(&self, lines: &str) -> String {
        let (command, monitor) = (self.path("command"), self.path("monitor"));
        let block = |name: &str, last: u8, lines: &str| {
            format!(
                "failover {name} {{\naddress = 10.0.0.{last} eth0:1\nactive = 1\nport = 80{last}\n\
                 start_cmd = \"{command} start {name}\"\nstop_cmd = \"{command} stop {name}\"\nclient_monitor = {monitor}\n{lines}\n}}\n"
            )
        };
        let head = "service = fos\nprimary = 192.0.2.1\nbackup = 192.0.2.2\n";
        std::fs::write(self.path("lvs.cf"), [head, &block("web", 1, lines), &block("mail", 2, "")].concat())
            .unwrap();
        self.path("lvs.cf")
    }

    fn record(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("record")).unwrap_or_default();
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Waits until `line` has been recorded.
    fn recorded(&self, line: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.record().iter().any(|found| found == line) {
            assert!(Instant::now() < end, "{line:?} is missing in {:?}", self.record());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start(&self, mode: &str, lines: &str) -> Fos {
        self.start_with_limit(mode, lines, "1")
    }

    /// Commands have `limit` seconds.
    fn start_with_limit(&self, mode: &str, lines: &str, limit: &str) -> Fos {
        let config = self.config(lines);
        let mut command = Command::new(env!("CARGO_BIN_EXE_fos"));
        command.args(["--nodaemon", mode, "-c", &config]).env("PIRANHA_COMMAND_TIMEOUT", limit);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Fos { child, lines }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running fos and the lines that it logs.
struct Fos {
    child: Child,
    lines: Receiver<String>,
}

impl Fos {
    /// Waits for this line, whatever comes before it.
    fn logs(&self, wanted: &str) {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line == format!("fos: {wanted}") => return,
                Ok(line) => before.push(line),
                Err(_) => panic!("{wanted:?} is missing after {before:#?}"),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Lets it open files with numbers below `limit` only.
    fn limit_files(&self, limit: u32) {
        let words = [format!("--pid={}", self.child.id()), format!("--nofile={limit}:")];
        assert!(Command::new("prlimit").args(words).status().unwrap().success());
    }

    fn ends(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "fos does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Fos {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn active_starts_the_services_and_stops_them_at_the_end() {
    let site = Site::new("active");
    let mut fos = site.start("--active", "");
    fos.logs("Starting local service 10.0.0.2:802 ...");
    site.recorded("command start mail");
    fos.signal(Signal::SIGTERM);
    fos.logs("Shutting down due to signal 15");
    fos.logs("will now exit to notify pulse...");
    assert_eq!(fos.ends().code(), Some(0));
    let words = ["stop web", "start web", "stop mail", "start mail", "stop web", "stop mail"];
    assert_eq!(site.record(), words.map(|words| format!("command {words}")));
}

#[test]
fn term_ends_a_start_cmd_that_hangs_and_all_that_it_started() {
    let site = Site::new("term");
    // The shell waits for a child that holds the same process group.
    site.script("hang", "sleep 1000 & echo $! >>\"${0%/*}/pids\"; echo \"hung\" >>\"${0%/*}/record\"; wait");
    let mut fos = site.start("--active", &format!("start_cmd = \"{} now\"", site.path("hang")));
    site.recorded("hung");
    fos.signal(Signal::SIGTERM);
    fos.logs("Shutting down due to signal 15");
    fos.logs("Shutting down local service 10.0.0.2:802 ");
    assert_eq!(fos.ends().code(), Some(0));
    assert_eq!(site.record()[3..], ["command stop web", "command stop mail"]);
    let pids = std::fs::read_to_string(site.path("pids")).unwrap();
    let left = pids.lines().filter(|pid| is_running(pid)).count();
    assert_eq!(left, 0, "the sleep has gone with its shell");
}

/// Whether there is such a process; one that nobody has waited for yet does not count.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

#[test]
fn a_command_that_takes_too_long_is_ended_and_the_next_service_started() {
    let site = Site::new("limit");
    site.script("hang", "sleep 1000");
    let fos = site.start("--active", &format!("start_cmd = {}", site.path("hang")));
    fos.logs("start_cmd of service 10.0.0.1:801 has not ended within 1 s: stopped");
    fos.logs("Failed to start service 10.0.0.1:801!");
    fos.logs("Starting local service 10.0.0.2:802 ...");
    site.recorded("command start mail");
}

/// A site whose first service takes until there is a file `go` to start, and a fos that cannot start the next one.
fn short_of_files(test: &str, limit: &str) -> (Site, Fos) {
    let site = Site::new(test);
    site.script("slow", "while [ ! -e \"${0%/*}/go\" ]; do sleep 0.01; done");
    let fos = site.start_with_limit("--active", &format!("start_cmd = {}", site.path("slow")), limit);
    site.recorded("slow");
    fos.limit_files(3);
    std::fs::write(site.path("go"), "").unwrap();
    fos.logs(&format!(
        "Couldn't execute \"{}\" yet: Too many open files; trying again",
        site.path("command")
    ));
    (site, fos)
}

#[test]
fn a_command_that_there_is_no_room_for_runs_as_soon_as_there_is() {
    let (site, fos) = short_of_files("shortage", "60");
    fos.limit_files(256);
    site.recorded("command start mail");
    fos.signal(Signal::SIGTERM);
    fos.logs("will now exit to notify pulse...");
}

#[test]
fn a_shortage_that_does_not_pass_is_a_failure_in_the_end() {
    let (site, mut fos) = short_of_files("short", "2");
    fos.logs(&format!("Couldn't execute \"{}\": Too many open files", site.path("command")));
    fos.logs("Warning; shutdown of local service 10.0.0.2:802 returned error 1");
    // It waits for room for the start_cmd now, which TERM ends; the services are stopped once there is room.
    fos.signal(Signal::SIGTERM);
    fos.logs("Shutting down local service 10.0.0.1:801 ");
    fos.limit_files(256);
    assert_eq!(fos.ends().code(), Some(0));
    assert_eq!(site.record()[2..], ["command stop web", "command stop mail"]);
}

#[test]
fn what_a_start_cmd_leaves_running_stays() {
    let site = Site::new("daemon");
    site.script("up", "(trap '' HUP; while [ -d \"${0%/*}\" ] && [ ! -e \"${0%/*}/end\" ]; do sleep 0.01; done; echo gone >>\"${0%/*}/record\") >/dev/null 2>&1 &");
    let mut fos = site.start("--active", &format!("start_cmd = {}", site.path("up")));
    site.recorded("command start mail");
    fos.signal(Signal::SIGTERM);
    fos.ends();
    assert!(!site.record().contains(&"gone".to_owned()));
    std::fs::write(site.path("end"), "").unwrap();
    site.recorded("gone");
}

#[test]
fn monitors_get_the_originals_words_and_the_end_of_one_ends_all() {
    let site = Site::new("monitor");
    site.script("short", "while [ ! -e \"${0%/*}/fail\" ]; do sleep 0.01; done");
    let short = site.path("short");
    let lines = ["send = \"GET /\\r\\n\"", "expect = OK", "timeout = 6", "protocol = udp"].join("\n");
    let mut fos = site.start("--monitor", &format!("client_monitor = {short}\n{lines}"));
    // No node here has the primary's address, so the primary is the partner.
    site.recorded("short -c -h 10.0.0.1 -V 192.0.2.1 -p 801 -u -s GET /\\r\\n -x OK -t 6 --nodaemon --fos");
    site.recorded("monitor -c -h 10.0.0.2 -V 192.0.2.1 -p 802 -t 10 --nodaemon --fos");
    site.recorded("ready");
    std::fs::write(site.path("fail"), "").unwrap();
    fos.logs("Monitor for service 10.0.0.1:801 exited. This is a failover condition!");
    fos.logs("will now exit to notify pulse...");
    assert_eq!(fos.ends().code(), Some(0));
    assert_eq!(site.record().last().map(String::as_str), Some("ended"));
}

#[test]
fn monitors_end_with_a_fos_that_is_killed() {
    let site = Site::new("killed");
    let fos = site.start("--monitor", "");
    site.recorded("ready");
    fos.signal(Signal::SIGKILL);
    site.recorded("ended");
}

#[test]
fn a_start_cmd_ends_with_a_fos_that_is_killed() {
    let site = Site::new("killed-early");
    let fos = site.start_with_limit("--active", &format!("start_cmd = {}", site.path("monitor")), "60");
    site.recorded("ready");
    fos.signal(Signal::SIGKILL);
    site.recorded("ended");
}

#[test]
fn a_stop_cmd_outlives_a_fos_that_is_killed() {
    let site = Site::new("killed-late");
    site.script(
        "slow",
        "while [ ! -e \"${0%/*}/go\" ]; do sleep 0.01; done; echo stopped >>\"${0%/*}/record\"",
    );
    let mut fos = site.start_with_limit("--active", &format!("stop_cmd = {}", site.path("slow")), "60");
    site.recorded("slow");
    fos.signal(Signal::SIGKILL);
    fos.ends();
    std::fs::write(site.path("go"), "").unwrap();
    site.recorded("stopped");
}

#[test]
fn a_monitor_that_is_not_there_is_no_failover_condition() {
    let site = Site::new("missing");
    let mut fos = site.start("--monitor", "client_monitor = /nowhere/nanny");
    fos.logs("Couldn't execute \"/nowhere/nanny\": No such file or directory");
    assert_eq!(fos.ends().code(), Some(1));
}

#[test]
fn a_test_start_runs_nothing() {
    let site = Site::new("plan");
    let config = site.config("stop_cmd = \"/opt/down  now\"\nclient_monitor = /opt/check\ntimeout = 6");
    let plan = |mode: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fos"));
        let output = command.args(["-n", "-t", mode, "-c", &config]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let run = text.lines().filter_map(|line| line.strip_prefix("fos: would run: "));
        run.map(|line| line.replace(&site.path(""), "")).collect::<Vec<_>>()
    };
    assert_eq!(
        plan("-F"),
        ["/opt/down  now", "command start web", "command stop mail", "command start mail"]
    );
    let monitors = plan("-f");
    assert_eq!(
        monitors[..2],
        ["/opt/down  now", "/opt/check -c -h 10.0.0.1 -V 192.0.2.1 -p 801 -t 6 --nodaemon --fos"]
    );
    assert_eq!(monitors.len(), 4);
    assert_eq!(site.record(), Vec::<String>::new());
}
