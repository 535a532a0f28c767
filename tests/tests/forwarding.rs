//! What a pair of directors does for clients while nobody dies: forwarding methods, transports, scheduling
//! and health checks.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use testbed::{
    holds_for, wait_until, Cluster, Conversation, Forwarding, Probe, Prober, Report, Server, Virtual,
    NAT_ROUTER, VIP,
};

const TICK: Duration = Duration::from_millis(10);

/// Sends `count` probes to the VIP.
fn ask(cluster: &Cluster, probe: Probe, port: u16, count: usize) -> Report {
    let clients = Prober::start(&cluster.client, probe, SocketAddrV4::new(VIP, port), TICK);
    wait_until(Duration::from_secs(30), "enough probes", || clients.report().samples.len() >= count);
    let report = clients.stop();
    println!("{:?} {probe:?} port {port}: {report}", cluster.forwarding);
    report
}

fn balances_and_leaves_nothing_behind(forwarding: Forwarding) {
    let mut cluster = Cluster::builder(forwarding).build();
    cluster.start_both();
    let report = ask(&cluster, Probe::Tcp, 80, 100);
    assert_eq!(report.lost(), 0);
    let served = report.by_server();
    assert!(served["real1"].abs_diff(served["real2"]) <= 1, "round robin is even: {served:?}");

    let table = cluster.a.ipvs();
    let service = table.service("TCP 10.0.0.50:80").expect("the service");
    assert_eq!(service.scheduler, "rr");
    assert!(service.destinations.iter().all(|real| real.forward == forwarding.listed()), "{service:?}");
    assert!(!cluster.b.holds(VIP), "the standby has no VIP");
    assert_eq!(cluster.b.ipvs().services, [], "nor services");
    cluster.a.wait_for_log(Duration::ZERO, "gratuitous lvs arps finished", Duration::from_secs(10));

    // The standby first, so that nobody takes over.
    assert!(cluster.b.stop().success());
    assert!(cluster.a.stop().success());
    assert!(!cluster.a.holds(VIP) && !cluster.a.holds(NAT_ROUTER), "VIPs are gone");
    assert_eq!(cluster.a.ipvs().services, [], "so is the table");
    for director in [&cluster.a, &cluster.b] {
        holds_for(Duration::from_millis(50), "no process is left", || director.host.processes().is_empty());
    }
}

#[test]
fn nat() {
    balances_and_leaves_nothing_behind(Forwarding::Nat);
}

#[test]
fn direct_routing() {
    balances_and_leaves_nothing_behind(Forwarding::Direct);
}

#[test]
fn tunnel() {
    balances_and_leaves_nothing_behind(Forwarding::Tunnel);
}

#[test]
fn udp_service_is_checked_by_its_answer() {
    for forwarding in [Forwarding::Nat, Forwarding::Direct] {
        let mut cluster = Cluster::builder(forwarding).build();
        cluster
            .config
            .virtual_server("web")
            .set("protocol", "udp")
            .set("send", "\"who\"")
            .set("expect", "\"real\"");
        cluster.configure();
        cluster.start_both();
        let report = ask(&cluster, Probe::Udp, 80, 60);
        assert_eq!(report.lost(), 0);
        assert!(report.by_server().values().all(|served| *served >= 25), "{report}");

        cluster.real_servers[0].server.stop();
        let gone = || cluster.a.ipvs().weight("UDP 10.0.0.50:80", &real(&cluster, 0)).is_none();
        wait_until(Duration::from_secs(10), "the silent server is taken out", gone);
    }
}

/// A real server as the table lists it.
fn real(cluster: &Cluster, index: usize) -> String {
    format!("{}:80", cluster.real_servers[index].address)
}

