//! One part dies or is stopped, and the pair goes on: who serves, and what clients see of it.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::{kill, Signal};
use testbed::{
    holds_for, wait_until, Cluster, Forwarding, Heartbeat, Probe, Prober, Report, VipWatch, WireWatch,
    NAT_ROUTER, VIP,
};

const TICK: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(10);
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// A serving pair under watch: `a` active, `b` standby.
struct Pair {
    clients: Prober,
    holders: VipWatch,
    on_a: WireWatch,
    on_b: WireWatch,
    cluster: Cluster,
}

impl Pair {
    fn start(forwarding: Forwarding) -> Pair {
        Pair::start_changed(forwarding, |_| {})
    }

    fn start_changed(forwarding: Forwarding, change: impl FnOnce(&mut Cluster)) -> Pair {
        let mut cluster = Cluster::builder(forwarding).build();
        change(&mut cluster);
        cluster.configure();
        let holders = VipWatch::start(VIP, &[&cluster.a.host, &cluster.b.host]);
        let on_a = WireWatch::start(&cluster.a.host);
        let on_b = WireWatch::start(&cluster.b.host);
        cluster.start_both();
        let clients = cluster.probe(Probe::Tcp, TICK);
        cluster.wait_for_service(&clients);
        // Both have heard each other.
        wait_until(LIMIT, "a says that it serves, b that it does not", || {
            on_b.heartbeats(A).iter().any(|beat| beat.word == Heartbeat::RUNNING)
                && on_a.heartbeats(B).iter().any(|beat| beat.word == Heartbeat::STOPPED)
        });
        Pair { clients, holders, on_a, on_b, cluster }
    }

    /// When a director got or lost the VIP first after `since`.
    fn change(&self, host: &str, holds: bool, since: Duration) -> Option<Duration> {
        let changes = self.holders.changes();
        let found =
            changes.iter().find(|change| change.host == host && change.holds == holds && change.at >= since);
        found.map(|change| change.at)
    }

    /// Waits until `b` holds the VIP, both servers answer again, and returns when `b` got it.
    fn wait_for_b(&self, since: Duration) -> Duration {
        wait_until(LIMIT, "b holds the VIP", || self.change("b", true, since).is_some());
        let at = self.change("b", true, since).expect("b holds it");
        self.settle();
        at
    }

    /// Waits for half a second without loss, from now on.
    fn settle(&self) {
        let since = self.cluster.journal().now();
        wait_until(LIMIT, "half a second without loss", || {
            let mut report = self.clients.report().since(since);
            let skipped = report.samples.len().saturating_sub(50);
            report.samples.drain(..skipped);
            report.samples.len() == 50 && report.lost() == 0
        });
    }

    /// What clients saw since `since`; also demands that the directors never both held the VIP.
    fn verdict(&self, what: &str, since: Duration) -> Report {
        let report = self.clients.report().since(since);
        let (twice, never) = self.holders.twice_and_never(self.cluster.journal().now());
        println!("{what}: {report}; VIP held by both {twice:?}, by none {never:?}");
        assert_eq!(twice, Duration::ZERO, "{:?}", self.holders.changes());
        assert!(report.samples.len() >= 50, "clients asked all the time");
        report
    }
}

#[test]
fn a_director_crashes_and_returns_as_standby() {
    for forwarding in [Forwarding::Nat, Forwarding::Direct] {
        let mut pair = Pair::start(forwarding);
        let crash = pair.cluster.journal().now();
        pair.cluster.a.crash(&pair.cluster.network);
        pair.cluster.a.forget_everything(&[VIP, NAT_ROUTER]);
        let served = pair.wait_for_b(crash);
        let last = pair.on_b.heartbeats(A).last().expect("heartbeats of a").at;
        let after = served - last;
        println!("{forwarding:?}: b has the VIP {after:?} after a's last heartbeat (deadtime 3 s)");
        assert!(after >= Duration::from_millis(2900), "not before deadtime");
        assert!(after <= Duration::from_millis(3100), "within 100 ms after deadtime");
        let report = pair.verdict("crash", crash);
        assert!(report.longest_gap() <= Duration::from_millis(3250), "{report}");

        let back = pair.cluster.journal().now();
        pair.cluster.a.reconnect(&pair.cluster.network);
        pair.cluster.a.start(&[]);
        holds_for(Duration::from_secs(4), "a is standby, b serves", || {
            pair.cluster.b.holds(VIP) && !pair.cluster.a.holds(VIP)
        });
        assert_eq!(pair.verdict("return", back).lost(), 0);
    }
}

