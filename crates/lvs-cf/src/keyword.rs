//! The table of keywords: the one place that knows each key's block, type, default, range and use.
//!
//! The parser, the writer, the dump, the lints and the test of the manual page all read it.

use crate::error::ErrorKind;
use crate::field::{Field, Lens, WordLens};
use crate::model::{Config, Server, Virtual};
use crate::value::Value;
use crate::words::{ConflictAction, Forwarding, Protocol, Scheduler, ServiceKind, Word};

/// Where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Outside all blocks.
    Global,
    /// Directly inside a `virtual` or `failover` block.
    Virtual,
    /// Inside a `server` block.
    Server,
}

/// Whether anything acts on the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A daemon acts on it.
    Used,
    /// Read and checked, but without effect.
    Ignored,
    /// Only failover services (`service = fos`) act on it.
    FosOnly,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An integer as `strtol` with base 0 reads it, cut to 32 bits.
    Int,
    /// An integer that is taken as unsigned.
    Mark,
    /// 0 or 1.
    Bool,
    /// An integer or the name of a TCP service.
    Port,
    /// A host name, or an address as `inet_aton` reads it.
    Host,
    /// A host and a device.
    HostDevice,
    /// An address as `inet_aton` reads it.
    Address,
    /// One word; surrounding quotes are removed.
    Str,
    /// One word; surrounding quotes are kept.
    QuotedStr,
    /// A word from a list.
    Enum,
    /// `[ item item ... ]`.
    List,
}

/// What there is to know about a keyword.
#[derive(Debug)]
pub struct Keyword {
    /// The word in the file.
    pub name: &'static str,
    /// Where it may stand.
    pub scope: Scope,
    /// The default as one would write it; empty for "not set".
    pub default: &'static str,
    /// The sensible values of a number. The parser does not enforce them, the lints do.
    pub range: Option<(i64, i64)>,
    /// Whether anything acts on it.
    pub status: Status,
    /// What it does, in a few words.
    pub help: &'static str,
}

/// A keyword and its field in a block of type `T`.
pub struct Entry<T: 'static> {
    /// The facts.
    pub keyword: Keyword,
    pub(crate) field: Field<T>,
}

impl<T> Entry<T> {
    /// The key's value in this block.
    pub fn value<'b>(&self, block: &'b T) -> Value<'b> {
        self.field.value(block)
    }

    /// The type of its value.
    pub fn kind(&self) -> Kind {
        match self.field {
            Field::Int(_) => Kind::Int,
            Field::Mark(_) => Kind::Mark,
            Field::Flag(_) => Kind::Bool,
            Field::Port(_) => Kind::Port,
            Field::Director(_) | Field::OptionalDirector(_) | Field::Host(_) => Kind::Host,
            Field::HostOn(..) => Kind::HostDevice,
            Field::Address(..) | Field::PersistenceMask(_) => Kind::Address,
            Field::Text(_) | Field::OptionalText(_) => Kind::Str,
            Field::Quoted(_) => Kind::QuotedStr,
            Field::Word(_) => Kind::Enum,
            Field::List(_) => Kind::List,
        }
    }

    /// The words that an enumerated key takes; empty for other types.
    pub fn words(&self) -> &'static [&'static str] {
        match &self.field {
            Field::Word(lens) => lens.words,
            _ => &[],
        }
    }
}

/// A type of block with its keywords.
pub trait Keyed: Sized + 'static {
    /// The keywords, in the order of a dump.
    fn entries() -> &'static [Entry<Self>];

    /// Finds a keyword by its exact name.
    fn entry(name: &[u8]) -> Option<&'static Entry<Self>> {
        Self::entries().iter().find(|entry| entry.keyword.name.as_bytes() == name)
    }
}

impl Keyed for Config {
    fn entries() -> &'static [Entry<Self>] {
        GLOBAL
    }
}

impl Keyed for Virtual {
    fn entries() -> &'static [Entry<Self>] {
        VIRTUAL
    }
}

impl Keyed for Server {
    fn entries() -> &'static [Entry<Self>] {
        SERVER
    }
}

/// The facts about every keyword: global ones, then those of `virtual` and `failover`, then of `server`.
pub fn all() -> impl Iterator<Item = &'static Keyword> + Clone {
    let global = GLOBAL.iter().map(|entry| &entry.keyword);
    let service = VIRTUAL.iter().map(|entry| &entry.keyword);
    global.chain(service).chain(SERVER.iter().map(|entry| &entry.keyword))
}

/// A field of the block.
macro_rules! at {
    ($field:ident) => {
        Lens { get: |block| &block.$field, get_mut: |block| &mut block.$field }
    };
}

/// An enumerated field of the block.
macro_rules! word {
    ($field:ident: $type:ident) => {
        Field::Word(WordLens {
            words: $type::WORDS,
            get: |block| Some(block.$field.as_str()),
            set: |block, index| block.$field = $type::ALL[index],
        })
    };
}

/// The sensible range of a port.
const PORTS: Option<(i64, i64)> = Some((1, 65535));
/// The sensible range of a time that must pass.
const POSITIVE: Option<(i64, i64)> = Some((1, i32::MAX as i64));
/// The sensible range of a time or count that may be none.
const NATURAL: Option<(i64, i64)> = Some((0, i32::MAX as i64));

