//! What reaches a host: ARP frames, heartbeats, and the advertisements of VRRP peers.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{
    recvmsg, setsockopt, socket, sockopt, AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag,
    SockProtocol, SockType,
};
use nix::sys::time::{TimeSpec, TimeVal, TimeValLike};

use crate::host::Host;
use crate::journal::Journal;

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

    pub(crate) fn parse(at: Duration, frame: &[u8]) -> Option<ArpFrame> {
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

/// A heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// When it was seen, in the journal's time.
    pub at: Duration,
    /// The sender.
    pub from: Ipv4Addr,
    /// The first four bytes, in this machine's byte order.
    pub word: u32,
}

/// UDP port of the heartbeats.
const HEARTBEAT_PORT: u16 = 539;

impl Heartbeat {
    /// "I serve."
    pub const RUNNING: u32 = 0xBDAD_DBDA;
    /// "I do not serve."
    pub const STOPPED: u32 = 0xADBD_DABD;

    fn parse(at: Duration, frame: &[u8]) -> Option<Heartbeat> {
        // Ethernet type IPv4, 20 bytes of header, protocol UDP.
        if frame.len() < 46 || frame[12..15] != [8, 0, 0x45] || frame[23] != 17 {
            return None;
        }
        if u16::from_be_bytes([frame[36], frame[37]]) != HEARTBEAT_PORT {
            return None;
        }
        let from = Ipv4Addr::new(frame[26], frame[27], frame[28], frame[29]);
        Some(Heartbeat { at, from, word: u32::from_ne_bytes(frame[42..46].try_into().ok()?) })
    }
}

/// What a VRRP router says: keepalived's heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// When it was seen, in the journal's time.
    pub at: Duration,
    /// The sender.
    pub from: Ipv4Addr,
    /// The sender's priority; 0 says that it leaves.
    pub priority: u8,
}

impl Advert {
    fn parse(at: Duration, frame: &[u8]) -> Option<Advert> {
        // Ethernet type IPv4, 20 bytes of header, protocol VRRP; an advertisement is type 1 of any version.
        if frame.len() < 42 || frame[12..15] != [8, 0, 0x45] || frame[23] != 112 || frame[34] & 0x0f != 1 {
            return None;
        }
        let from = Ipv4Addr::new(frame[26], frame[27], frame[28], frame[29]);
        Some(Advert { at, from, priority: frame[36] })
    }
}

#[derive(Debug, Default)]
struct Seen {
    arp: Vec<ArpFrame>,
    heartbeats: Vec<Heartbeat>,
    adverts: Vec<Advert>,
}

/// Records the ARP frames, heartbeats and VRRP advertisements that reach a host.
#[derive(Debug)]
pub struct WireWatch {
    seen: Arc<Mutex<Seen>>,
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// No frame waits longer than this for a listener.
const PLAUSIBLE: Duration = Duration::from_secs(1);

/// Reading two clocks takes less than this, also where a system call is slow.
const TOGETHER: Duration = Duration::from_micros(200);

/// `PACKET_OUTGOING`: a frame that this host itself sent.
const OUTGOING: u8 = 4;

impl WireWatch {
    /// Listens on all devices of `host` from now on.
    pub fn start(host: &Host) -> WireWatch {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let running = Arc::new(AtomicBool::new(true));
        let (record, keep_on, journal) = (seen.clone(), running.clone(), host.journal().clone());
        let thread = host.run(move || {
            let listener =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
                    .expect("a packet socket");
            // A thousand announcements may come at once.
            setsockopt(&listener, sockopt::RcvBufForce, &(16 << 20)).expect("a large buffer");
            setsockopt(&listener, sockopt::ReceiveTimestampns, &true).expect("times of arrival");
            setsockopt(&listener, sockopt::ReceiveTimeout, &TimeVal::milliseconds(50)).expect("a time limit");
            thread::spawn(move || listen(&listener, &keep_on, &journal, &record))
        });
        WireWatch { seen, running, thread: Some(thread) }
    }

    /// The frames in which a host claimed `address`.
    pub fn claims(&self, address: Ipv4Addr) -> Vec<ArpFrame> {
        let seen = self.seen.lock().unwrap();
        seen.arp.iter().filter(|frame| frame.sender_address == address).cloned().collect()
    }

    /// All announcements that nobody asked for.
    pub fn gratuitous(&self) -> Vec<ArpFrame> {
        self.seen.lock().unwrap().arp.iter().filter(|frame| frame.is_gratuitous()).cloned().collect()
    }

