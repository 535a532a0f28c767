//! The heartbeat sockets: one or two paths to one partner.

use std::io;
use std::net::{IpAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};

use heartbeat::{Input, Message, Path};
use system::errno;
use system::pair::{Ends, Pair};
use system::udp::HeartbeatSocket;

/// Longer than any heartbeat; what does not fit is cut, as the original cuts after four bytes.
const BUFFER: usize = 64;

/// Datagrams read from one socket before the other gets its turn: a flood must not starve the rest.
const BATCH: usize = 64;

struct Way {
    path: Path,
    socket: HeartbeatSocket,
    partner: SocketAddrV4,
}

/// All paths to the partner.
pub struct Sockets {
    ways: Vec<Way>,
}

impl Sockets {
    /// Binds this node's heartbeat addresses.
    ///
    /// # Errors
    ///
    /// Those of binding, a port below 1024 without privilege among them.
    pub fn bind(pair: &Pair) -> io::Result<Self> {
        let way = |path: Path, ends: Ends| {
            let socket = HeartbeatSocket::bind(ends.local, pair.port)?;
            Ok(Way { path, socket, partner: SocketAddrV4::new(ends.partner, pair.port) })
        };
        let public = std::iter::once((Path::Public, pair.public));
        let private = pair.private.map(|ends| (Path::Private, ends));
        let ways = public.chain(private).map(|(path, ends)| way(path, ends)).collect::<io::Result<_>>()?;
        Ok(Self { ways })
    }

    /// What to wait on.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.ways.iter().map(|way| way.socket.as_fd())
    }

    /// Sends the same heartbeat on all paths, the public one first.
    pub fn send(&self, heartbeat: &[u8]) {
        for way in &self.ways {
            if let Err(error) = way.socket.send_to(heartbeat, way.partner) {
                log::debug!("{}", Message::SendFailed(way.path, errno::text(&error)));
            }
        }
    }

    /// Reads what has arrived, private path first as the original does, and hands each datagram on. True when
    /// everything was read.
    pub fn drain(&self, mut hand: impl FnMut(Input<'_>)) -> bool {
        let mut empty = true;
        for way in self.ways.iter().rev() {
            empty &= self.drain_one(way, &mut hand);
        }
        empty
    }

    fn drain_one(&self, way: &Way, hand: &mut impl FnMut(Input<'_>)) -> bool {
        let mut buffer = [0; BUFFER];
        for _ in 0..BATCH {
            match way.socket.receive(&mut buffer) {
                Ok(None) => return true,
                Ok(Some((length, source))) if self.is_partner(source) => {
                    hand(Input::Datagram { path: way.path, payload: &buffer[..length] });
                }
                Ok(Some((_, source))) => hand(Input::Stranger(IpAddr::V4(*source.ip()))),
                Err(error) => {
                    log::info!("{}", Message::ReceiveFailed(errno::text(&error)));
                    return true;
                }
            }
        }
        false
    }

    /// Either of the partner's addresses is good on either socket; its source port does not matter.
    fn is_partner(&self, source: SocketAddrV4) -> bool {
        self.ways.iter().any(|way| way.partner.ip() == source.ip())
    }
}
