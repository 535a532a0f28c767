//! Frames that nobody honest sends.

use std::net::Ipv4Addr;

use crate::host::Host;
use crate::wire::ArpFrame;

/// The shortest frame of Ethernet, without its checksum.
pub const FRAME: usize = 60;

/// A hardware address.
pub type Mac = [u8; 6];

/// The hardware address of all.
pub const EVERYBODY: Mac = [0xff; 6];

/// The `number`-th hardware address that no host of the lab has.
pub fn foreign_mac(number: usize) -> Mac {
    let [.., a, b, c, d] = (number as u64).to_be_bytes();
    [0x06, 0, a, b, c, d]
}

/// The hardware address of a host's device, and the number by which its host knows the device.
pub fn device(host: &Host, name: &str) -> (Mac, u32) {
    let read = |file: &str| host.read(&format!("/sys/class/net/{name}/{file}")).expect("a device");
    let bytes: Vec<u8> =
        read("address").trim().split(':').map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect();
    let index = read("ifindex").trim().parse().expect("a number");
    (bytes.try_into().expect("six bytes"), index)
}

impl ArpFrame {
    /// The frame on its way to `destination`, from the hardware address that it names as its sender's.
    pub fn to_bytes(&self, destination: Mac) -> [u8; FRAME] {
        let mut frame = [0; FRAME];
        frame[..6].copy_from_slice(&destination);
        frame[6..12].copy_from_slice(&self.sender);
        frame[12..22].copy_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1 + u8::from(self.is_reply)]);
        frame[22..28].copy_from_slice(&self.sender);
        frame[28..32].copy_from_slice(&self.sender_address.octets());
        if self.is_reply {
            frame[32..38].copy_from_slice(&destination);
        }
        frame[38..42].copy_from_slice(&self.target_address.octets());
        frame
    }
}

/// A datagram of four bytes from and to UDP `port`.
pub fn datagram(from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr), port: u16, payload: [u8; 4]) -> [u8; FRAME] {
    let mut frame = packet(from, to, 32, [0; 4]);
    udp_header(&mut frame, port, 12);
    frame[42..46].copy_from_slice(&payload);
    frame
}

/// The first 24 bytes of a long datagram to UDP `port`, in an IPv4 fragment after which none follows.
pub fn first_fragment(from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr), port: u16, id: u16) -> [u8; FRAME] {
    let [high, low] = id.to_be_bytes();
    // More fragments follow.
    let mut frame = packet(from, to, 44, [high, low, 0x20, 0]);
    udp_header(&mut frame, port, 4000);
    frame
}

/// A frame with the header of an IPv4 packet of UDP, `length` bytes in all.
fn packet(from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr), length: u8, fragment: [u8; 4]) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..6].copy_from_slice(&to.0);
    frame[6..12].copy_from_slice(&from.0);
    frame[12..14].copy_from_slice(&[0x08, 0]);
    let header = &mut frame[14..34];
    header[..4].copy_from_slice(&[0x45, 0, 0, length]);
    header[4..8].copy_from_slice(&fragment);
    // 64 hops; UDP.
    header[8..10].copy_from_slice(&[64, 17]);
    header[12..16].copy_from_slice(&from.1.octets());
    header[16..20].copy_from_slice(&to.1.octets());
    let sum = checksum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Both ports, and the length of the whole; without a checksum.
fn udp_header(frame: &mut [u8; FRAME], port: u16, length: u16) {
    frame[34..36].copy_from_slice(&port.to_be_bytes());
    frame[36..38].copy_from_slice(&port.to_be_bytes());
    frame[38..40].copy_from_slice(&length.to_be_bytes());
}

fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_forged_announcement_is_read_as_one() {
        let vip = Ipv4Addr::new(10, 0, 0, 50);
        let mut forged = ArpFrame {
            at: Duration::ZERO,
            is_reply: true,
            sender: foreign_mac(258),
            sender_address: vip,
            target_address: vip,
            is_broadcast: true,
        };
        assert_eq!(ArpFrame::parse(Duration::ZERO, &forged.to_bytes(EVERYBODY)), Some(forged.clone()));
        (forged.is_reply, forged.is_broadcast) = (false, false);
        assert_eq!(ArpFrame::parse(Duration::ZERO, &forged.to_bytes([2; 6])), Some(forged));
    }

    #[test]
    fn a_header_sums_up_to_nothing() {
        let (from, to) = (([6; 6], [10, 0, 0, 9].into()), ([2; 6], [10, 0, 0, 1].into()));
        for frame in [first_fragment(from, to, 539, 7), datagram(from, to, 539, *b"word")] {
            assert_eq!(checksum(&frame[14..34]), 0);
        }
    }
}
