//! The other end of the cable: a partner that says what it is told to, and hears everything.

use nix::sched::{setns, unshare, CloneFlags};
use nix::sys::socket::{recvfrom, socket, AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::sandbox::run;
use crate::streams::PATIENCE;

/// The words of the wire, by the names that rows use.
const WORDS: [(&str, u32); 7] = [
    ("STOPPED", 0xadbd_dabd),
    ("RUNNING", 0xbdad_dbda),
    ("FOS-STOPPED", 0xdead_beef),
    ("FOS-RUNNING", 0xbeef_babe),
    ("STOPME", 0xdead_dada),
    ("HOLD", 0xdeaf_babe),
    ("HELD", 0xdeaf_dada),
];

const PORT: u16 = 539;

/// An address in the peer's network that is not the partner's.
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// The partner.
pub struct Peer {
    heartbeats: UdpSocket,
    private: UdpSocket,
    other_port: UdpSocket,
    stranger: UdpSocket,
    frames: OwnedFd,
    node: SocketAddrV4,
    network: File,
}

impl Peer {
    /// Makes a network for the peer, with a cable to `eth0` of this thread's, and addresses on both ends.
    ///
    /// # Panics
    /// If that is not allowed.
    #[must_use]
    pub fn new(node: Ipv4Addr, partner: Ipv4Addr) -> Self {
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let network = File::open("/proc/thread-self/ns/net").unwrap();
        setns(&home, CloneFlags::CLONE_NEWNET).unwrap();
        let (process, number) = (std::process::id(), network.as_raw_fd());
        run(&format!("ip link add eth0 type veth peer name far netns /proc/{process}/fd/{number}"));
        run(&format!("ip addr add {node}/24 dev eth0"));
        run(&format!("ip addr add {}/24 dev eth0", private(node)));
        run("ip link set eth0 up");

        setns(&network, CloneFlags::CLONE_NEWNET).unwrap();
        for address in [partner, private(partner), STRANGER] {
            run(&format!("ip addr add {address}/24 dev far"));
        }
        run("ip link set lo up");
        run("ip link set far up");
        await_carrier("far");
        let bind = |address: Ipv4Addr, port: u16| {
            let socket = UdpSocket::bind((address, port)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let (flags, all) = (SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll);
        let frames = socket(AddressFamily::Packet, SockType::Raw, flags, all).unwrap();
        let peer = Self {
            heartbeats: bind(partner, PORT),
            private: bind(private(partner), PORT),
            other_port: bind(partner, PORT + 1),
            stranger: bind(STRANGER, PORT),
            frames,
            node: SocketAddrV4::new(node, PORT),
            network,
        };
        setns(&home, CloneFlags::CLONE_NEWNET).unwrap();
        await_carrier("eth0");
        peer
    }

    /// Sends `WORD`, `swapped WORD` or `raw HEX`, all after `from stranger`, `from other-port` or `from private`,
    /// if given. What comes from the private address goes to the node's private one.
    ///
    /// # Panics
    /// If the words make no sense.
    pub fn send(&self, words: &str) {
        let public = self.node;
        let private = SocketAddrV4::new(private(*self.node.ip()), PORT);
        let ways = [
            ("from stranger ", &self.stranger, public),
            ("from other-port ", &self.other_port, public),
            ("from private ", &self.private, private),
            ("", &self.heartbeats, public),
        ];
        let way = |(prefix, socket, node)| Some((words.strip_prefix(prefix)?, socket, node));
        let (what, socket, node): (_, &UdpSocket, _) = ways.into_iter().find_map(way).unwrap();
        let value = |name: &str| WORDS.iter().find(|(known, _)| *known == name).expect("a word").1;
        let bytes = if let Some(hex) = what.strip_prefix("raw ") {
            hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
        } else if let Some(name) = what.strip_prefix("swapped ") {
            value(name).swap_bytes().to_ne_bytes().to_vec()
        } else {
            value(what).to_ne_bytes().to_vec()
        };
        socket.send_to(&bytes, node).unwrap();
    }

    /// The names of the heartbeats that have arrived, equal ones in a row once.
    #[must_use]
    pub fn heard(&self, on_private: bool) -> Vec<String> {
        let socket = if on_private { &self.private } else { &self.heartbeats };
        let mut heard: Vec<String> = Vec::new();
        let mut buffer = [0; 64];
        while let Ok((length, _)) = socket.recv_from(&mut buffer) {
            let name = name(&buffer[..length]);
            if heard.last() != Some(&name) {
                heard.push(name);
            }
        }
        heard
    }

    /// How many gratuitous ARP replies for `address` have arrived.
    #[must_use]
    pub fn announced(&self, address: Ipv4Addr) -> usize {
        let mut count = 0;
        let mut buffer = [0; 2048];
        while let Ok((length, _)) = recvfrom::<LinkAddr>(self.frames.as_raw_fd(), &mut buffer) {
            // Type ARP, reply, sender and target address.
            let frame = &buffer[..length];
            let is_reply = length >= 42 && frame[12..14] == [8, 6] && frame[20..22] == [0, 2];
            count += usize::from(
                is_reply && frame[28..32] == address.octets() && frame[38..42] == address.octets(),
            );
        }
        count
    }

    /// Pulls the plug of the cable, or puts it back.
    ///
    /// # Panics
    /// If `ip` fails.
    pub fn plug(&self, state: &str) {
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        setns(&self.network, CloneFlags::CLONE_NEWNET).unwrap();
        run(&format!("ip link set far {state}"));
        if state == "up" {
            await_carrier("far");
        }
        setns(&home, CloneFlags::CLONE_NEWNET).unwrap();
        if state == "up" {
            await_carrier("eth0");
        }
    }
}

/// The address on the second path.
fn private(public: Ipv4Addr) -> Ipv4Addr {
    let [a, b, _, d] = public.octets();
    Ipv4Addr::new(a, b, 1, d)
}

/// The kernel takes its time to notice a carrier; until then what is sent is lost.
fn await_carrier(device: &str) {
    let up = || {
        let output = Command::new("ip").args(["-o", "link", "show", device]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("state UP")
    };
    let deadline = Instant::now() + PATIENCE;
    while !up() {
        assert!(Instant::now() < deadline, "{device} gets no carrier");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn name(datagram: &[u8]) -> String {
    let value = datagram.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes));
    match WORDS.iter().find(|(_, word)| Some(*word) == value) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("{datagram:02x?}"),
    }
}
