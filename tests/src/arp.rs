//! What is said by ARP on the switches.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{
    recvfrom, setsockopt, socket, sockopt, AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::host::Host;

/// An ARP frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArpFrame {
    /// When it was seen, in the journal's time.
    pub at: Duration,
    /// Whether it is a reply (operation 2) or a request (operation 1).
    pub is_reply: bool,
    /// The sender's hardware address.
    pub sender: [u8; 6],
    /// The address that the sender claims.
    pub sender_address: Ipv4Addr,
    /// The address that is asked for or answered to.
    pub target_address: Ipv4Addr,
    /// Whether it was sent to all.
    pub is_broadcast: bool,
}

impl ArpFrame {
    /// An announcement of the sender's own address that nobody asked for.
    pub fn is_gratuitous(&self) -> bool {
        self.sender_address == self.target_address || (self.is_reply && self.is_broadcast)
    }

    fn parse(at: Duration, frame: &[u8]) -> Option<ArpFrame> {
        // Ethernet, IPv4: type 0x0806, hardware type 1, protocol 0x0800, lengths 6 and 4.
        if frame.len() < 42 || frame[12..20] != [0x08, 0x06, 0, 1, 0x08, 0, 6, 4] {
            return None;
        }
        let address = |offset: usize| {
            Ipv4Addr::new(frame[offset], frame[offset + 1], frame[offset + 2], frame[offset + 3])
        };
        Some(ArpFrame {
            at,
            is_reply: frame[21] == 2,
            sender: frame[22..28].try_into().ok()?,
            sender_address: address(28),
            target_address: address(38),
            is_broadcast: frame[..6] == [0xff; 6],
        })
    }
}

/// Records the ARP frames that reach a host.
#[derive(Debug)]
pub struct ArpWatch {
    frames: Arc<Mutex<Vec<ArpFrame>>>,
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// `PACKET_OUTGOING`: a frame that this host itself sent.
const OUTGOING: u8 = 4;

impl ArpWatch {
    /// Listens on all devices of `host` from now on.
    pub fn start(host: &Host) -> ArpWatch {
        let frames = Arc::new(Mutex::new(Vec::new()));
        let running = Arc::new(AtomicBool::new(true));
        let (record, keep_on, journal) = (frames.clone(), running.clone(), host.journal().clone());
        let thread = host.run(move || {
            let listener =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
                    .expect("a packet socket");
            setsockopt(&listener, sockopt::ReceiveTimeout, &TimeVal::milliseconds(50)).expect("a time limit");
            thread::spawn(move || {
                let mut buffer = [0; 2048];
                while keep_on.load(Ordering::Relaxed) {
                    let Ok((count, from)) = recvfrom::<LinkAddr>(listener.as_raw_fd(), &mut buffer) else {
                        continue;
                    };
                    let is_own = from.is_some_and(|from| from.pkttype() == OUTGOING);
                    if let (false, Some(frame)) = (is_own, ArpFrame::parse(journal.now(), &buffer[..count])) {
                        record.lock().unwrap().push(frame);
                    }
                }
            })
        });
        ArpWatch { frames, running, thread: Some(thread) }
    }

    /// The frames in which a host claimed `address`.
    pub fn claims(&self, address: Ipv4Addr) -> Vec<ArpFrame> {
        let frames = self.frames.lock().unwrap();
        frames.iter().filter(|frame| frame.sender_address == address).cloned().collect()
    }
}

impl Drop for ArpWatch {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_gratuitous_reply() {
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 50]);
        frame.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 0, 0, 50]);
        let parsed = ArpFrame::parse(Duration::ZERO, &frame).unwrap();
        assert!(parsed.is_reply && parsed.is_gratuitous());
        assert_eq!(parsed.sender_address, Ipv4Addr::new(10, 0, 0, 50));
        assert_eq!(parsed.sender, [2, 0, 0, 0, 0, 1]);
        assert_eq!(ArpFrame::parse(Duration::ZERO, &frame[..41]), None);
    }
}
