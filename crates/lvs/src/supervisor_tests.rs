//! The supervisor told as stories: an lvs.cf, what happens, and what the table has then been told.

use std::net::Ipv4Addr;

use ipvs::{Backend, Destination, DestinationKey, ErrorKind, Forwarding, Operation, Recorder, ServiceKey};
use lvs_cf::Resolver;

use crate::command::Style;
use crate::supervisor::{Action, NannyId, Reason, Report, Supervisor};
use crate::wanted::Wanted;

mod refusal;
mod repair;

struct Nobody;

impl Resolver for Nobody {
    fn host(&self, _: &[u8]) -> Option<Ipv4Addr> {
        None
    }

    fn tcp_port(&self, _: &[u8]) -> Option<u16> {
        None
    }
}

/// `web` with the given lines and servers `r1`, `r2`, … of these lines.
fn file(web: &str, servers: &[&str]) -> String {
    let mut text = format!("virtual web {{\n active = 1\n address = 10.0.0.100 eth0:1\n port = 80\n{web}\n");
    for (number, lines) in servers.iter().enumerate() {
        let number = number + 1;
        text += &format!(" server r{number} {{\n address = 10.0.1.{number}\n active = 1\n{lines}\n }}\n");
    }
    text + "}\n"
}

fn wanted(text: &str) -> Wanted {
    let config = lvs_cf::parse(text.as_bytes(), &Nobody).expect("a valid lvs.cf");
    Wanted::of(&config, Style::default())
}

/// A supervisor with a table that behaves as the kernel's.
struct World {
    supervisor: Supervisor,
    table: Recorder,
    log: Vec<String>,
    /// Nannies as (id, server name, resume), in the order of their start.
    nannies: Vec<(NannyId, String, bool)>,
    stopped: Vec<NannyId>,
    left: bool,
}

impl World {
    fn start(text: &str) -> Self {
        Self::start_on(text, Recorder::new())
    }

    fn start_on(text: &str, mut table: Recorder) -> Self {
        let current = table.table().unwrap();
        Self::start_with(text, table, Some(&current))
    }

    /// One whose table is edited by a program.
    fn by_program(text: &str) -> Self {
        Self::start_with(text, Recorder::new(), None)
    }

    fn start_with(text: &str, table: Recorder, current: Option<&ipvs::Table>) -> Self {
        let mut actions = Vec::new();
        let supervisor = Supervisor::start(wanted(text), current, &mut actions);
        let (log, nannies, stopped) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { supervisor, table, log, nannies, stopped, left: false };
        world.carry_out(actions);
        world
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Log(message) => self.log.push(message.to_string()),
                Action::Apply(operations) => self.apply(&operations),
                Action::Stop(id) => self.stopped.push(id),
                Action::Await(ids) => self.stopped.extend(ids),
                Action::Inspect => self.inspect(),
                Action::Withdraw => self.log.push("(withdraw)".into()),
                Action::Exit => self.left = true,
                Action::Start(start) if self.supervisor.expects(start.id) => {
                    self.nannies.push((start.id, start.server.to_string(), start.resume));
                }
                Action::Start(_) => {}
            }
        }
    }

    fn apply(&mut self, operations: &[Operation]) {
        for (operation, result) in operations.iter().zip(self.table.apply(operations)) {
            if let Err(error) = result {
                let mut actions = Vec::new();
                self.supervisor.failed(operation, &error, &mut actions);
                self.carry_out(actions);
            }
        }
    }

    /// The runtime's look at the table, now and then or after [`Action::Inspect`].
    fn inspect(&mut self) {
        let current = self.table.table().unwrap();
        self.act(|supervisor, out| supervisor.repair(&current, out));
    }

    /// Somebody else edits the table.
    fn by_hand(&mut self, operation: &Operation) {
        self.table.table.apply(operation).unwrap();
    }

    fn act(&mut self, act: impl FnOnce(&mut Supervisor, &mut Vec<Action>)) {
        let mut actions = Vec::new();
        act(&mut self.supervisor, &mut actions);
        self.carry_out(actions);
    }

    /// The newest nanny of `server` reports.
    fn says(&mut self, server: &str, report: Report) {
        let id = self.newest(server);
        self.act(|supervisor, out| supervisor.report(id, report, out));
    }

    fn newest(&self, server: &str) -> NannyId {
        self.nannies.iter().rev().find(|(_, name, _)| name == server).expect("a nanny").0
    }

    fn reload(&mut self, text: &str) {
        self.act(|supervisor, out| supervisor.reload(wanted(text), out));
    }

    /// The ipvsadm words for what was done since the last call.
    fn done(&mut self) -> Vec<String> {
        self.table.take().iter().map(|operation| operation.arguments().join(" ")).collect()
    }
}

