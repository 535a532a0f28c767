//! What a daemon does in place of the pulse that started it and is gone: two directors must never both answer for
//! an address because a process died.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use lvs_cf::Config;

use crate::clock;
use crate::pair::Pair;
use crate::udp::HeartbeatSocket;
use crate::vip::{self, Addresses};

/// A killed process may hold its port a moment longer than the pipe that told us of its death.
const PORT_WAIT: Duration = Duration::from_millis(200);

/// Takes the pair's virtual addresses off this node, and tells how many there are. None, and a line in the log,
/// when that is not possible.
pub fn withdraw(config: &Config) -> Option<usize> {
    let known = vip::wanted(config);
    match Addresses::open().and_then(|mut addresses| addresses.settle(&[], &known)) {
        Ok(failures) => {
            for failure in failures {
                log::info!("cannot withdraw {}: {}", failure.address.address, failure.error);
            }
            Some(known.len())
        }
        Err(error) => {
            log::info!("cannot withdraw the virtual addresses: {error}");
            None
        }
    }
}

/// Sends a heartbeat to the partner, if there is one, from pulse's own address and port: it listens to no other.
///
/// # Errors
///
/// Why it could not be sent, for the log.
pub fn say_goodbye(config: &Config, heartbeat: [u8; 4]) -> Result<(), String> {
    if !config.backup_active || config.backup.address.is_unspecified() {
        return Ok(());
    }
    let survey = Addresses::open().and_then(|mut addresses| addresses.survey());
    let (_, held) = survey.map_err(|error| error.to_string())?;
    let pair = Pair::of(config, &held)?;
    for ends in pair.paths() {
        let socket = bind(ends.local, pair.port).map_err(|error| format!("{}: {error}", ends.local))?;
        socket
            .send_to(&heartbeat, SocketAddrV4::new(ends.partner, pair.port))
            .map_err(|error| format!("{}: {error}", ends.partner))?;
    }
    Ok(())
}

fn bind(local: Ipv4Addr, port: u16) -> io::Result<HeartbeatSocket> {
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
