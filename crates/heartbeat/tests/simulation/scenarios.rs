//! Single stories with an exact ending. keepalive 1, deadtime 3, unless said otherwise; times to the millisecond.

use crate::network::{Network, Side, PATHS};
use crate::node::{Act, Kind, Stall, Timers};
use crate::rng::Rng;
use crate::world::{Pace, World};
use std::time::Duration;
use Kind::{Original, Ours};
use Side::{Backup, Master};

const KEEPALIVE: Duration = Duration::from_secs(1);
const DEADTIME: Duration = Duration::from_secs(3);
const UP: Duration = Duration::from_millis(10);
const DOWN: Duration = Duration::from_millis(30);
const PREPARE: Duration = Duration::from_millis(150);
const PAIRS: [[Kind; 2]; 4] = [[Ours, Ours], [Original, Ours], [Ours, Original], [Original, Original]];

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn world(kinds: [Kind; 2], delay: Duration) -> World {
    let timers = Timers { keepalive: KEEPALIVE, deadtime: DEADTIME };
    let pace = Pace { up: UP, down: DOWN, prepare: PREPARE, wake: Duration::ZERO };
    World::new(kinds, timers, Network::perfect(delay), pace, Rng::new(1))
}

/// `first` starts, `second` so much later; after ten seconds one of them serves.
fn started(kinds: [Kind; 2], delay: Duration, first: Side, later: Duration) -> World {
    let mut world = world(kinds, delay);
    world.start(first);
    world.run_for(later).unwrap();
    world.start(first.other());
    world.run_for(ms(10_000)).unwrap();
    world
}

/// A running pair in which `active` serves.
fn pair(kinds: [Kind; 2], active: Side) -> World {
    let mut world = world(kinds, ms(1));
    world.start(active);
    world.run_for(ms(5_000)).unwrap();
    world.start(active.other());
    world.run_for(ms(3_300)).unwrap();
    assert_eq!(holder(&world), Some(active));
    world
}

fn holder(world: &World) -> Option<Side> {
    let holding = |side: &Side| world.nodes[*side as usize].holds;
    Side::BOTH.into_iter().find(holding).filter(|_| world.holders() == 1)
}

/// When `side` did `act` for the first time after `since`.
fn when(world: &World, side: Side, act: Act, since: Duration) -> Option<Duration> {
    let found = world.history.iter().find(|(at, who, what)| *at >= since && *who == side && *what == act);
    found.map(|(at, _, _)| *at)
}

fn count(world: &World, side: Side, act: Act, since: Duration) -> usize {
    world.history.iter().filter(|(at, who, what)| *at >= since && *who == side && *what == act).count()
}

/// The model against what was measured on two originals.
#[test]
fn the_model_behaves_as_the_original_was_measured() {
    let kinds = [Original, Original];
    let both = |delay| started(kinds, delay, Backup, Duration::ZERO);

    let later_starter = started(kinds, ms(0), Master, ms(1_500));
    assert_eq!((holder(&later_starter), later_starter.overlapped), (Some(Backup), ms(0)));

    let crossing = both(ms(40));
    assert_eq!(holder(&crossing), Some(Master));
    assert!(crossing.overlapped > ms(900) && crossing.overlapped < ms(1_100), "{:?}", crossing.overlapped);

    let mut stopped = pair(kinds, Master);
    let since = stopped.now;
    stop(&mut stopped, Master);
    stopped.run_for(ms(4_000)).unwrap();
    let gap = when(&stopped, Backup, Act::Up, since).unwrap() - since;
    assert!(gap > ms(2_000) && gap <= DEADTIME, "{gap:?}");
}

#[test]
fn a_simultaneous_start_makes_one_node_active() {
    for delay in [0, 1, 40, 150, 400] {
        for offset in (0..=1_100).step_by(5) {
            for first in Side::BOTH {
                let ours = started([Ours, Ours], ms(delay), first, ms(offset));
                let story = format!("delay {delay}, {first:?} first by {offset}");
                assert_eq!(ours.overlapped, Duration::ZERO, "{story}");
                assert!(holder(&ours).is_some(), "{story}");
            }
        }
    }
}

