//! How long a node stays away from the service after lvs ended on it, and fos is left alone after it ended.

use crate::Partner;
use std::time::Duration;

/// What is known about lvs ending by itself on this node ("CHILDFAIL").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChildFailure {
    /// How often in a row it ended, at least 1.
    count: u32,
    /// When it ended last.
    at: Duration,
    /// Whether the node is barred now; not while a retry runs.
    pub(crate) barred: bool,
}

impl ChildFailure {
    /// The longest wait between two tries. An lvs that ran for longer than this starts a new row.
    pub(crate) const LIMIT: Duration = Duration::from_secs(60);

    /// Counts one more end of an lvs that had been started at `started`.
    pub(crate) fn after(previous: Option<Self>, started: Duration, now: Duration) -> Self {
        let in_a_row = previous.filter(|_| now.saturating_sub(started) < Self::LIMIT);
        let count = in_a_row.map_or(1, |failure| failure.count.saturating_add(1));
        Self { count, at: now, barred: true }
    }

    /// Whether it is the first of a row.
    pub(crate) const fn is_first(&self) -> bool {
        self.count == 1
    }

    /// Two keepalives after the first failure and twice as long after each further one.
    pub(crate) fn delay(&self, keepalive: Duration) -> Duration {
        let doubled = keepalive.saturating_mul(1 << self.count.min(16));
        doubled.min(Self::LIMIT.max(2 * keepalive))
    }

    /// When lvs may be tried again although no RUNNING was heard; `None` as long as the partner serves or may be
    /// about to.
    ///
    /// A partner that is alive gets the limit: it takes over within a heartbeat, so one that only ever says STOPPED
    /// for that long is barred itself.
    pub(crate) fn retry_at(&self, partner: Partner, alone: bool, keepalive: Duration) -> Option<Duration> {
        if !self.barred {
            return None;
        }
        match partner {
            _ if alone => Some(self.at + self.delay(keepalive)),
            Partner::Dead { since } => Some(self.at.max(since) + self.delay(keepalive)),
            Partner::Stopped { since } => Some(self.at.max(since) + Self::LIMIT.max(2 * keepalive)),
            Partner::Unknown | Partner::Running => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPALIVE: Duration = Duration::from_secs(1);

    #[test]
    fn the_delay_doubles_up_to_the_limit() {
        let mut failure = None;
        let delays = (0..8).map(|_| {
            let next = ChildFailure::after(failure, Duration::ZERO, Duration::ZERO);
            failure = Some(next);
            next.delay(KEEPALIVE).as_secs()
        });
        assert_eq!(delays.collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_long_run_starts_a_new_row() {
        let first = ChildFailure::after(None, Duration::ZERO, Duration::ZERO);
        let late = ChildFailure::after(Some(first), Duration::ZERO, ChildFailure::LIMIT);
        assert_eq!(late.delay(KEEPALIVE), 2 * KEEPALIVE);
    }

    #[test]
    fn a_serving_partner_is_left_alone() {
        let failure = ChildFailure::after(None, Duration::ZERO, Duration::from_secs(10));
        let at = |partner, alone| failure.retry_at(partner, alone, KEEPALIVE).map(|at| at.as_secs());
        assert_eq!(at(Partner::Running, false), None);
        assert_eq!(at(Partner::Unknown, false), None);
        assert_eq!(at(Partner::Unknown, true), Some(12));
        assert_eq!(at(Partner::Dead { since: Duration::from_secs(5) }, false), Some(12));
        assert_eq!(at(Partner::Dead { since: Duration::from_secs(15) }, false), Some(17));
        assert_eq!(at(Partner::Stopped { since: Duration::ZERO }, false), Some(70));
    }
}
