//! Large configurations.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{getrlimit, setrlimit, Resource};
use testbed::{addresses, wait_until, Cluster, Forwarding, Virtual, WireWatch};

/// The `index`-th of many addresses from 10.`net`.4.0 on.
fn numbered(net: u8, index: u16) -> Ipv4Addr {
    Ipv4Addr::new(10, net, 4 + (index / 250) as u8, 1 + (index % 250) as u8)
}

#[test]
fn a_thousand_vips_move_at_once() {
    let mut cluster = Cluster::builder(Forwarding::Direct).real_servers(1).build();
    let real = cluster.real_servers[0].address;
    cluster.config.virtuals.clear();
    for index in 0..1000 {
        let block = Virtual::new(&format!("v{index}"))
            .with("address", format!("{} eth0:{}", numbered(0, index), index + 1))
            .with("vip_nmask", "255.255.255.255")
            .with("port", 80);
        // Services without servers, but for one: this is about addresses.
        cluster.config.virtuals.push(if index == 0 { block.with_server("real1", real, 1) } else { block });
    }
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    let vips = |director: &testbed::Director| {
        addresses(&director.host).iter().filter(|(_, address)| address.octets()[2] >= 4).count()
    };
    let limit = Duration::from_secs(60);
    wait_until(limit, "a has 1000 VIPs", || vips(&cluster.a) == 1000);
    wait_until(limit, "and 1000 services", || cluster.a.ipvs().services.len() == 1000);
    cluster.b.start(&[]);
    let wire = WireWatch::start(&cluster.client);
    let on_b = WireWatch::start(&cluster.b.host);
    wait_until(limit, "b hears a", || on_b.heartbeats(Ipv4Addr::new(10, 0, 0, 1)).len() >= 2);

    let stopped = cluster.journal().now();
    assert!(cluster.a.stop().success());
    assert_eq!(vips(&cluster.a), 0, "an orderly stop leaves none");
    wait_until(limit, "b has 1000 VIPs", || vips(&cluster.b) == 1000);
    // The first announcement of each address.
    let announced = || {
        let mut first = BTreeMap::new();
        for frame in wire.gratuitous().into_iter().filter(|frame| frame.at >= stopped) {
            first.entry(frame.sender_address).or_insert(frame.at);
        }
        first
    };
    wait_until(limit, "all are announced", || {
        thread::sleep(Duration::from_millis(200));
        announced().len() == 1000
    });
    let last = announced().into_values().max().expect("announcements");
    println!("1000 VIPs: all announced {:?} after the order to stop", last - stopped);
    assert!(last - stopped < Duration::from_secs(3), "all within three seconds");
}

/// More than a process may have files open, unless it asks for more: a usual soft limit.
const REAL_SERVERS: u16 = 1100;
const OPEN_FILES: u64 = 1024;

#[test]
fn more_than_a_thousand_real_servers_are_watched() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    assert!(hard > 2 * OPEN_FILES, "lvs may ask for more");
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, hard).expect("a lower limit");
    let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(1).build();
    let host = &cluster.real_servers[0].host;
    host.ip(&(0..REAL_SERVERS)
        .map(|index| format!("addr add {}/32 dev lo", numbered(1, index)))
        .collect::<Vec<_>>());
    for director in [&cluster.a, &cluster.b] {
        director.host.exec(&format!("ip route add 10.1.0.0/16 via {}", cluster.real_servers[0].address));
    }
    let web = cluster.config.virtual_server("web");
    web.remove_server("real1").set("timeout", 10).set("reentry", 10);
    for index in 0..REAL_SERVERS {
        web.add_server(&format!("r{index}"), numbered(1, index), 1);
    }
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    let count = || cluster.a.ipvs().services.first().map_or(0, |service| service.destinations.len());
    // A guest starts a thousand programs in 40 seconds if it has its processor for itself.
    let limit = Duration::from_secs(300);
    let complete = wait_until(limit, "all servers are in service", || count() == usize::from(REAL_SERVERS));
    let nannies = cluster.a.host.processes_named("nanny");
    assert_eq!(nannies.len(), usize::from(REAL_SERVERS));
    let private: u64 = nannies.iter().map(|pid| private_kib(pid.as_raw())).sum();
    let each = private / u64::from(REAL_SERVERS);
    println!("{REAL_SERVERS} real servers in service after {complete:?}; nannies use {each} KiB each");

    cluster.real_servers[0].server.stop();
    let out = wait_until(limit, "all are taken out", || count() == 0);
    println!("all out {out:?} after they went down");
    let since = cluster.journal().now();
    assert!(cluster.a.stop().success());
    println!("stopped within {:?}", cluster.journal().now() - since);
    assert!(cluster.a.host.processes().is_empty(), "no nanny is left");
}

/// Private memory of a process.
fn private_kib(pid: i32) -> u64 {
    let map = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let value = |line: &str| line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    map.lines().filter(|line| line.starts_with("Private_")).filter_map(value).sum()
}
