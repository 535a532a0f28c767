//! Two directors on an unreliable network, simulated.
//!
//! A seed decides about everything: delays, losses, partitions, crashes, stalls. A seed that breaks a promise is
//! printed with the command that replays it. `PIRANHA_SIM_SEED=N` runs one seed and prints what happens,
//! `PIRANHA_SIM_SEEDS=K` runs seeds 0 to K.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod checks;
mod faults;
mod network;
mod node;
mod original;
mod rng;
mod scenarios;
mod world;

use heartbeat::Mode;
use network::Network;
use node::{Kind, Timers};
use rng::Rng;
use std::time::Duration;
use world::{Pace, World};

/// miri is a thousand times slower.
const SEEDS: u64 = if cfg!(miri) { 2 } else { 2000 };

#[test]
fn ours_with_ours() {
    many("ours_with_ours", [Kind::Ours, Kind::Ours], Mode::Lvs);
}

#[test]
fn our_backup_with_an_original_master() {
    many("our_backup", [Kind::Original, Kind::Ours], Mode::Lvs);
}

#[test]
fn our_master_with_an_original_backup() {
    many("our_master", [Kind::Ours, Kind::Original], Mode::Lvs);
}

#[test]
fn failover_services() {
    many("failover_services", [Kind::Ours, Kind::Ours], Mode::Fos);
}

/// Runs all seeds with the pair that the test `name` is about.
fn many(name: &str, kinds: [Kind; 2], mode: Mode) {
    let number = |key: &str| std::env::var(key).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("PIRANHA_SIM_SEED") {
        println!("{kinds:?}, seed {seed}");
        return one(kinds, mode, seed, true).unwrap();
    }
    for seed in 0..number("PIRANHA_SIM_SEEDS").unwrap_or(SEEDS) {
        if let Err(what) = one(kinds, mode, seed, false) {
            panic!(
                "{kinds:?}, seed {seed}, {what}\n\
                 replay: PIRANHA_SIM_SEED={seed} cargo test -p heartbeat --test simulation {name} -- --nocapture"
            );
        }
    }
}

/// A minute of trouble, then calm in which exactly one node must end up active and stay so.
fn one(kinds: [Kind; 2], mode: Mode, seed: u64, verbose: bool) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let (keepalive, deadtime) = rng.pick(&[(1, 3), (1, 3), (2, 5), (1, 2), (2, 10)]);
    let timers =
        Timers { keepalive: Duration::from_secs(keepalive), deadtime: Duration::from_secs(deadtime) };
    let pace = Pace {
        up: Duration::from_millis(rng.pick(&[1, 10, 40])),
        down: Duration::from_millis(rng.pick(&[1, 30, 80])),
        prepare: Duration::from_millis(rng.pick(&[2, 200, 5_000])),
        wake: Duration::from_micros(rng.pick(&[10, 500, 5_000])),
    };
    let network = Network::random(&mut rng);
    let mut world = World::new(kinds, timers, network, pace, rng);
    world.verbose = verbose;
    world.nodes.iter_mut().for_each(|node| node.mode = mode);
    world.plan_faults(Duration::ZERO, begin);
    world.run_until(faults::TROUBLE + faults::CALM)?;
    if world.holders() != 1 {
        return Err(format!("{} nodes are active at the end", world.holders()));
    }
    let end = world.now.saturating_sub(timers.deadtime * 2);
    match world.history.iter().find(|(at, _, act)| *at > end && !matches!(act, node::Act::Send(_))) {
        Some(late) => Err(format!("no calm at the end: {late:?}")),
        None => Ok(()),
    }
}

/// Both nodes start, together or not; then the faults begin.
fn begin(world: &mut World) {
    let first = world.rng.pick(&network::Side::BOTH);
    world.start(first);
    let offset = world.rng.pick(&[0, 0, 1, 50, 1_500, 10_000]);
    let next = world.now + Duration::from_millis(offset);
    world.plan_faults(next, begin_other);
}

fn begin_other(world: &mut World) {
    for side in network::Side::BOTH {
        if !world.node(side).runs() {
            world.start(side);
        }
    }
    let gap = world.timers.deadtime * 2;
    let next = world.now + world.rng.between(Duration::ZERO..gap);
    world.plan_faults(next, faults::strike);
}
