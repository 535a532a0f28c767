//! Raw frames over a virtual cable, received at its other end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

mod common;

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use common::{cable, enter_namespace, index};
use nix::errno::Errno;
use nix::sys::socket::{
    recvfrom, setsockopt, socket, sockopt, AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType,
};
use system::packet::{PacketSocket, FRAME_LENGTH};

/// Hears everything in the namespace.
fn listener() -> OwnedFd {
    let socket =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll).unwrap();
    setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20)).unwrap();
    socket
}

/// The ARP frames that came in at an interface. The other end of a cable has them when the sender returns.
fn heard(listener: &OwnedFd, interface: u32) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        match recvfrom::<LinkAddr>(listener.as_raw_fd(), &mut buffer) {
            Ok((length, Some(address))) => {
                let frame = &buffer[..length];
                if address.ifindex() == interface as usize && frame[12..14] == [0x08, 0x06] {
                    frames.push(frame.to_vec());
                }
            }
            Err(Errno::EAGAIN) => return frames,
            other => panic!("{other:?}"),
        }
    }
}

/// A broadcast ARP frame with a number in its padding.
fn frame(number: u16) -> [u8; FRAME_LENGTH] {
    let mut frame = [0; FRAME_LENGTH];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[12..14].copy_from_slice(&[0x08, 0x06]);
    frame[58..].copy_from_slice(&number.to_be_bytes());
    frame
}

#[test]
fn a_frame_arrives_byte_for_byte() {
    enter_namespace();
    let [a, b] = cable();
    let listener = listener();
    PacketSocket::open().unwrap().send(a, &frame(1)).unwrap();
    assert_eq!(heard(&listener, b), [frame(1).to_vec()]);
}

#[test]
fn a_thousand_addresses_are_announced_in_both_forms() {
    enter_namespace();
    let [a, b] = cable();
    let listener = listener();
    let frames: Vec<_> = (0..2000).map(|number| (a, frame(number))).collect();
    let start = Instant::now();
    let results = PacketSocket::open().unwrap().send_many(&frames);
    println!("sent in {:?}", start.elapsed());
    assert_eq!(results.len(), 2000);
    assert!(results.iter().all(Result::is_ok));
    let expected: Vec<_> = frames.iter().map(|(_, frame)| frame.to_vec()).collect();
    assert_eq!(heard(&listener, b), expected);
}

#[test]
fn a_frame_that_cannot_be_sent_does_not_keep_back_the_others() {
    enter_namespace();
    let [a, b] = cable();
    let down = index("lo");
    let listener = listener();
    let frames = [(a, frame(1)), (999, frame(2)), (down, frame(3)), (a, frame(4))];
    let results = PacketSocket::open().unwrap().send_many(&frames);
    let errors: Vec<_> =
        results.into_iter().map(|r| r.err().and_then(|e| e.raw_os_error()).map(Errno::from_raw)).collect();
    assert_eq!(errors, [None, Some(Errno::ENXIO), Some(Errno::ENETDOWN), None]);
    assert_eq!(heard(&listener, b), [frame(1).to_vec(), frame(4).to_vec()]);
}

#[test]
fn the_socket_receives_nothing() {
    enter_namespace();
    let [a, _] = cable();
    let socket = PacketSocket::open().unwrap();
    socket.send(a, &frame(1)).unwrap();
    // The kernel's list of packet sockets: the fourth column is the protocol, 0000 for none.
    let list = std::fs::read_to_string("/proc/thread-self/net/packet").unwrap();
    let protocols: Vec<_> =
        list.lines().skip(1).map(|line| line.split_whitespace().nth(3).unwrap()).collect();
    assert_eq!(protocols, ["0000"]);
}
