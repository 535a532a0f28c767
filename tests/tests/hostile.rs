//! Whoever is on the network means harm: it costs little, and changes nothing for the others.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use system::packet::PacketSocket;
use testbed::{
    datagram, device, first_fragment, foreign_mac, holds_for, wait_until, ArpFrame, Cluster, Director,
    Forwarding, Host, HostileServer, Mac, Manner, Probe, Usage, VipWatch, WireWatch, EVERYBODY, FRAME,
    NAT_ROUTER, VIP,
};

const LIMIT: Duration = Duration::from_secs(20);
/// What a program may grow by: two pages are usual.
const MORE_MEMORY_KIB: usize = 256;
const DIRECTORS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
const RUNNING: [u8; 4] = 0xbdad_dbda_u32.to_ne_bytes();
const STOPPED: [u8; 4] = 0xadbd_dabd_u32.to_ne_bytes();

/// A serving pair, and what its programs use before the attack.
struct Victims {
    holders: VipWatch,
    before: Vec<(String, Usage)>,
    cluster: Cluster,
}

impl Victims {
    fn start(cluster: Cluster) -> Victims {
        let holders = VipWatch::start(VIP, &[&cluster.a.host, &cluster.b.host]);
        Victims { holders, before: usages(&cluster), cluster }
    }

    /// Nobody got or lost the VIP, and the same processes use about what they used.
    fn are_unimpressed(&self) {
        assert!(self.cluster.a.holds(VIP) && !self.cluster.b.holds(VIP));
        assert_eq!(self.holders.changes().len(), 2, "the state at the start, and nothing since");
        let after = usages(&self.cluster);
        for (name, before) in &self.before {
            let (_, after) = after.iter().find(|(found, _)| found == name).expect("it still runs");
            println!("{name}: {before:?}, then {after:?}");
            assert!(after.memory_kib < before.memory_kib + MORE_MEMORY_KIB, "{name} has grown");
            assert!(after.descriptors <= before.descriptors + 2, "{name} has more descriptors");
        }
    }
}

/// Every process of the suite, by a name that does not change.
fn usages(cluster: &Cluster) -> Vec<(String, Usage)> {
    let mut found = Vec::new();
    for director in [&cluster.a, &cluster.b] {
        for program in ["pulse", "lvs", "nanny"] {
            for pid in director.host.processes_named(program) {
                let usage = Usage::of(pid).expect("it runs");
                found.push((format!("{program} {pid} on {}", director.name()), usage));
            }
        }
    }
    found
}

fn pair() -> Cluster {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    cluster
}

/// Sends each payload to both directors, over and over for `period`; `pause` after each round. Returns how many.
fn send(host: &Host, payloads: Vec<Vec<u8>>, period: Duration, pause: Duration) -> usize {
    host.run(move || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < period {
            for (payload, director) in payloads.iter().flat_map(|payload| DIRECTORS.map(|to| (payload, to))) {
                sent += usize::from(socket.send_to(payload, (director, 539)).is_ok());
            }
            thread::sleep(pause);
        }
        sent
    })
}

#[test]
fn heartbeats_of_strangers_and_a_flood_of_them_change_nothing() {
    let victims = Victims::start(pair());
    let cluster = &victims.cluster;
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.wait_for_service(&clients);
    let lines = cluster.journal().lines(|_| true).len();
    // Longer than deadtime: a partner that is not heard for the noise would be found dead.
    let words = vec![RUNNING.to_vec(), STOPPED.to_vec(), vec![0; 4], Vec::new()];
    let sent = send(&cluster.client, words, Duration::from_secs(5), Duration::from_micros(200));
    let said = cluster.journal().lines(|_| true).len() - lines;
    let report = clients.stop();
    println!("{sent} datagrams, {said} lines: {report}");
    assert!(sent > 2_000, "only {sent}");
    assert_eq!(report.lost(), 0, "{report}");
    assert!(said < 50, "the log is not flooded as well: {said} lines");
    victims.are_unimpressed();
    let idle = usages(cluster);
    thread::sleep(Duration::from_secs(2));
    for ((name, before), (_, after)) in idle.iter().zip(usages(cluster)) {
        let spent = after.processor - before.processor;
        assert!(spent < Duration::from_millis(200), "{name} does not come to rest: {spent:?} in 2 s");
    }
}

