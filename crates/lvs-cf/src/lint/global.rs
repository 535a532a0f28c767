//! Warnings about the keys outside the blocks.

use super::{advise, command, device, mask, warn, warn_file, Notes};
use crate::analysis::Origin;
use crate::model::Config;
use crate::words::{Forwarding, ServiceKind};

pub(super) fn check(config: &Config, root: &Origin, notes: &mut Notes) {
    services(config, root, notes);
    timing(config, root, notes);
    nodes(config, root, notes);
    private_links(config, root, notes);
    nat(config, root, notes);
    for (name, text) in [("active_cmd", &config.active_cmd), ("inactive_cmd", &config.inactive_cmd)] {
        if let Some(text) = text {
            command(name, text.as_bytes(), root, notes);
        }
    }
}

fn services(config: &Config, root: &Origin, notes: &mut Notes) {
    if !config.selected().iter().any(|service| service.active) {
        let message = format!("no active {} services defined: pulse refuses to start", config.service);
        warn_file(notes, "no-active-service", message);
    }
    let (others, word) = match config.service {
        ServiceKind::Lvs => (&config.failovers, "failover"),
        ServiceKind::Fos => (&config.virtuals, "virtual"),
    };
    for other in others.iter().filter(|other| other.active) {
        let Some(origin) = root.blocks.get(other.index) else { continue };
        let message = format!("active `{word}` block is not served: `service` is {}", config.service);
        warn(notes, "service-not-selected", origin.name, message);
    }
}

fn timing(config: &Config, root: &Origin, notes: &mut Notes) {
    let (keepalive, deadtime) = (i64::from(config.keepalive), i64::from(config.deadtime));
    let given = root.key("deadtime").or(root.key("keepalive"));
    if let Some(span) = given.filter(|_| keepalive > 0 && deadtime > 0 && deadtime < 2 * keepalive) {
        let message = format!("deadtime {deadtime} is below twice keepalive {keepalive}");
        let help = "one lost heartbeat would make both directors active";
        advise(notes, "deadtime-too-short", span, message, help);
    }
}

fn nodes(config: &Config, root: &Origin, notes: &mut Notes) {
    if !config.backup_active {
        return;
    }
    let place = root.place("backup_active");
    if !config.backup.is_set() {
        warn(
            notes,
            "no-backup",
            place,
            "backup_active is set but `backup` is not: there will be no heartbeat",
        );
    }
    if !config.primary.is_set() {
        warn(notes, "no-primary", place, "backup_active is set but `primary` is not");
    }
    if config.backup.is_set() && config.backup.address == config.primary.address {
        warn(notes, "same-director", root.place("backup"), "`backup` is the same address as `primary`");
    }
    if let Some(span) = root.key("heartbeat").filter(|_| !config.heartbeat) {
        warn(notes, "heartbeat-ignored", span, "`heartbeat = 0` has no effect: backup_active decides");
    }
}

fn private_links(config: &Config, root: &Origin, notes: &mut Notes) {
    match (root.key("primary_private"), root.key("backup_private")) {
        (None, Some(span)) if config.primary.name.is_some() => {
            let message = "`backup_private` is replaced by `backup`, because `primary_private` is not given";
            warn(notes, "private-link-lost", span, message);
        }
        (Some(span), None) if config.backup.is_set() => {
            let message = "`primary_private` without `backup_private`: the private link has one end";
            warn(notes, "private-link-lost", span, message);
        }
        _ => {}
    }
}

fn nat(config: &Config, root: &Origin, notes: &mut Notes) {
    mask("nat_nmask", config.nat_nmask, root, notes);
    let Some(span) = root.key("nat_router") else { return };
    if config.network != Forwarding::Nat {
        let message = format!("`nat_router` has no effect with `network = {}`", config.network);
        warn(notes, "nat-router-unused", span, message);
    }
    if let Some(name) = &config.nat_router_device {
        device("nat_router", name.as_bytes(), root, notes);
    }
}
