//! Sockets for service checks: connections that do not block.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{connect, socket, AddressFamily, SockFlag, SockType, SockaddrStorage};

/// Begins a TCP connection. It has been made, or has failed (see [`TcpStream::take_error`]), once the
/// descriptor is writable. The stream is non-blocking and close-on-exec.
///
/// # Errors
/// A failure known at once: no route, no descriptors left, refused by the local host.
pub fn tcp_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let descriptor: OwnedFd = socket(family, SockType::Stream, flags, None)?;
    match connect(descriptor.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(descriptor)),
        Err(error) => Err(error.into()),
    }
}

/// A non-blocking UDP socket that talks to `address` only, and learns of its ICMP errors.
///
/// # Errors
/// Those of socket(2), bind(2) and connect(2).
pub fn udp_connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{Interest, Poller};
    use nix::sys::socket::{bind, getsockname, SockaddrIn};
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    fn outcome(address: SocketAddr) -> Option<i32> {
        let stream = match tcp_connect(address) {
            Ok(stream) => stream,
            Err(error) => return error.raw_os_error(),
        };
        let mut poller = Poller::new();
        poller.register(0, stream.as_fd(), Interest::Write);
        assert_eq!(poller.wait(None).unwrap().len(), 1);
        stream.take_error().unwrap().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn a_connection_is_made() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(outcome(listener.local_addr().unwrap()), None);
    }

    /// Closed ports are bound, but do not listen: nobody else gets their number, and a process forked by another test
    /// may hold them open as well.
    #[test]
    fn a_connection_is_refused() {
        let closed = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(closed.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let address: SockaddrIn = getsockname(closed.as_raw_fd()).unwrap();
        let address = SocketAddr::new(address.ip().into(), address.port());
        assert_eq!(outcome(address), Some(libc::ECONNREFUSED));
    }

    #[test]
    fn udp_learns_of_a_closed_port() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
        // From now on it is closed to everybody but itself.
        closed.connect(closed.local_addr().unwrap()).unwrap();
        let socket = udp_connect(closed.local_addr().unwrap()).unwrap();
        socket.send(b"x").unwrap();
        let mut poller = Poller::new();
        poller.register(0, socket.as_fd(), Interest::Read);
        poller.wait(None).unwrap();
        assert_eq!(socket.recv(&mut [0; 1]).unwrap_err().raw_os_error(), Some(libc::ECONNREFUSED));
    }
}
