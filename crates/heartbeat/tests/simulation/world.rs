//! Two nodes, the network between them, and time.

use crate::checks::Checks;
use crate::network::{Network, Side, PATHS};
use crate::node::{Act, Kind, Node, Stall, Timers};
use crate::rng::Rng;
use heartbeat::wire::Datagram;
use heartbeat::Path;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
enum Event {
    Arrive {
        to: Side,
        path: Path,
        heartbeat: Datagram,
    },
    Wake {
        side: Side,
    },
    /// The addresses of the node's change number `epoch` are now up or down.
    Addresses {
        side: Side,
        epoch: u32,
        up: bool,
    },
    /// The end of a question to the gateway.
    Gateway {
        side: Side,
    },
    /// lvs has filled the table, unless addresses or process have changed since.
    Prepared {
        side: Side,
        epoch: u32,
    },
    StallEnds {
        side: Side,
    },
    Fault,
}

struct Scheduled {
    at: Duration,
    number: u64,
    event: Event,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Scheduled {}

/// How the effects of a node take their time.
#[derive(Clone, Copy)]
pub struct Pace {
    pub up: Duration,
    pub down: Duration,
    /// Starting lvs and filling the table.
    pub prepare: Duration,
    /// A timer fires up to this much late.
    pub wake: Duration,
}

pub struct World {
    pub now: Duration,
    pub nodes: [Node; 2],
    pub network: Network,
    pub rng: Rng,
    pub timers: Timers,
    /// Everything that the nodes did.
    pub history: Vec<(Duration, Side, Act)>,
    /// For how long nobody and both held the addresses.
    pub unserved: Duration,
    pub overlapped: Duration,
    pub verbose: bool,
    /// The default gateway answers.
    pub gateway: bool,
    pace: Pace,
    checks: Checks,
    violation: Option<String>,
    faults: Option<fn(&mut World)>,
    events: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
}

impl World {
    /// No node runs yet. `kinds` are the MASTER's and the BACKUP's.
    pub fn new(kinds: [Kind; 2], timers: Timers, network: Network, pace: Pace, rng: Rng) -> Self {
        let node = |side: Side| Node::new(kinds[side as usize], side, timers);
        Self {
            now: Duration::ZERO,
            nodes: Side::BOTH.map(node),
            network,
            rng,
            timers,
            history: Vec::new(),
            unserved: Duration::ZERO,
            overlapped: Duration::ZERO,
            verbose: false,
            gateway: true,
            pace,
            checks: Checks::new(timers),
            violation: None,
            faults: None,
            events: BinaryHeap::new(),
            scheduled: 0,
        }
    }

    /// Lets everything happen that is due until `end`. The error is the first broken promise.
    pub fn run_until(&mut self, end: Duration) -> Result<(), String> {
        while self.events.peek().is_some_and(|next| next.0.at <= end) {
            let Some(Reverse(next)) = self.events.pop() else { break };
            self.pass_time(next.at)?;
            self.happen(next.event);
            self.checks.observe(self.now, &self.nodes);
            if let Some(violation) = self.violation.take() {
                return Err(format!("at {:?}: {violation}", self.now));
            }
        }
        self.pass_time(end)
    }

    pub fn run_for(&mut self, time: Duration) -> Result<(), String> {
        self.run_until(self.now + time)
    }

    fn pass_time(&mut self, to: Duration) -> Result<(), String> {
        let passed = to.saturating_sub(self.now);
        match self.holders() {
            0 => self.unserved += passed,
            2 => self.overlapped += passed,
            _ => {}
        }
        self.now = to;
        self.checks.time_passed(to, &self.nodes, &self.network).map_err(|what| format!("at {to:?}: {what}"))
    }

    pub fn holders(&self) -> usize {
        self.nodes.iter().filter(|node| node.holds).count()
    }

    pub fn node(&mut self, side: Side) -> &mut Node {
        &mut self.nodes[side as usize]
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { to, path, heartbeat } => {
                self.node(to).arrive(path, heartbeat);
                self.let_run(to);
            }
            Event::Wake { side } => self.let_run(side),
            Event::Addresses { side, epoch, up } => self.addresses(side, epoch, up),
            Event::Gateway { side } => self.gateway(side),
            Event::Prepared { side, epoch } => self.prepared(side, epoch),
            Event::StallEnds { side } => self.stall_ends(side),
            Event::Fault => {
                if let Some(faults) = self.faults {
                    faults(self);
                }
            }
        }
    }

    /// Makes `faults` happen for the first time at `at`; it plans its next time itself.
    pub fn plan_faults(&mut self, at: Duration, faults: fn(&mut World)) {
        self.faults = Some(faults);
        self.schedule(at, Event::Fault);
    }

    fn let_run(&mut self, side: Side) {
        let now = self.now;
        let acts = self.node(side).run(now);
        self.perform(side, acts);
    }

