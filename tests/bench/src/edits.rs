//! Who edits the kernel's IPVS table, and when: netlink messages as an `nlmon` device shows them, whoever sends
//! them and by whatever library.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{
    recvmsg, setsockopt, socket, sockopt, AddressFamily, ControlMessageOwned, MsgFlags, SockFlag,
    SockProtocol, SockType,
};
use nix::sys::time::TimeValLike;
use testbed::Host;

/// Records the edits on a host. They are read when asked for, so that recording wakes nobody.
pub struct Edits {
    socket: OwnedFd,
}

/// An edit: the wall clock's time, and the command of the family `IPVS`.
pub type Edit = (Duration, u8);

impl Edits {
    /// Records from now on.
    pub fn record(host: &Host) -> Edits {
        host.ip(&["link add name nlmon0 type nlmon".into(), "link set nlmon0 up".into()]);
        let socket = host.run(|| {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, SockProtocol::EthAll)
                .expect("a packet socket");
            setsockopt(&socket, sockopt::RcvBufForce, &(512 << 20)).expect("a large buffer");
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("time stamps");
            socket
        });
        Edits { socket }
    }

    /// The edits since the last call.
    pub fn take(&self) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut buffer = vec![0; 1 << 18];
        while let Some((at, length)) = self.next(&mut buffer) {
            edits.extend(commands(&buffer[..length]).into_iter().map(|command| (at, command)));
        }
        edits
    }

    fn next(&self, buffer: &mut [u8]) -> Option<(Duration, usize)> {
        let mut pieces = [io::IoSliceMut::new(buffer)];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let message =
            recvmsg::<()>(self.socket.as_raw_fd(), &mut pieces, Some(&mut control), MsgFlags::empty())
                .ok()?;
        let stamp = message.cmsgs().ok()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => Some(at.num_nanoseconds()),
            _ => None,
        });
        Some((Duration::from_nanos(stamp?.try_into().ok()?), message.bytes))
    }
}

/// The time that the stamps are compared with.
pub fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set")
}

const NLM_F_REQUEST: u16 = 1;
/// Smaller types are netlink's own and the generic controller.
const FIRST_FAMILY: u16 = 0x11;
/// `IPVS_CMD_GET_SERVICE`, `GET_DEST`, `GET_DAEMON`, `GET_CONFIG` and `GET_INFO`.
const QUESTIONS: [u8; 5] = [4, 8, 11, 13, 15];

/// The commands that change something. `IPVS` is the only generic family that anybody uses here, and routing
/// messages have types of the same range but a first byte of 0, 2 or 10 at most, which are excluded by their
/// version: generic messages of this family have version 1.
fn commands(mut batch: &[u8]) -> Vec<u8> {
    let mut commands = Vec::new();
    while batch.len() >= 20 {
        let word = |at: usize| u16::from_ne_bytes([batch[at], batch[at + 1]]);
        let length = u32::from_ne_bytes([batch[0], batch[1], batch[2], batch[3]]) as usize;
        let (kind, flags, command, version) = (word(4), word(6), batch[16], batch[17]);
        let is_ipvs = kind >= FIRST_FAMILY && version == 1 && batch[18..20] == [0, 0];
        if is_ipvs && flags & NLM_F_REQUEST != 0 && !QUESTIONS.contains(&command) {
            commands.push(command);
        }
        let padded = length.max(16).next_multiple_of(4);
        batch = batch.get(padded..).unwrap_or_default();
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, command: u8) -> Vec<u8> {
        let mut bytes = 20u32.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend([command, 1, 0, 0]);
        bytes
    }

    #[test]
    fn counts_what_changes_the_table() {
        let set_destination = message(0x1c, NLM_F_REQUEST | 4, 6);
        let batch = [
            set_destination.clone(),
            message(0x1c, NLM_F_REQUEST, 8),
            message(0x10, NLM_F_REQUEST, 3),
            message(0x1c, 0, 6),
            set_destination,
        ];
        assert_eq!(commands(&batch.concat()), [6, 6]);
        assert!(commands(&[]).is_empty());
    }
}
