//! A nanny that nobody but the administrator (or a foreign program) started: it edits the kernel's table
//! itself, through ipvsadm or not, as it was told.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::time::Duration;

use nix::sys::signal::Signal;
use testbed::{daemon, wait_until, Cluster, Forwarding, Process, VIP};

const SERVICE: &str = "TCP 10.0.0.50:80";
const REAL: &str = "10.1.0.11:80";
const LIMIT: Duration = Duration::from_secs(10);

/// A director with an empty service, and a nanny for its one real server.
fn with_nanny(options: &[&str]) -> (Process, Cluster) {
    let cluster = Cluster::builder(Forwarding::Nat).real_servers(1).build();
    cluster.a.host.exec(&format!("ipvsadm -A -t {VIP}:80 -s wlc"));
    let mut arguments = vec!["--nodaemon", "--lvs", "-h", "10.1.0.11", "-p", "80", "-V", "10.0.0.50"];
    arguments.extend(["-t", "1", "-a", "1", "-M", "m"]);
    arguments.extend(options);
    let nanny = cluster.a.host.spawn(&daemon("nanny"), &arguments);
    (nanny, cluster)
}

#[test]
fn adds_removes_and_adds_again() {
    let (mut nanny, cluster) = with_nanny(&[]);
    let weight = || cluster.a.ipvs().weight(SERVICE, REAL);
    wait_until(LIMIT, "a healthy server is added at once", || weight() == Some(1));
    cluster.real_servers[0].server.stop();
    wait_until(LIMIT, "a dead one is removed", || weight().is_none());
    cluster.real_servers[0].server.restart();
    wait_until(LIMIT, "it is added again", || weight() == Some(1));
    nanny.signal(Signal::SIGTERM);
    assert_eq!(nanny.wait(LIMIT).code(), Some(0));
    assert_eq!(weight(), None, "a nanny that ends takes its server out");
    assert!(cluster.a.ipvs().service(SERVICE).is_some(), "and touches nothing else");
}

#[test]
fn a_quiesced_server_stays_with_weight_zero() {
    let (mut nanny, cluster) = with_nanny(&["-q"]);
    let weight = || cluster.a.ipvs().weight(SERVICE, REAL);
    wait_until(LIMIT, "a healthy server is added", || weight() == Some(1));
    cluster.real_servers[0].server.hang();
    wait_until(LIMIT, "a hung one is drained", || weight() == Some(0));
    cluster.real_servers[0].server.restart();
    wait_until(LIMIT, "it gets its weight back", || weight() == Some(1));
    nanny.signal(Signal::SIGTERM);
    assert_eq!(nanny.wait(LIMIT).code(), Some(0));
}

#[test]
fn the_glasses_force_a_verdict() {
    let (mut nanny, cluster) = with_nanny(&[]);
    let weight = || cluster.a.ipvs().weight(SERVICE, REAL);
    wait_until(LIMIT, "a healthy server is added", || weight() == Some(1));
    nanny.signal(Signal::SIGUSR1);
    wait_until(LIMIT, "opaque glasses take it out", || weight().is_none());
    nanny.signal(Signal::SIGHUP);
    wait_until(LIMIT, "without glasses it is in again", || weight() == Some(1));
    cluster.real_servers[0].server.stop();
    wait_until(LIMIT, "it died", || weight().is_none());
    nanny.signal(Signal::SIGUSR2);
    wait_until(LIMIT, "rose-colored glasses put it in", || weight() == Some(1));
    nanny.signal(Signal::SIGTERM);
    assert_eq!(nanny.wait(LIMIT).code(), Some(0));
}
