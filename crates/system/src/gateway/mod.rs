//! Whether the network is there: the default gateway is asked for an ICMP echo.
//!
//! A director whose partner's services seem dead asks this before it takes them over: if the gateway does not
//! answer either, the fault is its own.

mod packet;

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    connect, recv, send, socket, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn,
};

use crate::route::RouteSocket;

/// Echo requests sent before the gateway is given up.
pub const TRIES: u16 = 3;

/// How long each is waited for.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Datagrams read in one turn: a flood of ICMP must not hold up heartbeats.
const BATCH: usize = 64;

/// The gateway of the first IPv4 default route, as `ip route show` lists them; none without such a route.
///
/// # Errors
/// What kept the kernel from answering.
pub fn find() -> io::Result<Option<Ipv4Addr>> {
    RouteSocket::open()?.default_gateway()
}

/// A question to a gateway under way. Wait for [`Check::fd`] or [`Check::next_deadline`], then call
/// [`Check::proceed`]. Dropping it gives the question up.
#[derive(Debug)]
pub struct Check {
    socket: OwnedFd,
    kind: packet::Kind,
    identifier: u16,
    /// Number of the request that was sent last, from 1; that of [`TRIES`] is the last one.
    sequence: u16,
    /// When the current request has not been answered.
    due: Duration,
}

impl Check {
    /// Sends the first echo request to `gateway`.
    ///
    /// The socket is one for unprivileged ping where the system allows that (`net.ipv4.ping_group_range`), else
    /// a raw one.
    ///
    /// # Errors
    /// Those of socket(2): EPERM without CAP_NET_RAW where ping is privileged. ENETUNREACH without a route. A
    /// request that cannot be sent is one that is not answered.
    pub fn start(gateway: Ipv4Addr, now: Duration) -> io::Result<Self> {
        let (socket, kind) = open()?;
        connect(socket.as_raw_fd(), &SockaddrIn::from(std::net::SocketAddrV4::new(gateway, 0)))?;
        let identifier = std::process::id() as u16;
        let mut check = Self { socket, kind, identifier, sequence: 0, due: now };
        check.ask(now);
        Ok(check)
    }

    /// Readable when something came from the gateway.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// When the next request, or the end of patience, is due.
    pub fn next_deadline(&self) -> Duration {
        self.due
    }

    /// Reads what came and does what is due. Whether the gateway answers, once that is known.
    pub fn proceed(&mut self, now: Duration) -> Option<bool> {
        if self.is_answered() {
            return Some(true);
        }
        if now < self.due {
            return None;
        }
        if self.sequence >= TRIES {
            return Some(false);
        }
        self.ask(now);
        None
    }

    fn ask(&mut self, now: Duration) {
        self.sequence += 1;
        self.due = now + PATIENCE;
        let request = packet::echo_request(self.identifier, self.sequence);
        if let Err(error) = send(self.socket.as_raw_fd(), &request, MsgFlags::MSG_NOSIGNAL) {
            log::debug!("echo request to the gateway: {error}");
        }
    }

    /// An answer to an earlier request counts: the gateway is only slow.
    fn is_answered(&self) -> bool {
        let mut buffer = [0; packet::BUFFER];
        for _ in 0..BATCH {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    let reply = packet::reply(&buffer[..length], self.kind, self.identifier);
                    if reply.is_some_and(|sequence| (1..=self.sequence).contains(&sequence)) {
                        return true;
                    }
                }
                Err(Errno::EINTR) => {}
                // Nothing there, or word from a router that the gateway cannot be reached.
                Err(_) => return false,
            }
        }
        false
    }
}

fn open() -> io::Result<(OwnedFd, packet::Kind)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let of = |kind| socket(AddressFamily::Inet, kind, flags, SockProtocol::Icmp);
    match of(SockType::Datagram) {
        Ok(socket) => Ok((socket, packet::Kind::Ping)),
        Err(_) => Ok((of(SockType::Raw)?, packet::Kind::Raw)),
    }
}
