//! Announcing the virtual addresses: who has moved here, on which link, five times over.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use announce::{Announcer, Frame, Target};
use heartbeat::{Message, Mode};
use system::packet::PacketSocket;
use system::route::Link;
use system::vip::VirtualAddress;

/// The announcer with its socket.
pub struct Announcements {
    announcer: Announcer,
    mode: Mode,
    socket: Option<PacketSocket>,
}

impl Announcements {
    /// Nothing is announced yet. The socket is opened all the same: there may be no descriptor left when it counts.
    pub fn new(mode: Mode) -> Self {
        Self { announcer: Announcer::new(), mode, socket: PacketSocket::open().ok() }
    }

    /// Announces all of `vips` now, and again on the schedule.
    pub fn start(&mut self, now: Duration, vips: &[VirtualAddress], links: &[Link]) {
        self.announcer.start(now, targets(vips, links));
        self.proceed(now);
    }

    /// Stops at once: the addresses are no longer ours.
    pub fn cancel(&mut self) {
        self.announcer.cancel();
    }

    /// When the next round is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.announcer.next_deadline()
    }

    /// Sends a round that is due.
    pub fn proceed(&mut self, now: Duration) {
        let Some(round) = self.announcer.handle(now) else { return };
        let frames = frames(round.targets);
        if let Err(error) = send(&mut self.socket, &frames) {
            log::info!("sendto: {error}");
        }
        if round.is_last() {
            log::info!("{}", Message::ArpsFinished(self.mode));
        }
    }
}

/// All addresses in the first form before any in the second: the last of thousands shall not wait for both.
fn frames(targets: &[Target]) -> Vec<(u32, Frame)> {
    let forms: Vec<_> = targets.iter().map(|target| (target.ifindex, target.frames())).collect();
    let form = |form: usize| forms.iter().map(move |(link, frames)| (*link, frames[form]));
    form(0).chain(form(1)).collect()
}

/// All frames, whatever becomes of single ones; the first failure is the answer.
fn send(socket: &mut Option<PacketSocket>, frames: &[(u32, Frame)]) -> io::Result<()> {
    let socket = match socket {
        Some(socket) => socket,
        none => none.insert(PacketSocket::open()?),
    };
    socket.send_many(frames).into_iter().collect()
}

/// One target for each address whose link can carry Ethernet frames.
fn targets(vips: &[VirtualAddress], links: &[Link]) -> Vec<Target> {
    let by_name: HashMap<&str, &Link> = links.iter().map(|link| (link.name.as_str(), link)).collect();
    let target = |vip: &VirtualAddress| {
        let link = by_name.get(vip.device()).filter(|link| !link.loopback)?;
        Some(Target { ifindex: link.index, address: vip.address, mac: link.mac? })
    };
    vips.iter().filter_map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_waits_for_the_second_form_of_another() {
        let target = |ifindex, last| Target { ifindex, address: [10, 0, 0, last].into(), mac: [2; 6] };
        let targets = [target(2, 1), target(3, 2)];
        let [[reply, request], [other_reply, other_request]] = targets.map(|target| target.frames());
        assert_eq!(frames(&targets), [(2, reply), (3, other_reply), (2, request), (3, other_request)]);
    }
}
