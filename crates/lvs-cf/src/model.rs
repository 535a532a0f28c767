//! The typed model: what an lvs.cf means.

use crate::text::Text;
use crate::words::{ConflictAction, Forwarding, Protocol, Scheduler, ServiceKind};
use std::net::Ipv4Addr;

/// A host as configured: its address and the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// The address found when the file was read; 0.0.0.0 when not set.
    pub address: Ipv4Addr,
    /// The words of the file (an address or a name); `None` when the key is absent.
    pub name: Option<Text>,
}

impl Host {
    /// A host that no key has set.
    pub const UNSET: Host = Host { address: Ipv4Addr::UNSPECIFIED, name: None };

    /// True if there is an address to talk to.
    pub fn is_set(&self) -> bool {
        !self.address.is_unspecified()
    }
}

impl Default for Host {
    fn default() -> Self {
        Host::UNSET
    }
}

/// A whole lvs.cf. `Config::default()` is what a file without any statement means.
///
/// Integers are signed 32 bit as in the original, which checks no range: a value may be negative or zero
/// where that makes no sense. [`crate::keyword`] has the sensible ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Counter of edits, kept by the configuration tool.
    pub serial_no: i32,
    /// Which blocks are served: `virtual` (lvs) or `failover` (fos).
    pub service: ServiceKind,
    /// The primary director's public address.
    pub primary: Host,
    /// The primary director's address on the private heartbeat link; copy of `primary` when not given.
    pub primary_private: Host,
    /// SCSI device shared with the backup (failover services).
    pub primary_shared: Option<Text>,
    /// The backup director's public address.
    pub backup: Host,
    /// The backup director's address on the private heartbeat link. Copied from `backup`, even over an
    /// explicit value, when `primary` is given and `primary_private` is not.
    pub backup_private: Host,
    /// SCSI device shared with the primary (failover services).
    pub backup_shared: Option<Text>,
    /// Whether there is a backup: the switch for heartbeating.
    pub backup_active: bool,
    /// Read, but without effect: `backup_active` decides.
    pub heartbeat: bool,
    /// UDP port of the heartbeat.
    pub heartbeat_port: i32,
    /// Seconds between heartbeats.
    pub keepalive: i32,
    /// Seconds without a heartbeat after which the peer is taken for dead.
    pub deadtime: i32,
    /// Read, but without effect.
    pub sync: bool,
    /// The command nanny runs for the load of a real server when `load_monitor = uptime`.
    pub rsh_command: Text,
    /// Read, but without effect.
    pub debug_level: Text,
    /// The ipvsadm program.
    pub ipvsadm: Text,
    /// How packets reach the real servers.
    pub network: Forwarding,
    /// Floating gateway address for the real servers (NAT); 0.0.0.0 when not set.
    pub nat_router: Ipv4Addr,
    /// Device or alias that carries `nat_router`.
    pub nat_router_device: Option<Text>,
    /// Netmask of `nat_router`; 0.0.0.0 when not set.
    pub nat_nmask: Ipv4Addr,
    /// What to do about a SCSI reservation conflict.
    pub reservation_conflict_action: Option<ConflictAction>,
    /// Run the kernel's connection synchronisation daemon.
    pub syncdaemon: bool,
    /// Its multicast interface.
    pub syncd_iface: Text,
    /// Its id; used modulo 256.
    pub syncd_id: i32,
    /// Command run when this node becomes active.
    pub active_cmd: Option<Text>,
    /// Command run when this node becomes inactive.
    pub inactive_cmd: Option<Text>,
    /// Non-zero: watch the links of the heartbeat interfaces.
    pub monitor_links: i32,
    /// When a nanny dies: stop everything (true) or only log it (false).
    pub hard_shutdown: bool,
    /// Seconds an idle TCP session is kept; 0 leaves the kernel's value.
    pub tcp_timeout: i32,
    /// Seconds a TCP session is kept after a FIN; 0 leaves the kernel's value.
    pub tcpfin_timeout: i32,
    /// Seconds a UDP session is kept; 0 leaves the kernel's value.
    pub udp_timeout: i32,
    /// The `virtual` blocks, in file order.
    pub virtuals: Vec<Virtual>,
    /// The `failover` blocks, in file order.
    pub failovers: Vec<Virtual>,
}

impl Config {
    /// The blocks that `service` selects.
    pub fn selected(&self) -> &[Virtual] {
        match self.service {
            ServiceKind::Lvs => &self.virtuals,
            ServiceKind::Fos => &self.failovers,
        }
    }