#[test]
fn nonsense_from_the_partners_own_address_is_no_heartbeat() {
    let victims = Victims::start(pair());
    let cluster = &victims.cluster;
    // In fragments, too short, too long, empty, and not one right word among them.
    let nonsense =
        vec![vec![0xa5; 60_000], vec![0xff; 1473], RUNNING[..3].to_vec(), Vec::new(), vec![0; 512]];
    let sent = send(&cluster.b.host, nonsense, Duration::from_secs(4), Duration::from_millis(5));
    println!("{sent} datagrams");
    victims.are_unimpressed();
    // It keeps nobody alive either: a partner that says nothing else is dead.
    cluster.journal().step("kill -9 pulse on a, nonsense goes on");
    let noise = cluster.a.host.run(|| {
        thread::spawn(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
            for _ in 0..400 {
                let _ = socket.send_to(&[0x5a; 64], (DIRECTORS[1], 539));
                thread::sleep(Duration::from_millis(20));
            }
        })
    });
    cluster.a.host.kill_all();
    wait_until(Duration::from_secs(7), "b takes over", || cluster.b.holds(VIP));
    noise.join().expect("the noise ends");
}

/// Sends the frames that `frame` makes of 0, 1, 2 … out of the host's `eth0` for `period`, a thousand every 20 ms at
/// most. Returns how many.
fn storm(host: &Host, period: Duration, frame: impl Fn(usize) -> [u8; FRAME] + Send + 'static) -> usize {
    let (_, interface) = device(host, "eth0");
    host.run(move || {
        let socket = PacketSocket::open().expect("a packet socket");
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < period {
            let frames: Vec<_> = (sent..sent + 1000).map(|number| (interface, frame(number))).collect();
            sent += socket.send_many(&frames).iter().filter(|result| result.is_ok()).count();
            thread::sleep(Duration::from_millis(20));
        }
        sent
    })
}

/// A machine on the public network that is nobody's friend.
fn stranger(cluster: &Cluster) -> Host {
    let host = cluster.network.add_host("stranger");
    cluster.network.connect(&host, "eth0", "public", Ipv4Addr::new(10, 0, 0, 66), 24);
    host
}

/// An address that no host has: of the public network, or (every thousand frames in turn) of any.
fn unused(number: usize) -> Ipv4Addr {
    match number / 1000 % 2 {
        0 => Ipv4Addr::new(10, 0, 0, 110 + (number % 140) as u8),
        _ => Ipv4Addr::new(10, 0, 1 + (number / 250 % 250) as u8, (number % 250) as u8),
    }
}

fn arp(sender: Mac, is_reply: bool, sender_address: Ipv4Addr, target_address: Ipv4Addr) -> ArpFrame {
    ArpFrame { at: Duration::ZERO, is_reply, sender, sender_address, target_address, is_broadcast: false }
}

#[test]
fn a_flood_at_line_rate_delays_no_takeover() {
    let mut cluster = pair();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.b.wait_for_log(Duration::ZERO, "STARTING PULSE AS BACKUP", LIMIT);
    cluster.wait_for_service(&clients);
    let macs = [&cluster.a, &cluster.b].map(|director| device(&director.host, "eth0").0);
    let standby = cluster.b.pulse().pid();
    let before = Usage::of(standby).expect("it runs");
    let (attacker, since) = (stranger(&cluster), cluster.journal().now());
    let flood = thread::spawn(move || {
        storm(&attacker, Duration::from_secs(9), move |number| {
            let (director, word) = (number % 2, [RUNNING, STOPPED, [0; 4]][number / 2 % 3]);
            let from = (foreign_mac(number % 140), unused(number));
            datagram(from, (macs[director], DIRECTORS[director]), 539, word)
        })
    });
    thread::sleep(Duration::from_secs(3));
    assert!(cluster.a.holds(VIP) && !cluster.b.holds(VIP), "strangers have moved no role");
    let report = clients.report().since(since);
    assert_eq!(report.lost(), 0, "{report}");
    cluster.a.crash(&cluster.network);
    let taken = wait_until(LIMIT, "b takes over", || cluster.b.holds(VIP));
    cluster.wait_for_service(&clients);
    assert!(!flood.is_finished(), "all this while the flood went on");
    let sent = flood.join().expect("the flood ends");
    let (after, report) = (Usage::of(standby).expect("it runs"), clients.stop());
    println!("{sent} datagrams; b took over {taken:?} after a's end; {before:?}, then {after:?}: {report}");
    assert!(sent > 20_000, "only {sent}");
    assert!(taken < Duration::from_millis(3300), "deadtime is 3 s: {taken:?}");
    assert!(report.longest_gap() < Duration::from_millis(3500), "{report}");
    // An active one has lvs and its nannies beside.
    assert!(after.memory_kib < before.memory_kib + MORE_MEMORY_KIB, "pulse has grown");
    assert!(after.descriptors <= before.descriptors + 2, "pulse has more descriptors");
}

