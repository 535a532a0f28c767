//! What the election needs of lvs.cf.

use std::time::Duration;

use heartbeat::{Mode, Role, Settings};
use lvs_cf::{Config, ServiceKind};
use system::pair::Pair;

/// What the command line adds.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// `--forceactive`.
    pub force_active: bool,
    /// The lvs is one of this suite, which tells when the table is filled.
    pub prepare: bool,
}

/// The election's settings. An interval of zero or less would flood the partner or find it dead at every
/// turn: it counts as one second.
pub fn of(config: &Config, pair: &Pair, start: Start) -> Settings {
    Settings {
        role: if pair.primary { Role::Master } else { Role::Backup },
        mode: mode(config),
        keepalive: seconds(config.keepalive),
        deadtime: seconds(config.deadtime),
        backup_active: config.backup_active && !config.backup.address.is_unspecified(),
        private_path: pair.private.is_some(),
        prepare: start.prepare,
        force_active: start.force_active,
    }
}

/// The election that `service` asks for.
pub const fn mode(config: &Config) -> Mode {
    match config.service {
        ServiceKind::Lvs => Mode::Lvs,
        ServiceKind::Fos => Mode::Fos,
    }
}

fn seconds(written: i32) -> Duration {
    Duration::from_secs(u64::try_from(written).unwrap_or(0).max(1))
}