#[test]
fn a_simultaneous_start_with_an_original_is_settled_in_one_exchange() {
    for delay in [0, 1, 40, 150, 400] {
        for offset in (0..=1_100).step_by(5) {
            for first in Side::BOTH {
                let story = format!("delay {delay}, {first:?} first by {offset}");
                let backup = started([Original, Ours], ms(delay), first, ms(offset));
                assert_eq!(backup.overlapped, Duration::ZERO, "our BACKUP, {story}");
                assert!(holder(&backup).is_some(), "our BACKUP, {story}");
                let master = started([Ours, Original], ms(delay), first, ms(offset));
                assert!(
                    master.overlapped <= ms(delay) + DOWN,
                    "our MASTER, {story}: {:?}",
                    master.overlapped
                );
                assert!(holder(&master).is_some(), "our MASTER, {story}");
            }
        }
    }
}

#[test]
fn a_later_starter_becomes_active_as_with_the_original() {
    for kinds in PAIRS {
        for first in Side::BOTH {
            let world = started(kinds, ms(1), first, ms(1_500));
            assert_eq!(holder(&world), Some(first.other()), "{kinds:?}");
            assert_eq!(world.overlapped, Duration::ZERO);
        }
    }
}

#[test]
fn a_crash_is_taken_over_deadtime_after_the_last_heartbeat() {
    for kinds in PAIRS {
        for active in Side::BOTH {
            let mut world = pair(kinds, active);
            let since = world.now;
            let last = world
                .history
                .iter()
                .rev()
                .find(|(_, side, act)| *side == active && matches!(act, Act::Send(_)));
            let heard = last.unwrap().0 + ms(1);
            world.vanish(active, Duration::ZERO);
            world.run_for(ms(4_000)).unwrap();
            let taken = when(&world, active.other(), Act::Up, since).unwrap();
            assert_eq!(taken, heard + DEADTIME, "{kinds:?}, {active:?}");
        }
    }
}

fn stop(world: &mut World, side: Side) {
    let now = world.now;
    let acts = world.node(side).terminate(now);
    world.perform(side, acts);
}

/// The service stays where it is until the partner has filled its table; only then do the addresses move. An original
/// says nothing of its table, and is not waited for long.
#[test]
fn a_planned_stop_hands_over_when_the_partner_is_ready() {
    for kinds in PAIRS {
        for active in Side::BOTH.into_iter().filter(|side| kinds[*side as usize] == Ours) {
            let mut world = pair(kinds, active);
            let since = world.now;
            stop(&mut world, active);
            world.run_for(ms(1_000)).unwrap();
            let story = format!("{kinds:?}, {active:?}");
            let released = when(&world, active, Act::Down, since).unwrap();
            let ready = if kinds == [Ours, Ours] { ms(1) + PREPARE + ms(1) } else { ms(250) };
            assert_eq!(released, since + ready, "{story}");
            let taken = when(&world, active.other(), Act::Up, since).unwrap();
            assert_eq!(taken, released + DOWN + ms(1), "{story}");
            assert_eq!(holder(&world), Some(active.other()));
        }
    }
}

#[test]
fn a_silent_partner_is_prepared_for_and_a_late_word_calls_it_off() {
    for active in Side::BOTH {
        let mut world = pair([Ours, Ours], active);
        let heard = when_last_heard(&world, active);
        world.network.cut_all(true);
        world.run_until(heard + ms(2_700)).unwrap();
        let standby = active.other();
        assert_eq!(when(&world, standby, Act::Prepare, heard), Some(heard + ms(2_501)));
        world.network.cut_all(false);
        world.run_for(ms(5_000)).unwrap();
        assert!(when(&world, standby, Act::Unprepare, heard).is_some());
        assert_eq!(holder(&world), Some(active), "nothing else has happened");
        assert_eq!(world.overlapped, Duration::ZERO);
    }
}

/// When the last heartbeat of `side` left.
fn when_last_heard(world: &World, side: Side) -> Duration {
    let sent = |(_, who, act): &&(Duration, Side, Act)| *who == side && matches!(act, Act::Send(_));
    world.history.iter().rev().find(sent).unwrap().0
}

