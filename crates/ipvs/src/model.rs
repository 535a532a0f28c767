//! What an IPVS table is made of.

use std::fmt;
use std::net::Ipv4Addr;

/// The transport protocol of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, ipvsadm's `-t`.
    Tcp,
    /// UDP, ipvsadm's `-u`.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// What tells one virtual service from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// Packets to an address and port.
    Address {
        /// The transport protocol.
        protocol: Protocol,
        /// The virtual address.
        address: Ipv4Addr,
        /// The virtual port; 0 takes every port and needs persistence.
        port: u16,
    },
    /// Packets that the firewall marked, whatever their address and port. The mark is never 0.
    FwMark(u32),
}

impl ServiceKey {
    /// The two words that select this service on ipvsadm's command line: `-t 10.0.0.1:80`, `-u …` or `-f 7`.
    ///
    /// A mark is written unsigned; Piranha wrote marks from 2³¹ on as negative numbers, which ipvsadm refuses.
    #[must_use]
    pub fn selector(&self) -> [String; 2] {
        match self {
            Self::Address { protocol: Protocol::Tcp, address, port } => {
                ["-t".into(), format!("{address}:{port}")]
            }
            Self::Address { protocol: Protocol::Udp, address, port } => {
                ["-u".into(), format!("{address}:{port}")]
            }
            Self::FwMark(mark) => ["-f".into(), mark.to_string()],
        }
    }

    /// The port that a destination of this service has in the kernel's table when ipvsadm adds it with `port`.
    ///
    /// Direct routing and tunnels leave packets as they are, so ipvsadm overrides the port with the service's.
    /// (It does not do so when it deletes, so that what was added with another port cannot be deleted with it.)
    /// Firewall mark services have no port to override with. The kernel itself takes any port.
    #[must_use]
    pub fn destination_port(&self, forwarding: Forwarding, port: u16) -> u16 {
        match (self, forwarding) {
            (Self::Address { port: virtual_port, .. }, Forwarding::Direct | Forwarding::Tunnel) => {
                *virtual_port
            }
            _ => port,
        }
    }
}

/// As ipvsadm lists it: `TCP 10.0.0.1:80` or `FWM 7`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => write!(f, "{protocol} {address}:{port}"),
            Self::FwMark(mark) => write!(f, "FWM {mark}"),
        }
    }
}

/// Clients that come back within `timeout` reach the real server they had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Persistence {
    /// Seconds since the client's last connection; more than 0.
    pub timeout: u32,
    /// Clients whose addresses are equal under this mask count as one; 255.255.255.255 means each for itself.
    pub netmask: Ipv4Addr,
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Service {
    /// What selects its packets.
    pub key: ServiceKey,
    /// The kernel's name of the scheduler: `wlc`, `rr`, …
    pub scheduler: String,
    /// Whether clients stick to a real server.
    pub persistence: Option<Persistence>,
}

/// How packets reach a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    /// Network address translation, ipvsadm's `-m`.
    Masquerade,
    /// Direct routing, ipvsadm's `-g`.
    Direct,
    /// IP-IP tunnel, ipvsadm's `-i`.
    Tunnel,
}

impl Forwarding {
    /// ipvsadm's option: `-m`, `-g` or `-i`.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Masquerade => "-m",
            Self::Direct => "-g",
            Self::Tunnel => "-i",
        }
    }
}

/// What tells one destination (real server entry) of a service from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    /// The real server's address.
    pub address: Ipv4Addr,
    /// The real server's port.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

/// A destination: one real server as one service knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Where it is.
    pub key: DestinationKey,
    /// How packets get there.
    pub forwarding: Forwarding,
    /// Its share; 0 takes no new connections. The kernel refuses weights above 2³¹ - 1.
    pub weight: u32,
}

/// How long idle connections stay in the connection table, in seconds. 0 leaves a value as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp: u32,
    /// TCP connections after a FIN.
    pub tcpfin: u32,
    /// UDP exchanges.
    pub udp: u32,
}

/// The part a director plays in connection synchronisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncRole {
    /// Sends its connections to the others.
    Master,
    /// Learns connections from the master.
    Backup,
}

/// As ipvsadm spells it: `master` or `backup`.
impl fmt::Display for SyncRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Backup => "backup",
        })
    }
}

/// The kernel's connection synchronisation daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SyncDaemon {
    /// Sender or receiver. The kernel runs at most one of each.
    pub role: SyncRole,
    /// The interface that carries the multicast; it needs an IPv4 address.
    pub interface: String,
    /// Tells this pair's messages from another's.
    pub syncid: u8,
}
