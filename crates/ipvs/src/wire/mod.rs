//! The table over generic netlink, family `IPVS`: requests out, dumps in.
//!
//! A request or reply is a [`Message`], the payload of a [`netlink_packet_generic::GenlMessage`]; sockets,
//! sequence numbers and acknowledgements are the business of whoever sends it. Numbers are in the machine's
//! byte order but for ports and IPv4 netmasks, which are in network order, as Linux's `ip_vs.h` has them.

mod constants;
mod decode;
mod encode;
#[cfg(test)]
mod tests;

use netlink_packet_core::{DecodeError, Emitable, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

pub use decode::{read_destination, read_service, Listed};
pub use encode::{dump_destinations, dump_services, request};

/// The name under which the kernel's generic netlink controller knows IPVS.
pub const FAMILY_NAME: &str = constants::FAMILY_NAME;

/// One message of the family: a command and its encoded attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The command, one of `IPVS_CMD_*`.
    pub command: u8,
    /// The attributes as they stand on the wire, padding included.
    pub attributes: Vec<u8>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        constants::FAMILY_VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer[..self.attributes.len()].copy_from_slice(&self.attributes);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self { command: header.cmd, attributes: bytes.to_vec() })
    }
}
