//! What the configuration says about the pair.

use crate::wire::Word;
use std::time::Duration;

/// Which of the two directors this is: the one whose address is `primary`, or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The primary node. It keeps the service when both are active.
    Master,
    /// The backup node. It yields when it hears that the partner is active.
    Backup,
}

/// The `service` of the configuration: the two kinds do not understand each other's heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `service = lvs`: virtual servers.
    Lvs,
    /// `service = fos`: failover services.
    Fos,
}

impl Mode {
    /// The word for "I am active".
    #[must_use]
    pub const fn running(self) -> Word {
        match self {
            Self::Lvs => Word::Running,
            Self::Fos => Word::FosRunning,
        }
    }

    /// The word for "I am not active".
    #[must_use]
    pub const fn stopped(self) -> Word {
        match self {
            Self::Lvs => Word::Stopped,
            Self::Fos => Word::FosStopped,
        }
    }

    /// Whether a partner of this mode may say `word`. STOPME, HOLD and HELD pass in both modes.
    #[must_use]
    pub fn accepts(self, word: Word) -> bool {
        word == self.running()
            || word == self.stopped()
            || matches!(word, Word::StopMe | Word::Hold | Word::Held)
    }
}

/// One of the two ways on which heartbeats travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// Between `primary` and `backup`.
    Public,
    /// Between `primary_private` and `backup_private`, when configured.
    Private,
}

/// The part of the configuration that the election needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Fixed for the life of the process.
    pub role: Role,
    /// Fixed for the life of the process.
    pub mode: Mode,
    /// Time between two heartbeats. Less than 100 ms is taken as 100 ms.
    pub keepalive: Duration,
    /// The partner is dead when nothing was accepted from it for this long. Less than 100 ms is taken as 100 ms.
    pub deadtime: Duration,
    /// Whether there is a partner at all. Without one nothing is sent and links are not watched; what arrives is
    /// still heard. What becomes 0 by a reload is different: see [`crate::Election::reconfigure`].
    pub backup_active: bool,
    /// Whether heartbeats also travel on the private path.
    pub private_path: bool,
    /// lvs can be started ahead of a takeover: it is one that tells when its table is filled. Not with foreign
    /// programs in its place.
    pub prepare: bool,
    /// Be active from the start (`--forceactive`).
    pub force_active: bool,
}

impl Settings {
    /// Below this a node would flood its partner or find it dead between two heartbeats.
    const FLOOR: Duration = Duration::from_millis(100);

    pub(crate) fn with_floor(mut self) -> Self {
        self.keepalive = self.keepalive.max(Self::FLOOR);
        self.deadtime = self.deadtime.max(Self::FLOOR);
        self
    }
}