#[test]
fn an_arp_storm_about_others_loses_nothing() {
    let victims = Victims::start(pair());
    let cluster = &victims.cluster;
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.wait_for_service(&clients);
    let macs = [&cluster.a, &cluster.b].map(|director| device(&director.host, "eth0").0);
    let wire = WireWatch::start(&cluster.client);
    cluster.a.wait_for_log(Duration::ZERO, "gratuitous lvs arps finished", LIMIT);
    let since = cluster.journal().now();
    let sent = storm(&stranger(cluster), Duration::from_secs(5), move |number| {
        let (mac, from, director) = (foreign_mac(number), unused(number), number / 6 % 2);
        let anybody = Ipv4Addr::new(10, 0, 0, number as u8);
        match number % 6 {
            0 => arp(mac, false, from, VIP).to_bytes(EVERYBODY),
            1 => arp(mac, false, from, anybody).to_bytes(EVERYBODY),
            2 => arp(mac, false, from, DIRECTORS[director]).to_bytes(macs[director]),
            3 => arp(mac, false, from, from).to_bytes(EVERYBODY),
            4 => arp(mac, true, from, from).to_bytes(EVERYBODY),
            _ => arp(mac, true, from, DIRECTORS[director]).to_bytes(macs[director]),
        }
    });
    let report = clients.stop();
    println!("{sent} frames: {report}");
    assert!(sent > 20_000, "only {sent}");
    assert_eq!(report.lost(), 0, "{report}");
    assert!(wire.announced(since).keys().all(|address| ![VIP, NAT_ROUTER].contains(address)));
    victims.are_unimpressed();
}

#[test]
fn a_storm_of_those_who_claim_our_addresses_moves_no_role_and_starts_no_war() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    // Heartbeats to the partner's public address go to whoever claims it. That is what the second path is for.
    cluster.config.set("primary_private", "10.1.0.1").set("backup_private", "10.1.0.2");
    cluster.configure();
    cluster.start_both();
    let victims = Victims::start(cluster);
    let cluster = &victims.cluster;
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.wait_for_service(&clients);
    let macs = [&cluster.a, &cluster.b].map(|director| device(&director.host, "eth0").0);
    let wire = WireWatch::start(&cluster.real_servers[0].host);
    let public = WireWatch::start(&cluster.b.host);
    cluster.a.wait_for_log(Duration::ZERO, "gratuitous lvs arps finished", LIMIT);
    let since = cluster.journal().now();
    let sent = storm(&stranger(cluster), Duration::from_secs(6), move |number| {
        let (mac, director) = (foreign_mac(number), number / 4 % 2);
        let claimed = [VIP, DIRECTORS[0], DIRECTORS[1]][number / 8 % 3];
        match number % 4 {
            0 => arp(mac, false, claimed, claimed).to_bytes(EVERYBODY),
            1 => arp(mac, true, claimed, claimed).to_bytes(EVERYBODY),
            2 => arp(mac, true, claimed, DIRECTORS[director]).to_bytes(macs[director]),
            _ => arp(mac, false, claimed, DIRECTORS[1 - director]).to_bytes(EVERYBODY),
        }
    });
    let over = cluster.journal().now();
    let during = clients.report().since(since);
    println!("{sent} frames: {during}");
    assert!(during.lost() > 0, "nobody has believed the storm");
    assert!(sent > 20_000, "only {sent}");
    let ours = |frame: &&ArpFrame| frame.at >= since && frame.is_gratuitous() && macs.contains(&frame.sender);
    let announced = public.gratuitous().iter().filter(ours).count() + wire.announced(since).len();
    assert_eq!(announced, 0, "nobody shouts back");
    // The client believed the storm, and asks again when nobody answers at the last address that it heard.
    let back = wait_until(LIMIT, "clients are served again", || {
        let since = cluster.journal().now().saturating_sub(Duration::from_secs(2)).max(over);
        let last = clients.report().since(since);
        last.samples.len() > 20 && last.lost() == 0
    });
    println!("served again {back:?} after the storm: {}", clients.stop());
    victims.are_unimpressed();
}

