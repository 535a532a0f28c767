//! Warnings about real servers.

use super::{advise, names, warn, Notes};
use crate::analysis::Origin;
use crate::model::{Server, Virtual};
use crate::words::Forwarding;
use std::collections::HashSet;

/// Looks at the real servers of a block.
pub(super) fn check(network: Forwarding, service: &Virtual, origin: &Origin, notes: &mut Notes) {
    let servers = || service.servers.iter().zip(&origin.blocks);
    names("real server", servers().map(|(server, origin)| (server.name.as_bytes(), origin.name)), notes);
    for (server, place) in servers().filter(|(server, _)| server.active) {
        address(server, place, notes);
        port(network, service, server, place, notes);
    }
    endpoints(service, origin, notes);
}

fn address(server: &Server, origin: &Origin, notes: &mut Notes) {
    if server.address.is_unspecified() {
        warn(notes, "no-address", origin.place("address"), "active real server without an address");
    }
}

fn port(network: Forwarding, service: &Virtual, server: &Server, origin: &Origin, notes: &mut Notes) {
    if server.port == service.port {
        return;
    }
    let (port, wanted) = (server.port, service.port);
    let place = origin.place("port");
    if origin.key("port").is_none() {
        let message = format!("port {port}, not {wanted}: the virtual's `port` stands below this block");
        advise(notes, "port-below-server", place, message, "move `port` above the first `server`");
    }
    // A service by firewall mark has no port of its own.
    if network != Forwarding::Nat && service.fwmark == 0 {
        let message = format!(
            "port {port} differs from the service's {wanted}, but {} routing cannot change ports",
            network
        );
        warn(notes, "port-not-translated", place, message);
    }
}

fn endpoints(service: &Virtual, origin: &Origin, notes: &mut Notes) {
    let mut seen = HashSet::new();
    for (server, place) in service.servers.iter().zip(&origin.blocks).filter(|(server, _)| server.active) {
        if !server.address.is_unspecified() && !seen.insert((server.address, server.port)) {
            let message = format!(
                "{}:{} is an active real server of this service already",
                server.address, server.port
            );
            warn(notes, "duplicate-server", place.place("address"), message);
        }
    }
}

/// Looks at how many real servers an active virtual service has.
pub(super) fn count(service: &Virtual, origin: &Origin, notes: &mut Notes) {
    let active = service.active_servers().count();
    match active {
        0 => {
            let sorry = !service.sorry_server.is_unspecified();
            if sorry {
                let message = "sorry server but no active real server: it would serve all the time";
                warn(notes, "sorry-without-servers", origin.place("sorry_server"), message);
            } else {
                warn(notes, "no-servers", origin.name, "active service without an active real server");
            }
        }
        1 => warn(notes, "single-server", origin.name, "only one active real server: nothing to balance"),
        _ => {}
    }
}
