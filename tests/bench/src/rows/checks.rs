//! Rows 7 and 8: what checking costs, and how soon it shows.

use std::thread;
use std::time::{Duration, Instant};

use crate::farm::Farm;
use crate::figure::{Figure, Series};
use crate::keepalived::Check;
use crate::meter;
use crate::pair::Suite;

/// After the start, until checks are all there is.
const SETTLE: Duration = Duration::from_secs(6);
const WINDOW: Duration = Duration::from_secs(20);

/// Row 7: processor time of the whole guest (checks, the answers to them, and the kernel between) without what
/// it needs when nobody checks; and memory.
pub fn cost(_runs: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    for size in [100, 500, 1000] {
        let farm = Farm::new(size, INTERVAL.as_secs() as u32);
        thread::sleep(Duration::from_secs(1));
        let idle = meter::percent(WINDOW / 4);
        for (check, name) in [(Check::Connect, "connect"), (Check::Http, "send/expect")] {
            let [ours, peer] =
                [Suite::Ours, Suite::Keepalived].map(|suite| cost_of(&farm, suite, check, idle));
            let goal = (size == 1000).then_some(2.0);
            let cpu = Figure::new(7, format!("checking {size} real servers: {name}"), "% CPU", ours.cpu);
            figures.push(cpu.beside("keepalived", peer.cpu).at_most(goal));
            if check == Check::Connect {
                let what = format!("memory for each of {size} real servers");
                let memory = Figure::new(7, what, "KiB PSS", ours.memory);
                figures.push(memory.beside("keepalived", peer.memory).at_most(None));
            }
        }
    }
    figures
}

struct Cost {
    cpu: Series,
    memory: Series,
}

fn cost_of(farm: &Farm, suite: Suite, check: Check, idle: f64) -> Cost {
    let process = farm.serve(suite, check);
    thread::sleep(SETTLE);
    let connections = farm.connections();
    let cpu = meter::percent(WINDOW) - idle;
    let checks = farm.connections() - connections;
    let memory = farm.memory() as f64 / farm.size() as f64;
    eprintln!("  {suite:?} {check:?} {}: {cpu:.2} %, {memory:.1} KiB, {checks} checks", farm.size());
    let due = u64::from(farm.size()) * (WINDOW.as_secs() / INTERVAL.as_secs());
    assert!(
        (due * 9 / 10..due * 11 / 10).contains(&checks),
        "{checks} checks, not {due}: no cost to compare"
    );
    farm.clear();
    drop(process);
    Cost { cpu: Series::once(cpu), memory: Series::once(memory) }
}

/// Real servers that die and return together.
const SAMPLES: u16 = 20;
/// Time between two checks, for both suites.
const INTERVAL: Duration = Duration::from_secs(2);

/// Deaths, and returns, at these many places in the rhythm of the checks: ours begin together, keepalived's at random.
const PHASES: u32 = 10;

/// Row 8: from the death of the servers to each one's removal, and from their return to each one's re-entry.
pub fn reaction(_runs: usize) -> Vec<Figure> {
    let farm = Farm::new(SAMPLES, INTERVAL.as_secs() as u32);
    let [ours, peer] = [Suite::Ours, Suite::Keepalived].map(|suite| {
        let process = farm.serve(suite, Check::Http);
        thread::sleep(SETTLE);
        let (mut out, mut back) = (Vec::new(), Vec::new());
        let start = Instant::now();
        for phase in 0..PHASES {
            wait_for_phase(start, phase);
            farm.server().stop();
            out.extend(follow(&farm, |in_service| SAMPLES as usize - in_service));
            wait_for_phase(start, phase);
            farm.server().restart();
            back.extend(follow(&farm, |in_service| in_service));
        }
        farm.clear();
        drop(process);
        eprintln!("  {suite:?}: out {out:.0?} back {back:.0?}");
        (Series::new(out), Series::new(back))
    });
    vec![
        Figure::new(8, "from death to removal, checks every 2 s", "ms", ours.0).beside("keepalived", peer.0),
        Figure::new(8, "from return to re-entry", "ms", ours.1).beside("keepalived", peer.1),
    ]
}

/// Servers die at all phases of the rhythm of checks alike: where in it a suite checks is not to matter.
fn wait_for_phase(start: Instant, phase: u32) {
    let phase = INTERVAL * phase / PHASES;
    let into = Duration::from_nanos((start.elapsed().as_nanos() % INTERVAL.as_nanos()) as u64);
    // Not less than one interval, for all to have settled.
    thread::sleep(INTERVAL + INTERVAL + phase - into);
}

/// Milliseconds until each of the samples was `done`.
fn follow(farm: &Farm, done: impl Fn(usize) -> usize) -> Vec<f64> {
    let since = Instant::now();
    let mut times = Vec::new();
    while times.len() < usize::from(SAMPLES) {
        let now_done = done(farm.in_service());
        let took = 1000.0 * since.elapsed().as_secs_f64();
        times.resize(times.len().max(now_done), took);
        assert!(took < 60_000.0, "not all within a minute");
        thread::sleep(Duration::from_millis(10));
    }
    times
}