    /// The addresses that were announced without being asked for since `since`, each with its first time.
    pub fn announced(&self, since: Duration) -> BTreeMap<Ipv4Addr, Duration> {
        let mut first = BTreeMap::new();
        for frame in self.seen.lock().unwrap().arp.iter().filter(|frame| frame.at >= since) {
            if frame.is_gratuitous() {
                first.entry(frame.sender_address).or_insert(frame.at);
            }
        }
        first
    }

    /// The heartbeats from `address`.
    pub fn heartbeats(&self, address: Ipv4Addr) -> Vec<Heartbeat> {
        let seen = self.seen.lock().unwrap();
        seen.heartbeats.iter().filter(|heartbeat| heartbeat.from == address).cloned().collect()
    }

    /// The VRRP advertisements from `address`.
    pub fn adverts(&self, address: Ipv4Addr) -> Vec<Advert> {
        let seen = self.seen.lock().unwrap();
        seen.adverts.iter().filter(|advert| advert.from == address).cloned().collect()
    }
}

fn listen(listener: &OwnedFd, keep_on: &AtomicBool, journal: &Journal, record: &Mutex<Seen>) {
    let mut buffer = [0; 2048];
    while keep_on.load(Ordering::Relaxed) {
        let Some((arrival, count)) = receive(listener, &mut buffer) else { continue };
        let (at, frame) = (time_of(arrival, journal), &buffer[..count]);
        if let Some(frame) = ArpFrame::parse(at, frame) {
            record.lock().unwrap().arp.push(frame);
        } else if let Some(heartbeat) = Heartbeat::parse(at, frame) {
            record.lock().unwrap().heartbeats.push(heartbeat);
        } else if let Some(advert) = Advert::parse(at, frame) {
            record.lock().unwrap().adverts.push(advert);
        }
    }
}

/// The next frame that others have sent: when it arrived, by the wall clock, and its length. On a busy processor two listeners
/// may be woken in another order than that in which their frames came, so the kernel's time counts.
fn receive(listener: &OwnedFd, buffer: &mut [u8]) -> Option<(Duration, usize)> {
    let mut slices = [IoSliceMut::new(buffer)];
    let mut control = nix::cmsg_space!(TimeSpec);
    let flags = MsgFlags::empty();
    let message = recvmsg::<LinkAddr>(listener.as_raw_fd(), &mut slices, Some(&mut control), flags).ok()?;
    let arrival = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    })?;
    let is_outgoing = message.address.is_some_and(|from| from.pkttype() == OUTGOING);
    (!is_outgoing).then_some((arrival, message.bytes))
}

/// The journal's time of something that just happened at this time of the wall clock; now, if that was stepped since.
fn time_of(arrival: Duration, journal: &Journal) -> Duration {
    let (wall, now) = both_clocks(journal);
    let age = wall.checked_sub(arrival).filter(|age| *age < PLAUSIBLE).unwrap_or_default();
    now.saturating_sub(age)
}

/// The wall clock and the journal's, read so closely together that nothing else has run in between.
fn both_clocks(journal: &Journal) -> (Duration, Duration) {
    for _ in 0..10 {
        let before = journal.now();
        let wall = wall_clock();
        let now = journal.now();
        if now - before < TOGETHER {
            return (wall, now);
        }
    }
    (wall_clock(), journal.now())
}

fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Drop for WireWatch {
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

    #[test]
    fn parses_a_heartbeat() {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        frame.extend([0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([2, 27, 2, 27, 0, 12, 0, 0]);
        frame.extend(Heartbeat::RUNNING.to_ne_bytes());
        let parsed = Heartbeat::parse(Duration::ZERO, &frame).unwrap();
        assert_eq!((parsed.from, parsed.word), (Ipv4Addr::new(10, 0, 0, 1), Heartbeat::RUNNING));
        frame[37] = 28;
        assert_eq!(Heartbeat::parse(Duration::ZERO, &frame), None);
    }
    #[test]
    fn parses_an_advertisement() {
        let mut frame = vec![1, 0, 0x5e, 0, 0, 18, 2, 0, 0, 0, 0, 1, 8, 0];
        frame.extend([0x45, 0xc0, 0, 40, 0, 0, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18]);
        frame.extend([0x21, 51, 150, 1, 0, 1, 0, 0, 10, 0, 0, 50]);
        let parsed = Advert::parse(Duration::ZERO, &frame).unwrap();
        assert_eq!((parsed.from, parsed.priority), (Ipv4Addr::new(10, 0, 0, 1), 150));
        assert_eq!(Advert::parse(Duration::ZERO, &frame[..41]), None);
    }
}
