//! A director lacks a process, a descriptor, a device or room on its disk: it does what it can without, and the
//! rest later.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::{kill, Signal};
use testbed::{daemon, wait_until, Cluster, Director, Forwarding, Probe, Room, WireWatch, NAT_ROUTER, VIP};

const LIMIT: Duration = Duration::from_secs(15);
const NO_PROCESS: &str = "Resource temporarily unavailable";

fn pair() -> Cluster {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.config.set("hard_shutdown", 0);
    cluster.configure();
    cluster.start_both();
    cluster
}

/// Everything that an active director has.
fn serves(director: &Director) -> bool {
    let servers: usize = director.ipvs().services.iter().map(|service| service.destinations.len()).sum();
    director.holds(VIP) && director.holds(NAT_ROUTER) && servers == 2
}

#[test]
fn a_standby_that_can_start_nothing_serves_as_soon_as_it_can() {
    let mut cluster = pair();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.wait_for_service(&clients);
    let since = cluster.journal().now();
    cluster.b.host.forbid_processes();
    cluster.a.stop();
    cluster.b.wait_for_log(since, &format!("cannot start lvs: {NO_PROCESS}"), LIMIT);
    std::thread::sleep(Duration::from_secs(2));
    assert!(cluster.b.runs());
    cluster.b.host.allow_processes();
    let served = wait_until(LIMIT, "b serves", || serves(&cluster.b));
    println!("served {served:?} after there was room for processes");
    cluster.wait_for_service(&clients);
}

#[test]
fn a_nanny_that_cannot_be_started_is_started_as_soon_as_it_can() {
    let mut cluster = pair();
    let since = cluster.journal().now();
    cluster.a.host.forbid_processes();
    let address = cluster.real_servers[1].address;
    cluster.config.virtual_server("web").add_server("another", address, 1).set_server("another", "port", 81);
    cluster.configure();
    cluster.a.reload(&cluster.config.clone());
    cluster.a.wait_for_log(since, &format!("create_monitor for web/another failed: {NO_PROCESS}"), LIMIT);
    assert!(serves(&cluster.a), "the others stay in service");
    cluster.a.host.allow_processes();
    let started = wait_until(LIMIT, "it is started", || cluster.a.host.processes_named("nanny").len() == 3);
    println!("started {started:?} after there was room for processes");
    assert!(cluster.journal().find("a", since, "died!").is_none());
}

#[test]
fn a_director_without_a_descriptor_raises_its_addresses_and_announces_them() {
    let mut cluster = pair();
    exhaust_descriptors(&mut cluster.a);
    let wire = WireWatch::start(&cluster.client);
    let since = cluster.journal().now();
    cluster.a.host.exec(&format!("ip addr del {VIP}/24 dev eth0"));
    wait_until(LIMIT, "it is back", || cluster.a.holds(VIP));
    wait_until(LIMIT, "and announced", || wire.announced(since).contains_key(&VIP));
}

#[test]
fn a_table_that_cannot_be_cleared_for_want_of_a_descriptor_is_cleared_later() {
    let mut cluster = pair();
    exhaust_descriptors(&mut cluster.a);
    let since = cluster.journal().now();
    for lvs in cluster.a.host.processes_named("lvs") {
        kill(lvs, Signal::SIGKILL).expect("lvs runs");
    }
    cluster.a.wait_for_log(since, "cannot withdraw the services", LIMIT);
    wait_until(LIMIT, "b took over", || cluster.b.holds(VIP) && !cluster.a.holds(VIP));
    let pulse = cluster.a.pulse().pid();
    cluster.a.host.exec(&format!("prlimit --pid {pulse} --nofile=1024:1024"));
    wait_until(LIMIT, "a serves nothing", || cluster.a.ipvs().services.is_empty());
}

/// Leaves pulse what it has open, and nothing more.
fn exhaust_descriptors(director: &mut Director) {
    let pulse = director.pulse().pid();
    let open = std::fs::read_dir(format!("/proc/{pulse}/fd")).expect("pulse runs").filter_map(Result::ok);
    let highest = open.filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok()).max();
    let limit = highest.expect("descriptors") + 1;
    director.host.exec(&format!("prlimit --pid {pulse} --nofile={limit}:{limit}"));
}

#[test]
fn an_address_that_cannot_be_raised_is_tried_again() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    let late = Ipv4Addr::new(10, 2, 0, 50);
    let mut other = cluster.config.virtual_server("web").clone().renamed("other");
    other.set("address", format!("{late} eth2:1"));
    cluster.config.virtuals.push(other);
    cluster.configure();
    let since = cluster.journal().now();
    cluster.a.start(&["--forceactive"]);
    cluster.a.wait_for_log(since, "on eth2:1: there is no device eth2", LIMIT);
    wait_until(LIMIT, "the other address is there", || cluster.a.holds(VIP));
    cluster.a.host.exec("ip link add eth2 type dummy");
    cluster.a.host.exec("ip link set eth2 up");
    let raised = wait_until(LIMIT, "the late one is there, too", || cluster.a.holds(late));
    println!("raised {raised:?} after its device was there");
    cluster.a.stop();
    assert!(!cluster.a.holds(late) && !cluster.a.holds(VIP));
}

/// Starts pulse as an init script does: with a pid file and without an output.
fn start_daemon(director: &Director) {
    director.host.journal().step(&format!("start pulse as a daemon on {}", director.name()));
    director.host.exec(&format!("{} --lvsd {}", daemon("pulse").display(), daemon("lvs").display()));
}

fn a_pair_serves_without(room: Room) {
    let cluster = Cluster::builder(Forwarding::Nat).build();
    for director in [&cluster.a, &cluster.b] {
        director.host.fill_disk(room);
        assert!(director.host.try_write("/run/note", "a word").is_err());
        start_daemon(director);
    }
    let serving = || [&cluster.a, &cluster.b].map(serves);
    let taken = wait_until(LIMIT, "one serves", || serving() != [false, false]);
    println!("no more {room:?}: one serves after {taken:?}");
    let (active, standby) = match serving() {
        [true, false] => (&cluster.a, &cluster.b),
        [false, true] => (&cluster.b, &cluster.a),
        both => panic!("who serves? {both:?}"),
    };
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.wait_for_service(&clients);
    cluster.journal().step("the active one is stopped");
    let pulse = active.host.processes_named("pulse");
    assert_eq!(pulse.len(), 1);
    kill(pulse[0], Signal::SIGTERM).expect("pulse runs");
    wait_until(LIMIT, "the other one serves", || serves(standby) && !active.holds(VIP));
    wait_until(LIMIT, "nothing is left of the first", || active.host.processes().is_empty());
    assert!(active.ipvs().services.is_empty());
    active.host.empty_disk();
    start_daemon(active);
    cluster.journal().step("there is room again, and the other one dies");
    standby.host.kill_all();
    wait_until(LIMIT, "the first serves, and has its pid file", || {
        let file = active.host.read("/run/pulse.pid");
        serves(active) && file.is_ok_and(|text| text.ends_with('\n'))
    });
}

#[test]
fn a_full_disk_keeps_nobody_from_serving() {
    a_pair_serves_without(Room::Blocks);
}

#[test]
fn nor_does_one_on_which_no_file_can_be_made() {
    a_pair_serves_without(Room::Files);
}
