//! The sync daemon by way of a program in ipvsadm's place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod rig;

use nix::sys::signal::Signal;
use rig::lone::Lone;
use rig::wait_until;

const VIP: &str = "10.0.0.100";

/// Notes what it is asked for, and hangs while it is to.
const IPVSADM: &str = r#"
echo "$*" >>"$0.log"
while [ -e "$0.hangs" ]; do sleep 0.02; done
"#;

const STOPS: [&str; 2] = ["--stop-daemon backup", "--stop-daemon master"];

fn start(role: &str, id: u8) -> Vec<String> {
    let start = format!("--start-daemon {role} --mcast-interface eth0 --syncid {id}");
    STOPS.iter().map(ToString::to_string).chain([start]).collect()
}

/// A node whose ipvsadm is this program.
fn node(test: &str) -> Lone {
    let node = Lone::new(test);
    node.script("ipvsadm", IPVSADM);
    node
}

fn lines(node: &Lone, lines: &str) -> String {
    format!("ipvsadm = {}\n{lines}", node.path("ipvsadm"))
}

fn hang(node: &Lone) {
    std::fs::write(node.path("ipvsadm.hangs"), "").unwrap();
}

fn go_on(node: &Lone) {
    std::fs::remove_file(node.path("ipvsadm.hangs")).unwrap();
}

fn calls(node: &Lone) -> Vec<String> {
    node.text("ipvsadm.log").lines().map(ToOwned::to_owned).collect()
}

/// These calls are the next ones.
fn called(node: &Lone, before: &mut usize, expected: &[String]) {
    let range = *before..*before + expected.len();
    wait_until("ipvsadm is called", || calls(node).len() >= range.end);
    assert_eq!(calls(node)[range.clone()], *expected);
    *before = range.end;
}

#[test]
fn a_program_that_hangs_holds_up_neither_heartbeats_nor_addresses() {
    let mut node = node("sync-hangs");
    node.configure(VIP, &lines(&node, "syncdaemon = 1"));
    hang(&node);
    node.start(&["--forceactive"]);
    assert!(node.heartbeats(3) >= 2);
    assert!(node.holds(VIP));
    let mut before = 0;
    called(&node, &mut before, &start("backup", 0)[..1]);
    assert_eq!(calls(&node).len(), before, "one call at a time");
    go_on(&node);
    called(&node, &mut before, &start("backup", 0)[1..]);
    called(&node, &mut before, &start("master", 0));

    hang(&node);
    node.signal(Signal::SIGTERM);
    wait_until("its address is gone", || !node.holds(VIP));
    called(&node, &mut before, &[STOPS[0].to_owned()]);
    go_on(&node);
    assert!(node.ended().success());
    called(&node, &mut before, &[STOPS[1].to_owned()]);
}

#[test]
fn the_daemon_follows_a_reload() {
    let mut node = node("sync-reload");
    node.configure(VIP, &lines(&node, "syncdaemon = 1"));
    node.start(&["--forceactive"]);
    let mut before = 0;
    called(&node, &mut before, &start("backup", 0));
    called(&node, &mut before, &start("master", 0));

    let stops = STOPS.map(ToOwned::to_owned);
    let other_interface =
        start("master", 7).iter().map(|call| call.replace("eth0", "eth1")).collect::<Vec<_>>();
    let changes: [(&str, &[String]); 7] = [
        ("syncdaemon = 1\nsyncd_id = 7", &start("master", 7)),
        ("syncdaemon = 1\nsyncd_id = 263\nkeepalive = 2", &[]),
        ("syncdaemon = 1\nsyncd_id = 7\nsyncd_iface = eth1", &other_interface),
        ("syncdaemon = 0\nsyncd_id = 7\nsyncd_iface = eth1", &stops),
        ("syncdaemon = 0\nsyncd_id = 8", &[]),
        ("syncdaemon = 1", &start("master", 0)),
        ("", &stops),
    ];
    for (number, (text, expected)) in changes.iter().enumerate() {
        node.configure(VIP, &lines(&node, text));
        node.signal(Signal::SIGHUP);
        wait_until("lvs hears of it", || node.text("lvs.log").lines().count() > number);
        called(&node, &mut before, expected);
    }
    assert_eq!(calls(&node).len(), before);
    node.signal(Signal::SIGTERM);
    assert!(node.ended().success());
    assert_eq!(calls(&node).len(), before, "what is not wanted is not stopped again");
}
