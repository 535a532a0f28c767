//! nanny as lvs runs it: verdicts go down an inherited pipe, and the process costs little.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test rig may panic")]
#![allow(dead_code, reason = "the rig is shared with tests that need more of it")]

mod rig;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use rig::server::{Script, Server};
use rig::Directory;
use system::child::{self, Child, Exit, Signal, Spawn};

const ALWAYS: Script = Script::Open(&[(0.0, 1000.0)]);
/// Private memory of one nanny among others, in KiB, at most.
const PRIVATE_LIMIT: u64 = 256;

/// A nanny with its pipe, ended with the test.
struct Monitor {
    child: Child,
    verdicts: BufReader<File>,
}

impl Monitor {
    fn start(server: &Server, arguments: &[&str]) -> Monitor {
        Monitor::start_with(server, arguments, &[])
    }

    fn start_with(server: &Server, arguments: &[&str], environment: &[(&str, &str)]) -> Monitor {
        Monitor::start_on(server.address.port(), arguments, environment)
    }

    fn start_on(port: u16, arguments: &[&str], environment: &[(&str, &str)]) -> Monitor {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        let port = port.to_string();
        let base = ["-c", "-V", "10.0.0.100", "--lvs", "-h", "127.0.0.1", "-p", "5000", "-r", &port];
        let status = ("PIRANHA_STATUS_FD", writer.as_raw_fd().to_string());
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let spawn = Spawn {
            arguments: base.iter().chain(arguments).map(Into::into).collect(),
            environment: environment.chain([(status.0.into(), status.1.into())]).collect(),
            inherited: vec![writer],
            death_signal: Some(Signal::SIGTERM),
            ..Spawn::new(env!("CARGO_BIN_EXE_nanny"))
        };
        Monitor { child: spawn.spawn().unwrap(), verdicts: BufReader::new(reader.into()) }
    }

    fn verdict(&mut self) -> String {
        let mut line = String::new();
        self.verdicts.read_line(&mut line).unwrap();
        line
    }

    /// The next verdict, if it comes within ten seconds.
    fn verdict_soon(&mut self) -> Option<String> {
        let limit = Some(Duration::from_secs(10));
        let came = !self.verdicts.buffer().is_empty()
            || !system::poll::wait(&[self.verdicts.get_ref().as_fd()], limit).unwrap().is_empty();
        came.then(|| self.verdict())
    }