#[test]
fn a_restarted_node_stays_standby_and_gets_the_service_back_by_a_second_stop() {
    let mut world = pair([Ours, Ours], Master);
    for active in [Master, Backup, Master, Backup] {
        stop(&mut world, active);
        world.run_for(ms(400)).unwrap();
        world.start(active);
        world.run_for(ms(5_000)).unwrap();
        assert_eq!(holder(&world), Some(active.other()));
    }
    assert_eq!(world.overlapped, Duration::ZERO);
}

/// Three partitions in a row, each healed: at once one winner, no second announcement by the loser.
#[test]
fn partitions_heal_without_a_fight() {
    for (length, kinds) in
        [ms(500), ms(2_900), ms(3_500), ms(20_000)].into_iter().flat_map(|l| PAIRS.map(|k| (l, k)))
    {
        for active in Side::BOTH {
            let mut world = pair(kinds, active);
            for round in 1..=3 {
                world.network.cut_all(true);
                world.disturb("cut");
                world.run_for(length).unwrap();
                world.network.cut_all(false);
                world.disturb("healed");
                let (healed, before) = (world.now, world.overlapped);
                world.run_for(ms(10_000)).unwrap();

                let story = format!("{kinds:?}, {active:?} active, {length:?}, round {round}");
                let overlap = world.overlapped - before;
                assert!(overlap <= KEEPALIVE + DOWN + ms(5), "{story}: {overlap:?} of overlap");
                assert!(holder(&world).is_some(), "{story}");
                // One that finds its partner dead just as the network heals announces on becoming active.
                let (ups, announced) =
                    (count(&world, Backup, Act::Up, healed), count(&world, Backup, Act::Announce, healed));
                assert!(announced <= ups, "{story}: the loser announces");
                if overlap > Duration::ZERO {
                    assert_eq!(holder(&world), Some(Master), "{story}");
                    let bursts = count(&world, Master, Act::Announce, healed);
                    let most = if kinds[0] == Ours { 3 } else { usize::MAX };
                    assert!((1..=most).contains(&bursts), "{story}: {bursts} announcements");
                }
                if kinds == [Ours, Ours] && overlap > Duration::ZERO {
                    let down = when(&world, Backup, Act::Down, healed).unwrap() + DOWN;
                    let refreshed = when(&world, Master, Act::Announce, down);
                    assert!(refreshed.is_some_and(|at| at <= down + KEEPALIVE), "{story}: not refreshed");
                }
            }
        }
    }
}

/// One direction is dead: no more than the originals can do, but the MASTER's addresses stay announced.
#[test]
fn a_backup_that_hears_nothing_is_out_as_soon_as_it_hears() {
    let mut world = pair([Ours, Ours], Master);
    PATHS.into_iter().for_each(|path| world.network.cut(Master, path, true));
    world.disturb("the BACKUP is deaf");
    world.run_for(ms(10_000)).unwrap();
    assert_eq!(world.holders(), 2);
    PATHS.into_iter().for_each(|path| world.network.cut(Master, path, false));
    world.disturb("healed");
    let before = world.overlapped;
    world.run_for(ms(3_000)).unwrap();
    assert_eq!(holder(&world), Some(Master));
    assert!(world.overlapped - before <= KEEPALIVE + DOWN);
}

#[test]
fn one_path_is_enough() {
    for path in PATHS {
        let mut world = pair([Ours, Ours], Backup);
        for side in Side::BOTH {
            world.network.cut(side, path, true);
        }
        world.disturb("one path is cut");
        let since = world.now;
        world.run_for(ms(20_000)).unwrap();
        let changes = world.history.iter().filter(|(at, _, act)| *at > since && !matches!(act, Act::Send(_)));
        assert_eq!(changes.count(), 0);
    }
}

/// However long a standby is suspended, and whether or not its socket was kept, a living partner keeps the service.
#[test]
fn a_suspended_standby_does_not_take_over_falsely() {
    for deaf in [false, true] {
        for length in (500..12_000).step_by(if cfg!(miri) { 5000 } else { 250 }) {
            let mut world = pair([Ours, Ours], Master);
            let until = world.now + ms(length);
            world.stall(Backup, Stall { until, deaf });
            world.run_for(ms(length + 5_000)).unwrap();
            assert_eq!(holder(&world), Some(Master));
            assert_eq!(count(&world, Backup, Act::Up, Duration::ZERO), 0, "{length} ms, deaf {deaf}");
        }
    }
}

