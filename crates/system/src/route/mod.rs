//! Network links, IPv4 addresses and the default gateway by rtnetlink.

pub mod attributes;
mod change;
mod gateway;
mod monitor;

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::netlink::{Message, Netlink};

pub use change::{AddressChange, AddressSpec};
pub use monitor::{Event, Monitor};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its hardware address, if that is a MAC address; none for the loopback.
    pub mac: Option<[u8; 6]>,
    /// Whether the administrator has it up.
    pub up: bool,
    /// Whether its cable is in, so to say.
    pub carrier: bool,
    /// Whether it is a loopback.
    pub loopback: bool,
}

impl Link {
    /// Set up, and with carrier; a bond or VLAN has it from the links below.
    #[must_use]
    pub fn works(&self) -> bool {
        self.up && self.carrier
    }
}

/// An IPv4 address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// The length of the network prefix, 0 to 32.
    pub prefix: u8,
    /// The label: the interface's name, or an alias such as `eth0:1`.
    pub label: String,
    /// The broadcast address, if it has one.
    pub broadcast: Option<Ipv4Addr>,
    /// Whether an earlier address of the same network came first. The kernel deletes secondary addresses with
    /// their primary.
    pub secondary: bool,
}

/// A socket that reads and changes links and addresses; close-on-exec. Changes need CAP_NET_ADMIN.
#[derive(Debug)]
pub struct RouteSocket {
    netlink: Netlink,
}

impl RouteSocket {
    /// Opens the socket.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub fn open() -> io::Result<Self> {
        Ok(Self { netlink: Netlink::open(NETLINK_ROUTE)? })
    }

    /// All interfaces, in the order of their numbers.
    ///
    /// # Errors
    /// What kept the kernel from answering; `InvalidData` for an answer that makes no sense.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let messages = self.netlink.dump(&request)?;
        messages.iter().map(|message| attributes::link(&message.payload)).collect()
    }

    /// All IPv4 addresses, interface by interface, primary addresses before their secondaries.
    ///
    /// # Errors
    /// As [`RouteSocket::links`].
    pub fn addresses(&mut self) -> io::Result<Vec<InterfaceAddress>> {
        let messages = self.address_messages()?;
        messages.iter().map(|message| attributes::address(&message.payload)).collect()
    }

    fn address_messages(&mut self) -> io::Result<Vec<Message>> {
        let mut request = AddressMessage::default();
        request.header.family = AddressFamily::Inet;
        self.netlink.dump(&RouteNetlinkMessage::GetAddress(request))
    }
}
