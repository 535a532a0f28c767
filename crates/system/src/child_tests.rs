use super::*;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

/// Tests that start children share one process, so none of them may use [`reap`], which takes them all.
fn output_of(mut spawn: Spawn) -> String {
    spawn.stdout = Stream::Piped;
    let child = spawn.spawn().unwrap();
    let mut text = String::new();
    File::from(child.stdout.unwrap()).read_to_string(&mut text).unwrap();
    assert!(wait_for(child.pid).success());
    text
}

fn wait_for(pid: Pid) -> Exit {
    let mut ended = Vec::new();
    collect(&mut vec![pid], &mut ended, clock::now() + Duration::from_secs(20));
    ended[0].1
}

fn shell(script: &str) -> Spawn {
    Spawn { arguments: vec!["-c".into(), script.into()], ..Spawn::new("/bin/sh") }
}

#[test]
fn a_failing_exec_is_an_error_of_spawn() {
    for program in ["/nonexistent/program", "/etc/passwd"] {
        assert!(Spawn::new(program).spawn().is_err(), "{program}");
    }
    assert!(Spawn::new("sh").spawn().is_err(), "execv(3) does not search PATH");
    let mut searched = Spawn::new("true");
    searched.search_path = true;
    assert!(wait_for(searched.spawn().unwrap().pid).success());
}

#[test]
fn arguments_and_environment_reach_the_child() {
    let mut spawn = shell("echo \"$0|$1|$GIVEN|${HOME-none}\"");
    spawn.arguments.extend(["zero".into(), "one two".into()]);
    spawn.environment.push(("GIVEN".into(), "value".into()));
    spawn.environment_without.push("HOME".into());
    assert_eq!(output_of(spawn), "zero|one two|value|none\n");
}

/// A line of bits in the child's /proc/self/status.
fn bits(held: Option<Signal>, name: &str) -> u64 {
    let arguments = vec!["/proc/self/status".into()];
    let status = output_of(Spawn { arguments, held, ..Spawn::new("/bin/cat") });
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

#[test]
fn a_held_signal_waits_until_the_child_can_deal_with_it() {
    assert_eq!(bits(Some(Signal::SIGHUP), "SigBlk:"), 1 << (libc::SIGHUP - 1));
}

#[test]
fn the_child_gets_default_signals_and_an_empty_mask() {
    crate::signals::ignore(libc::SIGUSR2).unwrap();
    let bits = |name| bits(None, name);
    assert_eq!(bits("SigBlk:"), 0);
    for signal in RESET {
        assert_eq!(bits("SigIgn:") >> (signal - 1) & 1, 0, "signal {signal}");
    }
}

#[test]
fn only_inherited_descriptors_are_open_in_the_child() {
    let (reader, writer) = pipe().unwrap();
    let (other, _keep) = std::os::unix::net::UnixStream::pair().unwrap();
    let number = writer.as_raw_fd();
    // By its path: `>&` of a shell takes one digit only, and other tests may have so many descriptors open.
    let script = format!("cd /proc/self/fd; [ ! -e {} ] && echo given > {number}", other.as_fd().as_raw_fd());
    let mut spawn = shell(&script);
    spawn.inherited.push(writer);
    let child = spawn.spawn().unwrap();
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text, "given\n");
    assert!(wait_for(child.pid).success());
}

#[test]
fn terminate_is_bounded() {
    let mut stubborn = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    stubborn.stdout = Stream::Piped;
    stubborn.new_group = true;
    let child = stubborn.spawn().unwrap();
    let mut ready = [0; 6];
    File::from(child.stdout.unwrap()).read_exact(&mut ready).unwrap();
    assert_eq!(terminate(child.pid, Duration::from_millis(50)), Some(Exit::Signal(libc::SIGKILL)));
    let _ = kill_group(child.pid, Signal::SIGKILL);

    let meek = shell("exec sleep 60").spawn().unwrap();
    assert_eq!(terminate(meek.pid, Duration::from_secs(20)), Some(Exit::Signal(libc::SIGTERM)));
}

#[test]
fn a_group_dies_together() {
    let mut family = shell("sleep 60 & echo started; wait");
    family.stdout = Stream::Piped;
    family.new_group = true;
    let child = family.spawn().unwrap();
    let mut output = File::from(child.stdout.unwrap());
    let mut started = [0; 8];
    output.read_exact(&mut started).unwrap();
    kill_group(child.pid, Signal::SIGKILL).unwrap();
    assert_eq!(wait_for(child.pid), Exit::Signal(libc::SIGKILL));
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "end of file: the grandchild is gone too");
}

#[test]
fn a_death_signal_follows_the_parent() {
    let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let mut spawn = shell("exec sleep 60");
        spawn.inherited.push(writer.into());
        spawn.death_signal = Some(Signal::SIGTERM);
        spawn.spawn().unwrap().pid
    });
    let pid = thread.join().unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(wait_for(pid), Exit::Signal(libc::SIGTERM));
}

#[test]
fn zero_is_nobody() {
    assert!(kill(Pid::from_raw(0), Signal::SIGCONT).is_err());
    assert!(kill_group(Pid::from_raw(-1), Signal::SIGCONT).is_err());
    assert!(reap_one(Pid::from_raw(0)).is_err());
}

#[test]
fn input_is_piped() {
    let mut spawn = Spawn::new("/bin/cat");
    spawn.stdin = Stream::Piped;
    spawn.stdout = Stream::Piped;
    let child = spawn.spawn().unwrap();
    File::from(child.stdin.unwrap()).write_all(b"through").unwrap();
    let mut text = String::new();
    File::from(child.stdout.unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
    assert!(wait_for(child.pid).success());
}