fn key() -> ServiceKey {
    ServiceKey::Address { protocol: ipvs::Protocol::Tcp, address: [10, 0, 0, 100].into(), port: 80 }
}

fn real(number: u8) -> DestinationKey {
    DestinationKey { address: [10, 0, 1, number].into(), port: 80 }
}

fn entry(number: u8, weight: u32) -> Destination {
    Destination { key: real(number), forwarding: Forwarding::Masquerade, weight }
}

/// Two servers in service.
fn serving() -> World {
    let mut world = World::start(&file("", &["", ""]));
    world.says("r1", Report::Up(1));
    world.says("r2", Report::Up(1));
    world.done();
    world.log.clear();
    world
}

const R1: &str = "-t 10.0.0.100:80 -r 10.0.1.1:80";

#[test]
fn a_server_enters_with_its_first_good_report_and_leaves_with_a_bad_one() {
    let mut world = World::start(&file("", &["", ""]));
    assert_eq!(world.done(), ["--set 0 0 0", "-A -t 10.0.0.100:80 -s wlc"]);
    assert_eq!(world.log, ["starting virtual service web active: 80"]);
    world.says("r1", Report::Up(1));
    world.says("r1", Report::Up(1));
    world.says("r1", Report::Up(4));
    world.says("r1", Report::Down);
    world.says("r1", Report::Down);
    let (add, edit, delete) = (format!("-a {R1} -m -w 1"), format!("-e {R1} -m -w 4"), format!("-d {R1}"));
    assert_eq!(world.done(), [add, edit, delete]);
}

#[test]
fn a_quiesced_server_stays_with_weight_0_and_never_enters_that_way() {
    let mut world = World::start(&file("quiesce_server = 1", &["", ""]));
    world.says("r1", Report::Up(1));
    world.done();
    world.says("r1", Report::Quiesced);
    world.says("r2", Report::Quiesced);
    world.says("r1", Report::Up(1));
    assert_eq!(world.done(), [format!("-e {R1} -m -w 0"), format!("-e {R1} -m -w 1")]);
}

#[test]
fn a_restart_touches_only_what_is_wrong() {
    let mut before = World::start(&file("", &["", ""]));
    before.says("r1", Report::Up(3));
    before.says("r2", Report::Up(3));
    let foreign = World::start("virtual other {\n active = 1\n address = 10.0.0.101 eth0:2\n}\n");
    let mut table = before.table;
    table.apply(&foreign.table.operations);
    table.take();

    let mut world = World::start_on(&file("", &[""]), table);
    let gone = ["-d -t 10.0.0.100:80 -r 10.0.1.2:80", "-D -t 10.0.0.101:80"];
    let done = world.done();
    assert_eq!(done[0], "--set 0 0 0");
    assert!(done.len() == 3 && gone.iter().all(|words| done.contains(&words.to_string())), "{done:?}");
    world.says("r1", Report::Down);
    assert_eq!(world.done(), [format!("-d {R1}")], "what was found is judged like anything else");
}

#[test]
fn a_reload_of_the_same_file_does_nothing() {
    let text = file("sorry_server = 10.0.9.9", &["weight = 3", ""]);
    let mut world = World::start(&text);
    world.says("r1", Report::Up(3));
    world.done();
    world.reload(&text);
    assert_eq!(world.done(), [""; 0]);
    assert_eq!((world.nannies.len(), world.stopped.len()), (2, 0));
}

#[test]
fn a_reload_removes_and_adds_servers_without_touching_the_others() {
    let mut world = World::start(&file("", &["", "", ""]));
    for server in ["r1", "r2", "r3"] {
        world.says(server, Report::Up(1));
    }
    world.done();
    let (second, third) = (world.newest("r2"), world.newest("r3"));
    world.reload(&file("", &["", "active = 0"]));
    let mut done = world.done();
    done.sort();
    assert_eq!(done, ["-d -t 10.0.0.100:80 -r 10.0.1.2:80", "-d -t 10.0.0.100:80 -r 10.0.1.3:80"]);
    assert_eq!(world.stopped, [second, third]);
    world.reload(&file("", &["", "", ""]));
    assert_eq!(world.nannies.len(), 5, "the two that came back have new nannies");
    assert_eq!(world.done(), [""; 0], "and enter with their first good report");
    world.act(|supervisor, out| supervisor.report(second, Report::Up(1), out));
    assert_eq!(world.done(), [""; 0], "the word of a stopped nanny counts for nothing");
}

