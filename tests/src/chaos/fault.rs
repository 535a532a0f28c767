//! What can go wrong: drawn from a generator, done to a cluster, and undone.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::cluster::{NAT_ROUTER, VIP};
use crate::rng::Rng;
use crate::shortage::Room;

/// One of the directors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The primary.
    A,
    /// The backup.
    B,
}

impl Side {
    /// The partner.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// What is done to lvs.cf before a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// There is none.
    Missing,
    /// A directory of that name: not even root can read it.
    Unreadable,
    /// It ends after so many percent of its bytes.
    Truncated(usize),
    /// Bytes that mean nothing.
    Garbage,
}

/// What is taken out of the IPVS table by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// All of it.
    All,
    /// The service.
    Service,
    /// One real server, by its place.
    Server(usize),
}

/// What makes a director need what it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// It is told to read lvs.cf, which is the same.
    Reload,
    /// Both directors get another lvs.cf: this scheduler, and with or without the last real server.
    Change { scheduler: &'static str, all_servers: bool },
    /// A process of the suite is killed there: the `which`-th (counted round) of this name, or pulse.
    Kill { program: &'static str, which: usize },
    /// Its partner stops: it is its turn.
    Serve,
}

/// Something that goes wrong. What lasts ends with the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A process of the suite gets a signal: the `which`-th (counted round) of this name, on the other side if there is
    /// none on this.
    Signal { side: Side, program: &'static str, which: usize, signal: Signal },
    /// It is stopped until the step ends.
    Freeze { side: Side, program: &'static str, which: usize },
    /// A director's power goes.
    Crash(Side),
    /// pulse is stopped as an init script stops it.
    Stop(Side),
    /// A cable is pulled.
    Cut { side: Side, device: &'static str },
    /// The directors do not hear each other, but everybody else.
    Partition,
    /// A link treats what arrives at a director, or what it sends, badly: words of `netem`.
    Impair { side: Side, device: &'static str, sent: bool, how: &'static str },
    /// A real server's program ends, until all is in order without it.
    ServerDown(usize),
    /// A real server's program hangs, until all is in order without it.
    ServerHangs(usize),
    /// lvs.cf is damaged, and the director told to read it.
    Damage { side: Side, damage: Damage },
    /// Both directors get another lvs.cf: this scheduler (with `wrr`, another weight of the first real server), and
    /// with or without the last real server.
    Reload { scheduler: &'static str, all_servers: bool },
    /// A floating address is removed by hand, on the other side if it is not on this.
    RemoveAddress { side: Side, address: Ipv4Addr },
    /// Entries of the IPVS table are removed by hand, on the other side if there are none on this.
    RemoveEntries { side: Side, entries: Entries },
    /// The wall clock jumps by so many seconds.
    StepClock(i64),
    /// No process of the director may open another descriptor; it is told to read lvs.cf.
    ExhaustDescriptors(Side),
    /// No process of the director may start another: the process table is full.
    ExhaustProcesses { side: Side, want: Want },
    /// Nothing can be written on the director's disk: not another byte, or not another file.
    FillDisk { side: Side, room: Room, want: Want },
}

const PROGRAMS: [&str; 3] = ["pulse", "lvs", "nanny"];
const SCHEDULERS: [&str; 3] = ["rr", "wrr", "wlc"];
const IMPAIRMENTS: [&str; 5] = [
    "loss 40%",
    "delay 150ms 100ms",
    "corrupt 20%",
    "duplicate 50%",
    "delay 40ms reorder 50% 50% loss 10% corrupt 5% duplicate 10%",
];

impl Fault {
    /// Draws a fault. What is drawn depends on the generator alone, not on the state of the cluster: the same seed
    /// gives the same steps.
    pub fn draw(rng: &mut Rng, servers: usize) -> Fault {
        let side = rng.pick(&[Side::A, Side::B]);
        let device = rng.pick(&["eth0", "eth1"]);
        let (program, which) = (rng.pick(&PROGRAMS), rng.below(servers));
        match rng.below(23) {
            0..=3 => {
                let signal = rng.pick(&[Signal::SIGTERM, Signal::SIGKILL]);
                Fault::Signal { side, program, which, signal }
            }
            4..=5 => Fault::Freeze { side, program, which },
            6 => Fault::Crash(side),
            7 => Fault::Stop(side),
            8 => Fault::Cut { side, device },
            9 => Fault::Partition,
            10..=11 => Fault::Impair { side, device, sent: rng.percent(50), how: rng.pick(&IMPAIRMENTS) },
            12 => Fault::ServerDown(which),
            13 => Fault::ServerHangs(which),
            14 => Fault::Damage { side, damage: draw_damage(rng) },
            15 => Fault::Reload { scheduler: rng.pick(&SCHEDULERS), all_servers: rng.percent(50) },
            16 => Fault::RemoveAddress { side, address: if which == 0 { NAT_ROUTER } else { VIP } },
            17 => {
                let entries = rng.pick(&[Entries::All, Entries::Service, Entries::Server(which)]);
                Fault::RemoveEntries { side, entries }
            }
            18 => Fault::StepClock(rng.pick(&[-86_400, -5, 5, 3_600, 86_400])),
            19 => Fault::ExhaustDescriptors(side),
            20..=21 => Fault::ExhaustProcesses { side, want: draw_want(rng, program, which) },
            _ => {
                let room = rng.pick(&[Room::Blocks, Room::Files]);
                Fault::FillDisk { side, room, want: draw_want(rng, program, which) }
            }
        }
    }

    /// Whether clients must not notice it at all.
    pub fn costs_nothing(&self) -> bool {
        match self {
            Fault::StepClock(_) => true,
            // What is left of a file may be a valid one with fewer services.
            Fault::Damage { damage, .. } => !matches!(damage, Damage::Truncated(_)),
            Fault::FillDisk { want, .. } => *want == Want::Reload,
            _ => false,
        }
    }
}

fn draw_want(rng: &mut Rng, program: &'static str, which: usize) -> Want {
    let change = Want::Change { scheduler: rng.pick(&SCHEDULERS), all_servers: rng.percent(50) };
    rng.pick(&[Want::Reload, change, Want::Kill { program, which }, Want::Serve])
}

fn draw_damage(rng: &mut Rng) -> Damage {
    let percent = rng.below(100);
    rng.pick(&[Damage::Missing, Damage::Unreadable, Damage::Truncated(percent), Damage::Garbage])
}

/// One or two faults at a time, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What goes wrong, in this order.
    pub faults: Vec<Fault>,
    /// How long that lasts.
    pub period: Duration,
    /// How long nobody starts a pulse that has ended.
    pub unattended: Duration,
}

impl Step {
    /// Draws a step.
    pub fn draw(rng: &mut Rng, servers: usize) -> Step {
        let count = if rng.percent(40) { 2 } else { 1 };
        let faults = (0..count).map(|_| Fault::draw(rng, servers)).collect();
        let period = rng.between(Duration::from_millis(200)..Duration::from_secs(5));
        let unattended = if rng.percent(50) { Duration::ZERO } else { Duration::from_secs(1) };
        Step { faults, period, unattended }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(|fault| format!("{fault:?}")).collect();
        write!(f, "{} for {:?}, unattended for {:?}", faults.join(" and "), self.period, self.unattended)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_is_a_sequence_of_steps() {
        let steps = |seed| {
            let mut rng = Rng::new(seed);
            (0..50).map(|_| Step::draw(&mut rng, 3)).collect::<Vec<_>>()
        };
        assert_eq!(steps(1), steps(1));
        assert_ne!(steps(1), steps(2));
    }

    #[test]
    fn every_fault_is_drawn_sooner_or_later() {
        let mut rng = Rng::new(1);
        let mut drawn = BTreeMap::new();
        for _ in 0..2000 {
            let fault = format!("{:?}", Fault::draw(&mut rng, 3));
            let name = fault.split([' ', '(']).next().unwrap_or_default().to_owned();
            *drawn.entry(name).or_insert(0) += 1;
        }
        assert_eq!(drawn.len(), 17, "{drawn:?}");
        assert!(drawn.values().all(|count| *count > 40), "{drawn:?}");
    }
}
