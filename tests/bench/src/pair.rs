//! A pair of directors that serves, run by one suite or the other, and a client that sees how well.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{kill, Signal};
use testbed::{
    wait_until, Cluster, Director, Forwarding, Heartbeat, Probe, Prober, Process, WireWatch, NAT_ROUTER, VIP,
};

use crate::keepalived::{self, Check};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const LIMIT: Duration = Duration::from_secs(20);
/// Time between two requests of the client.
pub const RHYTHM: Duration = Duration::from_millis(5);

/// Who runs the directors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// pulse, lvs and nanny.
    Ours,
    /// keepalived with VRRP and checkers.
    Keepalived,
}

/// keepalived's priorities of the directors.
const PRIORITIES: [u8; 2] = [150, 100];

impl Suite {
    /// From the last word of a director to the moment at which its partner counts it as dead: pulse's deadtime,
    /// VRRP's three intervals and the skew of the backup's priority. `advert_int` and `keepalive` are a second.
    pub fn detection(self) -> Duration {
        match self {
            Suite::Ours => Duration::from_secs(3),
            Suite::Keepalived => Duration::from_secs(3) + skew(),
        }
    }
}

/// How long a VRRP backup lets others go first: `(256 - priority) / 256` of an interval.
pub fn skew() -> Duration {
    Duration::from_secs(256 - u64::from(PRIORITIES[1])) / 256
}

/// `a` serves, `b` is standby, and a client asks all the time.
pub struct Pair {
    suite: Suite,
    clients: Prober,
    on_b: WireWatch,
    keepalived: Vec<Process>,
    cluster: Cluster,
}

impl Pair {
    /// Starts both directors and waits until they serve and know each other.
    pub fn start(suite: Suite) -> Pair {
        let mut cluster = Cluster::builder(Forwarding::Nat).build();
        let on_a = WireWatch::start(&cluster.a.host);
        let on_b = WireWatch::start(&cluster.b.host);
        let keepalived = match suite {
            Suite::Ours => {
                cluster.start_both();
                Vec::new()
            }
            Suite::Keepalived => start_keepalived(&cluster),
        };
        let clients = cluster.probe(Probe::Tcp, RHYTHM);
        cluster.wait_for_service(&clients);
        let pair = Pair { suite, clients, on_b, keepalived, cluster };
        wait_until(LIMIT, "the standby hears a", || pair.words().len() >= 2);
        if suite == Suite::Ours {
            wait_until(LIMIT, "a hears the standby", || {
                on_a.heartbeats(B).iter().any(|beat| beat.word == Heartbeat::STOPPED)
            });
        } else {
            wait_until(LIMIT, "the standby has its table", || is_complete(&pair.cluster.b));
        }
        thread::sleep(Duration::from_millis(500));
        pair
    }

    /// When `b` heard `a`.
    fn words(&self) -> Vec<Duration> {
        match self.suite {
            Suite::Ours => self.on_b.heartbeats(A).into_iter().map(|beat| beat.at).collect(),
            Suite::Keepalived => self.on_b.adverts(A).into_iter().map(|advert| advert.at).collect(),
        }
    }

    /// Waits for this time after the next heartbeat, and returns the journal's time.
    pub fn wait_for_phase(&self, phase: Duration) -> Duration {
        let heard = self.words().len();
        wait_until(LIMIT, "a heartbeat", || self.words().len() > heard);
        thread::sleep(phase);
        self.cluster.journal().now()
    }

    /// The power of `a` goes.
    pub fn crash(&mut self) {
        self.cluster.a.crash(&self.cluster.network);
    }

    /// `a` is stopped as for maintenance.
    pub fn stop(&mut self) {
        match self.suite {
            Suite::Ours => assert!(self.cluster.a.stop().success(), "pulse ends in good order"),
            Suite::Keepalived => {
                self.keepalived[0].signal(Signal::SIGTERM);
                self.keepalived[0].wait(LIMIT);
            }
        }
    }

    /// SIGKILL to the process on `a` that was started first: pulse, or keepalived's parent.
    pub fn kill_control(&mut self) {
        let pid = match self.suite {
            Suite::Ours => self.cluster.a.pulse().pid(),
            Suite::Keepalived => self.keepalived[0].pid(),
        };
        kill(pid, Signal::SIGKILL).expect("it runs");
    }

    /// Waits until `b` serves without loss and returns what the client saw since `since`.
    pub fn verdict(&self, since: Duration) -> Outage {
        wait_until(LIMIT, "b holds the VIP", || self.cluster.b.holds(VIP));
        let journal = self.cluster.journal();
        let settled = journal.now();
        wait_until(LIMIT, "half a second without loss", || {
            let report = self.clients.report();
            let rest = report.last_loss().map_or(report.clone(), |last| report.since(last));
            let counted = rest.samples.iter().filter(|sample| sample.at > settled).count();
            counted as u128 * RHYTHM.as_millis() > 500
        });
        let report = self.clients.report().since(since);
        let back = report.last_loss().map_or(since, |last| last + RHYTHM);
        let last_word = self.words().into_iter().max().unwrap_or(since);
        let due = last_word + self.suite.detection();
        Outage {
            gap: 1000.0 * report.longest_gap().as_secs_f64(),
            beyond_detection: 1000.0 * (back.as_secs_f64() - due.as_secs_f64()),
        }
    }
}

/// What a client saw of a failure, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// The longest time without service.
    pub gap: f64,
    /// From the moment at which the partner counts as dead to service, give or take a probe; of use after a
    /// crash only.
    pub beyond_detection: f64,
}

fn is_complete(director: &Director) -> bool {
    director.ipvs().services.first().is_some_and(|service| service.destinations.len() == 2)
}

fn start_keepalived(cluster: &Cluster) -> Vec<Process> {
    let addresses = [format!("{VIP}/24 dev eth0"), format!("{NAT_ROUTER}/24 dev eth1")];
    let servers: Vec<_> = cluster.real_servers.iter().map(|real| (real.address, 1)).collect();
    let directors = [&cluster.a, &cluster.b].into_iter().zip(PRIORITIES);
    let start = |(director, priority): (&Director, u8)| {
        let config = keepalived::Config::default().vrrp(priority, &addresses, &[]);
        config.service(VIP, 80, Check::Http, servers.iter().copied()).write(&director.host);
        let process = keepalived::start(&director.host, &[]);
        wait_until(LIMIT, "a serves", || cluster.a.holds(VIP) && is_complete(director));
        process
    };
    directors.map(start).collect()
}
