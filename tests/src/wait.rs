//! Waiting for a condition instead of sleeping for luck.

use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `condition` holds and returns how long that took. Panics with `what` after `limit`.
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(PAUSE);
    }
    start.elapsed()
}

/// Demands that `condition` holds for the whole of `period`: for what must not happen.
pub fn holds_for(period: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < period {
        assert!(condition(), "after {:?} no longer: {what}", start.elapsed());
        thread::sleep(PAUSE);
    }
}