#[test]
fn fragments_that_are_never_completed_keep_no_heartbeat_out() {
    let victims = Victims::start(pair());
    let cluster = &victims.cluster;
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(20));
    cluster.wait_for_service(&clients);
    let macs = [&cluster.a, &cluster.b].map(|director| device(&director.host, "eth0").0);
    let sent = storm(&stranger(cluster), Duration::from_secs(6), move |number| {
        let (director, id) = (number % 2, (number / 4) as u16);
        // Every other in the partner's name.
        let from = if number / 2 % 2 == 0 { unused(number) } else { DIRECTORS[1 - director] };
        first_fragment((foreign_mac(number % 140), from), (macs[director], DIRECTORS[director]), 539, id)
    });
    for director in [&cluster.a, &cluster.b] {
        let text = director.host.read("/proc/thread-self/net/sockstat").expect("statistics");
        let waiting: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("FRAG: inuse ")?.split(' ').next()?.parse().ok())
            .expect("fragments are counted");
        println!("{}: {waiting} datagrams wait for the rest", director.name());
        assert!(waiting > 1000, "the queue is not full: {waiting}");
    }
    let report = clients.stop();
    println!("{sent} frames: {report}");
    assert!(sent > 20_000, "only {sent}");
    assert_eq!(report.lost(), 0, "{report}");
    victims.are_unimpressed();
}

#[test]
fn real_servers_of_every_bad_manner_hurt_only_themselves() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    let manners = [Manner::Stall, Manner::Drip, Manner::Endless, Manner::Reset, Manner::Junk];
    let host = &cluster.real_servers[0].host;
    let ports = 8001_u16..;
    let hostile: Vec<HostileServer> =
        ports.clone().zip(manners).map(|(port, manner)| HostileServer::start(host, port, manner)).collect();
    let address = cluster.real_servers[0].address;
    let web = cluster.config.virtual_server("web");
    web.set("send", r#""GET / HTTP/1.0\r\n\r\n""#).set("expect", r#""HTTP/1.0 200""#).set("timeout", 1);
    for (port, manner) in ports.zip(manners) {
        let name = format!("{manner:?}");
        web.add_server(&name, address, 1).set_server(&name, "port", port);
    }
    // The same with a regular expression, which is tried on all that comes.
    let mut patterns = web.clone().renamed("patterns").with("port", 81).with("use_regex", 1);
    patterns.set("expect", r#""^HTTP.*200""#);
    patterns.set_server("real1", "port", 80).set_server("real2", "port", 80);
    cluster.config.virtuals.push(patterns);
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    let destinations = |director: &Director, port: u16| {
        let table = director.ipvs();
        let service = table.service(&format!("TCP {VIP}:{port}"));
        let entries = service.into_iter().flat_map(|service| &service.destinations);
        let mut found: Vec<String> = entries.map(|entry| entry.address.clone()).collect();
        found.sort();
        found
    };
    let serving = |director: &Director| [80, 81].map(|port| destinations(director, port).len());
    let good = |director: &Director| {
        [80, 81].iter().all(|port| destinations(director, *port) == ["10.1.0.11:80", "10.1.0.12:80"])
    };
    wait_until(LIMIT, "the good servers serve", || good(&cluster.a));
    cluster.b.start(&[]);
    wait_until(LIMIT, "all have been judged", || cluster.a.host.processes_named("nanny").len() == 14);
    let victims = Victims::start(cluster);
    let clients = victims.cluster.probe(Probe::Tcp, Duration::from_millis(20));
    holds_for(Duration::from_secs(10), "the good servers serve, the others do not", || {
        thread::sleep(Duration::from_millis(200));
        good(&victims.cluster.a)
    });
    let report = clients.stop();
    println!("{report}");
    assert_eq!(report.lost(), 0, "{report}");
    victims.are_unimpressed();
    let after = usages(&victims.cluster);
    for ((name, before), (_, after)) in victims.before.iter().zip(&after) {
        let spent = after.processor.saturating_sub(before.processor);
        println!("{name} used {spent:?} in 10 s");
        assert!(spent < Duration::from_millis(300), "{name} used {spent:?} in 10 s");
    }
    // Nor had the nannies of the bad ones taken more before the first look.
    let memory =
        || after.iter().filter(|(name, _)| name.starts_with("nanny")).map(|(_, usage)| usage.memory_kib);
    let (least, most) = (memory().min().expect("nannies"), memory().max().expect("nannies"));
    assert!(most < least + 2 * MORE_MEMORY_KIB, "all nannies are small: {least} to {most} KiB");
    // The others' checks go on as they would.
    let second = &victims.cluster.real_servers[1].server;
    second.stop();
    let noticed =
        wait_until(LIMIT, "a good server's end is noticed", || serving(&victims.cluster.a) == [1, 1]);
    second.restart();
    let back = wait_until(LIMIT, "it is back", || good(&victims.cluster.a));
    println!("a good server's end was noticed after {noticed:?}, its return after {back:?}");
    assert!(noticed.max(back) < Duration::from_secs(4), "{noticed:?}, {back:?}");
    drop(hostile);
}