#[test]
fn a_new_weight_replaces_the_nanny_and_keeps_the_server() {
    let mut world = World::start(&file("", &["weight = 1"]));
    world.says("r1", Report::Up(1));
    world.done();
    let old = world.newest("r1");
    world.reload(&file("", &["weight = 5"]));
    let edit = format!("-e {R1} -m -w 5");
    assert_eq!(
        (world.done(), &world.stopped),
        (vec![edit], &vec![old]),
        "at once, and not with the first check"
    );
    assert!(world.nannies[1].2, "it goes on where the old one stood: no slow start");
    world.says("r1", Report::Up(5));
    assert_eq!(world.done(), [""; 0], "that is so already");
}

#[test]
fn a_weight_that_the_nanny_has_set_is_left_to_the_nanny() {
    for (said, what) in [(Report::Up(3), "it follows the load"), (Report::Quiesced, "it does not answer")] {
        let mut world = World::start(&file("quiesce_server = 1", &["weight = 7"]));
        world.says("r1", Report::Up(7));
        world.says("r1", said);
        world.done();
        world.reload(&file("quiesce_server = 1", &["weight = 5"]));
        assert_eq!(world.done(), [""; 0], "{what}");
    }
}

#[test]
fn another_scheduler_edits_the_service_in_place() {
    let mut world = World::start(&file("", &[""]));
    world.says("r1", Report::Up(1));
    world.done();
    world.reload(&file("scheduler = rr\npersistent = 60", &[""]));
    assert_eq!(world.done(), ["-E -t 10.0.0.100:80 -s rr -p 60"]);
    assert!(world.stopped.is_empty());
}

#[test]
fn another_port_is_another_service() {
    let mut world = World::start(&file("", &[""]));
    world.says("r1", Report::Up(1));
    world.done();
    world.reload(&file("", &[""]).replace("port = 80", "port = 81"));
    assert_eq!(world.done(), ["-D -t 10.0.0.100:80", "-A -t 10.0.0.100:81 -s wlc"]);
}

#[test]
fn the_sorry_server_waits_for_all_verdicts_and_goes_with_the_first_good_one() {
    let mut world = World::start(&file("sorry_server = 10.0.9.9", &["", ""]));
    world.done();
    world.says("r1", Report::Down);
    assert_eq!(world.done(), [""; 0], "r2 may be up");
    world.says("r2", Report::Down);
    assert_eq!(world.done(), ["-a -t 10.0.0.100:80 -r 10.0.9.9:80 -m -w 1"]);
    world.says("r2", Report::Up(1));
    let back = ["-a -t 10.0.0.100:80 -r 10.0.1.2:80 -m -w 1", "-d -t 10.0.0.100:80 -r 10.0.9.9:80"];
    assert_eq!(world.done(), back);
    world.reload(&file("sorry_server = 10.0.9.9", &["", ""]));
    world.says("r2", Report::Down);
    assert_eq!(world.done().len(), 2, "it works after a reload as before");
}

#[test]
fn nannies_that_edit_the_table_themselves_are_believed_and_waited_for() {
    let text = file("sorry_server = 10.0.9.9", &["", ""]);
    let mut world = World::start(&text);
    world.done();
    world.says("r1", Report::Edited(true));
    world.says("r2", Report::Silence);
    assert_eq!(world.done(), [""; 0]);
    world.says("r1", Report::Edited(false));
    assert_eq!(world.done(), ["-a -t 10.0.0.100:80 -r 10.0.9.9:80 -m -w 1"], "silence is a bad verdict");
    world.says("r2", Report::Edited(true));
    assert_eq!(world.done(), ["-d -t 10.0.0.100:80 -r 10.0.9.9:80"]);
    let mut actions = Vec::new();
    world.supervisor.stop(Reason::Signal(15), &mut actions);
    let at = |wanted: &dyn Fn(&Action) -> bool| actions.iter().position(wanted);
    let waits = at(&|action| *action == Action::Await(vec![1, 2]));
    assert!(waits.is_some() && waits < at(&|action| matches!(action, Action::Apply(_))), "{actions:?}");
}

