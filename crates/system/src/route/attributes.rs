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

fn each_attribute(bytes: &[u8], mut visit: impl FnMut(u16, &[u8])) -> io::Result<()> {
    for attribute in NlasIterator::new(bytes) {
        let attribute = attribute.map_err(malformed)?;
        visit(attribute.kind(), attribute.value());
    }
    Ok(())
}

fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}
