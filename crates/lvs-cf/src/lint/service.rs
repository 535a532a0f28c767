//! Warnings about `virtual` and `failover` blocks.

use super::{advise, command, device, mask, names, services, warn, Notes};
use crate::analysis::Origin;
use crate::model::{Config, Virtual};
use crate::text::Text;
use crate::tree::BlockKind;
use crate::words::Protocol;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Looks at one block.
pub(super) fn check(kind: BlockKind, service: &Virtual, origin: &Origin, notes: &mut Notes) {
    mask("vip_nmask", service.vip_nmask, origin, notes);
    mask("pmask", service.pmask, origin, notes);
    if let Some(name) = &service.device {
        device("address", name.as_bytes(), origin, notes);
    }
    persistence(service, origin, notes);
    strings(service, origin, notes);
    if service.active {
        if service.address.is_unspecified() {
            let message = "active without a virtual IP address";
            advise(notes, "no-address", origin.place("address"), message, "set `address = ADDRESS DEVICE`");
        }
        checks(service, origin, notes);
    }
    if kind == BlockKind::Failover {
        failover(service, origin, notes);
    }
}

/// Looks at the blocks together.
pub(super) fn check_all(config: &Config, root: &Origin, notes: &mut Notes) {
    names(
        "block",
        services(config, root).map(|(_, service, origin)| (service.name.as_bytes(), origin.name)),
        notes,
    );
    same_service(config, root, notes);
    same_address(config, root, notes);
}

/// What tells one kernel service from another.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Mark(u32),
    Endpoint(Protocol, Ipv4Addr, i32),
}

fn same_service(config: &Config, root: &Origin, notes: &mut Notes) {
    let mut seen: HashMap<Identity, &Text> = HashMap::new();
    for service in config.virtuals.iter().filter(|service| service.active) {
        let Some(origin) = root.blocks.get(service.index) else { continue };
        let (identity, shown, key) = match service.fwmark {
            0 => {
                let identity = Identity::Endpoint(service.protocol, service.address, service.port);
                (identity, format!("{} {}:{}", service.protocol, service.address, service.port), "address")
            }
            mark => (Identity::Mark(mark), format!("firewall mark {mark}"), "fwmark"),
        };
        match seen.get(&identity) {
            _ if service.fwmark == 0 && service.address.is_unspecified() => {}
            Some(first) => {
                let message = format!("{shown} is served by active block `{first}` already");
                warn(notes, "duplicate-service", origin.place(key), message);
            }
            None => {
                seen.insert(identity, &service.name);
            }
        }
    }
}

/// Only the first active block of an address puts it on a device.
fn same_address(config: &Config, root: &Origin, notes: &mut Notes) {
    let mut seen: HashMap<Ipv4Addr, &Virtual> = HashMap::new();
    for service in config.selected().iter().filter(|service| service.active) {
        let Some(origin) = root.blocks.get(service.index) else { continue };
        let first = seen.entry(service.address).or_insert(service);
        if service.address.is_unspecified() {
            continue;
        }
        let (address, name) = (service.address, &first.name);
        if first.device != service.device {
            let message = format!("{address} is put on the device of block `{name}`, not on this one");
            warn(notes, "address-on-two-devices", origin.place("address"), message);
        }
        if first.vip_nmask != service.vip_nmask {
            let message = format!("{address} gets the netmask of block `{name}` ({})", first.vip_nmask);
            warn(notes, "address-with-two-masks", origin.place("vip_nmask"), message);
        }
    }
}

fn persistence(service: &Virtual, origin: &Origin, notes: &mut Notes) {
    if service.active && service.fwmark != 0 && service.persistent <= 0 {
        let message = format!("firewall mark {} without `persistent`", service.fwmark);
        let help = "connections of one client that share a mark would go to different real servers";
        advise(notes, "fwmark-without-persistence", origin.place("fwmark"), message, help);
    }
    let masked = !service.pmask.is_unspecified() && service.persistent <= 0;
    if let Some(span) = origin.key("pmask").filter(|_| masked) {
        warn(notes, "pmask-without-persistence", span, "`pmask` has no effect without `persistent`");
    }
}

fn checks(service: &Virtual, origin: &Origin, notes: &mut Notes) {
    let program = service.send_program.is_some();
    if program && service.expect.is_none() {
        let message = "`send_program` without `expect`: no real server would ever be up";
        warn(notes, "program-without-expect", origin.place("send_program"), message);
    }
    if program && service.send.is_some() {
        warn(
            notes,
            "send-ignored",
            origin.place("send"),
            "`send` has no effect: `send_program` overrides it",
        );
    }
    if program && service.use_regex {
        warn(
            notes,
            "regex-ignored",
            origin.place("use_regex"),
            "`use_regex` has no effect with `send_program`",
        );
    }
    // Without any check, port 80 is probed as a web server, whatever the protocol.
    let default_probe = service.port == 80 && service.expect.is_none();
    if service.protocol == Protocol::Udp && !program && service.send.is_none() && !default_probe {
        let message = "UDP service without `send` or `send_program`: no real server would ever be up";
        warn(notes, "udp-without-send", origin.place("protocol"), message);
    }
}

fn failover(service: &Virtual, origin: &Origin, notes: &mut Notes) {
    for (name, command) in [("start_cmd", &service.start_cmd), ("stop_cmd", &service.stop_cmd)] {
        if service.active && command.is_none() {
            warn(notes, "no-command", origin.name, format!("active failover service without `{name}`"));
        }
    }
    if let Some(server) = origin.blocks.first() {
        warn(notes, "server-ignored", server.name, "failover services have no real servers");
    }
}

fn strings(service: &Virtual, origin: &Origin, notes: &mut Notes) {
    let checked = [("send", &service.send), ("expect", &service.expect)];
    let run = [
        ("send_program", &service.send_program),
        ("start_cmd", &service.start_cmd),
        ("stop_cmd", &service.stop_cmd),
    ];
    for (name, text) in checked.iter().chain(&run) {
        let Some(text) = text else { continue };
        if text.as_bytes().starts_with(b"'") {
            let message = format!("the apostrophes are part of `{name}`: only double quotes are removed");
            advise(notes, "single-quotes", origin.place(name), message, "use double quotes");
        }
        if text.unquoted().len() > 255 {
            warn(notes, "long-text", origin.place(name), format!("`{name}` is longer than 255 bytes"));
        }
    }
    for (name, text) in checked {
        if let Some(text) = text {
            escapes(name, text.unquoted(), origin, notes);
        }
    }
    for (name, text) in run {
        if let Some(text) = text {
            command(name, text.unquoted(), origin, notes);
        }
    }
}

/// Escapes are taken out of strings of more than one character; the original hangs on unknown ones.
fn escapes(name: &str, text: &[u8], origin: &Origin, notes: &mut Notes) {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' || text.len() < 2 {
            continue;
        }
        let message = match bytes.next() {
            Some(b'n' | b'r' | b't' | b'\\' | b'\'' | b'"') => continue,
            Some(other) => format!("unknown escape `\\{}` in `{name}`", other.escape_ascii()),
            None => format!("`{name}` ends in a single backslash"),
        };
        let help = "known are \\n \\r \\t \\\\ \\' \\\"; the original Piranha's checker hangs on others";
        advise(notes, "unknown-escape", origin.place(name), message, help);
        return;
    }
}
