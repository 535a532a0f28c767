//! What is sent to the syslog when names, addresses and replies are hostile: one sane line each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test rig may panic")]

use conformance::program::{original, Program};
use conformance::sandbox::Sandbox;
use conformance::streams::PATIENCE;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than receivers take.
const LIMIT: usize = 1100;

/// The raw messages of a program that runs until `enough` of them have come.
fn messages(program: Program, arguments: &[&str], enough: usize) -> Vec<String> {
    let sandbox = Sandbox::enter();
    let mut command = Command::new(program.path());
    let replies = replies();
    let arguments = arguments.iter().map(|word| word.replace("{PORT}", &replies.to_string()));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let (mut messages, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
    while messages.len() < enough && Instant::now() < deadline {
        match sandbox.syslog.recv(&mut buffer) {
            Ok(length) => messages.push(String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    messages
}

/// A service with a hostile reply.
fn replies() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client
                .write_all(b"%n%s\n<30>Nov 25 00:00:00 forged[1]: line\x1b[2J\0\xff".repeat(10).as_slice());
        }
    });
    port
}

fn check(messages: &[String], ident: &str, expected: &[&str]) {
    for message in messages {
        let text = message.trim_end_matches(['\n', '\0']);
        assert!(text.starts_with("<30>"), "facility daemon, priority info: {text}");
        assert!(text[4..].get(16..).is_some_and(|rest| rest.starts_with(&format!("{ident}["))), "{text}");
        assert!(!text.contains(char::is_control), "one line of printable characters: {text:?}");
        assert!(text.len() <= LIMIT, "{} bytes", text.len());
    }
    for text in expected {
        assert!(messages.iter().any(|message| message.contains(text)), "`{text}` is not in {messages:?}");
    }
}

/// With the original, whose syslog(3) waits, the checks end when ten messages wait to be read.
#[test]
fn a_receiver_that_hangs_stops_no_checks() {
    if original() {
        return;
    }
    let sandbox = Sandbox::enter();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let words = ["-c", "-v", "--norun", "--lvs", "-h", "127.0.0.1", "-p", &port, "-t", "1", "-V", "10.0.0.1"];
    let mut child = Command::new(Program::Nanny.path()).args(words).stdin(Stdio::null()).spawn().unwrap();
    // Each check says a few lines.
    for _ in 0..6 {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.write_all(b"hello");
    }
    let mut buffer = [0; 2000];
    let mut receive = || {
        let messages = std::iter::from_fn(|| {
            sandbox.syslog.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
        });
        messages.map(|bytes| String::from_utf8(bytes).unwrap()).collect::<Vec<_>>()
    };
    // It may log on meanwhile, and then says already now what is missing.
    let waiting = receive();
    assert!(waiting.len() < 20, "the receiver takes so few only: {}", waiting.len());
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    let rest = receive();
    let reported = waiting.iter().chain(&rest).any(|line| line.contains("messages are missing here"));
    assert!(reported, "it says what is missing: {waiting:?} {rest:?}");
}

#[test]
fn what_a_command_line_says() {
    if original() {
        return;
    }
    let long = format!("10.0.0.1%n%s\nforged\t{}", "x".repeat(10_000));
    let words = ["-c", "--lvs", "-h", "127.0.0.1", "-p", "9", "-t", "1", "-V", &long];
    let messages = messages(Program::Nanny, &words, 1);
    check(&messages, "nanny", &["starting LVS client monitor for 10.0.0.1%n%s\\nforged\\txxx", "xxx..."]);
}

#[test]
fn what_a_service_replies() {
    if original() {
        return;
    }
    let words = [
        "-c",
        "-v",
        "--norun",
        "--lvs",
        "-h",
        "127.0.0.1",
        "-p",
        "{PORT}",
        "-t",
        "1",
        "-x",
        "220 ready",
        "-V",
        "10.0.0.1",
    ];
    let messages = messages(Program::Nanny, &words, 12);
    check(&messages, "nanny", &["READ got len=", "%n%s\\n<30>"]);
}

#[test]
fn what_a_file_names() {
    if original() {
        return;
    }
    let path = std::env::temp_dir().join(format!("conformance-{}-names.cf", std::process::id()));
    let name = format!("%n%s{}", "y".repeat(10_000));
    let lines = "active = 1\naddress = 10.0.0.100 eth0:1\nport = 80\n";
    std::fs::write(&path, format!("ipvsadm = /bin/true\nvirtual {name} {{\n{lines}}}\n")).unwrap();
    let messages = messages(Program::Lvsd, &["--nofork", "-c", path.to_str().unwrap()], 1);
    std::fs::remove_file(path).unwrap();
    check(&messages, "lvsd", &["starting virtual service %n%syyyy"]);
}
