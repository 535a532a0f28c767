//! When announcements are repeated.

use crate::Target;
use std::time::Duration;

/// How often each address is announced.
pub const ROUNDS: u32 = 5;

/// Time between two rounds.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Announces a set of addresses in [`ROUNDS`] rounds, the first one at once, each for all addresses together.
///
/// `now` is the time since any fixed point of a monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct Announcer {
    targets: Vec<Target>,
    sent: u32,
    due: Option<Duration>,
}

/// One round: what to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round<'a> {
    /// Every address, each on its link.
    pub targets: &'a [Target],
    /// 1 to [`ROUNDS`].
    pub number: u32,
}

impl Round<'_> {
    /// Whether the announcement is finished with this round.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.number == ROUNDS
    }
}

impl Announcer {
    /// An announcer with nothing to do.
    #[must_use]
    pub const fn new() -> Self {
        Self { targets: Vec::new(), sent: 0, due: None }
    }

    /// Announces `targets` from the first round, which is due at `now`. What was under way is forgotten.
    pub fn start(&mut self, now: Duration, targets: Vec<Target>) {
        *self = Self { due: (!targets.is_empty()).then_some(now), targets, sent: 0 };
    }

    /// Stops at once: an address that has left must not be announced again.
    pub fn cancel(&mut self) {
        *self = Self::new();
    }

    /// Whether rounds are still to come.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.due.is_some()
    }

    /// When [`Announcer::handle`] has to be called next, if at all.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Duration> {
        self.due
    }

    /// The round that is due at `now`, if any. A round that comes late delays those after it; none is skipped, and
    /// none is sent in a hurry.
    pub fn handle(&mut self, now: Duration) -> Option<Round<'_>> {
        self.due.filter(|due| *due <= now)?;
        self.sent += 1;
        self.due = (self.sent < ROUNDS).then(|| now + INTERVAL);
        Some(Round { targets: &self.targets, number: self.sent })
    }
}