#[test]
fn pulse_alone_dies() {
    let mut pair = Pair::start(Forwarding::Nat);
    let killed = pair.cluster.journal().now();
    pair.cluster.a.kill_pulse();
    pair.wait_for_b(killed);
    let gone = pair.change("a", false, killed).expect("a gave the VIP up") - killed;
    println!("the VIP left a {gone:?} after the death of pulse");
    assert!(gone <= Duration::from_millis(100));
    let report = pair.verdict("death of pulse", killed);
    assert!(report.longest_gap() < Duration::from_millis(250), "{report}");
    wait_until(LIMIT, "nothing is left on a", || pair.cluster.a.host.processes().is_empty());
    assert_eq!(pair.cluster.a.ipvs().services, []);
    assert!(!pair.cluster.a.holds(NAT_ROUTER));
}

#[test]
fn pulse_dies_while_lvs_is_ending() {
    let mut pair = Pair::start(Forwarding::Nat);
    let died = pair.cluster.journal().now();
    let nannies = pair.cluster.a.host.processes_named("nanny");
    kill(nannies[0], Signal::SIGSTOP).expect("a nanny can be stopped");
    kill(nannies[1], Signal::SIGKILL).expect("a nanny can be killed");
    pair.cluster.a.wait_for_log(died, "died! shutting down lvs", LIMIT);
    let killed = pair.cluster.journal().now();
    pair.cluster.a.kill_pulse();
    pair.wait_for_b(killed);
    let gone = pair.change("a", false, killed).expect("a gave the VIP up") - killed;
    assert!(gone <= Duration::from_millis(100), "{gone:?}");
    wait_until(LIMIT, "nothing is left on a", || pair.cluster.a.host.processes().is_empty());
}

#[test]
fn lvs_dies() {
    let mut pair = Pair::start(Forwarding::Nat);
    let killed = pair.cluster.journal().now();
    for pid in pair.cluster.a.host.processes_named("lvs") {
        kill(pid, Signal::SIGKILL).expect("lvs can be killed");
    }
    pair.wait_for_b(killed);
    let report = pair.verdict("death of lvs", killed);
    assert!(report.longest_gap() < Duration::from_millis(1500), "{report}");
    pair.cluster.a.wait_for_log(killed, "terminated with signal 9", LIMIT);
    assert!(pair.cluster.a.runs(), "pulse stays as standby");
    wait_until(LIMIT, "no nanny is left", || pair.cluster.a.host.processes_named("nanny").is_empty());

    // Having heard that b serves, a is fit again: it takes over when b goes.
    wait_until(LIMIT, "b says that it serves", || {
        pair.cluster.journal().find("b", killed, "gratuitous lvs arps finished").is_some()
    });
    let stopped = pair.cluster.journal().now();
    pair.cluster.b.stop();
    wait_until(LIMIT, "a serves again", || pair.change("a", true, stopped).is_some());
    pair.settle();
    pair.verdict("and back", stopped);
}

#[test]
fn a_nanny_dies_and_takes_lvs_down() {
    let pair = Pair::start(Forwarding::Nat);
    let killed = pair.cluster.journal().now();
    kill(pair.cluster.a.host.processes_named("nanny")[0], Signal::SIGKILL).expect("a nanny can be killed");
    pair.wait_for_b(killed);
    pair.cluster.a.wait_for_log(killed, "died! shutting down lvs", LIMIT);
    let report = pair.verdict("death of a nanny, hard_shutdown", killed);
    assert!(report.longest_gap() < Duration::from_millis(1500), "{report}");
}