#[test]
fn weights_share_the_requests() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    let web = cluster.config.virtual_server("web");
    // With these times the second step of the slow start follows the first at once.
    web.set("scheduler", "wrr").set("reentry", 18).set_server("real2", "weight", 2);
    cluster.configure();
    cluster.start_both();
    let is_up = || cluster.a.ipvs().weight("TCP 10.0.0.50:80", &real(&cluster, 1)) == Some(2);
    let ramp = wait_until(Duration::from_secs(30), "real2 has its weight", is_up);
    println!("weight 2 after {ramp:?}");
    let report = ask(&cluster, Probe::Tcp, 80, 90);
    let served = report.by_server();
    assert_eq!(report.lost(), 0);
    assert!(served["real2"].abs_diff(2 * served["real1"]) <= 2, "one to two: {served:?}");
}

#[test]
fn a_firewall_mark_joins_two_ports_for_one_client() {
    let mut cluster = Cluster::builder(Forwarding::Direct).build();
    cluster.config.virtual_server("web").set("fwmark", 80).set("persistent", 300);
    cluster.configure();
    let secure: Vec<Server> = cluster
        .real_servers
        .iter()
        .map(|real| Server::start(&real.host, real.server.name(), 443, &[]))
        .collect();
    for director in [&cluster.a, &cluster.b] {
        for port in [80, 443] {
            director.host.exec(&format!(
                "iptables -t mangle -A PREROUTING -d {VIP} -p tcp --dport {port} -j MARK --set-mark 80"
            ));
        }
    }
    cluster.start_both();
    let table = cluster.a.ipvs();
    let service = table.service("FWM 80").expect("a service by mark");
    assert_eq!(service.persistent, Some(300));

    let (plain, encrypted) = (ask(&cluster, Probe::Tcp, 80, 20), ask(&cluster, Probe::Tcp, 443, 20));
    assert_eq!((plain.lost(), encrypted.lost()), (0, 0));
    let servers: Vec<String> =
        plain.by_server().into_keys().chain(encrypted.by_server().into_keys()).collect();
    assert_eq!(servers.len(), 2, "one server for each port: {servers:?}");
    assert_eq!(servers[0], servers[1], "and the same for both ports");
    drop(secure);
}

#[test]
fn a_real_server_dies_hangs_and_returns() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    let clients = cluster.probe(Probe::Tcp, TICK);
    cluster.wait_for_service(&clients);
    let weight = || cluster.a.ipvs().weight("TCP 10.0.0.50:80", &real(&cluster, 0));
    let server = &cluster.real_servers[0].server;

    for (what, limit) in [("dies", 6), ("hangs", 8)] {
        let since = cluster.journal().now();
        match what {
            "dies" => server.stop(),
            _ => server.hang(),
        }
        let out = wait_until(Duration::from_secs(limit), "it is taken out", || weight().is_none());
        cluster.a.wait_for_log(since, "[inactive] shutting down", Duration::from_secs(1));
        let without = cluster.journal().now();
        wait_until(Duration::from_secs(10), "a second of probes", || {
            clients.report().since(without).samples.len() >= 100
        });
        let report = clients.report().since(without);
        assert_eq!(report.lost(), 0, "all is served by the other");
        assert_eq!(report.by_server().len(), 1, "{report}");

        server.restart();
        let back = wait_until(Duration::from_secs(10), "it is back", || weight() == Some(1));
        cluster.a.wait_for_log(since, "[ active ] making", Duration::from_secs(1));
        println!("a server {what}: out after {out:?}, back {back:?} after its return");
    }
}

#[test]
fn a_quiesced_server_keeps_its_connections() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    // The check looks at a program's word, so that the server can be declared down while it serves.
    prepare_check(&mut cluster);
    cluster.config.virtual_server("web").set("quiesce_server", 1);
    cluster.configure();
    cluster.start_both();
    let open = || Conversation::open(&cluster.client, SocketAddrV4::new(VIP, 80)).expect("a connection");
    let mut conversations = [open(), open()];
    let names = conversations.each_mut().map(|conversation| conversation.ask().expect("an answer"));
    assert_ne!(names[0], names[1]);

    cluster.a.host.write(&format!("/run/down-{}", cluster.real_servers[0].address), "");
    let weight = || cluster.a.ipvs().weight("TCP 10.0.0.50:80", &real(&cluster, 0));
    wait_until(Duration::from_secs(8), "its weight is 0", || weight() == Some(0));
    for (conversation, name) in conversations.iter_mut().zip(&names) {
        assert_eq!(conversation.ask().as_ref().ok(), Some(name), "an open connection stays");
    }
    assert_eq!(ask(&cluster, Probe::Tcp, 80, 20).by_server().into_keys().collect::<Vec<_>>(), ["real2"]);
}

