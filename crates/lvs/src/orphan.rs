//! When pulse is gone: two directors must never both answer for an address because a process died.

use std::net::SocketAddrV4;
use std::time::Duration;

use heartbeat::wire::{self, ByteOrder, Word};
use lvs_cf::Config;
use system::clock;
use system::pair::Pair;
use system::udp::HeartbeatSocket;
use system::vip::{self, Addresses};

use crate::message::Message;

/// A killed process may hold its port a moment longer than the pipe that told us of its death.
const PORT_WAIT: Duration = Duration::from_millis(200);

/// Takes the pair's virtual addresses off this node, then tells the partner in pulse's name that nobody
/// serves here any more.
pub fn withdraw(config: &Config) {
    let known = vip::wanted(config);
    let mut addresses = match Addresses::open() {
        Ok(addresses) => addresses,
        Err(error) => return log::info!("cannot withdraw the virtual addresses: {error}"),
    };
    match addresses.settle(&[], &known) {
        Ok(failures) => {
            for failure in failures {
                log::info!("cannot withdraw {}: {}", failure.address.address, failure.error);
            }
        }
        Err(error) => return log::info!("cannot withdraw the virtual addresses: {error}"),
    }
    if let Err(error) = say_goodbye(config, &mut addresses) {
        log::info!("cannot notify the partner: {error}");
    } else {
        log::info!("{}", Message::Withdrawn { addresses: known.len() });
    }
}

/// From pulse's own address and port: the partner listens to no other.
fn say_goodbye(config: &Config, addresses: &mut Addresses) -> Result<(), String> {
    if !config.backup_active || config.backup.address.is_unspecified() {
        return Ok(());
    }
    let (_, held) = addresses.survey().map_err(|error| error.to_string())?;
    let pair = Pair::of(config, &held)?;
    let goodbye = wire::encode(Word::Stopped, ByteOrder::NATIVE);
    for ends in pair.paths() {
        let socket = bind(ends.local, pair.port).map_err(|error| format!("{}: {error}", ends.local))?;
        socket
            .send_to(&goodbye, SocketAddrV4::new(ends.partner, pair.port))
            .map_err(|error| format!("{}: {error}", ends.partner))?;
    }
    Ok(())
}

fn bind(local: std::net::Ipv4Addr, port: u16) -> std::io::Result<HeartbeatSocket> {
    let give_up = clock::now() + PORT_WAIT;
    loop {
        match HeartbeatSocket::bind(local, port) {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) && clock::now() < give_up => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}
