//! The kernel, or a program, refuses to edit the table.

use super::*;

const R2: &str = "-t 10.0.0.100:80 -r 10.0.1.2:80";
const NO_MEMORY: ErrorKind = ErrorKind::Other(12);

fn service_of(text: &str) -> ipvs::Service {
    wanted(text).virtuals[0].service.clone().unwrap()
}

/// How many entries the service has; none when it is not there.
fn entries(world: &World) -> Option<usize> {
    world.table.table.get(&key()).map(|entry| entry.destinations.len())
}

#[test]
fn a_service_that_cannot_be_changed_is_served_as_it_was() {
    let new = file("scheduler = lblc", &["", ""]);
    let mut world = serving();
    let changed = Operation::EditService(service_of(&new));
    world.table.refuse(changed, ErrorKind::NoScheduler("lblc".into()));
    world.reload(&new);
    assert_eq!(world.log[0], "ipvsadm failed for virtual server web!");
    assert!(world.stopped.is_empty(), "its nannies go on");
    world.done();
    world.says("r1", Report::Down);
    assert_eq!(world.done(), [format!("-d {R1}")]);
    world.reload(&new);
    assert_eq!(world.done(), ["-E -t 10.0.0.100:80 -s lblc"], "a reload tries again");
    world.act(|supervisor, out| supervisor.stop(Reason::Signal(15), out));
    assert_eq!((world.done(), world.stopped.len()), (vec!["-D -t 10.0.0.100:80".into()], 2));
}

#[test]
fn a_server_leaves_a_service_that_could_not_be_changed() {
    let new = file("scheduler = lblc", &["", ""]);
    let mut world = serving();
    world.table.refuse(Operation::EditService(service_of(&new)), ErrorKind::NoScheduler("lblc".into()));
    world.reload(&new);
    world.reload(&file("", &[""]));
    assert_eq!((entries(&world), world.stopped.len()), (Some(1), 1));
}

#[test]
fn a_service_that_cannot_be_put_back_is_tried_again_and_complained_of_once_a_look() {
    let mut world = serving();
    let service = service_of(&file("", &[""]));
    world.by_hand(&Operation::Flush);
    world.table.refuse(Operation::AddService(service), NO_MEMORY);
    world.inspect();
    assert_eq!(world.log.len(), 3, "{:?}", world.log);
    assert!(world.stopped.is_empty());
    assert_eq!(entries(&world), None);
    world.inspect();
    assert_eq!(entries(&world), Some(2));
    world.act(|supervisor, out| supervisor.stop(Reason::Signal(15), out));
    assert_eq!(world.stopped.len(), 2);
}

#[test]
fn an_entry_that_the_kernel_refuses_is_tried_again_at_the_next_look() {
    for (report, refused) in [
        (Report::Quiesced, Operation::EditDestination(key(), entry(1, 0))),
        (Report::Up(7), Operation::EditDestination(key(), entry(1, 7))),
        (Report::Down, Operation::DeleteDestination(key(), real(1))),
    ] {
        let mut world = serving();
        world.table.refuse(refused.clone(), NO_MEMORY);
        world.says("r1", report);
        assert_eq!(world.log[0], "/sbin/ipvsadm command failed!");
        world.table.refuse(refused.clone(), NO_MEMORY);
        world.inspect();
        world.done();
        world.inspect();
        assert_eq!(world.done(), [refused.arguments().join(" ")]);
        world.inspect();
        assert_eq!(world.done(), [""; 0], "once done it is left alone");
        assert!(!world.log.iter().any(|line| line.contains("somebody else")), "{:?}", world.log);
    }
}

#[test]
fn a_server_that_could_not_be_entered_is_entered_at_the_next_look() {
    let mut world = World::start(&file("", &[""]));
    let add = Operation::AddDestination(key(), entry(1, 1));
    world.table.refuse(add.clone(), NO_MEMORY);
    world.says("r1", Report::Up(1));
    world.done();
    world.inspect();
    assert_eq!(world.done(), [add.arguments().join(" ")]);
    assert!(!world.log.iter().any(|line| line.contains("somebody else")), "{:?}", world.log);
}

#[test]
fn what_the_kernel_would_not_let_go_goes_later() {
    let mut world = serving();
    let delete = Operation::DeleteDestination(key(), real(2));
    world.table.refuse(delete, NO_MEMORY);
    world.reload(&file("", &[""]));
    assert_eq!(entries(&world), Some(2));
    world.inspect();
    assert_eq!(entries(&world), Some(1));
}

