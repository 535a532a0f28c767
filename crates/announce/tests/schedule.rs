//! Five rounds, one second apart, for all addresses together.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use announce::{Announcer, Target, INTERVAL, ROUNDS};
use std::net::Ipv4Addr;
use std::time::Duration;

const START: Duration = Duration::from_millis(1_234);

fn targets(count: u8) -> Vec<Target> {
    let target = |n| Target { ifindex: 2, address: Ipv4Addr::new(10, 0, 0, n), mac: [2, 0, 0, 0, 0, n] };
    (0..count).map(target).collect()
}

/// When the remaining rounds come if each is served in time, as (time since the start, number of targets, last).
fn rounds(announcer: &mut Announcer) -> Vec<(Duration, usize, bool)> {
    let mut rounds = Vec::new();
    while let Some(now) = announcer.next_deadline() {
        assert_eq!(announcer.handle(now - Duration::from_nanos(1)), None, "too early");
        let round = announcer.handle(now).unwrap();
        rounds.push((now - START, round.targets.len(), round.is_last()));
    }
    rounds
}

#[test]
fn five_rounds_one_second_apart_the_first_at_once() {
    let mut announcer = Announcer::new();
    announcer.start(START, targets(3));
    let wanted: Vec<_> = (0..ROUNDS).map(|n| (INTERVAL * n, 3, n == ROUNDS - 1)).collect();
    assert_eq!(rounds(&mut announcer), wanted);
    assert!(!announcer.is_running());
    assert_eq!(announcer.handle(START + INTERVAL * 100), None);
}

#[test]
fn nothing_is_sent_after_a_cancel() {
    let mut announcer = Announcer::new();
    announcer.start(START, targets(3));
    assert!(announcer.handle(START).is_some());
    announcer.cancel();
    assert_eq!(announcer.next_deadline(), None);
    assert_eq!(announcer.handle(START + INTERVAL), None);
}

#[test]
fn a_new_start_begins_anew() {
    let mut announcer = Announcer::new();
    announcer.start(START - INTERVAL, targets(3));
    assert!(announcer.handle(START - INTERVAL).is_some());
    announcer.start(START, targets(4));
    let rounds = rounds(&mut announcer);
    assert_eq!(rounds.len(), ROUNDS as usize);
    assert_eq!(rounds[0], (Duration::ZERO, 4, false));
}

#[test]
fn a_late_round_delays_the_rest_and_none_is_hurried() {
    let mut announcer = Announcer::new();
    announcer.start(START, targets(1));
    let late = START + INTERVAL * 10;
    assert_eq!(announcer.handle(late).unwrap().number, 1);
    assert_eq!(announcer.handle(late), None);
    assert_eq!(announcer.next_deadline(), Some(late + INTERVAL));
}

#[test]
fn without_addresses_there_is_nothing_to_do() {
    let mut announcer = Announcer::new();
    announcer.start(START, Vec::new());
    assert_eq!(announcer.next_deadline(), None);
}