#[test]
fn silence_takes_no_server_out() {
    let mut before = World::start(&file("", &[""]));
    before.says("r1", Report::Up(3));
    before.table.take();
    let mut world = World::start_on(&file("", &[""]), before.table);
    world.done();
    world.says("r1", Report::Silence);
    assert_eq!((world.done(), world.supervisor.is_ready()), (vec![], true));
}

#[test]
fn what_a_foreign_monitor_would_add_is_not_kept() {
    let mut before = World::start(&file("", &[""]));
    before.says("r1", Report::Up(3));
    let mut wanted = wanted(&file("", &[""]));
    wanted.virtuals[0].foreign_monitor = true;
    let mut actions = Vec::new();
    Supervisor::start(wanted, Some(&before.table.table().unwrap()), &mut actions);
    let deletes = |action: &Action| match action {
        Action::Apply(operations) => operations.iter().any(|operation| operation.arguments()[0] == "-d"),
        _ => false,
    };
    assert!(actions.iter().any(deletes), "{actions:?}");
}

#[test]
fn a_nanny_that_dies_ends_lvs_unless_hard_shutdown_is_off() {
    for (hard_shutdown, line) in [
        (1, "nanny for child web/r1 died! shutting down lvs"),
        (0, "nanny for child web/r1 died! manual action needed!"),
    ] {
        let text = format!("hard_shutdown = {hard_shutdown}\n{}", file("", &["", ""]));
        let mut world = World::start(&text);
        world.says("r1", Report::Up(1));
        world.done();
        let id = world.newest("r1");
        world.act(|supervisor, out| supervisor.nanny_ended(id, out));
        assert_eq!(world.log[1], line);
        assert_eq!(world.left, hard_shutdown == 1);
        let expected: &[&str] = if world.left { &["-D -t 10.0.0.100:80"] } else { &[] };
        assert_eq!(world.done(), expected);
        if !world.left {
            world.reload(&text);
            assert_eq!(world.nannies.len(), 3, "a reload starts it again");
        }
    }
}

#[test]
fn a_refused_service_has_no_nannies_and_the_next_is_served() {
    let text = file("", &[""]) + &file("fwmark = 7", &[""]);
    let mut table = Recorder::new();
    let first = wanted(&text).virtuals[0].service.clone().unwrap();
    table.refuse(Operation::AddService(first), ErrorKind::NoScheduler("wlc".into()));
    let mut world = World::start_on(&text, table);
    assert_eq!(world.log[1], "ipvsadm failed for virtual server web!");
    assert_eq!(world.nannies.len(), 1, "only the second service's server is checked");
    world.done();
    world.reload(&text);
    assert_eq!(world.done(), ["-A -t 10.0.0.100:80 -s wlc"], "a reload tries again");
    assert_eq!(world.nannies.len(), 2);
}

#[test]
fn one_service_defined_twice_is_served_once() {
    let mut world = World::start(&(file("", &[""]) + &file("", &[""])));
    assert_eq!(world.done().iter().filter(|words| words.starts_with("-A")).count(), 1);
    assert_eq!(world.nannies.len(), 1);
    assert!(world.log.contains(&"ipvsadm failed for virtual server web!".to_owned()));
}

#[test]
fn the_end_takes_every_service_down() {
    for (reason, lines) in [
        (Reason::Signal(15), &["shutting down due to signal 15", "shutting down virtual service web"][..]),
        (
            Reason::PulseDied,
            &[
                "pulse died! withdrawing virtual addresses and services",
                "(withdraw)",
                "shutting down virtual service web",
            ][..],
        ),
    ] {
        let mut world = World::start(&file("", &["", ""]));
        world.says("r1", Report::Up(1));
        world.done();
        world.act(|supervisor, out| supervisor.stop(reason, out));
        assert_eq!(world.log[1..], *lines);
        assert_eq!(world.done(), ["-D -t 10.0.0.100:80"]);
        assert_eq!((world.stopped.len(), world.left), (2, true));
    }
}

