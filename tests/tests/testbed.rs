//! The testbed itself: before daemons are judged by it, it must carry traffic that was set up by hand.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::SocketAddrV4;
use std::time::Duration;

use testbed::{
    holds_for, wait_until, Cluster, Conversation, Forwarding, Probe, Server, VipWatch, WireWatch, NAT_ROUTER,
    VIP,
};

fn carries_traffic(forwarding: Forwarding) {
    let cluster = Cluster::builder(forwarding).build();
    cluster.serve_by_hand(&cluster.a);
    for probe in [Probe::Tcp, Probe::Udp] {
        let clients = cluster.probe(probe, Duration::from_millis(10));
        wait_until(Duration::from_secs(10), "40 probes", || clients.report().samples.len() >= 40);
        let report = clients.stop();
        println!("{forwarding:?} {probe:?}: {report}");
        assert_eq!(report.lost(), 0);
        assert_eq!(report.by_server().len(), 2, "both answer");
    }
    let table = cluster.a.ipvs();
    assert_eq!(table.services.len(), 2);
    // Connections, not answers: a probe from a port that was used before belongs to the connection from then.
    for service in &table.services {
        let connections: Vec<u32> = service.destinations.iter().map(|real| real.connections).collect();
        assert!(connections[0].abs_diff(connections[1]) <= 1, "round robin is even: {service:?}");
    }
    let service = table.service("TCP 10.0.0.50:80").expect("the service");
    assert!(service.destinations.iter().all(|real| real.forward == forwarding.listed()), "{service:?}");
    assert!(service.destinations.iter().map(|real| real.connections).sum::<u32>() >= 40, "{service:?}");
}

#[test]
fn nat_carries_traffic() {
    carries_traffic(Forwarding::Nat);
}

#[test]
fn direct_routing_carries_traffic() {
    carries_traffic(Forwarding::Direct);
}

#[test]
fn tunnels_carry_traffic() {
    carries_traffic(Forwarding::Tunnel);
}

#[test]
fn servers_stop_hang_and_return() {
    let cluster = Cluster::builder(Forwarding::Nat).real_servers(1).build();
    cluster.serve_by_hand(&cluster.a);
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);
    let mut conversation =
        Conversation::open(&cluster.client, (VIP.to_string() + ":80").parse().expect("an address"))
            .expect("a way");
    assert_eq!(conversation.ask().expect("an answer"), "real1");

    let server = &cluster.real_servers[0].server;
    server.hang();
    wait_until(Duration::from_secs(5), "probes are lost", || clients.report().lost() > 10);
    server.restart();
    cluster.wait_for_service(&clients);
    server.stop();
    assert!(conversation.ask().is_err(), "a stopped server resets its connections");
    server.restart();
    cluster.wait_for_service(&clients);
    let report = clients.stop();
    println!("{report}");
    assert!(report.longest_gap() >= Duration::from_millis(100), "{report}");
}

#[test]
fn a_move_by_hand_is_seen_by_all_watchers() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    let holders = VipWatch::start(VIP, &[&cluster.a.host, &cluster.b.host]);
    let wire = WireWatch::start(&cluster.client);
    cluster.serve_by_hand(&cluster.a);
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);

    cluster.a.crash(&cluster.network);
    cluster.a.forget_everything(&[VIP, NAT_ROUTER]);
    let crashed = cluster.journal().now();
    cluster.serve_by_hand(&cluster.b);
    for host in [&cluster.client, &cluster.real_servers[0].host, &cluster.real_servers[1].host] {
        host.exec("ip neigh flush all");
    }
    cluster.wait_for_service(&clients);

    let (twice, never) = holders.twice_and_never(cluster.journal().now());
    println!("VIP held twice {twice:?}, never {never:?}; {}", clients.stop());
    assert_eq!(twice, Duration::ZERO);
    assert!(never > Duration::ZERO);
    assert!(!cluster.a.holds(VIP) && cluster.b.holds(VIP));
    assert!(holders
        .changes()
        .iter()
        .any(|change| change.host == "b" && change.holds && change.at >= crashed));
    assert!(
        wire.claims(VIP).iter().any(|frame| frame.is_reply && !frame.is_gratuitous()),
        "a answered for the VIP"
    );
}

#[test]
fn isolated_directors_reach_clients_but_not_each_other() {
    let cluster = Cluster::builder(Forwarding::Nat).real_servers(1).build();
    let _on_b = Server::start(&cluster.b.host, "b", 80, &[]);
    let _on_client = Server::start(&cluster.client, "client", 80, &[]);
    let reaches = |address: &str| {
        Conversation::open(&cluster.a.host, SocketAddrV4::new(address.parse().expect("an address"), 80))
            .is_ok()
    };
    cluster.partition(true);
    assert!(!reaches("10.0.0.2"));
    assert!(reaches("10.0.0.100"));
    cluster.partition(false);
    wait_until(Duration::from_secs(5), "a reaches b again", || reaches("10.0.0.2"));
    holds_for(Duration::from_millis(100), "nothing runs there", || cluster.a.host.processes().is_empty());
}
