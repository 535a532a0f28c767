//! Somebody else edits the table while lvs runs.

use ipvs::ServiceKey;

use super::*;

const SERVICE: &str = "-A -t 10.0.0.100:80 -s wlc";

#[test]
fn what_nobody_touched_is_left_alone() {
    let mut world = serving();
    world.inspect();
    assert_eq!((world.done(), world.log.len()), (vec![], 0));
}

#[test]
fn what_somebody_removed_comes_back_and_is_told_once() {
    let r2 = R1.replace("1.1:", "1.2:");
    for (removed, back) in [
        (Operation::DeleteDestination(key(), real(1)), vec![format!("-a {R1} -m -w 1")]),
        (
            Operation::DeleteService(key()),
            vec![SERVICE.into(), format!("-a {R1} -m -w 1"), format!("-a {r2} -m -w 1")],
        ),
        (Operation::Flush, vec![SERVICE.into(), format!("-a {R1} -m -w 1"), format!("-a {r2} -m -w 1")]),
    ] {
        let mut world = serving();
        world.by_hand(&removed);
        world.inspect();
        assert_eq!(world.done(), back, "{removed}");
        let line = format!(
            "{} entries of the IPVS table were removed by somebody else; adding them again",
            back.len()
        );
        assert_eq!(world.log, [line]);
        world.inspect();
        assert_eq!(world.done(), [""; 0], "once is enough");
    }
}

#[test]
fn the_sorry_server_comes_back_as_well() {
    let mut world = World::start(&file("sorry_server = 10.0.9.9", &[""]));
    world.says("r1", Report::Down);
    world.done();
    world.by_hand(&Operation::Flush);
    world.inspect();
    assert_eq!(world.done(), [SERVICE, "-a -t 10.0.0.100:80 -r 10.0.9.9:80 -m -w 1"]);
}

#[test]
fn weights_schedulers_and_services_of_others_are_theirs() {
    let mut world = serving();
    world.by_hand(&Operation::EditDestination(key(), entry(1, 0)));
    world.by_hand(&Operation::EditService(ipvs::Service {
        key: key(),
        scheduler: "rr".into(),
        persistence: None,
    }));
    let other = ipvs::Service { key: ServiceKey::FwMark(9), scheduler: "rr".into(), persistence: None };
    world.by_hand(&Operation::AddService(other));
    world.by_hand(&Operation::AddDestination(key(), entry(77, 1)));
    world.inspect();
    assert_eq!((world.done(), world.log.len()), (vec![], 0));
}

#[test]
fn a_server_that_is_down_does_not_come_back_by_hand() {
    let mut world = serving();
    world.says("r1", Report::Down);
    world.done();
    world.by_hand(&Operation::AddDestination(key(), entry(1, 5)));
    world.inspect();
    assert_eq!(world.done(), [format!("-d {R1}")]);
    assert_eq!(world.log, ["1 real servers that are down were added by somebody else; removing them"]);
}

#[test]
fn operations_that_somebody_forestalled_end_as_wanted_without_a_complaint() {
    // Removed by hand, then found down: nothing is left to do.
    let mut world = serving();
    world.by_hand(&Operation::DeleteDestination(key(), real(1)));
    world.says("r1", Report::Down);
    assert_eq!((world.done(), world.log.len()), (vec![format!("-d {R1}")], 0));

    // Added by hand, then found well: it gets its weight, and leaves when it is down.
    world.by_hand(&Operation::AddDestination(key(), entry(1, 9)));
    world.says("r1", Report::Up(1));
    assert_eq!(world.done(), [format!("-a {R1} -m -w 1"), format!("-e {R1} -m -w 1")]);
    world.says("r1", Report::Down);
    assert_eq!((world.done(), world.log.len()), (vec![format!("-d {R1}")], 0));

    // The whole service was removed: the table is read at once, and all of it comes back.
    world.by_hand(&Operation::Flush);
    world.says("r1", Report::Up(1));
    assert_eq!(world.done()[1..].len(), 3);
    assert_eq!(world.log.len(), 1);
    assert_eq!(world.table.table.get(&key()).map(|entry| entry.destinations.len()), Some(2));
    assert!(!world.left && world.stopped.is_empty(), "and no nanny had to go");
}

#[test]
fn a_nanny_that_edits_the_table_itself_is_not_interfered_with() {
    let mut world = World::start(&file("", &[""]));
    world.says("r1", Report::Edited(false));
    world.done();
    world.by_hand(&Operation::AddDestination(key(), entry(1, 1)));
    world.inspect();
    assert_eq!(world.done(), [""; 0]);
}

#[test]
fn a_service_that_the_kernel_refuses_is_not_tried_at_every_look() {
    let mut table = Recorder::new();
    let service = wanted(&file("", &[""])).virtuals[0].service.clone().unwrap();
    table.refuse(Operation::AddService(service), ErrorKind::NoScheduler("wlc".into()));
    let mut world = World::start_on(&file("", &[""]), table);
    world.done();
    world.inspect();
    assert_eq!(world.done(), [""; 0]);
}
