//! The few attributes of links and addresses that matter here.
//!
//! netlink-packet-route could decode whole messages, but fails on a whole message for one attribute of a newer
//! kernel that it does not know. A director must not lose its addresses over that, so all others are skipped.

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_core::{Emitable, NlasIterator};
use netlink_packet_route::address::{AddressHeader, AddressHeaderFlags};
use netlink_packet_route::link::{LinkFlags, LinkHeader};

use super::{InterfaceAddress, Link};
use crate::netlink::malformed;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;

/// The link that the payload of a RTM_NEWLINK or RTM_DELLINK describes.
pub fn link(payload: &[u8]) -> io::Result<Link> {
    let header = LinkHeader::parse(payload).map_err(malformed)?;
    let loopback = header.flags.contains(LinkFlags::Loopback);
    let mut link = Link {
        index: header.index,
        name: String::new(),
        mac: None,
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        loopback,
    };
    each_attribute(&payload[header.buffer_len()..], |kind, value| match kind {
        IFLA_IFNAME => link.name = text(value),
        IFLA_ADDRESS if !loopback => link.mac = value.try_into().ok(),
        _ => {}
    })?;
    Ok(link)
}

/// The address that the payload of a RTM_NEWADDR or RTM_DELADDR describes.
pub fn address(payload: &[u8]) -> io::Result<InterfaceAddress> {
    let header = AddressHeader::parse(payload).map_err(malformed)?;
    let (mut local, mut peer, mut broadcast, mut label) = (None, None, None, String::new());
    each_attribute(&payload[header.buffer_len()..], |kind, value| match kind {
        IFA_LOCAL => local = ipv4(value),
        IFA_ADDRESS => peer = ipv4(value),
        IFA_BROADCAST => broadcast = ipv4(value),
        IFA_LABEL => label = text(value),
        _ => {}
    })?;
    // They differ on point-to-point interfaces only.
    let address = local.or(peer).ok_or_else(|| malformed("no address"))?;
    Ok(InterfaceAddress {
        index: header.index,
        address,
        prefix: header.prefix_len,
        label,
        broadcast,
        secondary: header.flags.contains(AddressHeaderFlags::Secondary),
    })
}

pub(super) fn each_attribute(bytes: &[u8], mut visit: impl FnMut(u16, &[u8])) -> io::Result<()> {
    for attribute in NlasIterator::new(bytes) {
        let attribute = attribute.map_err(malformed)?;
        visit(attribute.kind(), attribute.value());
    }
    Ok(())
}

pub(super) fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// An attribute with its padding, for tests.
#[cfg(test)]
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link header: index 3, up, with carrier, Ethernet.
    const LINK: [u8; 16] = [0, 0, 1, 0, 3, 0, 0, 0, 0x41, 0x00, 0x01, 0x00, 0, 0, 0, 0];
    /// An address header: IPv4, /24, secondary, index 3.
    const ADDRESS: [u8; 8] = [2, 24, 1, 0, 3, 0, 0, 0];

    fn link_message() -> Vec<u8> {
        let unknown = attribute(0x3abc, &[0xff; 7]);
        let mac = attribute(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1]);
        [&LINK[..], &unknown, &attribute(IFLA_IFNAME, b"eth0\0"), &mac].concat()
    }

    fn address_message() -> Vec<u8> {
        let peer = attribute(IFA_ADDRESS, &[10, 9, 9, 2]);
        let local = attribute(IFA_LOCAL, &[10, 9, 9, 1]);
        [&ADDRESS[..], &peer, &local, &attribute(IFA_LABEL, b"eth0:1\0")].concat()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn attributes_of_newer_kernels_are_skipped() {
        let expected = Link {
            index: 3,
            name: "eth0".into(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            up: true,
            carrier: true,
            loopback: false,
        };
        assert_eq!(link(&link_message()).unwrap(), expected);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_local_address_goes_before_the_peers() {
        let expected = InterfaceAddress {
            index: 3,
            address: Ipv4Addr::new(10, 9, 9, 1),
            prefix: 24,
            label: "eth0:1".into(),
            broadcast: None,
            secondary: true,
        };
        assert_eq!(address(&address_message()).unwrap(), expected);
    }

    #[test]
    fn a_message_without_an_address_is_malformed() {
        assert_eq!(address(&ADDRESS).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn no_damaged_message_makes_the_readers_panic() {
        for message in [link_message(), address_message()] {
            for cut in 0..message.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut damaged = message.clone();
                    damaged[cut] = value;
                    for bytes in [&damaged[..], &damaged[..cut]] {
                        let _ = link(bytes);
                        let _ = address(bytes);
                    }
                }
            }
        }
    }
}
