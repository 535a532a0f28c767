//! What the parser has to ask the system.

use std::net::Ipv4Addr;

/// Look-ups of names. The original makes them while it reads the file, so they decide its verdict.
pub trait Resolver {
    /// The first IPv4 address of a host name.
    fn host(&self, name: &[u8]) -> Option<Ipv4Addr>;
    /// The number of a TCP service. TCP is asked whatever the block's protocol is.
    fn tcp_port(&self, service: &[u8]) -> Option<u16>;
}

/// A resolver that knows no name.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Resolver for NoNames {
    fn host(&self, _: &[u8]) -> Option<Ipv4Addr> {
        None
    }

    fn tcp_port(&self, _: &[u8]) -> Option<u16> {
        None
    }
}
