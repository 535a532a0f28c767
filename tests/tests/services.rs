//! Failover services (`service = fos`) with the real programs: whoever holds the VIP runs the services.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::time::Duration;

use testbed::{wait_until, Cluster, Director, Forwarding, Probe, Prober, Server, CLIENT, VIP};

const LIMIT: Duration = Duration::from_secs(20);

/// The services themselves are servers of the testbed, which run on both directors; `start_cmd` and `stop_cmd` say in
/// a file whether they would.
const CONFIG: &str = "
service = fos
primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
keepalive = 1
deadtime = 3
failover web {
    active = 1
    address = 10.0.0.50 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
    timeout = 1
    start_cmd = \"/bin/touch /run/web\"
    stop_cmd = \"/bin/rm -f /run/web\"
}
";

/// A serving pair: `a` active, `b` monitors; the client is everybody's default gateway.
struct Pair {
    clients: Prober,
    on_a: Server,
    _on_b: Server,
    cluster: Cluster,
}

impl Pair {
    fn start() -> Pair {
        let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(0).build();
        let serve = |director: &Director| {
            director.configure_with(CONFIG);
            director.host.exec(&format!("ip route add default via {CLIENT}"));
            Server::start(&director.host, director.name(), 80, &[])
        };
        let (on_a, on_b) = (serve(&cluster.a), serve(&cluster.b));
        cluster.a.start(&["--forceactive"]);
        wait_until(LIMIT, "a serves", || cluster.a.holds(VIP) && runs_service(&cluster.a));
        let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
        cluster.wait_for_service(&clients);
        cluster.b.start(&[]);
        cluster.b.wait_for_log(Duration::ZERO, "Remote service 10.0.0.50:80 is available", LIMIT);
        Pair { clients, on_a, _on_b: on_b, cluster }
    }

    /// Waits until `b` serves alone, in every respect.
    fn wait_for_b(&self) {
        let Cluster { a, b, .. } = &self.cluster;
        wait_until(LIMIT, "b serves, a does not", || {
            b.holds(VIP) && runs_service(b) && !a.holds(VIP) && !runs_service(a)
        });
        let since = self.cluster.journal().now();
        wait_until(LIMIT, "clients reach b only", || {
            let report = self.clients.report().since(since);
            let by_server = report.by_server();
            let (from_a, from_b) = (by_server.get("a").copied(), by_server.get("b").copied());
            assert!(from_a.unwrap_or(0) < 100, "a still answers: {report}");
            from_b >= Some(50)
        });
    }
}

fn runs_service(director: &Director) -> bool {
    director.host.read("/run/web").is_ok()
}

#[test]
fn a_dead_service_moves_and_the_old_holder_monitors_it() {
    let pair = Pair::start();
    let since = pair.cluster.journal().now();
    pair.on_a.stop();
    let failed =
        pair.cluster.b.wait_for_log(since, "Exiting due to connection failure of 10.0.0.50:80", LIMIT);
    pair.wait_for_b();
    for line in [
        "Monitor for service 10.0.0.50:80 exited. This is a failover condition!",
        "fos process exited -- checking network connectivity",
        "seems like a remote network fault; performing service failover",
        "Notifying partner WE are taking control!",
    ] {
        pair.cluster.b.wait_for_log(since, line, LIMIT);
    }
    pair.cluster.a.wait_for_log(since, "PARTNER HAS TOLD US TO GO INACTIVE!", LIMIT);
    pair.cluster.a.wait_for_log(since, "Remote service 10.0.0.50:80 is available", LIMIT);
    let moved = pair.cluster.b.wait_for_log(since, "Starting local service 10.0.0.50:80 ...", LIMIT);
    println!("services moved {:?} after the failed check", moved.saturating_sub(failed));
}

#[test]
fn a_planned_stop_hands_over() {
    let mut pair = Pair::start();
    let since = pair.cluster.journal().now();
    assert!(pair.cluster.a.stop().success());
    pair.wait_for_b();
    let report = pair.clients.report().since(since);
    println!("planned stop: {report}");
    assert!(pair.cluster.a.host.processes_named("fos").is_empty(), "fos ends before pulse");
    assert!(pair.cluster.a.host.processes_named("nanny").is_empty(), "and its monitors before it");
}

#[test]
fn pulse_alone_dies() {
    let mut pair = Pair::start();
    let since = pair.cluster.journal().now();
    pair.cluster.a.kill_pulse();
    pair.wait_for_b();
    let died = pair.cluster.a.wait_for_log(since, "pulse died! shutting down", LIMIT);
    let heard = pair.cluster.b.wait_for_log(since, "primary inactive: activating fos", LIMIT);
    println!("the partner hears of it {:?} after fos has noticed", heard.saturating_sub(died));
    wait_until(LIMIT, "nothing is left on a", || pair.cluster.a.host.processes_named("fos").is_empty());
}

#[test]
fn the_machine_dies() {
    let mut pair = Pair::start();
    pair.cluster.a.crash(&pair.cluster.network);
    wait_until(LIMIT, "b serves", || pair.cluster.b.holds(VIP) && runs_service(&pair.cluster.b));
    pair.cluster.wait_for_service(&pair.clients);
}
