//! The program as it is run: texts, exit statuses, and the frame at the far end of a cable. Needs root.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nix::sched::{unshare, CloneFlags};
use nix::sys::socket::{recvfrom, socket, AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType};
use std::os::fd::AsRawFd;
use std::process::Command;

const USAGE: &str = "send_arp: sends out custom ARP packet. Yuri Volobuev '97\n\
                     \tusage: send_arp [-i dev] src_ip_addr src_hw_addr targ_ip_addr tar_hw_addr\n\n\n";

/// A namespace with a cable from `near` to `far`, whose device names are as long as they can be, and a device that
/// is down.
fn namespace() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
    for words in [
        "link add name near-end-of-it0 type veth peer name far",
        "link set dev near-end-of-it0 up",
        "link set dev far up",
        "link add name off type veth peer name unused",
    ] {
        assert!(Command::new("ip").args(words.split_whitespace()).status().unwrap().success(), "ip {words}");
    }
}

/// Exit status and what was said on standard error; standard output must stay empty.
fn run(program: &mut Command) -> (Option<i32>, String) {
    let output = program.output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn send_arp(words: &str) -> (Option<i32>, String) {
    run(Command::new(env!("CARGO_BIN_EXE_send_arp")).args(words.split_whitespace()))
}

#[test]
fn texts_and_exit_statuses() {
    namespace();
    for (words, text) in [
        ("", USAGE),
        ("--help", USAGE),
        ("-i off 10.0.0.100 26AFE1E536BC", USAGE),
        ("10.0.0.100 26AFE1E536BC x ffffffffffff", "sendto: No such device\n"),
        ("-i nowhere 10.0.0.100 26AFE1E536BC x ffffffffffff", "sendto: No such device\n"),
        ("-i name-longer-than-any 10.0.0.100 26AFE1E536BC x ffffffffffff", "sendto: No such device\n"),
        ("-i off 10.0.0.100 26AFE1E536BC x ffffffffffff", "sendto: Network is down\n"),
        ("-i off 10.0.0.100 26AFE1E536BC x fffffffffff", "Invalid hardware address\n"),
        ("-i off 10.0.0.100 26-AF-E1-E5-36-BC x ffffffffffff", "Invalid hardware address\n"),
        ("-i off no.such.invalid nonsense x ffffffffffff", "Invalid hardware address\n"),
        ("-i off no.such.invalid 26AFE1E536BC x ffffffffffff", "send_arp: unknown host no.such.invalid\n"),
        ("-i off 255.255.255.255 26AFE1E536BC x ffffffffffff", "sendto: Network is down\n"),
    ] {
        assert_eq!(send_arp(words), (Some(1), text.to_owned()), "send_arp {words}");
    }
}

/// Privilege is asked for after the operands are counted, before they are looked at.
#[test]
fn without_the_capability() {
    let mut unprivileged = Command::new("setpriv");
    unprivileged.args(["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_send_arp")]);
    unprivileged.args(["no.such.invalid", "nonsense", "x", "nonsense"]);
    assert_eq!(run(&mut unprivileged), (Some(1), "socket: Operation not permitted\n".to_owned()));
}

#[test]
fn one_frame_arrives_as_the_original_sent_it() {
    namespace();
    let listener =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll).unwrap();
    for words in [
        "-i near-end-of-it0 10.0.0.100 26AFE1E536BC 10.0.0.255 ffffffffffff",
        "-i near-end-of-it0 10.100 26:af:e1:e5:36:bc ignored 02:00:00:00:00:01",
    ] {
        assert_eq!(send_arp(words), (Some(0), String::new()));
    }
    let far = nix::net::if_::if_nametoindex("far").unwrap() as usize;
    let mut frames = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = recvfrom::<LinkAddr>(listener.as_raw_fd(), &mut buffer) {
        if from.unwrap().ifindex() == far && buffer[12..14] == [0x08, 0x06] {
            frames.push(buffer[..length].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
    let arp = "0806000108000604000226afe1e536bc0a00006426afe1e536bc0a000064";
    let padding = "00".repeat(18);
    assert_eq!(
        frames,
        [
            format!("ffffffffffff26afe1e536bc{arp}{padding}"),
            format!("02000000000126afe1e536bc{arp}{padding}")
        ]
    );
}