/// One entry: field, name, default, range, status and help.
macro_rules! key {
    ($scope:ident, $field:expr, $name:literal, $default:literal, $range:expr, $status:ident, $help:literal) => {
        Entry {
            keyword: Keyword {
                name: $name,
                scope: Scope::$scope,
                default: $default,
                range: $range,
                status: Status::$status,
                help: $help,
            },
            field: $field,
        }
    };
}

#[rustfmt::skip]
static GLOBAL: &[Entry<Config>] = &[
    key!(Global, Field::Int(at!(serial_no)), "serial_no", "0", None, Ignored,
        "counter of edits, kept by the configuration tool"),
    key!(Global, word!(service: ServiceKind), "service", "lvs", None, Used,
        "which blocks are served: virtual (lvs) or failover (fos)"),
    key!(Global, Field::Director(at!(primary)), "primary", "", None, Used,
        "public address of the primary director"),
    key!(Global, Field::Director(at!(primary_private)), "primary_private", "", None, Used,
        "address of the primary director on the private heartbeat link"),
    key!(Global, Field::OptionalText(at!(primary_shared)), "primary_shared", "", None, FosOnly,
        "shared SCSI device on the primary"),
    key!(Global, Field::OptionalDirector(at!(backup)), "backup", "", None, Used,
        "public address of the backup director"),
    key!(Global, Field::Director(at!(backup_private)), "backup_private", "", None, Used,
        "address of the backup director on the private heartbeat link"),
    key!(Global, Field::OptionalText(at!(backup_shared)), "backup_shared", "", None, FosOnly,
        "shared SCSI device on the backup"),
    key!(Global, Field::Flag(at!(backup_active)), "backup_active", "0", None, Used,
        "there is a backup director: exchange heartbeats"),
    key!(Global, Field::Flag(at!(heartbeat)), "heartbeat", "0", None, Ignored,
        "without effect; backup_active decides"),
    key!(Global, Field::Port(at!(heartbeat_port)), "heartbeat_port", "539", PORTS, Used,
        "UDP port of the heartbeat"),
    key!(Global, Field::Int(at!(keepalive)), "keepalive", "2", POSITIVE, Used,
        "seconds between heartbeats"),
    key!(Global, Field::Int(at!(deadtime)), "deadtime", "5", POSITIVE, Used,
        "seconds without a heartbeat after which the peer is taken for dead"),
    key!(Global, Field::Flag(at!(sync)), "sync", "0", None, Ignored,
        "without effect"),
    key!(Global, Field::Text(at!(rsh_command)), "rsh_command", "rsh", None, Used,
        "remote shell for load_monitor = uptime"),
    key!(Global, Field::Text(at!(debug_level)), "debug_level", "NONE", None, Ignored,
        "without effect"),
    key!(Global, Field::Text(at!(ipvsadm)), "ipvsadm", "/sbin/ipvsadm", None, Used,
        "the ipvsadm program"),
    key!(Global, word!(network: Forwarding), "network", "nat", None, Used,
        "how packets reach the real servers"),
    key!(Global, Field::HostOn(at!(nat_router), at!(nat_router_device)), "nat_router", "", None, Used,
        "floating gateway address of the real servers and its device (NAT only)"),
    key!(Global, Field::Address(at!(nat_nmask), ErrorKind::BadNetmask), "nat_nmask", "0.0.0.0", None, Used,
        "netmask of nat_router"),
    key!(Global, Field::Word(WordLens {
            words: ConflictAction::WORDS,
            get: |config| config.reservation_conflict_action.map(ConflictAction::as_str),
            set: |config, index| config.reservation_conflict_action = Some(ConflictAction::ALL[index]),
        }), "reservation_conflict_action", "", None, FosOnly,
        "what to do when the peer holds the shared SCSI device"),
    key!(Global, Field::Flag(at!(syncdaemon)), "syncdaemon", "0", None, Used,
        "run the kernel's connection synchronisation daemon"),
    key!(Global, Field::Text(at!(syncd_iface)), "syncd_iface", "eth0", None, Used,
        "multicast interface of the synchronisation daemon"),
    key!(Global, Field::Int(at!(syncd_id)), "syncd_id", "0", Some((0, 255)), Used,
        "id of the synchronisation daemon, used modulo 256"),
    key!(Global, Field::OptionalText(at!(active_cmd)), "active_cmd", "", None, Used,
        "command run when this node becomes active"),
    key!(Global, Field::OptionalText(at!(inactive_cmd)), "inactive_cmd", "", None, Used,
        "command run when this node becomes inactive"),
    key!(Global, Field::Int(at!(monitor_links)), "monitor_links", "0", Some((0, 1)), Used,
        "watch the links of the heartbeat interfaces"),
    key!(Global, Field::Flag(at!(hard_shutdown)), "hard_shutdown", "1", None, Used,
        "when a nanny dies: stop everything (1) or only log it (0)"),
    key!(Global, Field::Int(at!(tcp_timeout)), "tcp_timeout", "0", NATURAL, Used,
        "seconds an idle TCP session is kept; 0 leaves the kernel's value"),
    key!(Global, Field::Int(at!(tcpfin_timeout)), "tcpfin_timeout", "0", NATURAL, Used,
        "seconds a TCP session is kept after a FIN; 0 leaves the kernel's value"),
    key!(Global, Field::Int(at!(udp_timeout)), "udp_timeout", "0", NATURAL, Used,
        "seconds a UDP session is kept; 0 leaves the kernel's value"),
];

