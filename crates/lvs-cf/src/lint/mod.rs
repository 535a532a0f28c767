//! Warnings for what loads but is surely not meant.
//!
//! Two sources: what only the text shows (`source`), gathered while the file is read, and what the model
//! says (`global`, `service`, `server`), once it is complete.

mod global;
mod server;
mod service;
mod source;

pub(crate) use source::{assignment, closing, dropped, line_ends, repeated};

use crate::analysis::{Note, Origin};
use crate::error::Span;
use crate::keyword::{Keyed, Keyword, Status};
use crate::model::{Config, Virtual};
use crate::tree::BlockKind;
use crate::value::Value;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// The names of all warnings, sorted.
pub const LINTS: &[&str] = &[
    "address-on-two-devices",
    "address-with-two-masks",
    "carriage-return",
    "command-without-path",
    "deadtime-too-short",
    "device-too-long",
    "device-without-alias",
    "duplicate-key",
    "duplicate-name",
    "duplicate-server",
    "duplicate-service",
    "empty-number",
    "fwmark-without-persistence",
    "heartbeat-ignored",
    "ignored-value",
    "long-text",
    "mask-not-contiguous",
    "missing-brace",
    "nat-router-unused",
    "no-active-service",
    "no-address",
    "no-backup",
    "no-command",
    "no-primary",
    "no-servers",
    "no-shared-disk",
    "nul-byte",
    "number-too-big",
    "octal-number",
    "out-of-range",
    "pmask-without-persistence",
    "port-below-server",
    "port-not-translated",
    "private-link-lost",
    "program-without-expect",
    "regex-ignored",
    "same-director",
    "send-ignored",
    "server-ignored",
    "service-not-selected",
    "similar-name",
    "single-quotes",
    "single-server",
    "sorry-without-servers",
    "text-after-brace",
    "text-after-bracket",
    "text-lost",
    "udp-without-send",
    "unknown-escape",
    "unusual-address",
];

/// Collects warnings.
pub(crate) type Notes = Vec<Note>;

/// Adds a warning at a place.
fn warn(notes: &mut Notes, code: &'static str, span: Span, message: impl Into<String>) {
    add(notes, Note { code, span: Some(span), message: message.into(), help: None });
}

/// Adds a warning at a place, with advice.
fn advise(notes: &mut Notes, code: &'static str, span: Span, message: impl Into<String>, help: &str) {
    add(notes, Note { code, span: Some(span), message: message.into(), help: Some(help.into()) });
}

/// Adds a warning about the file as a whole.
fn warn_file(notes: &mut Notes, code: &'static str, message: impl Into<String>) {
    add(notes, Note { code, span: None, message: message.into(), help: None });
}

fn add(notes: &mut Notes, note: Note) {
    debug_assert!(LINTS.contains(&note.code), "{} is not in the list", note.code);
    notes.push(note);
}

/// Looks over a configuration that has been read without error.
pub(crate) fn config(config: &Config, root: &Origin, notes: &mut Notes) {
    keyed(config, root, notes);
    global::check(config, root, notes);
    for (kind, service, origin) in services(config, root) {
        keyed(service, origin, notes);
        service::check(kind, service, origin, notes);
        for (server, origin) in service.servers.iter().zip(&origin.blocks) {
            keyed(server, origin, notes);
        }
        server::check(config.network, service, origin, notes);
        if kind == BlockKind::Virtual && service.active {
            server::count(service, origin, notes);
        }
    }
    service::check_all(config, root, notes);
}

