//! What must hold at every moment of a simulation.

use crate::network::{Network, Side};
use crate::node::{Act, Kind, Node, Timers};
use heartbeat::Mode;
use std::time::Duration;

/// Changing addresses, waking up and the like: what no heartbeat can be faster than.
pub const SLACK: Duration = Duration::from_millis(200);

/// An announcement that the winner of an overlap owes to the network.
struct Owed {
    side: Side,
    overlap_end: Duration,
}

pub struct Checks {
    timers: Timers,
    /// The last time that a fault came, went, or was going on.
    disturbed: Duration,
    unserved_since: Option<Duration>,
    overlap_since: Option<Duration>,
    fit_since: [Option<Duration>; 2],
    owed: Option<Owed>,
}

impl Checks {
    pub fn new(timers: Timers) -> Self {
        Self {
            timers,
            disturbed: Duration::ZERO,
            unserved_since: Some(Duration::ZERO),
            overlap_since: None,
            fit_since: [None; 2],
            owed: None,
        }
    }

    pub fn disturbance(&mut self, now: Duration) {
        self.disturbed = now;
    }

    /// Called when time has come to `now`, before what happens then.
    pub fn time_passed(&mut self, now: Duration, nodes: &[Node; 2], network: &Network) -> Result<(), String> {
        let Timers { keepalive, deadtime } = self.timers;
        if network.loses_packets() {
            self.disturbed = now;
        }
        let quiet_since = |since: Duration| now.saturating_sub(since.max(self.disturbed));
        if let Some(since) = self.overlap_since.filter(|_| can_talk(nodes, network)) {
            if quiet_since(since) > keepalive + Network::MAX_DELAY + SLACK {
                return Err(format!("two active since {since:?}"));
            }
        }
        let fit = self.fit_since.iter().flatten().min();
        if let (Some(since), Some(fit)) = (self.unserved_since, fit) {
            if quiet_since(since.max(*fit)) > deadtime + keepalive + 2 * Network::MAX_DELAY + SLACK {
                return Err(format!("nobody active since {since:?}"));
            }
        }
        if let Some(owed) = &self.owed {
            if quiet_since(owed.overlap_end) > deadtime + keepalive + SLACK {
                return Err(format!(
                    "no announcement after the overlap that ended at {:?}",
                    owed.overlap_end
                ));
            }
        }
        Ok(())
    }

    /// Called after everything that happens, with the new state of the world.
    pub fn observe(&mut self, now: Duration, nodes: &[Node; 2]) {
        for (since, node) in self.fit_since.iter_mut().zip(nodes) {
            *since = node.is_fit().then(|| since.unwrap_or(now));
        }
        let holders = nodes.iter().filter(|node| node.holds).count();
        self.unserved_since = (holders == 0).then(|| self.unserved_since.unwrap_or(now));
        if holders == 2 {
            self.overlap_since.get_or_insert(now);
        } else if self.overlap_since.take().is_some() {
            self.owed = self.announcement_owed(now, nodes);
        }
        let void = |owed: &Owed| {
            let node = &nodes[owed.side as usize];
            !node.holds || !node.runs() || node.leaving || node.stall.is_some()
        };
        if self.owed.as_ref().is_some_and(void) {
            self.owed = None;
        }
    }

    /// The winner of an overlap owes an announcement if it can know that there was one: a loser that was cut off for
    /// longer than deadtime was already announced against when its silence was found.
    fn announcement_owed(&self, now: Duration, nodes: &[Node; 2]) -> Option<Owed> {
        let winner = |side: &Side| {
            let node = &nodes[*side as usize];
            let knows = node.heard_running.is_some_and(|at| now < at + self.timers.deadtime);
            node.holds && node.kind == Kind::Ours && knows
        };
        Side::BOTH.into_iter().find(winner).map(|side| Owed { side, overlap_end: now })
    }

    /// Called for each thing that a node does.
    pub fn act(&mut self, now: Duration, side: Side, node: &Node, act: Act) -> Result<(), String> {
        match act {
            Act::Up if node.kind == Kind::Ours => {
                if let Some(heard) = node.heard_running.filter(|at| now < *at + self.timers.deadtime) {
                    return Err(format!("{side:?} activates although it heard RUNNING at {heard:?}"));
                }
            }
            Act::Announce if node.kind == Kind::Ours => {
                if !node.holds {
                    return Err(format!("{side:?} announces addresses that it does not hold"));
                }
                if self.owed.as_ref().is_some_and(|owed| owed.side == side) {
                    self.owed = None;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the MASTER's heartbeat must reach the BACKUP; with failover services, also the other way: a BACKUP may
/// want control.
fn can_talk(nodes: &[Node; 2], network: &Network) -> bool {
    let awake = |node: &Node| node.runs() && node.stall.is_none();
    let both = nodes[0].mode == Mode::Lvs || network.carries(Side::Backup);
    nodes.iter().all(awake) && network.carries(Side::Master) && both
}
