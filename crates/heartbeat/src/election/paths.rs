//! Notices when one of two heartbeat paths goes silent while the other still works. The election does not care, the
//! operator should: the next fault is a partition.

use crate::{Message, Path};
use std::time::Duration;

/// So many heartbeats must come on one path alone before the other counts as silent. Both are silent, and return one
/// after the other, when the partner restarts.
const ALONE: u32 = 3;

/// What was heard on one path.
#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Duration,
    /// Heartbeats on the other path since then.
    missed: u32,
    silent: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Paths {
    public: Heard,
    private: Heard,
}

impl Paths {
    pub(super) fn new(now: Duration) -> Self {
        let heard = Heard { at: now, missed: 0, silent: false };
        Self { public: heard, private: heard }
    }

    /// A heartbeat was accepted on `path`. What there is to say about it and about the other path.
    pub(super) fn heard(&mut self, now: Duration, path: Path, deadtime: Duration) -> [Option<Message>; 2] {
        let (this, other, other_path) = match path {
            Path::Public => (&mut self.public, &mut self.private, Path::Private),
            Path::Private => (&mut self.private, &mut self.public, Path::Public),
        };
        let restored = std::mem::take(&mut this.silent);
        *this = Heard { at: now, missed: 0, silent: false };
        other.missed = other.missed.saturating_add(1);
        let lost = !other.silent && other.missed >= ALONE && now >= other.at + deadtime;
        other.silent |= lost;
        [restored.then_some(Message::PathRestored(path)), lost.then_some(Message::PathSilent(other_path))]
    }
}
