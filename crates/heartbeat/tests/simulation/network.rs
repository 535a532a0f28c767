//! The wires between the two nodes: per direction and path, cut or not, with loss, delay, duplication and, because
//! delays differ from packet to packet, reordering.

use crate::rng::Rng;
use heartbeat::Path;
use std::time::Duration;

/// One of the two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Master,
    Backup,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Master, Self::Backup];

    pub fn other(self) -> Self {
        match self {
            Self::Master => Self::Backup,
            Self::Backup => Self::Master,
        }
    }
}

pub const PATHS: [Path; 2] = [Path::Public, Path::Private];

/// One direction of one path.
#[derive(Clone, Copy)]
struct Wire {
    cut: bool,
    loss: u32,
    duplicates: u32,
    delay: Duration,
    jitter: Duration,
}

pub struct Network {
    wires: [[Wire; 2]; 2],
}

impl Network {
    /// No packet is under way for longer than this.
    pub const MAX_DELAY: Duration = Duration::from_millis(100);

    pub fn perfect(delay: Duration) -> Self {
        let wire = Wire { cut: false, loss: 0, duplicates: 0, delay, jitter: Duration::ZERO };
        Self { wires: [[wire; 2]; 2] }
    }

    pub fn random(rng: &mut Rng) -> Self {
        let mut network = Self::perfect(Duration::ZERO);
        for wire in network.wires.iter_mut().flatten() {
            wire.duplicates = rng.pick(&[0, 0, 5, 30]);
            wire.delay = Duration::from_micros(rng.pick(&[50, 500, 5_000, 40_000]));
            wire.jitter = Duration::from_micros(rng.pick(&[10, 100, 10_000, 50_000]));
        }
        network
    }

    pub fn cut(&mut self, from: Side, path: Path, cut: bool) {
        self.wires[from as usize][path as usize].cut = cut;
    }

    pub fn cut_all(&mut self, cut: bool) {
        self.wires.iter_mut().flatten().for_each(|wire| wire.cut = cut);
    }

    pub fn set_loss(&mut self, loss: u32) {
        self.wires.iter_mut().flatten().for_each(|wire| wire.loss = loss);
    }

    pub fn loses_packets(&self) -> bool {
        self.wires.iter().flatten().any(|wire| wire.loss > 0)
    }

    /// Whether what `from` says certainly arrives.
    pub fn carries(&self, from: Side) -> bool {
        self.wires[from as usize].iter().any(|wire| !wire.cut && wire.loss == 0)
    }

    /// After how long each copy of a packet arrives.
    pub fn transmit(&self, from: Side, path: Path, rng: &mut Rng) -> Vec<Duration> {
        let wire = self.wires[from as usize][path as usize];
        let copies = if rng.percent(wire.duplicates) { 2 } else { 1 };
        let mut delay = || wire.delay + rng.between(Duration::ZERO..wire.jitter + Duration::from_micros(1));
        let delays: Vec<Duration> = (0..copies).map(|_| delay()).collect();
        delays.into_iter().filter(|_| !wire.cut && !rng.percent(wire.loss)).collect()
    }
}
