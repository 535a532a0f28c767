//! Everything that can go wrong, at random.

use crate::network::{Side, PATHS};
use crate::node::{Act, Kind, Stall};
use crate::world::World;
use heartbeat::Mode;
use std::time::Duration;

/// Faults come until this time; then all is made well again.
pub const TROUBLE: Duration = Duration::from_secs(60);

/// After that the pair has this long to settle. A pair on which lvs ended on both sides tries it again after a minute.
pub const CALM: Duration = Duration::from_secs(90);

/// One fault, or the end of one, and the plan for the next.
pub fn strike(world: &mut World) {
    if world.now >= TROUBLE {
        return make_well(world);
    }
    let side = world.rng.pick(&Side::BOTH);
    match world.rng.below(16) {
        0 => cut_all(world),
        1 => cut_path(world, side),
        2 | 3 => cut_one_way(world, side),
        4..=6 => heal(world),
        7 => lose_packets(world),
        8 => stop(world, side),
        9 => crash(world, side),
        10 => kill(world, side),
        11 | 12 => stall(world, side),
        13 => child_ends(world, side),
        14 => links(world, side),
        _ => start(world, side),
    }
    let gap = world.timers.deadtime * 2;
    let next = world.now + world.rng.between(Duration::from_millis(1)..gap);
    world.plan_faults(next.min(TROUBLE), strike);
}

fn make_well(world: &mut World) {
    heal(world);
    for side in Side::BOTH {
        world.end_stall(side);
        if world.node(side).link_down {
            links(world, side);
        }
        start(world, side);
    }
}

fn cut_all(world: &mut World) {
    world.network.cut_all(true);
    world.disturb("all paths are cut");
}

fn cut_path(world: &mut World, first: Side) {
    let path = world.rng.pick(&PATHS);
    world.network.cut(first, path, true);
    world.network.cut(first.other(), path, true);
    world.disturb(&format!("{path:?} is cut"));
}

fn cut_one_way(world: &mut World, from: Side) {
    PATHS.into_iter().for_each(|path| world.network.cut(from, path, true));
    world.disturb(&format!("nothing goes from {from:?}"));
}

fn heal(world: &mut World) {
    world.network.cut_all(false);
    world.network.set_loss(0);
    world.disturb("the network is whole");
}

fn lose_packets(world: &mut World) {
    let loss = world.rng.pick(&[5, 20, 50]);
    world.network.set_loss(loss);
    world.disturb(&format!("{loss} % of all packets are lost"));
}

fn stop(world: &mut World, side: Side) {
    if world.node(side).runs() && world.node(side).stall.is_none() {
        world.disturb(&format!("{side:?} is asked to end"));
        let now = world.now;
        let acts = world.node(side).terminate(now);
        world.perform(side, acts);
    }
}

/// The machine loses its power.
fn crash(world: &mut World, side: Side) {
    world.disturb(&format!("{side:?} crashes"));
    world.vanish(side, Duration::ZERO);
    world.node(side).holds = false;
}

/// The process is killed. Our lvs then takes the addresses down; with the original they would stay for ever, so there
/// the machine goes.
fn kill(world: &mut World, side: Side) {
    match world.node(side).kind {
        Kind::Ours => {
            world.disturb(&format!("{side:?} is killed"));
            world.vanish(side, Duration::from_millis(20));
        }
        Kind::Original => crash(world, side),
    }
}

fn start(world: &mut World, side: Side) {
    if !world.node(side).runs() {
        world.start(side);
    }
}

fn stall(world: &mut World, side: Side) {
    let longest = world.timers.deadtime * 4;
    let until = world.now + world.rng.between(Duration::from_millis(10)..longest);
    let deaf = world.rng.percent(50);
    if world.node(side).runs() && world.node(side).stall.is_none() {
        world.disturb(&format!("{side:?} is {} until {until:?}", if deaf { "suspended" } else { "starved" }));
        world.stall(side, Stall { until, deaf });
    }
}

/// A standby has a child with failover services only: its end says that the partner's services do not answer.
fn child_ends(world: &mut World, side: Side) {
    let node = world.node(side);
    let has_child = node.holds || (node.runs() && node.mode == Mode::Fos);
    if has_child && world.node(side).stall.is_none() {
        world.gateway = world.rng.percent(70);
        world.disturb(&format!("the child of {side:?} ends"));
        let now = world.now;
        let acts: Vec<Act> = world.node(side).child_ended(now);
        world.perform(side, acts);
    }
}

fn links(world: &mut World, side: Side) {
    let down = !world.node(side).link_down;
    if world.node(side).runs() && world.node(side).stall.is_none() {
        world.disturb(&format!("links of {side:?} are {}", if down { "down" } else { "up" }));
        let now = world.now;
        let acts = world.node(side).links(now, down);
        world.perform(side, acts);
    }
}