/// Has the real servers checked by a program that says FAIL when the file `/run/down-ADDRESS` exists.
fn prepare_check(cluster: &mut Cluster) {
    let script = "#!/bin/sh\nif [ -e \"/run/down-$1\" ]; then echo FAIL; else echo OK; fi\n";
    for director in [&cluster.a, &cluster.b] {
        director.host.write("/etc/sysconfig/ha/check", script);
        director.host.exec("chmod 755 /etc/sysconfig/ha/check");
    }
    let web = cluster.config.virtual_server("web");
    web.set("send_program", "\"/etc/sysconfig/ha/check %h\"").set("expect", "\"OK\"");
}

#[test]
fn a_program_decides_about_a_server() {
    let mut cluster = Cluster::builder(Forwarding::Direct).build();
    prepare_check(&mut cluster);
    cluster.configure();
    cluster.start_both();
    let flag = format!("/run/down-{}", cluster.real_servers[1].address);
    let weight = || cluster.a.ipvs().weight("TCP 10.0.0.50:80", &real(&cluster, 1));
    cluster.a.host.write(&flag, "");
    wait_until(Duration::from_secs(8), "FAIL takes it out", || weight().is_none());
    cluster.a.host.exec(&format!("rm {flag}"));
    wait_until(Duration::from_secs(10), "OK brings it back", || weight() == Some(1));
}

#[test]
fn the_sorry_server_answers_when_all_others_are_down() {
    let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(2).build();
    let sorry = Ipv4Addr::new(10, 1, 0, 12);
    let web = cluster.config.virtual_server("web");
    web.remove_server("real2").set("sorry_server", sorry);
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    cluster.b.start(&[]);
    let clients = cluster.probe(Probe::Tcp, TICK);
    cluster.wait_for_service(&clients);
    cluster.real_servers[0].server.stop();
    let table = || cluster.a.ipvs();
    let only_sorry = || {
        table().service("TCP 10.0.0.50:80").is_some_and(|service| {
            service.destinations.len() == 1 && service.destinations[0].address == format!("{sorry}:80")
        })
    };
    wait_until(Duration::from_secs(12), "the sorry server alone is in the table", only_sorry);
    let report = ask(&cluster, Probe::Tcp, 80, 20);
    assert_eq!((report.lost(), report.by_server()["real2"]), (0, report.samples.len()));
    cluster.real_servers[0].server.restart();
    wait_until(Duration::from_secs(12), "the sorry server is gone again", || {
        table().weight("TCP 10.0.0.50:80", &real(&cluster, 0)).is_some()
            && table().weight("TCP 10.0.0.50:80", &format!("{sorry}:80")).is_none()
    });
}

#[test]
fn two_services_on_two_addresses() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    let second = Ipv4Addr::new(10, 0, 0, 51);
    let other = Virtual::new("other")
        .with("address", format!("{second} eth0:2"))
        .with("vip_nmask", "255.255.255.0")
        .with("port", 8080)
        .with("protocol", "tcp")
        .with("scheduler", "wlc")
        .with("timeout", 2)
        .with("send", "\"who\\n\"")
        .with("expect", "\"other\"")
        .with_server("real2", cluster.real_servers[1].address, 1);
    cluster.config.virtuals.push(other);
    cluster.configure();
    let _other = Server::start(&cluster.real_servers[1].host, "other", 8080, &[]);
    cluster.start_both();
    assert!(cluster.a.holds(second));
    let clients = Prober::start(&cluster.client, Probe::Tcp, SocketAddrV4::new(second, 8080), TICK);
    cluster.wait_for_service(&clients);
    assert_eq!(clients.stop().by_server().into_keys().collect::<Vec<_>>(), ["other"]);
    assert_eq!(ask(&cluster, Probe::Tcp, 80, 20).lost(), 0);
}
