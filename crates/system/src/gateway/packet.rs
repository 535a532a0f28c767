//! ICMP echo (RFC 792): requests, and what is a reply to them.

/// Length of a request: that of ping(8), without the IP header.
const LENGTH: usize = 64;

/// Room for a reply with the longest IP header.
pub(super) const BUFFER: usize = LENGTH + 60;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

/// The two kinds of sockets differ in what they deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The kernel puts its own identifier in, and delivers replies to it only, without the IP header.
    Ping,
    /// Every ICMP packet from the peer, with the IP header.
    Raw,
}

/// An echo request with an empty payload.
pub(super) fn echo_request(identifier: u16, sequence: u16) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = ECHO_REQUEST;
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&sequence.to_be_bytes());
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The sequence number of the request to which `datagram` replies, if it is a reply to one of ours.
pub(super) fn reply(datagram: &[u8], kind: Kind, identifier: u16) -> Option<u16> {
    let icmp = match kind {
        Kind::Ping => datagram,
        Kind::Raw => datagram.get(usize::from(datagram.first()? & 0x0f) * 4..)?,
    };
    let [ECHO_REPLY, 0, _, _, id_high, id_low, sequence @ ..] = icmp else { return None };
    let ours = kind == Kind::Ping || [*id_high, *id_low] == identifier.to_be_bytes();
    sequence.first_chunk().filter(|_| ours).map(|bytes| u16::from_be_bytes(*bytes))
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_bytes_that_ping_sends() {
        let request = echo_request(0x1234, 2);
        assert_eq!(request[..8], [8, 0, 0xe5, 0xc9, 0x12, 0x34, 0, 2]);
        assert_eq!(request[8..], [0; 56]);
        assert_eq!(checksum(&request), 0, "a packet with its checksum adds up to nothing");
    }

    #[test]
    fn only_an_echo_reply_to_us_counts() {
        let icmp = |kind, code, id| [kind, code, 0, 0, id, 0x34, 0, 2];
        let header = |words: u8| {
            let mut header = vec![0; usize::from(words) * 4];
            header[0] = 0x40 | words;
            header
        };
        let raw = |words, icmp: [u8; 8]| [header(words), icmp.to_vec()].concat();
        let table: [(&str, Kind, Vec<u8>, Option<u16>); 10] = [
            ("reply", Kind::Ping, icmp(0, 0, 0x12).to_vec(), Some(2)),
            ("the kernel chose the identifier", Kind::Ping, icmp(0, 0, 0x99).to_vec(), Some(2)),
            ("unreachable", Kind::Ping, icmp(3, 1, 0x12).to_vec(), None),
            ("cut", Kind::Ping, icmp(0, 0, 0x12)[..7].to_vec(), None),
            ("raw reply", Kind::Raw, raw(5, icmp(0, 0, 0x12)), Some(2)),
            ("raw reply, IP options", Kind::Raw, raw(15, icmp(0, 0, 0x12)), Some(2)),
            ("another's", Kind::Raw, raw(5, icmp(0, 0, 0x99)), None),
            ("a request to us", Kind::Raw, raw(5, icmp(8, 0, 0x12)), None),
            ("nothing but a header", Kind::Raw, header(5), None),
            ("empty", Kind::Raw, vec![], None),
        ];
        for (name, kind, datagram, expected) in table {
            assert_eq!(reply(&datagram, kind, 0x1234), expected, "{name}");
        }
    }
}