#[test]
fn after_a_program_failed_a_reload_begins_with_what_its_table_holds() {
    let text = format!("hard_shutdown = 0\n{}", file("", &["", ""]));
    for (before, report, refused, after) in [
        (None, Report::Up(1), Operation::AddDestination(key(), entry(1, 1)), "-a"),
        (Some(Report::Up(1)), Report::Up(4), Operation::EditDestination(key(), entry(1, 4)), "-e"),
        (Some(Report::Up(4)), Report::Down, Operation::DeleteDestination(key(), real(1)), "-e"),
    ] {
        let mut world = World::by_program(&text);
        before.into_iter().for_each(|report| world.says("r1", report));
        world.table.refuse(refused.clone(), ErrorKind::Program("busy".into()));
        world.says("r1", report);
        assert!(
            world.log.contains(&"nanny for child web/r1 died! manual action needed!".into()),
            "{refused}"
        );
        world.reload(&text);
        world.done();
        world.says("r1", Report::Up(4));
        assert_eq!(world.done(), [format!("{after} {R1} -m -w 4")]);
        assert_eq!(world.table.table.destination(&key(), &real(1)), Some(&entry(1, 4)));
    }
}

#[test]
fn another_ipvsadm_edits_by_its_own_rules() {
    let mut world = World::start(&file("", &[""]));
    world.supervisor.set_by_program(true);
    let add = Operation::AddDestination(key(), entry(1, 1));
    world.table.refuse(add, ErrorKind::Program("busy".into()));
    world.says("r1", Report::Up(1));
    assert!(world.left, "a failed program is a dead nanny");
}

#[test]
fn a_new_monitor_that_edits_the_table_itself_finds_its_server_out_of_it() {
    let mut world = serving();
    let mut wanted = wanted(&file("client_monitor = /usr/local/bin/monitor", &["", ""]));
    wanted.virtuals[0].foreign_monitor = true;
    world.act(|supervisor, out| supervisor.reload(wanted, out));
    assert_eq!(world.done(), [format!("-d {R1}"), format!("-d {R2}")]);
    assert_eq!(world.stopped.len(), 2);
    assert!(!world.nannies[2].2, "nobody knows yet whether it is up");
}

#[test]
fn a_dead_nanny_does_not_keep_the_sorry_server_out() {
    let text = format!("hard_shutdown = 0\n{}", file("sorry_server = 10.0.9.9", &["", ""]));
    let sorry = "-a -t 10.0.0.100:80 -r 10.0.9.9:80 -m -w 1";
    for first_dies in [true, false] {
        let mut world = World::start(&text);
        let dies = |world: &mut World| {
            let id = world.newest("r1");
            world.act(|supervisor, out| supervisor.nanny_ended(id, out));
        };
        if first_dies {
            dies(&mut world);
        }
        world.says("r2", Report::Down);
        if !first_dies {
            dies(&mut world);
        }
        assert_eq!(world.done().last().map(String::as_str), Some(sorry));
    }
    let mut world = World::start(&text);
    world.says("r1", Report::Up(1));
    let id = world.newest("r1");
    world.act(|supervisor, out| supervisor.nanny_ended(id, out));
    world.done();
    world.says("r2", Report::Down);
    assert_eq!(world.done(), [""; 0], "one that was up stays as it was");
}

const SORRY: &str = "sorry_server = 10.0.1.2\nquiesce_server = 1";

#[test]
fn a_sorry_server_that_is_a_real_server_too_is_in_the_table_once() {
    for (bad, on, left) in [(Report::Down, "-a", None), (Report::Quiesced, "-e", Some(entry(2, 0)))] {
        let mut world = World::start(&file(SORRY, &["weight = 3", "weight = 3"]));
        world.says("r2", Report::Up(3));
        world.says("r2", bad);
        world.says("r1", Report::Down);
        assert_eq!(world.done().last(), Some(&format!("{on} {R2} -m -w 1")));
        world.inspect();
        world.says("r2", bad);
        assert_eq!(world.done(), [""; 0]);
        world.says("r1", Report::Up(3));
        let found = world.table.table.destination(&key(), &real(2)).copied();
        assert_eq!(found, left, "the real server's state again");
    }
}

#[test]
fn its_recovery_leaves_it_in_the_table() {
    let mut world = World::start(&file(SORRY, &["weight = 3", "weight = 3"]));
    world.says("r1", Report::Down);
    world.says("r2", Report::Down);
    world.says("r2", Report::Up(3));
    assert_eq!(world.table.table.destination(&key(), &real(2)), Some(&entry(2, 3)));
}
