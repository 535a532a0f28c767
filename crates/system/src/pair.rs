//! Which of the two directors this node is, and the addresses of both.

use std::net::Ipv4Addr;

use lvs_cf::Config;

use crate::route::{InterfaceAddress, Link};

/// The two ends of one heartbeat path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// This node's address.
    pub local: Ipv4Addr,
    /// The partner's address.
    pub partner: Ipv4Addr,
}

/// This node's place in the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// This node carries the address that lvs.cf calls `primary`.
    pub primary: bool,
    /// The public heartbeat path.
    pub public: Ends,
    /// The second path, when `primary_private` differs from `primary`.
    pub private: Option<Ends>,
    /// The UDP port of both paths.
    pub port: u16,
}

impl Pair {
    /// Finds the role as the original does: the node that owns `primary` is the master, any other the backup.
    ///
    /// # Errors
    ///
    /// `heartbeat_port` outside of 0 to 65535.
    pub fn of(config: &Config, addresses: &[InterfaceAddress]) -> Result<Self, String> {
        Self::with_role(config, owns(addresses, config.primary.address))
    }

    /// The place in the pair of a node that is known to be the primary, or not to be.
    ///
    /// # Errors
    ///
    /// `heartbeat_port` outside of 0 to 65535.
    pub fn with_role(config: &Config, primary: bool) -> Result<Self, String> {
        let ends = |one: Ipv4Addr, other: Ipv4Addr| {
            let (local, partner) = if primary { (one, other) } else { (other, one) };
            Ends { local, partner }
        };
        let second = config.primary.address != config.primary_private.address;
        Ok(Self {
            primary,
            public: ends(config.primary.address, config.backup.address),
            private: second.then(|| ends(config.primary_private.address, config.backup_private.address)),
            port: u16::try_from(config.heartbeat_port).map_err(|_| {
                format!("heartbeat_port {} is not between 0 and 65535", config.heartbeat_port)
            })?,
        })
    }

    /// Both paths, the public one first.
    pub fn paths(&self) -> impl Iterator<Item = Ends> {
        std::iter::once(self.public).chain(self.private)
    }
}

/// An address on an alias (`eth0:1`) is a virtual address and says nothing about the role.
fn owns(addresses: &[InterfaceAddress], address: Ipv4Addr) -> bool {
    addresses.iter().any(|held| held.address == address && !held.label.contains(':'))
}

/// The names of links that carry no IPv4 address; the original logged each, but for tunnels.
pub fn without_address<'a>(
    links: &'a [Link],
    addresses: &'a [InterfaceAddress],
) -> impl Iterator<Item = &'a str> {
    links
        .iter()
        .filter(|link| !addresses.iter().any(|held| held.index == link.index))
        .map(|link| link.name.as_str())
        .filter(|name| !name.starts_with("tunl"))
}