    fn wait(&self) -> Exit {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(exit) = child::reap_one(self.child.pid).unwrap() {
                return exit;
            }
            assert!(Instant::now() < deadline, "nanny does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        child::terminate(self.child.pid, Duration::from_secs(5));
    }
}

#[test]
fn a_server_that_is_up_and_stays_up() {
    let server = Server::start(ALWAYS);
    let mut monitor = Monitor::start(&server, &["-t", "21", "-w", "64"]);
    assert_eq!(monitor.verdict(), "up 2\n");
    assert_eq!(monitor.verdict(), "weight 4\n");
    child::kill(monitor.child.pid, Signal::SIGTERM).unwrap();
    assert_eq!(monitor.verdict(), "down\n");
    assert_eq!(monitor.verdict(), "", "the end of the pipe");
    assert_eq!(monitor.wait(), Exit::Status(0));
}

#[test]
fn a_server_that_goes_is_quiesced() {
    let server = Server::start(Script::Open(&[(0.0, 0.5), (1.5, 1000.0)]));
    let mut monitor = Monitor::start(&server, &["-t", "1", "-a", "1", "-q"]);
    assert_eq!(monitor.verdict(), "up 1\n");
    server.begin(Instant::now());
    assert_eq!(monitor.verdict(), "quiesce\n");
    assert_eq!(monitor.verdict(), "up 1\n");
}

/// lvs waits for a first verdict on every server. Forced verdicts are reported like others.
#[test]
fn a_server_that_is_down_and_forced() {
    let server = Server::start(Script::Closed);
    let mut monitor = Monitor::start(&server, &["-t", "1", "-w", "40"]);
    assert_eq!(monitor.verdict(), "down\n");
    child::kill(monitor.child.pid, Signal::SIGUSR2).unwrap();
    assert_eq!(monitor.verdict(), "up 40\n");
    child::kill(monitor.child.pid, Signal::SIGUSR1).unwrap();
    assert_eq!(monitor.verdict(), "down\n");
}

/// Its entry may be there, from an earlier nanny, and connections with it.
#[test]
fn a_first_bad_verdict_quiesces_too() {
    let server = Server::start(Script::Closed);
    let mut monitor = Monitor::start(&server, &["-t", "1", "-q"]);
    assert_eq!(monitor.verdict(), "quiesce\n");
}

/// The administrator's signals wait for the end of a check, and no longer.
#[test]
fn signals_during_a_check_count_after_it() {
    let cases: [(_, &[&[u8]], _); 3] = [
        (Signal::SIGUSR1, &[b"HELLO"], ["up 1\n", "down\n"]),
        (Signal::SIGUSR2, &[b"sorry"], ["down\n", "up 1\n"]),
        // The second reply is for the check that HUP asks for.
        (Signal::SIGHUP, &[b"sorry", b"HELLO"], ["down\n", "up 1\n"]),
    ];
    for (signal, replies, verdicts) in cases {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let mut monitor = Monitor::start_on(port, &["-t", "1000", "-x", "HELLO"], &[]);
        let mut check = server.accept().unwrap().0;
        child::kill(monitor.child.pid, signal).unwrap();
        // Time to take the signal in before the check ends; one that comes later is no test.
        std::thread::sleep(Duration::from_millis(50));
        check.write_all(replies[0]).unwrap();
        assert_eq!(monitor.verdict_soon().as_deref(), Some(verdicts[0]), "{signal}");
        for reply in &replies[1..] {
            await_client(&server);
            server.accept().unwrap().0.write_all(reply).unwrap();
        }
        assert_eq!(monitor.verdict_soon().as_deref(), Some(verdicts[1]), "{signal}");
    }
}

fn await_client(server: &TcpListener) {
    let ready = system::poll::wait(&[server.as_fd()], Some(Duration::from_secs(10))).unwrap();
    assert!(!ready.is_empty(), "no further check");
}

/// A nanny that replaces another keeps a serving server at its weight, once.
#[test]
fn a_server_in_service_does_not_start_slowly() {
    let server = Server::start(ALWAYS);
    let mut monitor = Monitor::start_with(&server, &["-t", "21", "-w", "64"], &[("PIRANHA_RESUME", "1")]);
    assert_eq!(monitor.verdict(), "up 64\n");
}

#[test]
fn without_lvs_nanny_takes_its_server_out_and_ends() {
    let (server, directory) = (Server::start(ALWAYS), Directory::new());
    let ipvsadm = directory.ipvsadm("").display().to_string();
    let mut monitor = Monitor::start(&server, &["-t", "1000", "-I", &ipvsadm]);
    assert_eq!(monitor.verdict(), "up 1\n");
    let (nothing, _) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    monitor.verdicts = BufReader::new(nothing.into());
    assert_eq!(monitor.wait(), Exit::Status(0));
    let calls: Vec<_> = directory.recorded().into_iter().map(|(_, arguments)| arguments).collect();
    assert_eq!(calls, [format!("-d -t 10.0.0.100:5000 -r {}", server.address)]);
}

#[test]
fn programs_get_neither_the_variable_nor_the_pipe() {
    let directory = Directory::new();
    let noted = directory.0.join("noted");
    let script = format!("(env; ls -l /proc/$$/fd) > {}; echo OK", noted.display());
    let path = directory.script("check", &script).display().to_string();
    let server = Server::start(Script::Closed);
    let arguments = ["-t", "9", "-e", &path, "-x", "OK"];
    let mut monitor = Monitor::start_with(&server, &arguments, &[("PIRANHA_RESUME", "1")]);
    assert_eq!(monitor.verdict(), "up 1\n");
    let noted = std::fs::read_to_string(noted).unwrap();
    let pipe = format!("pipe:[{}]", monitor.verdicts.get_ref().metadata().unwrap().ino());
    assert!(noted.contains("PATH=") && noted.contains("/dev/null"), "{noted}");
    assert!(!noted.contains("PIRANHA_") && !noted.contains(&pipe), "{noted}");
}

/// That says nothing of the server.
#[test]
fn a_director_without_descriptors_takes_no_server_out() {
    for check in [&[][..], &["-e", "echo OK", "-x", "OK"]] {
        let server = Server::start(ALWAYS);
        let mut monitor = Monitor::start(&server, &[&["-t", "1", "-a", "1"], check].concat());
        assert_eq!(monitor.verdict(), "up 1\n");
        let limit = |number: &str| {
            let pid = monitor.child.pid.to_string();
            let set = Command::new("prlimit").args(["--pid", &pid, number]).status().unwrap();
            assert!(set.success());
        };
        limit("--nofile=3:");
        let said =
            system::poll::wait(&[monitor.verdicts.get_ref().as_fd()], Some(Duration::from_millis(2500)));
        assert_eq!(said.unwrap(), [], "{check:?}");
        limit("--nofile=1024:");
        child::kill(monitor.child.pid, Signal::SIGUSR1).unwrap();
        assert_eq!(monitor.verdict(), "down\n");
    }
}

/// There is always something to read from such a program, and its time is over all the same.
#[test]
fn a_program_that_never_stops_writing_is_down() {
    let server = Server::start(Script::Closed);
    let mut monitor = Monitor::start(&server, &["-t", "1", "-e", "yes", "-x", "OK"]);
    assert_eq!(monitor.verdict_soon().as_deref(), Some("down\n"));
}

/// Starts several nannies, so that what they share is counted as shared, and measures each when idle.
#[test]
fn a_nanny_has_little_memory_of_its_own() {
    let server = Server::start(Script::Says(&[(0.0, b"220 hello\n")]));
    let arguments = ["-t", "1000", "--regex", "-x", "^220 (hello|bye)", "-s", "hello"];
    let mut monitors: Vec<_> = (0..4).map(|_| Monitor::start(&server, &arguments)).collect();
    for monitor in &mut monitors {
        assert_eq!(monitor.verdict(), "up 1\n");
    }
    for monitor in &monitors {
        let private = private_memory(monitor);
        assert!(private <= PRIVATE_LIMIT, "{private} KiB");
        assert!(private > 0);
    }
}

/// Anonymous and written-to memory of a process in KiB: what one more nanny costs. Clean pages of the program
/// itself are left out: how many of them other processes map at the moment depends on what these have run.
fn private_memory(monitor: &Monitor) -> u64 {
    let mut text = String::new();
    let path = format!("/proc/{}/smaps_rollup", monitor.child.pid);
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