#[test]
fn a_program_is_driven_through_the_originals_steps() {
    let mut actions = Vec::new();
    let mut supervisor = Supervisor::start(wanted(&file("", &["", ""])), None, &mut actions);
    let id = actions.iter().find_map(|action| match action {
        Action::Start(start) => Some(start.id),
        _ => None,
    });
    supervisor.report(id.unwrap(), Report::Up(1), &mut actions);
    supervisor.stop(Reason::Signal(15), &mut actions);
    let words: Vec<String> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Apply(operations) => Some(operations),
            _ => None,
        })
        .flatten()
        .map(|operation| operation.arguments().join(" "))
        .collect();
    let service = "-t 10.0.0.100:80";
    let expected = [
        "--set 0 0 0".to_owned(),
        "-C".to_owned(),
        format!("-A {service} -s wlc"),
        format!("-a {R1} -m -w 1"),
        format!("-d {R1}"),
        format!("-D {service}"),
    ];
    assert_eq!(words, expected);
}

#[test]
fn with_direct_routing_a_server_is_entered_with_the_services_port() {
    let servers = ["port = 8080", "port = 81"];
    for (network, r1) in
        [("nat", "10.0.1.1:8080 -m"), ("direct", "10.0.1.1:80 -g"), ("tunnel", "10.0.1.1:80 -i")]
    {
        let mut world = World::start(&format!("network = {network}\n{}", file("", &servers)));
        world.done();
        world.says("r1", Report::Up(1));
        assert_eq!(world.done(), [format!("-a -t 10.0.0.100:80 -r {r1} -w 1")]);
    }
    let program = format!("ipvsadm = /opt/ipvsadm\nnetwork = direct\n{}", file("", &servers));
    let port = wanted(&program).virtuals[0].servers[0].destination.key.port;
    assert_eq!(port, 8080, "a program is told what the original told it");
}

#[test]
fn servers_that_cannot_be_entered_are_named() {
    let mut world = World::start(&file("", &["", "address = 10.0.1.1", "port = 70000"]));
    assert_eq!(world.nannies.len(), 1);
    assert_eq!(
        world.log[1..],
        [
            "real server web/r2 left out: 10.0.1.1:80 is there already",
            "real server web/r3 left out: port 70000 is not between 0 and 65535",
        ]
    );
    assert_eq!(world.done().len(), 2, "the others serve");
}

/// The actions of a supervisor whose table is edited by a program, with one server in service.
fn by_program(hard_shutdown: u8) -> (Supervisor, NannyId, Vec<Action>) {
    let mut actions = Vec::new();
    let text = format!("hard_shutdown = {hard_shutdown}\n{}", file("", &[""]));
    let mut supervisor = Supervisor::start(wanted(&text), None, &mut actions);
    let id = actions.iter().find_map(|action| match action {
        Action::Start(start) => Some(start.id),
        _ => None,
    });
    supervisor.report(id.unwrap(), Report::Up(1), &mut actions);
    (supervisor, id.unwrap(), Vec::new())
}

fn lines(actions: &[Action]) -> Vec<String> {
    let line = |action: &Action| match action {
        Action::Log(message) => Some(message.to_string()),
        _ => None,
    };
    actions.iter().filter_map(line).collect()
}

#[test]
fn a_program_that_cannot_change_a_server_ends_its_nanny_as_with_the_original() {
    for hard_shutdown in [1, 0] {
        let (mut supervisor, id, mut actions) = by_program(hard_shutdown);
        supervisor.report(id, Report::Down, &mut actions);
        let Some(Action::Apply(operations)) = actions.last().cloned() else { panic!("{actions:?}") };
        actions.clear();
        let error = ipvs::Error::new(&operations[0], ErrorKind::Program("exit status: 1".into()));
        supervisor.failed(&operations[0], &error, &mut actions);
        assert_eq!(lines(&actions)[0], "/sbin/ipvsadm command failed!");
        assert!(lines(&actions)[2].starts_with("nanny for child web/r1 died!"), "{actions:?}");
        assert!(actions.contains(&Action::Stop(id)));
        assert_eq!(actions.contains(&Action::Exit), hard_shutdown == 1);
    }
}

#[test]
fn a_service_that_cannot_be_deleted_is_called_by_its_name() {
    let (mut supervisor, _, mut actions) = by_program(1);
    supervisor.stop(Reason::Signal(15), &mut actions);
    actions.clear();
    let key = wanted(&file("", &[""])).virtuals[0].service.clone().unwrap().key;
    let operation = Operation::DeleteService(key);
    let error = ipvs::Error::new(&operation, ErrorKind::Program("exit status: 1".into()));
    supervisor.failed(&operation, &error, &mut actions);
    assert_eq!(lines(&actions)[0], "ipvsadm failed for virtual server web!");
}
