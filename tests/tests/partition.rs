//! Links fail: between the directors, and of one director.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "measured values belong to the result")]

use std::time::Duration;

use testbed::{wait_until, Cluster, Forwarding, Probe, VipWatch, WireWatch, VIP};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_partition_heals_with_one_holder_three_times() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);
    for round in 1..=3 {
        cluster.partition(true);
        wait_until(LIMIT, "b believes that a is dead", || cluster.b.holds(VIP));
        assert!(cluster.a.holds(VIP), "a serves on");
        cluster.partition(false);
        let healed = cluster.journal().now();
        let yielded = wait_until(LIMIT, "b yields to the primary", || !cluster.b.holds(VIP));
        cluster.wait_for_service(&clients);
        wait_until(LIMIT, "three seconds of probes", || {
            clients.report().since(healed + Duration::from_secs(3)).samples.len() > 10
        });
        assert!(cluster.a.holds(VIP) && !cluster.b.holds(VIP));
        assert!(cluster.b.ipvs().services.is_empty());
        let report = clients.report().since(healed);
        println!("round {round}: b yielded after {yielded:?}; {report}");
        assert!(yielded < Duration::from_millis(1500), "within a heartbeat or so");
        assert!(report.longest_gap() < Duration::from_millis(250), "{report}");
    }
}

#[test]
fn a_director_without_link_yields_at_once() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster
        .config
        .set("primary_private", "10.1.0.1")
        .set("backup_private", "10.1.0.2")
        .set("monitor_links", 1);
    cluster.configure();
    let holders = VipWatch::start(VIP, &[&cluster.a.host, &cluster.b.host]);
    let on_a = WireWatch::start(&cluster.a.host);
    cluster.start_both();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);
    wait_until(LIMIT, "b is heard on both paths", || {
        ["10.0.0.2", "10.1.0.2"].iter().all(|b| !on_a.heartbeats(b.parse().expect("an address")).is_empty())
    });

    let cut = cluster.journal().now();
    cluster.network.unplug(&cluster.a.host, "eth0");
    wait_until(LIMIT, "b took over", || cluster.b.holds(VIP));
    cluster.wait_for_service(&clients);
    cluster.a.wait_for_log(cut, "Local NIC link failure: Pulse disabled", LIMIT);
    let report = clients.report().since(cut);
    let (twice, _) = holders.twice_and_never(cluster.journal().now());
    println!("link cut: {report}; held by both {twice:?}");
    assert!(report.longest_gap() < Duration::from_millis(2500), "sooner than deadtime: {report}");
    assert_eq!(twice, Duration::ZERO);

    let restored = cluster.journal().now();
    cluster.network.plug(&cluster.a.host, "eth0");
    cluster.a.wait_for_log(restored, "Local NIC link(s) restored: Pulse enabled", LIMIT);
    wait_until(LIMIT, "three seconds of probes", || {
        clients.report().since(restored + Duration::from_secs(3)).samples.len() > 10
    });
    assert!(cluster.b.holds(VIP) && !cluster.a.holds(VIP), "no fail-back");
    assert_eq!(clients.report().since(restored).lost(), 0);
}

#[test]
fn a_simultaneous_start_elects_one() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    let holders = VipWatch::start(VIP, &[&cluster.a.host, &cluster.b.host]);
    cluster.a.start(&[]);
    cluster.b.start(&[]);
    wait_until(LIMIT, "one serves", || cluster.a.holds(VIP) || cluster.b.holds(VIP));
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);
    let since = cluster.journal().now();
    wait_until(LIMIT, "four seconds of probes", || {
        clients.report().since(since + Duration::from_secs(4)).samples.len() > 10
    });
    let (twice, _) = holders.twice_and_never(cluster.journal().now());
    assert!(cluster.a.holds(VIP) != cluster.b.holds(VIP), "exactly one");
    assert_eq!(twice, Duration::ZERO);
    assert_eq!(clients.report().since(since).lost(), 0);
}
