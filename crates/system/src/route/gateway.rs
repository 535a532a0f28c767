//! The default gateway by rtnetlink.

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_core::Emitable;
use netlink_packet_route::route::{RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::attributes::{each_attribute, ipv4};
use super::RouteSocket;
use crate::netlink::malformed;

const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;

/// Bytes of a `struct rtnexthop`, which stands before the attributes of each path.
const NEXT_HOP: usize = 8;

impl RouteSocket {
    /// The gateway of the first IPv4 default route in the main table, which is that of the lowest metric; the
    /// first one where a route has several. None without such a route.
    ///
    /// # Errors
    /// As [`RouteSocket::links`].
    pub fn default_gateway(&mut self) -> io::Result<Option<Ipv4Addr>> {
        let mut request = RouteMessage::default();
        request.header.address_family = AddressFamily::Inet;
        for message in self.netlink.dump(&RouteNetlinkMessage::GetRoute(request))? {
            if let Some(gateway) = gateway(&message.payload)? {
                return Ok(Some(gateway));
            }
        }
        Ok(None)
    }
}

/// The gateway of the route that the payload of a RTM_NEWROUTE describes, if that is a default route.
fn gateway(payload: &[u8]) -> io::Result<Option<Ipv4Addr>> {
    let header = RouteHeader::parse(payload).map_err(malformed)?;
    let is_default = header.destination_prefix_length == 0
        && header.table == RouteHeader::RT_TABLE_MAIN
        && header.kind == RouteType::Unicast;
    if !is_default {
        return Ok(None);
    }
    let (mut single, mut several) = (None, None);
    each_attribute(&payload[header.buffer_len()..], |kind, value| match kind {
        RTA_GATEWAY => single = ipv4(value),
        RTA_MULTIPATH => several = first_path(value),
        _ => {}
    })?;
    Ok(single.or(several))
}

/// The gateway of the first of several paths.
fn first_path(paths: &[u8]) -> Option<Ipv4Addr> {
    let length = u16::from_ne_bytes(*paths.first_chunk()?);
    let mut gateway = None;
    let attributes = paths.get(NEXT_HOP..usize::from(length))?;
    // A path that makes no sense is one without a gateway.
    let _ = each_attribute(attributes, |kind, value| {
        if kind == RTA_GATEWAY {
            gateway = ipv4(value);
        }
    });
    gateway
}

#[cfg(test)]
mod tests {
    use super::super::attributes::attribute;
    use super::*;

    /// A route header: IPv4, to /0, table main, by hand, unicast.
    const DEFAULT: [u8; 12] = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];

    fn with(change: (usize, u8), attributes: &[u8]) -> Vec<u8> {
        let mut message = [&DEFAULT[..], attributes].concat();
        message[change.0] = change.1;
        message
    }

    fn paths() -> Vec<u8> {
        let via = attribute(RTA_GATEWAY, &[10, 0, 0, 253]);
        let length = u16::try_from(NEXT_HOP + via.len()).unwrap().to_ne_bytes();
        let path = [&length[..], &[0, 0, 3, 0, 0, 0], &via].concat();
        attribute(RTA_MULTIPATH, &[path.clone(), path].concat())
    }

    #[test]
    fn only_a_default_route_has_the_default_gateway() {
        let via = attribute(RTA_GATEWAY, &[10, 0, 0, 254]);
        let same = (0, 2);
        let table = [
            ("default", with(same, &via), "10.0.0.254"),
            ("several paths", with(same, &paths()), "10.0.0.253"),
            ("a device only", with(same, &[]), "none"),
            ("to a network", with((1, 24), &via), "none"),
            ("another table", with((4, 100), &via), "none"),
            ("a black hole", with((7, 6), &via), "none"),
        ];
        for (name, message, expected) in table {
            let found = gateway(&message).unwrap().map_or("none".into(), |address| address.to_string());
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn no_damaged_message_makes_the_reader_panic() {
        for message in [with((0, 2), &attribute(RTA_GATEWAY, &[10, 0, 0, 254])), with((0, 2), &paths())] {
            for cut in 0..message.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let damaged = with((cut, value), &message[DEFAULT.len()..]);
                    let _ = gateway(&damaged);
                    let _ = gateway(&damaged[..cut]);
                }
            }
        }
    }
}
