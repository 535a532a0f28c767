//! Two directors with `service = fos` in network namespaces, and a gateway between them. A script in the place of
//! fos records what it is started for, and ends when it is told to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

mod rig;

use nix::sys::signal::Signal;
use rig::pair::{succeed, words, Node, Site};

const CONFIG: &str = "
service = fos
primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
keepalive = 1
deadtime = 2
failover web {
    active = 1
    address = 10.0.0.100 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
}
";

/// In the place of fos: ends with status 0 at TERM, or when the file NODE.fail is there.
const FOS: &str = r#"
record() { echo "$NODE $*" >>"$SITE/record"; }
record "$@"
trap 'record end "$1"; exit 0' TERM
while [ -d "$SITE" ]; do
    if [ -e "$SITE/$NODE.fail" ]; then rm "$SITE/$NODE.fail"; exit 0; fi
    sleep 0.01
done
"#;

/// A running pair: the primary serves, the backup monitors.
fn pair(test: &str) -> (Site, Node, Node) {
    let site = Site::new(&format!("fos-{test}"), CONFIG, FOS);
    let mut a = Node::new("a", "10.0.0.1");
    let mut b = Node::new("b", "10.0.0.2");
    a.start(&site, "");
    a.logs("STARTING PULSE AS MASTER");
    a.logs("Starting Failover Service Monitors");
    a.logs("partner dead: activating failover services");
    b.start(&site, "");
    b.logs("STARTING PULSE AS BACKUP");
    b.logs("Starting Failover Service Monitors");
    site.recorded("b --monitor -c lvs.cf --nodaemon", 1);
    site.recorded("a --active -c lvs.cf --nodaemon", 1);
    assert!(a.holds_vip());
    (site, a, b)
}

#[test]
fn a_lone_node_serves_after_deadtime_and_a_second_one_monitors() {
    let (site, a, b) = pair("start");
    assert!(!b.holds_vip());
    let record = site.record();
    let of_a: Vec<_> = record.iter().filter(|line| line.starts_with("a ")).take(2).collect();
    assert_eq!(of_a, ["a --monitor -c lvs.cf --nodaemon", "a end --monitor"]);
    a.logs("gratuitous fos arps finished");
}

#[test]
fn a_silent_partner_is_replaced() {
    let (site, a, b) = pair("silence");
    succeed(&mut words("ip link set dev a down"));
    a.signal(Signal::SIGKILL);
    b.logs("partner dead: activating failover services");
    site.recorded("b end --monitor", 1);
    site.recorded("b --active -c lvs.cf --nodaemon", 1);
    assert!(b.holds_vip());
}

#[test]
fn services_that_do_not_answer_are_taken_over_when_the_gateway_does() {
    let (site, a, b) = pair("stopme");
    site.fail("b");
    b.logs("fos process exited -- checking network connectivity");
    b.logs("remote service unavailable but we can see the gateway");
    b.logs("seems like a remote network fault; performing service failover");
    b.logs("Notifying partner WE are taking control!");
    a.logs("PARTNER HAS TOLD US TO GO INACTIVE!");
    site.recorded("a end --active", 1);
    site.recorded("a --monitor -c lvs.cf --nodaemon", 2);
    site.recorded("b --active -c lvs.cf --nodaemon", 1);
    assert!(b.holds_vip() && !a.holds_vip());
}

#[test]
fn without_a_gateway_it_is_the_standbys_own_fault() {
    let (site, a, b) = pair("fault");
    b.run("ip route del default");
    site.fail("b");
    b.logs("fos process exited -- checking network connectivity");
    b.logs("remote service unavailable; gateway unavailable");
    b.logs("I SEEM TO HAVE A NETWORK FAULT!");
    b.logs("Network fault seems to be fixed");
    site.recorded("b --monitor -c lvs.cf --nodaemon", 2);
    assert!(a.holds_vip() && !b.holds_vip());
}

#[test]
fn a_planned_stop_hands_over_when_the_services_are_stopped() {
    let (site, mut a, b) = pair("stop");
    // Both must have heard each other, or the stop cannot be told from a start.
    a.signal(Signal::SIGTERM);
    a.logs("Terminating due to signal 15");
    b.logs("primary inactive: activating fos");
    site.recorded("b --active -c lvs.cf --nodaemon", 1);
    assert_eq!(a.status(), Some(0));
    assert!(b.holds_vip() && !a.holds_vip());
    let record = site.record();
    let at = |line: &str| record.iter().position(|found| found == line);
    assert!(at("a end --active") < at("b end --monitor"), "{record:?}");
}

#[test]
fn services_that_end_are_started_again() {
    let (site, a, b) = pair("restart");
    site.fail("a");
    a.logs("fos process exited -- restarting it");
    site.recorded("a --active -c lvs.cf --nodaemon", 2);
    assert!(a.holds_vip() && !b.holds_vip());
}

#[test]
fn a_reload_exchanges_services_and_addresses() {
    let (site, a, _b) = pair("reload");
    let changed = CONFIG.replace("10.0.0.100", "10.0.0.101");
    site.configure(&changed);
    a.signal(Signal::SIGHUP);
    site.recorded("a --active -c lvs.cf --nodaemon", 2);
    assert!(!a.holds_vip() && a.run("ip -o -4 addr show dev eth0").contains("10.0.0.101/24"));
    // What does not concern the services leaves them alone, and so does another kind of service.
    site.configure(&CONFIG.replace("fos", "lvs"));
    a.signal(Signal::SIGHUP);
    a.logs("service has changed: it is taken over at the next start");
    assert_eq!(site.record().iter().filter(|line| line.starts_with("a --active")).count(), 2);
}

#[test]
fn a_test_start_tells_both_tasks_and_changes_nothing() {
    let site = Site::new("fos-plan", CONFIG, FOS);
    let node = Node::new("a", "10.0.0.1");
    let program = env!("CARGO_BIN_EXE_pulse");
    let plan = node.run(&format!("{program} -t -c {} --fos /opt/fos", site.path("lvs.cf")));
    let lines: Vec<String> = plan.lines().map(|line| line.replace(&site.path(""), "")).collect();
    assert_eq!(
        lines,
        [
            "pulse: STARTING PULSE AS MASTER",
            "pulse: heartbeats from 10.0.0.1:539 to 10.0.0.2:539",
            "pulse: when active: 10.0.0.100/24 on eth0:1",
            "pulse: when active: /opt/fos --active -c lvs.cf --nofork",
            "pulse: when not: /opt/fos --monitor -c lvs.cf --nofork",
        ]
    );
    assert!(!node.holds_vip());
    assert_eq!(site.record(), Vec::<String>::new());
}
