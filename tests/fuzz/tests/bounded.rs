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

/// The number, its thousands apart.
fn grouped(number: u64) -> String {
    assert!((1_000..1_000_000).contains(&number));
    format!("{} {:03}", number / 1000, number % 1000)
}

#[test]
fn the_documentation_has_all_of_them() {
    let page = include_str!("../../../docs/testing.md");
    for target in fuzz::TARGETS {
        let (start, end) = (format!("| `{}` |", target.name), format!("| {} |", grouped(target.executions)));
        let is_its_row = |line: &str| line.starts_with(&start) && line.ends_with(&end);
        assert!(page.lines().any(is_its_row), "{} with {}", target.name, target.executions);
    }
}
