//! When pulse is gone: two directors must never both answer for an address because a process died.

use heartbeat::wire::{self, ByteOrder, Word};
use lvs_cf::Config;

use crate::message::Message;

/// Takes the pair's virtual addresses off this node, then tells the partner in pulse's name that nobody
/// serves here any more.
pub fn withdraw(config: &Config) {
    let Some(addresses) = system::orphan::withdraw(config) else { return };
    match system::orphan::say_goodbye(config, wire::encode(Word::Stopped, ByteOrder::NATIVE)) {
        Ok(()) => log::info!("{}", Message::Withdrawn { addresses }),
        Err(error) => log::info!("cannot notify the partner: {error}"),
    }
}

/// A reloaded configuration with the heartbeat paths of the one at the start: pulse keeps them until it starts again,
/// and a goodbye in its name must come from where the partner expects it.
pub fn with_heartbeats_of(start: Config, reloaded: Config) -> Config {
    Config {
        primary: start.primary,
        primary_private: start.primary_private,
        backup: start.backup,
        backup_private: start.backup_private,
        heartbeat_port: start.heartbeat_port,
        ..reloaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvs_cf::NoNames;

    #[test]
    fn a_goodbye_after_a_reload_comes_from_where_pulse_still_is() {
        let start = lvs_cf::parse(b"primary = 10.0.0.1\nbackup = 10.0.0.2\nheartbeat_port = 539\n", &NoNames)
            .unwrap();
        let text = b"primary = 10.0.0.8\nbackup = 10.0.0.9\nheartbeat_port = 540\ndebug_level = 1\n";
        let reloaded = lvs_cf::parse(text, &NoNames).unwrap();
        let kept = with_heartbeats_of(start.clone(), reloaded.clone());
        assert_eq!(kept.primary.address, start.primary.address);
        assert_eq!(kept.backup.address, start.backup.address);
        assert_eq!(kept.heartbeat_port, start.heartbeat_port);
        assert_eq!(kept.debug_level, reloaded.debug_level);
    }
}
