//! A configuration file that takes its time, as one does that names hosts when the name server is silent, or that
//! cannot be read at all for the moment.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod rig;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use rig::lone::Lone;
use rig::wait_until;

const FIRST: &str = "10.0.0.100";

fn serving(test: &str) -> Lone {
    let mut node = Lone::new(test);
    node.configure(FIRST, "");
    node.start(&["--forceactive"]);
    wait_until("it serves", || node.holds(FIRST));
    node
}

#[test]
fn pulse_serves_while_the_file_is_read() {
    let mut node = serving("slow-file");

    // Whoever opens it waits for a writer.
    std::fs::remove_file(node.path("lvs.cf")).unwrap();
    nix::unistd::mkfifo(node.path("lvs.cf").as_str(), Mode::S_IRWXU).unwrap();
    node.signal(Signal::SIGHUP);
    assert!(node.heartbeats(3) >= 2);
    assert_eq!(node.text("lvs.log"), "", "lvs hears of it afterwards");

    // The second is not forgotten.
    node.signal(Signal::SIGHUP);
    assert!(node.heartbeats(2) >= 1);
    for (count, vip) in ["10.0.0.101", "10.0.0.102"].into_iter().enumerate() {
        node.configure(vip, "");
        wait_until("it is adopted", || node.holds(vip));
        wait_until("lvs hears of it", || node.text("lvs.log").lines().count() > count);
    }
    assert!(!node.holds(FIRST));

    node.signal(Signal::SIGHUP);
    assert!(node.heartbeats(1) >= 1);
    node.signal(Signal::SIGTERM);
    assert!(node.ended().success(), "who still reads does not keep it from ending");
}

#[test]
fn a_reload_is_not_lost_when_no_descriptor_is_left() {
    let node = serving("no-descriptor");
    node.exhaust_descriptors();
    node.configure("10.0.0.101", "");
    node.signal(Signal::SIGHUP);
    wait_until("it says why", || {
        node.text("log").contains("Too many open files: the file is read again in 5 seconds")
    });
    assert!(node.holds(FIRST));
    node.limit_descriptors(1024);
    wait_until("it is adopted", || node.holds("10.0.0.101"));
}
