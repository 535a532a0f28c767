//! Addresses that cannot be withdrawn: the partner must not raise them as well.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod rig;

use std::process::Command;

use nix::sys::signal::Signal;
use rig::lone::Lone;
use rig::wait_until;

const VIP: &str = "10.0.0.100";
/// The words that a heartbeat begins with.
const RUNNING: u32 = 0xbdaddbda;
const STOPPED: u32 = 0xadbddabd;

fn ip(line: &str) {
    assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
}

/// Serves, and may not change the address that it found.
fn serving(test: &str) -> Lone {
    let mut node = Lone::new(test);
    node.configure(VIP, "");
    ip(&format!("addr add {VIP}/32 dev lo label lo:1"));
    node.start_powerless(&["--forceactive"]);
    wait_until("it serves", || node.word() == RUNNING);
    node.signal(Signal::SIGTERM);
    wait_until("it cannot withdraw", || node.text("log").contains("lo:1: Operation not permitted"));
    node
}

#[test]
fn the_partner_hears_of_it_when_they_are_gone() {
    let mut node = serving("gone-later");
    // The first may be the one that asks the partner to get ready.
    for _ in 0..3 {
        assert_eq!(node.word(), RUNNING);
    }
    ip(&format!("addr del {VIP}/32 dev lo"));
    wait_until("it says so", || node.word() == STOPPED);
    assert!(node.ended().success());
    assert!(!node.text("log").contains("cannot be withdrawn"));
}

#[test]
fn the_partner_is_not_kept_waiting_for_ever() {
    let mut node = serving("never-gone");
    wait_until("it says so", || node.word() == STOPPED);
    assert!(node.ended().success());
    assert!(node.text("log").contains("virtual addresses cannot be withdrawn"));
}
