//! Row 4: how long a director needs to take over many addresses.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{kill, Signal};
use testbed::{addresses, wait_until, Cluster, Config, Forwarding, Heartbeat, Process, Virtual, WireWatch};

use crate::farm::numbered;
use crate::figure::{Figure, Series};
use crate::keepalived;
use crate::pair::{skew, Suite};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const LIMIT: Duration = Duration::from_secs(60);

/// From the last word of the leaving partner to the first announcement of the last address. keepalived's wait
/// for other backups is not counted.
pub fn measure(runs: usize) -> Vec<Figure> {
    let mut figures = Vec::new();
    for count in [1, 100, 1000, 4000] {
        let runs = if count > 100 { runs.min(3) } else { runs };
        let [ours, peer] = [Suite::Ours, Suite::Keepalived]
            .map(|suite| Series::new((0..runs).map(|_| takeover(suite, count)).collect()));
        figures
            .push(Figure::new(4, format!("taking over {count} VIPs"), "ms", ours).beside("keepalived", peer));
    }
    let each = |figure: &Figure, count: f64| Series::once(1000.0 * figure.ours.median() / count);
    let growth = Figure::new(4, "time for each of 4000 VIPs", "µs", each(&figures[3], 4000.0))
        .beside("each of 1000", each(&figures[2], 1000.0))
        .at_most(Some(1.5));
    figures.push(growth);
    figures
}

/// Milliseconds.
fn takeover(suite: Suite, count: u16) -> f64 {
    let mut cluster = Cluster::builder(Forwarding::Direct).real_servers(0).build();
    let on_client = WireWatch::start(&cluster.client);
    let on_b = WireWatch::start(&cluster.b.host);
    let left = match suite {
        Suite::Ours => hand_over(&mut cluster, &on_b, count),
        Suite::Keepalived => hand_over_keepalived(&cluster, &on_b, count),
    };
    wait_until(LIMIT, "all addresses are announced", || {
        thread::sleep(Duration::from_millis(500));
        on_client.announced(left.at).len() == usize::from(count)
    });
    let announced = on_client.announced(left.at);
    let last = announced.into_values().max().expect("announcements");
    let held = addresses(&cluster.b.host).iter().filter(|(_, address)| address.octets()[2] >= 4).count();
    assert_eq!(held, usize::from(count), "all are up");
    let took = 1000.0 * (last.as_secs_f64() - (left.at + left.wait).as_secs_f64());
    eprintln!("  {suite:?}: {count} VIPs after {took:.1} ms");
    took
}

/// When the partner's farewell arrived, how long the peer waits then, and what still runs.
struct Left {
    at: Duration,
    wait: Duration,
    _running: Vec<Process>,
}

/// `a` serves one of the addresses, so that its own stop is short; `b` takes over all.
fn hand_over(cluster: &mut Cluster, on_b: &WireWatch, count: u16) -> Left {
    let config = |count: u16| {
        let mut config: Config = cluster.config.clone();
        config.virtuals = (0..count).map(virtual_server).collect();
        config
    };
    cluster.a.configure(&config(1));
    cluster.b.configure(&config(count));
    let on_a = WireWatch::start(&cluster.a.host);
    cluster.a.start(&["--forceactive"]);
    cluster.b.start(&[]);
    wait_until(LIMIT, "they know each other", || {
        on_b.heartbeats(A).len() >= 2 && on_a.heartbeats(B).len() >= 2
    });
    drop(on_a);
    // The guest has one processor: what the lvs of `a` still has to do would be counted against `b`. keepalived's
    // backup has the processor for itself, after the skew time.
    for lvs in cluster.a.host.processes_named("lvs") {
        kill(lvs, Signal::SIGSTOP).expect("lvs runs");
    }
    let since = cluster.journal().now();
    cluster.a.pulse().signal(Signal::SIGTERM);
    let farewell = || {
        let words = on_b.heartbeats(A).into_iter();
        words.filter(|word| word.at >= since).find(|word| word.word == Heartbeat::STOPPED)
    };
    wait_until(LIMIT, "a says farewell", || farewell().is_some());
    Left { at: farewell().map(|word| word.at).unwrap_or(since), wait: Duration::ZERO, _running: Vec::new() }
}

/// One virtual server for each address: without real servers, because this is about addresses.
fn virtual_server(index: u16) -> Virtual {
    Virtual::new(&format!("v{index}"))
        .with("address", format!("{} eth0:{}", numbered(0, index), index + 1))
        .with("vip_nmask", "255.255.255.255")
        .with("port", 80)
}

fn hand_over_keepalived(cluster: &Cluster, on_b: &WireWatch, count: u16) -> Left {
    let all: Vec<String> = (0..count).map(|index| format!("{}/32 dev eth0", numbered(0, index))).collect();
    // More than a few addresses do not fit into an advertisement.
    let (own, further) = all.split_at(1);
    keepalived::Config::default().vrrp(150, own, &[]).write(&cluster.a.host);
    keepalived::Config::default().vrrp(100, own, further).write(&cluster.b.host);
    let mut a = keepalived::start(&cluster.a.host, &["-P"]);
    wait_until(LIMIT, "a serves", || cluster.a.holds(numbered(0, 0)));
    let b = keepalived::start(&cluster.b.host, &["-P"]);
    let since = cluster.journal().now();
    cluster.b.wait_for_log(since, "Entering BACKUP STATE", LIMIT);
    let heard = on_b.adverts(A).len();
    wait_until(LIMIT, "b hears a", || on_b.adverts(A).len() >= heard + 2);
    a.signal(Signal::SIGTERM);
    let farewell = || on_b.adverts(A).into_iter().find(|advert| advert.priority == 0);
    wait_until(LIMIT, "a says farewell", || farewell().is_some());
    Left { at: farewell().map(|advert| advert.at).unwrap_or(since), wait: skew(), _running: vec![a, b] }
}