#[rustfmt::skip]
static VIRTUAL: &[Entry<Virtual>] = &[
    key!(Virtual, Field::Flag(at!(active)), "active", "0", None, Used,
        "serve this block"),
    key!(Virtual, Field::HostOn(at!(address), at!(device)), "address", "", None, Used,
        "virtual IP address and its device"),
    key!(Virtual, Field::Address(at!(vip_nmask), ErrorKind::BadNetmask), "vip_nmask", "0.0.0.0", None, Used,
        "netmask of the virtual IP address"),
    key!(Virtual, Field::Address(at!(sorry_server), ErrorKind::BadHostname), "sorry_server", "0.0.0.0", None, Used,
        "server of last resort while no real server is up"),
    key!(Virtual, Field::Mark(at!(fwmark)), "fwmark", "0", NATURAL, Used,
        "firewall mark that identifies the service"),
    key!(Virtual, word!(protocol: Protocol), "protocol", "tcp", None, Used,
        "transport protocol"),
    key!(Virtual, Field::Port(at!(port)), "port", "80", PORTS, Used,
        "service port"),
    key!(Virtual, word!(scheduler: Scheduler), "scheduler", "wlc", None, Used,
        "how the kernel picks a real server"),
    key!(Virtual, Field::Int(at!(persistent)), "persistent", "0", NATURAL, Used,
        "seconds for which a client stays with its real server"),
    key!(Virtual, Field::PersistenceMask(at!(pmask)), "pmask", "0.0.0.0", None, Used,
        "mask that groups clients for persistence"),
    key!(Virtual, Field::Text(at!(client_monitor)), "client_monitor", "/usr/sbin/nanny", None, Used,
        "the health checker"),
    key!(Virtual, Field::Quoted(at!(send_program)), "send_program", "", None, Used,
        "external check; %h and %p stand for address and port"),
    key!(Virtual, Field::Quoted(at!(send)), "send", "", None, Used,
        "text sent by the check"),
    key!(Virtual, Field::Quoted(at!(expect)), "expect", "", None, Used,
        "text expected by the check"),
    key!(Virtual, Field::Flag(at!(use_regex)), "use_regex", "0", None, Used,
        "expect is a POSIX extended regular expression"),
    key!(Virtual, Field::Int(at!(timeout)), "timeout", "10", POSITIVE, Used,
        "seconds between checks, and the time allowed for one"),
    key!(Virtual, Field::Int(at!(reentry)), "reentry", "180", POSITIVE, Used,
        "seconds a real server must answer before it is used again"),
    key!(Virtual, Field::Flag(at!(quiesce_server)), "quiesce_server", "0", None, Used,
        "give a failed real server weight 0 instead of removing it"),
    key!(Virtual, Field::OptionalText(at!(load_monitor)), "load_monitor", "", None, Used,
        "load measurement: uptime, rup, ruptime, none or a command"),
    key!(Virtual, Field::Quoted(at!(start_cmd)), "start_cmd", "", None, FosOnly,
        "command that starts the service"),
    key!(Virtual, Field::Quoted(at!(stop_cmd)), "stop_cmd", "", None, FosOnly,
        "command that stops the service"),
    key!(Virtual, Field::Host(at!(master)), "master", "0.0.0.0", None, Ignored,
        "without effect"),
    key!(Virtual, Field::List(at!(dirs)), "dirs", "", None, Ignored,
        "without effect"),
];

#[rustfmt::skip]
static SERVER: &[Entry<Server>] = &[
    key!(Server, Field::Host(at!(address)), "address", "0.0.0.0", None, Used,
        "address of the real server"),
    key!(Server, Field::Flag(at!(active)), "active", "0", None, Used,
        "check and use this real server"),
    key!(Server, Field::Int(at!(port)), "port", "80", PORTS, Used,
        "its port; without it, the virtual's port as known here"),
    key!(Server, Field::Int(at!(weight)), "weight", "1", Some((0, 65535)), Used,
        "share of the connections"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::show_value;

    fn defaults_agree<T: Keyed>(block: &T) {
        for entry in T::entries() {
            let name = entry.keyword.name;
            let shown = show_value(entry.value(block)).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(shown.unwrap_or_default(), entry.keyword.default, "{name}");
        }
    }

    #[test]
    fn the_table_states_the_defaults_of_the_model() {
        defaults_agree(&Config::default());
        defaults_agree(&Virtual::default());
        defaults_agree(&Server::default());
    }

    #[test]
    fn names_are_unique_within_their_scope() {
        let names: Vec<_> = all().map(|keyword| (keyword.scope, keyword.name)).collect();
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
}