    /// Copies the public addresses to the private ones where the original does: only if `primary` was given
    /// and `primary_private` was not, and then over any explicit `backup_private`.
    pub(crate) fn normalise(&mut self) {
        if self.primary.name.is_some() && self.primary_private.name.is_none() {
            self.primary_private = self.primary.clone();
            self.backup_private = self.backup.clone();
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            serial_no: 0,
            service: ServiceKind::Lvs,
            primary: Host::UNSET,
            primary_private: Host::UNSET,
            primary_shared: None,
            backup: Host::UNSET,
            backup_private: Host::UNSET,
            backup_shared: None,
            backup_active: false,
            heartbeat: false,
            heartbeat_port: 539,
            keepalive: 2,
            deadtime: 5,
            sync: false,
            rsh_command: "rsh".into(),
            debug_level: "NONE".into(),
            ipvsadm: "/sbin/ipvsadm".into(),
            network: Forwarding::Nat,
            nat_router: Ipv4Addr::UNSPECIFIED,
            nat_router_device: None,
            nat_nmask: Ipv4Addr::UNSPECIFIED,
            reservation_conflict_action: None,
            syncdaemon: false,
            syncd_iface: "eth0".into(),
            syncd_id: 0,
            active_cmd: None,
            inactive_cmd: None,
            monitor_links: 0,
            hard_shutdown: true,
            tcp_timeout: 0,
            tcpfin_timeout: 0,
            udp_timeout: 0,
            virtuals: Vec::new(),
            failovers: Vec::new(),
        }
    }
}

/// A `virtual` or `failover` block; both take the same keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    /// The block's name.
    pub name: Text,
    /// The block's position in the file, counting both kinds, from 0.
    pub index: usize,
    /// Inactive blocks are read and otherwise left alone.
    pub active: bool,
    /// The virtual IP address (VIP); 0.0.0.0 when not set.
    pub address: Ipv4Addr,
    /// The device or alias that carries the VIP, for example `eth0:1`.
    pub device: Option<Text>,
    /// Netmask of the VIP; 0.0.0.0 when not set.
    pub vip_nmask: Ipv4Addr,
    /// Server of last resort, used while no real server is up; 0.0.0.0 when not set.
    pub sorry_server: Ipv4Addr,
    /// Firewall mark that identifies the service instead of address and port; 0 when not set.
    pub fwmark: u32,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Service port.
    pub port: i32,
    /// Scheduler.
    pub scheduler: Scheduler,
    /// Seconds for which a client stays with its real server; used if positive.
    pub persistent: i32,
    /// Mask that groups clients for persistence; 0.0.0.0 when not set (all ones counts as not set).
    pub pmask: Ipv4Addr,
    /// The health checker.
    pub client_monitor: Text,
    /// External check, quotes kept (see [`Text::unquoted`]); overrides `send`.
    pub send_program: Option<Text>,
    /// Text sent by the check, quotes kept.
    pub send: Option<Text>,
    /// Text expected by the check, quotes kept.
    pub expect: Option<Text>,
    /// `expect` is a POSIX extended regular expression.
    pub use_regex: bool,
    /// Seconds between checks, and the time allowed for one.
    pub timeout: i32,
    /// Seconds a real server must answer again before it is used again.
    pub reentry: i32,
    /// A failed real server gets weight 0 instead of being removed.
    pub quiesce_server: bool,
    /// Load measurement: `uptime`, `rup`, `ruptime`, `none` or a command.
    pub load_monitor: Option<Text>,
    /// fos: command that starts the service, quotes kept.
    pub start_cmd: Option<Text>,
    /// fos: command that stops the service, quotes kept.
    pub stop_cmd: Option<Text>,
    /// Read, but without effect.
    pub master: Ipv4Addr,
    /// Read, but without effect.
    pub dirs: Option<Vec<Text>>,
    /// The real servers, in file order.
    pub servers: Vec<Server>,
}

impl Virtual {
    /// A block with the parser's defaults.
    pub fn new(name: Text) -> Self {
        Virtual {
            name,
            index: 0,
            active: false,
            address: Ipv4Addr::UNSPECIFIED,
            device: None,
            vip_nmask: Ipv4Addr::UNSPECIFIED,
            sorry_server: Ipv4Addr::UNSPECIFIED,
            fwmark: 0,
            protocol: Protocol::Tcp,
            port: 80,
            scheduler: Scheduler::Wlc,
            persistent: 0,
            pmask: Ipv4Addr::UNSPECIFIED,
            client_monitor: "/usr/sbin/nanny".into(),
            send_program: None,
            send: None,
            expect: None,
            use_regex: false,
            timeout: 10,
            reentry: 180,
            quiesce_server: false,
            load_monitor: None,
            start_cmd: None,
            stop_cmd: None,
            master: Ipv4Addr::UNSPECIFIED,
            dirs: None,
            servers: Vec::new(),
        }
    }

    /// The real servers that are checked and used.
    pub fn active_servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.active)
    }
}

impl Default for Virtual {
    fn default() -> Self {
        Virtual::new(Text::default())
    }
}

/// A `server` block: one real server of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The block's name.
    pub name: Text,
    /// Its address; 0.0.0.0 when not set.
    pub address: Ipv4Addr,
    /// Inactive real servers are neither checked nor used.
    pub active: bool,
    /// Its port. Without the key: the virtual's port as known where the block opens.
    pub port: i32,
    /// Its weight.
    pub weight: i32,
}

impl Server {
    /// A real server with the parser's defaults, in a virtual service on `port`.
    pub fn new(name: Text, port: i32) -> Self {
        Server { name, address: Ipv4Addr::UNSPECIFIED, active: false, port, weight: 1 }
    }
}

impl Default for Server {
    fn default() -> Self {
        Server::new(Text::default(), 80)
    }
}
