//! Collecting all children at once, which takes a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may panic

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use system::child::{reap, reap_one, Exit, Pid, Spawn};

const PATIENCE: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Pid {
    Spawn { arguments: vec!["-c".into(), script.into()], ..Spawn::new("/bin/sh") }.spawn().unwrap().pid
}

/// Tries until it gives something.
fn patiently<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every end of a child is told, whatever it was: exit statuses, and signals up to the last of the real-time ones.
#[test]
fn every_end_is_told() {
    let mut ends: Vec<_> = [0, 3, 255].map(|status| (format!("exit {status}"), Exit::Status(status))).into();
    for signal in [1, 9, 15, 31, 34, 40, 64] {
        ends.push((format!("kill -{signal} $$"), Exit::Signal(signal)));
    }
    for (script, end) in &ends {
        let pid = shell(script);
        assert_eq!(patiently(|| reap_one(pid).unwrap()), *end, "{script}");
    }

    let started: BTreeMap<_, _> = ends.iter().map(|(script, end)| (shell(script), *end)).collect();
    let mut ended = BTreeMap::new();
    patiently(|| {
        ended.extend(reap());
        (ended.len() == started.len()).then_some(())
    });
    assert_eq!(ended, started);
    assert_eq!(reap(), []);
}
