//! A changed `lvs.cf` takes effect on HUP without disturbing what did not change.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use testbed::{holds_for, wait_until, Cluster, Conversation, Forwarding, Probe, Usage, Virtual, VIP};

const SERVICE: &str = "TCP 10.0.0.50:80";
const LIMIT: Duration = Duration::from_secs(10);

/// A cluster of three real servers of which the first two are configured, with a conversation to each.
fn with_conversations() -> (Cluster, [Conversation; 2]) {
    let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(3).build();
    cluster.config.virtual_server("web").remove_server("real3");
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    wait_until(LIMIT, "two servers are in service", || destinations(&cluster).len() == 2);
    cluster.b.start(&[]);
    let open = || Conversation::open(&cluster.client, SocketAddrV4::new(VIP, 80)).expect("a connection");
    let mut conversations = [open(), open()];
    // The first talks to real1.
    if conversations[0].ask().expect("an answer") != "real1" {
        conversations.reverse();
    }
    assert_eq!(conversations[1].ask().expect("an answer"), "real2");
    (cluster, conversations)
}

fn destinations(cluster: &Cluster) -> Vec<String> {
    let table = cluster.a.ipvs();
    let service = table.service(SERVICE);
    service.into_iter().flat_map(|service| &service.destinations).map(|real| real.address.clone()).collect()
}

fn nannies(cluster: &Cluster) -> BTreeSet<i32> {
    cluster.a.host.processes_named("nanny").into_iter().map(|pid| pid.as_raw()).collect()
}

fn reload(cluster: &mut Cluster) {
    let config = cluster.config.clone();
    cluster.b.reload(&config);
    cluster.a.reload(&config);
}

#[test]
fn an_added_server_serves_and_nobody_notices() {
    let (mut cluster, mut conversations) = with_conversations();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    let (before, third) = (nannies(&cluster), cluster.real_servers[2].address);
    cluster.config.virtual_server("web").add_server("real3", third, 1);
    reload(&mut cluster);
    wait_until(LIMIT, "real3 serves", || destinations(&cluster).len() == 3);
    wait_until(LIMIT, "a second of probes", || clients.report().samples.len() >= 100);
    assert!(clients.report().by_server().contains_key("real3"));
    let after = nannies(&cluster);
    assert!(after.is_superset(&before) && after.len() == 3, "nannies stay: {before:?} {after:?}");
    for (conversation, name) in conversations.iter_mut().zip(["real1", "real2"]) {
        assert_eq!(conversation.ask().expect("an answer"), name);
    }
    let report = clients.stop();
    println!("{report}");
    assert_eq!(report.lost(), 0);
}

#[test]
fn a_removed_server_takes_only_its_own_connections_with_it() {
    let (mut cluster, mut conversations) = with_conversations();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    let before = nannies(&cluster);
    cluster.config.virtual_server("web").remove_server("real1");
    reload(&mut cluster);
    wait_until(LIMIT, "real1 is gone", || destinations(&cluster) == ["10.1.0.12:80"]);
    wait_until(LIMIT, "its nanny is gone", || nannies(&cluster).len() == 1);
    assert!(before.is_superset(&nannies(&cluster)));
    assert_eq!(conversations[1].ask().expect("an answer"), "real2");
    let since = cluster.journal().now();
    wait_until(LIMIT, "50 probes", || clients.report().since(since).samples.len() >= 50);
    let report = clients.stop();
    println!("{report}");
    assert_eq!(report.since(since).by_server().into_keys().collect::<Vec<_>>(), ["real2"]);
    // The one that real1 was just answering may go.
    assert!(report.lost() <= 1);
}

#[test]
fn a_changed_weight_is_an_edit() {
    let (mut cluster, mut conversations) = with_conversations();
    let before = nannies(&cluster);
    let connections = |cluster: &Cluster| {
        cluster.a.ipvs().services[0].destinations.iter().map(|real| real.connections).collect::<Vec<_>>()
    };
    assert_eq!(connections(&cluster), [1, 1]);
    cluster.config.virtual_server("web").set("scheduler", "wlc").set_server("real2", "weight", 0);
    reload(&mut cluster);
    wait_until(LIMIT, "real2 is drained by weight 0", || {
        cluster.a.ipvs().weight(SERVICE, "10.1.0.12:80") == Some(0)
    });
    wait_until(LIMIT, "the scheduler changes", || cluster.a.ipvs().services[0].scheduler == "wlc");
    assert_eq!(connections(&cluster), [1, 1], "the entries were never deleted");
    assert_eq!(nannies(&cluster).intersection(&before).count(), 2 - usize::from(nannies(&cluster) != before));
    for (conversation, name) in conversations.iter_mut().zip(["real1", "real2"]) {
        assert_eq!(conversation.ask().expect("an answer"), name);
    }
}

