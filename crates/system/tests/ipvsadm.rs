//! The backend that runs a program, with scripts in ipvsadm's place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ipvs::{Backend, ErrorKind, Operation, Timeouts};
use system::child::{Pid, Signal};
use system::ipvs::Program;

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ipvsadm-{test}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn script(&self, body: &str) -> PathBuf {
        let path = self.0.join("ipvsadm");
        // Another process writes it: a file that this one had open, a child of another test might still have
        // open, and then it cannot be executed.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod 755 "$2""#;
        let status = Command::new("sh").args(["-c", write, "sh", body]).arg(&path).status().unwrap();
        assert!(status.success());
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn operations() -> [Operation; 2] {
    [Operation::SetTimeouts(Timeouts { tcp: 900, tcpfin: 120, udp: 300 }), Operation::Flush]
}

/// What went wrong with an operation, when the program is a script of this body.
fn complaint(test: &str, body: &str) -> String {
    let directory = Directory::new(test);
    let mut program = Program::new(directory.script(body)).with_limit(Duration::from_millis(300));
    let error = program.apply(&[Operation::Flush]).remove(0).unwrap_err();
    let ErrorKind::Program(complaint) = error.kind else { panic!("{error:?}") };
    complaint.replace(&directory.0.display().to_string(), "")
}

#[test]
fn the_program_runs_once_for_each_operation() {
    let directory = Directory::new("runs");
    let log = directory.0.join("log");
    let script = directory.script(&format!("echo \"$@\" >>{}", log.display()));
    assert_eq!(Program::new(script).apply(&operations()), [Ok(()), Ok(())]);
    assert_eq!(fs::read_to_string(log).unwrap(), "--set 900 120 300\n-C\n");
}

#[test]
fn a_failure_says_what_the_program_said() {
    assert_eq!(
        complaint("fails", "echo No such service >&2; exit 255"),
        "/ipvsadm: exit status: 255: No such service"
    );
    assert_eq!(complaint("silent", "exit 1"), "/ipvsadm: exit status: 1");
}

#[test]
fn a_program_that_hangs_is_killed() {
    assert_eq!(complaint("hangs", "exec sleep 60"), "/ipvsadm: killed after 0.3 s");
    // With its standard error closed there is nothing to wait on but its end.
    assert_eq!(complaint("mute", "exec 2>&-; exec sleep 60"), "/ipvsadm: killed after 0.3 s");
}

/// What counts is the program's end, and what it said until then: not what it left running.
#[test]
fn a_child_of_the_program_is_not_waited_for() {
    for (end, expected) in [("exit 0", Ok(())), ("exit 1", Err("exit status: 1: No such service"))] {
        let directory = Directory::new("leaves");
        let (pid, script) = (directory.0.join("pid"), directory.0.join("ipvsadm"));
        directory.script(&format!("sleep 60 & echo $! >{}; echo No such service >&2; {end}", pid.display()));
        let started = Instant::now();
        let result = Program::new(&script).with_limit(Duration::from_secs(20)).run(&["-C"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(result, expected.map_err(|said| format!("{}: {said}", script.display())));
        let left = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        system::child::kill(Pid::from_raw(left), Signal::SIGKILL).unwrap();
    }
}

#[test]
fn a_program_that_says_too_much_does_not_block() {
    let complaint = complaint("verbose", "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1");
    assert_eq!(complaint.len(), "/ipvsadm: exit status: 1: ".len() + 512);
}

#[test]
fn a_missing_program_is_named() {
    let mut program = Program::new(Path::new("/nonexistent/ipvsadm"));
    let error = program.apply(&operations()).remove(0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot set timeouts tcp 900, tcpfin 120, udp 300: /nonexistent/ipvsadm: No such file or directory (os error 2)"
    );
}

#[test]
fn a_mere_name_is_not_searched_for_in_path() {
    let error = Program::new("true").run(&["--version"]).unwrap_err();
    assert!(error.starts_with("./true: No such file"), "{error}");
}

#[test]
fn a_programs_table_cannot_be_read() {
    assert_eq!(Program::new("/sbin/ipvsadm").table().unwrap_err().kind, ErrorKind::Unsupported);
}
