//! What a daemon does in place of the pulse that started it and is gone: two directors must never both answer for
//! an address because a process died.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use lvs_cf::Config;

use crate::clock;
use crate::pair::{Ends, Pair};
use crate::udp::HeartbeatSocket;
use crate::vip::{self, Addresses};

/// A killed process may hold its port a moment longer than the pipe that told us of its death.
const PORT_WAIT: Duration = Duration::from_millis(200);

/// Takes the pair's virtual addresses off this node, and tells how many there are. None, and a line in the log,
/// when one of them may still be here: the partner must not be told to take it over.
pub fn withdraw(config: &Config) -> Option<usize> {
    let known = vip::wanted(config);
    match Addresses::open().and_then(|mut addresses| addresses.settle(&[], &known)) {
        Ok(failures) => {
            for failure in &failures {
                log::info!("cannot withdraw {}: {}", failure.address.address, failure.error);
            }
            failures.is_empty().then_some(known.len())
        }
        Err(error) => {
            log::info!("cannot withdraw the virtual addresses: {error}");
            None
        }
    }
}

/// Sends a heartbeat to the partner, if there is one, from pulse's own address and port: it listens to no other.
/// One of two paths is enough.
///
/// # Errors
///
/// Why it could be sent on no path, for the log.
pub fn say_goodbye(config: &Config, heartbeat: [u8; 4]) -> Result<(), String> {
    if !config.backup_active || config.backup.address.is_unspecified() {
        return Ok(());
    }
    let survey = Addresses::open().and_then(|mut addresses| addresses.survey());
    let (_, held) = survey.map_err(|error| error.to_string())?;
    let pair = Pair::of(config, &held)?;
    send_on_all(pair.paths(), pair.port, heartbeat)
}

fn send_on_all(paths: impl Iterator<Item = Ends>, port: u16, heartbeat: [u8; 4]) -> Result<(), String> {
    let results: Vec<_> = paths.map(|ends| send(ends, port, heartbeat)).collect();
    if results.iter().any(Result::is_ok) {
        return Ok(());
    }
    Err(results.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; "))
}

fn send(ends: Ends, port: u16, heartbeat: [u8; 4]) -> Result<(), String> {
    let socket = bind(ends.local, port).map_err(|error| format!("{}: {error}", ends.local))?;
    let partner = SocketAddrV4::new(ends.partner, port);
    socket.send_to(&heartbeat, partner).map_err(|error| format!("{}: {error}", ends.partner))
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

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(127, 83, 0, 1);
    const PARTNER: Ipv4Addr = Ipv4Addr::new(127, 83, 0, 2);
    /// Of a reserved class: no machine has it.
    const NOWHERE: Ipv4Addr = Ipv4Addr::new(240, 0, 0, 1);

    fn path(local: Ipv4Addr) -> Ends {
        Ends { local, partner: PARTNER }
    }

    #[test]
    fn a_path_that_is_down_does_not_keep_the_word_from_the_other() {
        for locals in [[NOWHERE, HERE], [HERE, NOWHERE]] {
            let partner = HeartbeatSocket::bind(PARTNER, 0).unwrap();
            let port = partner.local().unwrap().port();
            assert_eq!(send_on_all(locals.map(path).into_iter(), port, [1, 2, 3, 4]), Ok(()));
            let mut buffer = [0; 8];
            assert_eq!(partner.receive(&mut buffer).unwrap(), Some((4, SocketAddrV4::new(HERE, port))));
            assert_eq!(partner.receive(&mut buffer).unwrap(), None);
        }
    }

    #[test]
    fn without_any_path_all_reasons_are_told() {
        let other = Ipv4Addr::new(240, 0, 0, 2);
        let reasons = send_on_all([NOWHERE, other].map(path).into_iter(), 0, [0; 4]).unwrap_err();
        assert!(reasons.contains("240.0.0.1: ") && reasons.contains("; 240.0.0.2: "), "{reasons}");
    }
}