#[test]
fn virtual_servers_come_and_go_with_their_addresses() {
    let (mut cluster, mut conversations) = with_conversations();
    let second = Ipv4Addr::new(10, 0, 0, 51);
    let address = cluster.real_servers[0].address;
    let other = Virtual::new("other")
        .with("address", format!("{second} eth0:2"))
        .with("vip_nmask", "255.255.255.0")
        .with("port", 80)
        .with("timeout", 2)
        .with_server("real1", address, 1);
    cluster.config.virtuals.push(other);
    reload(&mut cluster);
    wait_until(LIMIT, "the second VIP is up", || cluster.a.holds(second));
    wait_until(LIMIT, "its service too", || {
        cluster.a.ipvs().weight("TCP 10.0.0.51:80", "10.1.0.11:80").is_some()
    });
    assert!(!cluster.b.holds(second), "the standby brings nothing up");

    cluster.config.virtuals.pop();
    reload(&mut cluster);
    wait_until(LIMIT, "both are gone", || {
        !cluster.a.holds(second) && cluster.a.ipvs().service("TCP 10.0.0.51:80").is_none()
    });
    assert!(cluster.a.holds(VIP));
    for conversation in &mut conversations {
        conversation.ask().expect("the other service is untouched");
    }
}

#[test]
fn a_broken_file_is_refused() {
    let (mut cluster, mut conversations) = with_conversations();
    let before = (cluster.a.ipvs(), nannies(&cluster));
    let since = cluster.journal().now();
    cluster.a.configure_with("service = lvs\nthis is no lvs.cf {\n");
    cluster.a.pulse().signal(nix::sys::signal::Signal::SIGHUP);
    cluster.a.wait_for_log(since, "error parsing", LIMIT);
    holds_for(Duration::from_secs(1), "all is as before", || {
        cluster.a.holds(VIP) && (cluster.a.ipvs(), nannies(&cluster)) == before
    });
    for conversation in &mut conversations {
        conversation.ask().expect("a broken file disturbs nobody");
    }
}

/// Every process of the suite, and what it uses.
fn usages(cluster: &Cluster) -> BTreeMap<String, Usage> {
    let mut found = BTreeMap::new();
    for director in [&cluster.a, &cluster.b] {
        for program in ["pulse", "lvs", "nanny"] {
            let pids = director.host.processes_named(program).into_iter();
            let usages = pids
                .filter_map(|pid| Some((format!("{program} {pid} on {}", director.name()), Usage::of(pid)?)));
            found.extend(usages);
        }
    }
    found
}

#[test]
fn reloads_leave_nothing_behind() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    cluster.b.wait_for_log(Duration::ZERO, "STARTING PULSE AS BACKUP", LIMIT);
    let turns = |cluster: &mut Cluster, count: usize| {
        for scheduler in ["rr", "wrr", "wlc"].into_iter().cycle().skip(1).take(count) {
            cluster.config.virtual_server("web").set("scheduler", scheduler);
            reload(cluster);
            wait_until(LIMIT, "it is in force", || {
                cluster.a.ipvs().service(SERVICE).is_some_and(|service| service.scheduler == scheduler)
            });
        }
    };
    // Memory that is used once is used again.
    turns(&mut cluster, 30);
    let before = usages(&cluster);
    turns(&mut cluster, 150);
    let after = usages(&cluster);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "the same processes");
    assert_eq!(before.len(), 5, "two of pulse, an lvs and two nannies: {before:?}");
    for (name, after) in &after {
        let before = &before[name];
        println!("{name}: {before:?}, after 150 reloads {after:?}");
        assert!(after.descriptors <= before.descriptors, "{name} has more descriptors");
        // Half a kilobyte for each reload would be found.
        assert!(after.memory_kib < before.memory_kib + 64, "{name} has grown");
    }
}
