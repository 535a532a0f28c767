//! What a reload may change about the pair, and what has to wait for the next start.

use heartbeat::Settings;
use lvs_cf::Config;
use system::pair::Pair;

use crate::settings::{self, Start};

/// The election's settings after a reload, with what there is to say about them in the log. The heartbeat sockets stay
/// where they are; and so does whatever needs them elsewhere.
pub fn settings(config: &Config, pair: &Pair, current: &Settings, start: Start) -> Settings {
    let mut fresh = settings::of(config, pair, start);
    let has_moved = moved(config, pair);
    if has_moved {
        log::info!("heartbeat addresses or port have changed: they are taken over at the next start");
    }
    if fresh.backup_active == current.backup_active {
        return fresh;
    }
    if must_wait(config, pair, fresh.backup_active, has_moved) {
        log::info!("backup_active has changed: it is taken over at the next start");
        fresh.backup_active = current.backup_active;
    } else if pair.primary && !fresh.backup_active {
        log::info!("there is no backup any more: heartbeats to it end at the next start");
    }
    fresh
}

/// A new partner cannot be reached from sockets that were bound for another one, or for none; and a backup that the
/// file makes the primary would start again as a master without a backup, so it must not leave.
fn must_wait(config: &Config, pair: &Pair, wanted: bool, has_moved: bool) -> bool {
    if wanted {
        has_moved
    } else {
        !pair.primary && config.primary.address == pair.public.local
    }
}

fn moved(config: &Config, pair: &Pair) -> bool {
    Pair::with_role(config, pair.primary).as_ref() != Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Start = Start { force_active: false, prepare: false };

    fn config() -> Config {
        let mut config = Config { backup_active: true, ..Config::default() };
        config.primary.address = [10, 0, 0, 1].into();
        config.primary_private.address = [10, 1, 0, 1].into();
        config.backup.address = [10, 0, 0, 2].into();
        config.backup_private.address = [10, 1, 0, 2].into();
        config
    }

    /// `backup_active` of a node that was started with `before`, after it has read `after`.
    fn adopted(primary: bool, before: &Config, after: &Config) -> bool {
        let pair = Pair::with_role(before, primary).unwrap();
        let current = settings::of(before, &pair, START);
        settings(after, &pair, &current, START).backup_active
    }

    #[test]
    fn addresses_of_both_paths_and_the_port_belong_to_the_sockets() {
        let changes: [fn(&mut Config); 5] = [
            |config| config.primary.address = [10, 0, 0, 9].into(),
            |config| config.backup.address = [10, 0, 0, 9].into(),
            |config| config.primary_private.address = [10, 0, 0, 1].into(),
            |config| config.backup_private.address = [10, 1, 0, 9].into(),
            |config| config.heartbeat_port = 540,
        ];
        for primary in [true, false] {
            let pair = Pair::with_role(&config(), primary).unwrap();
            assert!(!moved(&config(), &pair));
            for (number, change) in changes.iter().enumerate() {
                let mut changed = config();
                change(&mut changed);
                assert!(moved(&changed, &pair), "change {number}");
            }
        }
    }

    #[test]
    fn a_backup_is_taken_on_only_where_the_sockets_reach_it() {
        let lone = Config { backup_active: false, ..config() };
        assert!(adopted(true, &lone, &config()));
        let mut nobody = lone.clone();
        nobody.backup.address = [0, 0, 0, 0].into();
        assert!(!adopted(true, &nobody, &config()));
        let mut elsewhere = config();
        elsewhere.backup_private.address = [10, 1, 0, 9].into();
        assert!(!adopted(true, &lone, &elsewhere));
    }

    #[test]
    fn a_backup_that_is_no_longer_wanted_hears_of_it_unless_it_has_become_the_primary() {
        let mut lone = Config { backup_active: false, ..config() };
        assert!(!adopted(true, &config(), &lone));
        assert!(!adopted(false, &config(), &lone));
        // With its address gone from the file too.
        lone.backup.address = [0, 0, 0, 0].into();
        assert!(!adopted(false, &config(), &lone));
        lone.primary.address = [10, 0, 0, 2].into();
        assert!(adopted(false, &config(), &lone));
    }
}
