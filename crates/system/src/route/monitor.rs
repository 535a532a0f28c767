//! News of links and addresses.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::{attributes, InterfaceAddress, Link};
use crate::netlink::{receive, BUFFER};

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;

/// What happened to a link or to an IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A link is new, or changed in any way; its state now.
    LinkChanged(Link),
    /// A link is gone.
    LinkGone(Link),
    /// An address was added or changed.
    AddressAdded(InterfaceAddress),
    /// An address was deleted.
    AddressGone(InterfaceAddress),
    /// More happened than the socket could hold: read everything anew.
    Missed,
}

/// A socket that hears of changes to links and addresses, its own process's too; non-blocking, close-on-exec.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Opens the socket; changes from now on are heard.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR))?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// Everything heard since the last call, in order.
    ///
    /// # Errors
    /// Those of recvfrom(2); `InvalidData` for a message that makes no sense.
    pub fn drain(&mut self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        loop {
            match receive(&self.socket, &mut self.buffer) {
                Ok(messages) => {
                    for message in messages {
                        let message = message?;
                        events.extend(event(message.message_type(), message.payload())?);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(events),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => events.push(Event::Missed),
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn event(kind: u16, payload: &[u8]) -> io::Result<Option<Event>> {
    Ok(Some(match kind {
        RTM_NEWLINK => Event::LinkChanged(attributes::link(payload)?),
        RTM_DELLINK => Event::LinkGone(attributes::link(payload)?),
        RTM_NEWADDR => Event::AddressAdded(attributes::address(payload)?),
        RTM_DELADDR => Event::AddressGone(attributes::address(payload)?),
        _ => return Ok(None),
    }))
}