#[test]
fn a_nanny_dies_without_hard_shutdown() {
    let pair = Pair::start_changed(Forwarding::Nat, |cluster| {
        cluster.config.set("hard_shutdown", 0);
    });
    let killed = pair.cluster.journal().now();
    kill(pair.cluster.a.host.processes_named("nanny")[0], Signal::SIGKILL).expect("a nanny can be killed");
    pair.cluster.a.wait_for_log(killed, "died! manual action needed!", LIMIT);
    holds_for(Duration::from_secs(2), "a goes on", || pair.cluster.a.holds(VIP));
    assert_eq!(pair.verdict("death of a nanny, soft", killed).lost(), 0);
}

#[test]
fn a_planned_stop_hands_over() {
    let mut pair = Pair::start(Forwarding::Nat);
    for round in 1..=3 {
        let stopped = pair.cluster.journal().now();
        assert!(pair.cluster.a.stop().success());
        pair.wait_for_b(stopped);
        let report = pair.verdict("planned stop", stopped);
        assert!(report.longest_gap() < Duration::from_millis(50), "round {round}: {report}");

        pair.cluster.a.start(&[]);
        let started = pair.cluster.journal().now();
        wait_until(LIMIT, "the standby is heard", || {
            pair.on_b.heartbeats(A).iter().any(|beat| beat.at > started)
        });
        let back = pair.cluster.journal().now();
        assert!(pair.cluster.b.stop().success());
        wait_until(LIMIT, "a serves again", || pair.change("a", true, back).is_some());
        pair.settle();
        let report = pair.verdict("planned stop, back", back);
        assert!(report.longest_gap() < Duration::from_millis(50), "round {round}: {report}");
        pair.cluster.b.start(&[]);
        let since = pair.cluster.journal().now();
        wait_until(LIMIT, "a hears b", || pair.on_a.heartbeats(B).iter().any(|beat| beat.at > since));
    }
}

#[test]
fn only_one_director_answers_arp() {
    let mut pair = Pair::start(Forwarding::Nat);
    let on_client = WireWatch::start(&pair.cluster.client);
    let crash = pair.cluster.journal().now();
    pair.cluster.a.stop();
    let served = pair.wait_for_b(crash);
    let decided = pair.cluster.journal().find("b", crash, "activating lvs").expect("b says so").at;
    wait_until(LIMIT, "all announcements are out", || {
        pair.cluster.journal().find("b", crash, "gratuitous lvs arps finished").is_some()
    });
    // Clients may ask at any time: the answer must come from b alone.
    pair.cluster.client.exec("ip neigh flush all");
    pair.settle();
    let claims = on_client.claims(VIP);
    let of_b = mac(&pair.cluster.b.host);
    let foreign: Vec<_> = claims.iter().filter(|frame| frame.at > served && frame.sender != of_b).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    let announced: Vec<_> =
        claims.iter().filter(|frame| frame.is_gratuitous() && frame.sender == of_b).collect();
    let first = announced.first().expect("announcements").at.saturating_sub(decided);
    let replies = announced.iter().filter(|frame| frame.is_reply).count();
    let requests = announced.len() - replies;
    println!("first announcement {first:?} after the decision; {} replies, {} requests", replies, requests);
    assert!(first < Duration::from_millis(100));
    assert!((5..=6).contains(&replies) && (5..=6).contains(&requests), "five rounds");
}

fn mac(host: &testbed::Host) -> [u8; 6] {
    let text = host.read("/sys/class/net/eth0/address").expect("an address");
    let bytes: Vec<u8> =
        text.trim().split(':').filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
    bytes.try_into().expect("six bytes")
}
