//! Gratuitous ARP: the frames that tell a link where an address now lives, and the schedule on which they are
//! repeated. No socket is opened and no clock is read here.
#![forbid(unsafe_code)]

mod frame;
mod schedule;

pub use frame::{frame, Form, Frame, Mac, BROADCAST, FRAME_LEN};
pub use schedule::{Announcer, Round, INTERVAL, ROUNDS};

use std::net::Ipv4Addr;

/// An address to announce on one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// Index of the link on which the frames leave.
    pub ifindex: u32,
    /// The address that has moved here.
    pub address: Ipv4Addr,
    /// The link's own hardware address.
    pub mac: Mac,
}

impl Target {
    /// Both forms of the announcement, to everybody on the link: the original's reply form first, then the request
    /// form, which some switches and hosts believe and the reply form they do not.
    #[must_use]
    pub fn frames(&self) -> [Frame; 2] {
        [Form::Reply, Form::Request].map(|form| frame(form, self.address, self.mac, BROADCAST))
    }
}