/// An active node is suspended and replaced; awake again, it is out after one exchange or wins it back as MASTER.
#[test]
fn a_suspended_active_node_makes_a_short_overlap() {
    for (active, exchange) in [(Backup, KEEPALIVE), (Master, ms(2))] {
        let mut world = pair([Ours, Ours], active);
        let until = world.now + ms(9_700);
        world.stall(active, Stall { until, deaf: true });
        world.run_until(until).unwrap();
        let before = world.overlapped;
        world.run_for(ms(3_000)).unwrap();
        assert_eq!(holder(&world), Some(Master));
        assert!(world.overlapped - before <= exchange + DOWN, "{:?}", world.overlapped - before);
    }
}

/// lvs ends on the active node: the partner serves at once; when it leaves, the first node is free to serve again.
#[test]
fn a_dead_lvs_moves_the_service_and_the_partner_can_give_it_back() {
    for kinds in [[Ours, Ours], [Ours, Original]] {
        let mut world = pair(kinds, Master);
        let since = world.now;
        let acts = world.node(Master).child_ended(since);
        world.perform(Master, acts);
        world.run_for(ms(2_500)).unwrap();
        let taken = when(&world, Backup, Act::Up, since).unwrap();
        assert_eq!(taken, since + DOWN + ms(1));
        world.vanish(Backup, Duration::ZERO);
        world.run_for(ms(4_000)).unwrap();
        assert_eq!(holder(&world), Some(Master), "{kinds:?}");
    }
}

/// lvs ends on both at once: after the longest back-off one of them tries again instead of neither for ever.
#[test]
fn an_lvs_dead_on_both_nodes_is_no_outage_for_ever() {
    let mut world = pair([Ours, Ours], Master);
    world.network.cut_all(true);
    world.disturb("both are active");
    world.run_for(ms(5_000)).unwrap();
    for side in Side::BOTH {
        let now = world.now;
        let acts = world.node(side).child_ended(now);
        world.perform(side, acts);
    }
    world.run_for(ms(40)).unwrap();
    world.network.cut_all(false);
    world.run_for(ms(50_000)).unwrap();
    assert_eq!(world.holders(), 0);
    world.run_for(ms(15_000)).unwrap();
    assert!(holder(&world).is_some());
}

/// The active node's services do not answer the standby's monitors, but the gateway does: whatever the roles, the
/// services move, and the old holder is out after one message.
#[test]
fn dead_services_are_taken_over() {
    for active in Side::BOTH {
        let mut world = pair_of_services(active);
        let since = world.now;
        let acts = world.node(active.other()).child_ended(since);
        world.perform(active.other(), acts);
        world.run_for(ms(5_000)).unwrap();
        assert_eq!(when(&world, active.other(), Act::Take, since), Some(since + ms(1)));
        assert_eq!(when(&world, active, Act::Down, since), Some(since + ms(2)));
        assert_eq!(holder(&world), Some(active.other()), "{active:?} had them");
        assert_eq!(count(&world, active, Act::Up, since) + count(&world, active, Act::Take, since), 0);
    }
}

/// Without a gateway it is the standby's own fault, and nothing moves.
#[test]
fn a_standby_without_a_gateway_leaves_the_services_where_they_are() {
    for active in Side::BOTH {
        let mut world = pair_of_services(active);
        world.gateway = false;
        let now = world.now;
        let acts = world.node(active.other()).child_ended(now);
        world.perform(active.other(), acts);
        world.run_for(ms(10_000)).unwrap();
        assert_eq!(holder(&world), Some(active));
        assert_eq!(world.overlapped, Duration::ZERO);
    }
}

/// A running pair with `service = fos` in which `active` serves.
fn pair_of_services(active: Side) -> World {
    let mut world = world([Ours, Ours], ms(1));
    world.nodes.iter_mut().for_each(|node| node.mode = heartbeat::Mode::Fos);
    world.start(active);
    world.run_for(ms(5_000)).unwrap();
    world.start(active.other());
    world.run_for(ms(3_300)).unwrap();
    assert_eq!(holder(&world), Some(active));
    world
}
