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