    fn addresses(&mut self, side: Side, epoch: u32, up: bool) {
        let now = self.now;
        let node = self.node(side);
        if node.epoch != epoch {
            return;
        }
        if let Some(stall) = node.stall.filter(|_| node.kind == Kind::Ours) {
            return self.schedule(stall.until, Event::Addresses { side, epoch, up });
        }
        let acts = node.addresses_changed(now, up);
        self.perform(side, acts);
    }

    /// An answer comes soon, silence is believed after three seconds.
    fn ask_gateway(&mut self, side: Side) {
        let wait = if self.gateway { Duration::from_millis(1) } else { Duration::from_secs(3) };
        self.schedule(self.now + wait, Event::Gateway { side });
    }

    fn gateway(&mut self, side: Side) {
        let (now, answered) = (self.now, self.gateway);
        if let Some(stall) = self.node(side).stall {
            return self.schedule(stall.until, Event::Gateway { side });
        }
        let acts = self.node(side).gateway_answered(now, answered);
        self.perform(side, acts);
    }

    fn prepared(&mut self, side: Side, epoch: u32) {
        let now = self.now;
        if self.node(side).epoch != epoch {
            return;
        }
        if let Some(stall) = self.node(side).stall {
            return self.schedule(stall.until, Event::Prepared { side, epoch });
        }
        let acts = self.node(side).prepared(now);
        self.perform(side, acts);
    }

    fn stall_ends(&mut self, side: Side) {
        let now = self.now;
        if self.node(side).stall.is_some_and(|stall| stall.until <= now) {
            self.end_stall(side);
        }
    }

    /// Lets a stalled process run again.
    pub fn end_stall(&mut self, side: Side) {
        if self.node(side).stall.take().is_some() {
            self.tell(|| format!("{side:?} runs again"));
            self.checks.disturbance(self.now);
            self.let_run(side);
        }
    }

    /// Carries out what a node wants, in order.
    pub fn perform(&mut self, side: Side, acts: Vec<Act>) {
        for act in acts {
            self.tell(|| format!("{side:?} {act:?}"));
            self.history.push((self.now, side, act));
            if let Err(what) = self.checks.act(self.now, side, &self.nodes[side as usize], act) {
                self.violation.get_or_insert(what);
            }
            match act {
                Act::Send(heartbeat) => self.transmit(side, heartbeat),
                Act::Up | Act::Take => self.change_addresses(side, true),
                Act::Down => self.change_addresses(side, false),
                Act::Announce | Act::Unprepare => {}
                Act::Prepare => {
                    let epoch = self.node(side).epoch;
                    self.schedule(self.now + self.pace.prepare, Event::Prepared { side, epoch });
                }
                Act::AskGateway => self.ask_gateway(side),
                Act::Exit => self.vanish(side, self.pace.down),
            }
        }
        self.schedule_wake(side);
    }

    fn transmit(&mut self, from: Side, heartbeat: Datagram) {
        for path in PATHS {
            for delay in self.network.transmit(from, path, &mut self.rng) {
                self.schedule(self.now + delay, Event::Arrive { to: from.other(), path, heartbeat });
            }
        }
    }

    fn change_addresses(&mut self, side: Side, up: bool) {
        let until = self.now + if up { self.pace.up } else { self.pace.down };
        let node = self.node(side);
        node.epoch += 1;
        let epoch = node.epoch;
        self.schedule(until, Event::Addresses { side, epoch, up });
        // The original does nothing else while it takes addresses down.
        if !up && self.node(side).kind == Kind::Original {
            self.stall(side, Stall { until, deaf: false });
        }
    }

    /// The process ends; what it held goes after `linger`.
    pub fn vanish(&mut self, side: Side, linger: Duration) {
        let at = self.now + linger;
        let node = self.node(side);
        node.gone();
        let epoch = node.epoch;
        if node.holds {
            self.schedule(at, Event::Addresses { side, epoch, up: false });
        }
    }

    pub fn stall(&mut self, side: Side, stall: Stall) {
        self.node(side).stall = Some(stall);
        self.schedule(stall.until, Event::StallEnds { side });
    }

    pub fn start(&mut self, side: Side) {
        let now = self.now;
        self.tell(|| format!("{side:?} starts"));
        self.checks.disturbance(now);
        // A start begins with taking away what an earlier process left.
        self.node(side).holds = false;
        self.node(side).start(now);
        self.let_run(side);
    }

    /// Notes that the conditions have just changed.
    pub fn disturb(&mut self, what: &str) {
        self.tell(|| what.to_owned());
        self.checks.disturbance(self.now);
    }

    fn schedule_wake(&mut self, side: Side) {
        let late = self.rng.between(Duration::ZERO..self.pace.wake + Duration::from_micros(1));
        if let Some(at) = self.node(side).wake_at.take() {
            self.schedule(at.max(self.now) + late, Event::Wake { side });
        }
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse(Scheduled { at, number: self.scheduled, event }));
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>12.6}  {}", self.now.as_secs_f64(), what());
        }
    }
}
