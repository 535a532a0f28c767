//! Raw Ethernet frames out, none in: the socket has protocol 0, so the kernel never queues a frame on it.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{socket, AddressFamily, SockFlag, SockType};

use crate::netlink::retry;

/// The smallest Ethernet frame, without its checksum: what an ARP packet is padded to.
pub const FRAME_LENGTH: usize = 60;

/// Frames handed to the kernel in one system call.
const BATCH: usize = 256;

/// How long a full queue is waited for in all, in steps of [`PAUSE`].
const PAUSES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// A packet socket that only sends; close-on-exec. Needs CAP_NET_RAW.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens the socket.
    ///
    /// # Errors
    /// EPERM without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        Ok(Self(socket(AddressFamily::Packet, SockType::Raw, flags, None)?))
    }

    /// Sends one frame, Ethernet header included, out of the interface of index `interface`.
    ///
    /// # Errors
    /// ENXIO or ENODEV if there is no such interface, ENETDOWN if it is down, EMSGSIZE if the frame is too long,
    /// ENOBUFS if its queue stays full.
    pub fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        self.send_slices(&[(interface, frame)]).pop().unwrap_or(Ok(()))
    }

    /// Sends many frames as [`PacketSocket::send`] does each, hundreds to a system call. One result for each: a
    /// frame that cannot be sent does not keep back those after it.
    pub fn send_many(&self, frames: &[(u32, [u8; FRAME_LENGTH])]) -> Vec<io::Result<()>> {
        let slices: Vec<_> = frames.iter().map(|(interface, frame)| (*interface, frame.as_slice())).collect();
        self.send_slices(&slices)
    }

    fn send_slices(&self, frames: &[(u32, &[u8])]) -> Vec<io::Result<()>> {
        let mut results = Vec::with_capacity(frames.len());
        let mut pauses = PAUSES;
        while results.len() < frames.len() {
            let rest = &frames[results.len()..];
            match self.send_batch(&rest[..rest.len().min(BATCH)]) {
                Ok(sent) => results.extend((0..sent).map(|_| Ok(()))),
                Err(error) if is_congestion(&error) && pauses > 0 => {
                    pauses -= 1;
                    thread::sleep(PAUSE);
                }
                // The error belongs to the first frame of the rest.
                Err(error) => results.push(Err(error)),
            }
        }
        results
    }

    /// Sends the first frames of `frames` and returns how many, at least one; or why not even one.
    fn send_batch(&self, frames: &[(u32, &[u8])]) -> io::Result<usize> {
        let mut addresses: Vec<_> = frames.iter().map(|(index, frame)| link_address(*index, frame)).collect();
        let mut pieces: Vec<_> = frames
            .iter()
            .map(|(_, frame)| libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            })
            .collect();
        let mut messages: Vec<_> =
            addresses.iter_mut().zip(&mut pieces).map(|(address, piece)| message(address, piece)).collect();
        let count = messages.len() as libc::c_uint;
        retry(|| {
            // SAFETY: `messages` holds `count` headers; each points to one address in `addresses` and one iovec
            // in `pieces`, which both outlive the call, and the iovec to a frame borrowed by `frames`, which
            // sendmmsg only reads.
            let sent = unsafe { libc::sendmmsg(self.0.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        })
    }
}

/// The interface to send from. The kernel wants the frame's protocol too, for packet filters and queues.
fn link_address(interface: u32, frame: &[u8]) -> libc::sockaddr_ll {
    let ethertype = frame.get(12..14).map_or([0; 2], |bytes| [bytes[0], bytes[1]]);
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: u16::from_ne_bytes(ethertype),
        sll_ifindex: interface as libc::c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

fn message(address: &mut libc::sockaddr_ll, piece: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: an all-zero msghdr is valid: null pointers with zero lengths. (Its padding differs between C
    // libraries, so it cannot be written out field by field.)
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = std::ptr::from_mut(address).cast();
    header.msg_namelen = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    header.msg_iov = piece;
    header.msg_iovlen = 1;
    libc::mmsghdr { msg_hdr: header, msg_len: 0 }
}

/// The device's queue or the socket's buffer is full for the moment.
fn is_congestion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN))
}
