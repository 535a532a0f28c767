//! Row 6: a reload that changes one weight.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use testbed::wait_until;

use crate::edits::{wall_clock, Edits};
use crate::farm::Farm;
use crate::figure::{Figure, Series};
use crate::keepalived::Check;
use crate::pair::Suite;

/// All real servers are checked meanwhile, though not often: a guest has one processor, and each needs a process.
const SIZE: u16 = 10_000;
const INTERVAL: u32 = 60;
/// How long after its first edit others are still counted.
const PATIENCE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(300);

/// From HUP to the one edit that was wanted, and how many edits there were.
pub fn measure(runs: usize) -> Vec<Figure> {
    let farm = Farm::new(SIZE, INTERVAL);
    let [ours, peer] = [Suite::Ours, Suite::Keepalived].map(|suite| {
        let reloads = reloads(&farm, suite, runs);
        farm.clear();
        reloads
    });
    let times = |reloads: &[Reload]| Series::new(reloads.iter().map(|reload| reload.took).collect());
    let edits = |reloads: &[Reload]| Series::new(reloads.iter().map(|reload| reload.edits).collect());
    vec![
        Figure::new(6, format!("reload: one weight of {SIZE} changes"), "ms", times(&ours))
            .beside("keepalived", times(&peer)),
        Figure::new(6, "kernel edits of this reload", "edits", edits(&ours))
            .bounded(1.0)
            .beside("keepalived", edits(&peer)),
    ]
}

/// Milliseconds to the last edit, and the number of edits.
struct Reload {
    took: f64,
    edits: f64,
}

fn reloads(farm: &Farm, suite: Suite, runs: usize) -> Vec<Reload> {
    let mut process = farm.serve(suite, Check::Connect);
    let edits = Edits::record(farm.director());
    let reload = |run: usize| {
        farm.configure(suite, Check::Connect, 2 + run as u32);
        edits.take();
        let since = wall_clock();
        process.signal(Signal::SIGHUP);
        let mut seen = Vec::new();
        wait_until(LIMIT, "the table changes", || {
            seen = edits.take();
            !seen.is_empty()
        });
        thread::sleep(PATIENCE);
        seen.extend(edits.take());
        let last = seen.last().expect("a reload that changes the table").0;
        let took = 1000.0 * (last.as_secs_f64() - since.as_secs_f64());
        eprintln!("  {suite:?}: {} edits within {took:.1} ms", seen.len());
        Reload { took, edits: seen.len() as f64 }
    };
    let reloads = (0..runs).map(reload).collect();
    farm.director().exec("ip link del nlmon0");
    reloads
}
