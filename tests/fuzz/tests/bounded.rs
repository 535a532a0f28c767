//! Every target, for a fixed number of executions: the same ones every time.

#![allow(clippy::expect_used, reason = "helpers of tests may do what tests do")]

use fuzz::{run, target, Until};

fn bounded(name: &str) {
    let target = target(name).expect("a target");
    assert_eq!(run(target, 1, Until::Executions(target.executions)), target.executions);
}

#[test]
fn lvs_cf() {
    bounded("lvs_cf");
}

#[test]
fn heartbeat() {
    bounded("heartbeat");
}

#[test]
fn ipvs_dump() {
    bounded("ipvs_dump");
}

#[test]
fn netlink() {
    bounded("netlink");
}

#[test]
fn route() {
    bounded("route");
}

#[test]
fn options() {
    bounded("options");
}

#[test]
fn check_text() {
    bounded("check_text");
}

#[test]
fn load() {
    bounded("load");
}

#[test]
fn every_target_is_among_them() {
    let source = include_str!("bounded.rs");
    for target in fuzz::TARGETS {
        assert!(source.contains(&format!("bounded(\"{}\")", target.name)), "{}", target.name);
    }
}
