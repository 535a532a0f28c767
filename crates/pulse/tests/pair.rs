//! Two directors with `service = lvs` in network namespaces. A script that does nothing stands in the place of lvs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

mod rig;

use nix::sys::signal::Signal;
use rig::pair::{Node, Site};

const CONFIG: &str = "
primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
keepalive = 1
deadtime = 2
virtual web {
    active = 1
    address = 10.0.0.100 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
}
";

/// In the place of lvs: outlives HUP, and ends with status 0 at TERM.
const LVS: &str = r#"
trap : HUP
trap 'exit 0' TERM
echo "$NODE can be signalled" >>"$SITE/record"
while [ -d "$SITE" ]; do sleep 0.01; done
"#;

fn without_backup() -> String {
    CONFIG.replace("backup_active = 1", "backup_active = 0")
}

fn nodes(test: &str) -> (Site, Node, Node) {
    nodes_with(test, CONFIG)
}

fn nodes_with(test: &str, config: &str) -> (Site, Node, Node) {
    let site = Site::new(test, config, LVS);
    (site, Node::new("a", "10.0.0.1"), Node::new("b", "10.0.0.2"))
}

/// The primary serves, the backup waits.
fn pair(test: &str) -> (Site, Node, Node) {
    let (site, mut a, mut b) = nodes(test);
    a.start(&site, "-v");
    a.logs("partner dead: activating lvs");
    site.recorded("a can be signalled", 1);
    b.start(&site, "-v");
    b.logs("DEBUG -- Received Heartbeat from partner");
    a.logs("DEBUG -- Received Heartbeat from partner");
    (site, a, b)
}

const NOT_WANTED: &str = "We are backup node and backup is marked inactive -- exiting pulse";
const HEARD: &str = "DEBUG -- Received Heartbeat from partner";

#[test]
fn a_standby_backup_that_is_no_longer_wanted_leaves_as_if_it_were_started() {
    let (site, a, mut b) = pair("dismissed-standby");
    site.configure(&without_backup());
    // The master has read it first, and for longer than deadtime.
    a.signal(Signal::SIGHUP);
    a.logs("there is no backup any more: heartbeats to it end at the next start");
    for _ in 0..4 {
        let before = b.logs(HEARD);
        assert!(!before.iter().any(|line| line.contains("activating")), "{before:?}");
    }
    assert!(a.holds_vip() && !b.holds_vip());
    b.signal(Signal::SIGHUP);
    b.logs(NOT_WANTED);
    assert_eq!(b.status(), Some(255));
    assert!(a.holds_vip() && !b.holds_vip());
}

#[test]
fn an_active_backup_that_is_no_longer_wanted_hands_over_first() {
    let (site, mut a, mut b) = nodes("dismissed-active");
    b.start(&site, "");
    b.logs("partner dead: activating lvs");
    site.recorded("b can be signalled", 1);
    a.start(&site, "-v");
    a.logs(HEARD);
    site.configure(&without_backup());
    b.signal(Signal::SIGHUP);
    b.logs(NOT_WANTED);
    assert_eq!(b.status(), Some(255));
    // The master has not read it.
    a.logs("backup inactive: activating lvs");
    a.logs("gratuitous lvs arps finished");
    assert!(a.holds_vip() && !b.holds_vip());
}

#[test]
fn a_backup_that_the_sockets_do_not_reach_is_taken_on_at_the_next_start() {
    let (site, mut a, _b) = nodes("new-backup");
    site.configure(&without_backup().replace("backup = 10.0.0.2", ""));
    a.start(&site, "");
    a.logs("partner dead: activating lvs");
    site.recorded("a can be signalled", 1);
    site.configure(CONFIG);
    a.signal(Signal::SIGHUP);
    a.logs("heartbeat addresses or port have changed: they are taken over at the next start");
    a.logs("backup_active has changed: it is taken over at the next start");
    assert!(a.holds_vip());
}

#[test]
fn an_interface_that_vanishes_is_a_link_failure() {
    let config = CONFIG.replace("keepalive", "monitor_links = 1\nkeepalive");
    let (site, mut a, mut b) = nodes_with("vanished", &config);
    a.start(&site, "");
    a.logs("partner dead: activating lvs");
    b.start(&site, "");
    b.logs("STARTING PULSE AS BACKUP");
    a.run("ip link del eth0");
    a.logs("Primary NIC: link down");
    a.logs("local link failure: deactivating LVS");
    b.logs("partner dead: activating lvs");
}

#[test]
fn a_link_that_comes_to_life_hears_of_the_addresses() {
    let (site, mut a, _b) = nodes("late-link");
    a.run("ip link add name dead type veth peer name end");
    a.run("ip link set end up");
    site.configure(&CONFIG.replace("eth0:1", "dead:1"));
    a.start(&site, "");
    a.logs("partner dead: activating lvs");
    a.logs("gratuitous lvs arps finished");
    a.run("ip link set dead up");
    a.logs("link of dead is up: announcing the virtual addresses");
    a.logs("gratuitous lvs arps finished");
}
