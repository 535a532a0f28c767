//! The UDP sockets that carry heartbeats.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

/// A heartbeat socket: IPv4, non-blocking, close-on-exec, and without SO_REUSEADDR, so that a second pulse on
/// the same address fails to start.
#[derive(Debug)]
pub struct HeartbeatSocket(UdpSocket);

impl HeartbeatSocket {
    /// Binds to `local` and `port`; port 0 takes any free one.
    ///
    /// # Errors
    /// Those of bind(2): the address is not this machine's, or it is in use.
    pub fn bind(local: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind((local, port))?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local(&self) -> io::Result<SocketAddrV4> {
        self.0.local_addr().and_then(ipv4)
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// Those of sendto(2), among them the ones that say that the peer cannot be reached.
    pub fn send_to(&self, datagram: &[u8], peer: SocketAddrV4) -> io::Result<()> {
        self.0.send_to(datagram, peer).map(drop)
    }

    /// Receives one datagram with its sender; what does not fit into `buffer` is cut off. None when there is
    /// nothing to receive, and in place of a connection refused: a partner whose pulse is down is no error.
    ///
    /// # Errors
    /// Those of recvfrom(2) but for the ones above.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddrV4)>> {
        loop {
            match self.0.recv_from(buffer) {
                Ok((length, sender)) => return Ok(Some((length, ipv4(sender)?))),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(None),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl AsFd for HeartbeatSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn ipv4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (HeartbeatSocket, HeartbeatSocket) {
        let bind = || HeartbeatSocket::bind(Ipv4Addr::LOCALHOST, 0).unwrap();
        (bind(), bind())
    }

    #[test]
    fn a_datagram_arrives_with_its_sender_and_then_nothing() {
        let (here, there) = pair();
        here.send_to(&[1, 2, 3, 4], there.local().unwrap()).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(there.receive(&mut buffer).unwrap(), Some((4, here.local().unwrap())));
        assert_eq!(buffer, [1, 2, 3, 4]);
        assert_eq!(there.receive(&mut buffer).unwrap(), None);
    }

    #[test]
    fn a_longer_datagram_is_cut_off() {
        let (here, there) = pair();
        here.send_to(&[7; 8], there.local().unwrap()).unwrap();
        assert_eq!(there.receive(&mut [0; 4]).unwrap().map(|(length, _)| length), Some(4));
    }

    #[test]
    fn an_absent_partner_is_nothing_received() {
        let (here, there) = pair();
        let gone = there.local().unwrap();
        drop(there);
        here.send_to(&[0; 4], gone).unwrap();
        assert_eq!(here.receive(&mut [0; 4]).unwrap(), None);
    }

    #[test]
    fn a_second_socket_on_the_same_address_is_refused() {
        let (first, _) = pair();
        let taken = first.local().unwrap();
        let error = HeartbeatSocket::bind(*taken.ip(), taken.port()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