/// Every block with its kind and place, virtuals first.
fn services<'a>(
    config: &'a Config,
    root: &'a Origin,
) -> impl Iterator<Item = (BlockKind, &'a Virtual, &'a Origin)> {
    let virtuals = config.virtuals.iter().map(|service| (BlockKind::Virtual, service));
    let failovers = config.failovers.iter().map(|service| (BlockKind::Failover, service));
    let place = |(kind, service): (_, &'a Virtual)| Some((kind, service, root.blocks.get(service.index)?));
    virtuals.chain(failovers).filter_map(place)
}

/// What the keyword table alone can tell: ranges, and keys that nothing acts on.
fn keyed<T: Keyed>(block: &T, origin: &Origin, notes: &mut Notes) {
    for entry in T::entries() {
        let Some(span) = origin.key(entry.keyword.name) else { continue };
        if let Value::Int(value) = entry.value(block) {
            range(&entry.keyword, value, span, notes);
        }
        shared_disk(&entry.keyword, span, notes);
    }
}

fn range(keyword: &Keyword, value: i64, span: Span, notes: &mut Notes) {
    let Some((least, most)) = keyword.range else { return };
    if (least..=most).contains(&value) {
        return;
    }
    let name = keyword.name;
    let limits = match most {
        most if most == i64::from(i32::MAX) => format!("at least {least}"),
        most => format!("{least} to {most}"),
    };
    warn(notes, "out-of-range", span, format!("`{name}` is {value}; sensible values are {limits}"));
}

/// The keys for a shared SCSI disk are read and otherwise left alone.
fn shared_disk(keyword: &Keyword, span: Span, notes: &mut Notes) {
    let name = keyword.name;
    let shared = matches!(name, "primary_shared" | "backup_shared" | "reservation_conflict_action");
    if shared && keyword.status == Status::FosOnly {
        warn(
            notes,
            "no-shared-disk",
            span,
            format!("`{name}` has no effect: shared SCSI disks are not reserved"),
        );
    }
}

/// A mask whose ones are not all in front.
fn mask(name: &str, mask: Ipv4Addr, origin: &Origin, notes: &mut Notes) {
    let bits = u32::from(mask);
    if bits.leading_ones() + bits.trailing_zeros() < 32 {
        let message = format!("{name} {mask} is not a netmask: its ones are not contiguous");
        warn(notes, "mask-not-contiguous", origin.place(name), message);
    }
}

/// A command that is not given by its whole path. Only nanny, for a `send_program`, looks for programs in `PATH`.
fn command(name: &str, command: &[u8], origin: &Origin, notes: &mut Notes) {
    if command.starts_with(b"/") {
        return;
    }
    let words = command.split(|byte| *byte == b' ');
    let searched = name == "send_program"
        && words.filter(|word| !word.is_empty()).take(1).all(|program| !program.contains(&b'/'));
    let message = match searched {
        true => format!(
            "`{name}` does not begin with a path: it is searched for in the PATH of pulse; no shell is used"
        ),
        false => {
            format!("`{name}` does not begin with a path from `/`; no shell and no search path are used")
        }
    };
    warn(notes, "command-without-path", origin.place(name), message);
}

/// An address configured on a device without an alias label.
fn device(name: &str, device: &[u8], origin: &Origin, notes: &mut Notes) {
    let shown = String::from_utf8_lossy(device);
    let place = origin.place(name);
    if !device.contains(&b':') {
        let message = format!("`{shown}` is not an alias");
        advise(notes, "device-without-alias", place, message, "name an alias, for example `eth0:1`");
    }
    // The kernel's limit for labels.
    if device.len() > 15 {
        warn(
            notes,
            "device-too-long",
            place,
            format!("`{shown}` is longer than the 15 characters of a label"),
        );
    }
}

/// Names that occur twice, exactly or but for upper and lower case.
fn names<'a>(what: &str, named: impl Iterator<Item = (&'a [u8], Span)>, notes: &mut Notes) {
    let mut seen: HashMap<Vec<u8>, &[u8]> = HashMap::new();
    for (name, span) in named {
        let Some(before) = seen.insert(name.to_ascii_lowercase(), name) else { continue };
        let shown = String::from_utf8_lossy(name);
        if before == name {
            warn(notes, "duplicate-name", span, format!("another {what} is called `{shown}`"));
        } else {
            let before = String::from_utf8_lossy(before);
            let message = format!("{what} `{shown}` differs from `{before}` only in upper and lower case");
            warn(notes, "similar-name", span, message);
        }
    }
}
