//! The argument vectors that Piranha gave to ipvsadm, word for word.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::net::Ipv4Addr;

use ipvs::{
    Destination, DestinationKey, Foreign, Forwarding, Operation, Persistence, Protocol, Service, ServiceKey,
    SyncDaemon, SyncRole, Timeouts,
};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

fn tcp() -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: VIP, port: 5000 }
}

fn udp() -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Udp, address: VIP, port: 53 }
}

fn service(key: ServiceKey, scheduler: &str, persistence: Option<(u32, [u8; 4])>) -> Service {
    let persistence = persistence.map(|(timeout, netmask)| Persistence { timeout, netmask: netmask.into() });
    Service { key, scheduler: scheduler.into(), persistence }
}

fn real(forwarding: Forwarding, weight: u32) -> Destination {
    Destination { key: DestinationKey { address: Ipv4Addr::LOCALHOST, port: 5001 }, forwarding, weight }
}

#[test]
fn operations_have_piranhas_words() {
    use Operation as Op;
    let direct = real(Forwarding::Direct, 1);
    let cases = [
        (Op::SetTimeouts(Timeouts::default()), "--set 0 0 0"),
        (Op::SetTimeouts(Timeouts { tcp: 900, tcpfin: 120, udp: 300 }), "--set 900 120 300"),
        (Op::Flush, "-C"),
        (Op::AddService(service(tcp(), "wlc", None)), "-A -t 10.0.0.100:5000 -s wlc"),
        (Op::AddService(service(udp(), "rr", None)), "-A -u 10.0.0.100:53 -s rr"),
        (
            Op::AddService(service(ServiceKey::FwMark(7), "wrr", Some((60, [255, 255, 255, 0])))),
            "-A -f 7 -s wrr -p 60 -M 255.255.255.0",
        ),
        (
            Op::AddService(service(tcp(), "lblcr", Some((60, [255, 255, 255, 255])))),
            "-A -t 10.0.0.100:5000 -s lblcr -p 60",
        ),
        (Op::EditService(service(tcp(), "sh", None)), "-E -t 10.0.0.100:5000 -s sh"),
        (Op::DeleteService(tcp()), "-D -t 10.0.0.100:5000"),
        // Piranha wrote -2147483647 here, which ipvsadm refuses.
        (Op::DeleteService(ServiceKey::FwMark(0x8000_0001)), "-D -f 2147483649"),
        (
            Op::AddDestination(tcp(), real(Forwarding::Masquerade, 1)),
            "-a -t 10.0.0.100:5000 -r 127.0.0.1:5001 -m -w 1",
        ),
        (
            Op::EditDestination(udp(), real(Forwarding::Tunnel, 0)),
            "-e -u 10.0.0.100:53 -r 127.0.0.1:5001 -i -w 0",
        ),
        (Op::AddDestination(ServiceKey::FwMark(5), direct), "-a -f 5 -r 127.0.0.1:5001 -g -w 1"),
        (Op::DeleteDestination(tcp(), direct.key), "-d -t 10.0.0.100:5000 -r 127.0.0.1:5001"),
        (
            Op::StartSync(SyncDaemon { role: SyncRole::Master, interface: "eth1".into(), syncid: 44 }),
            "--start-daemon master --mcast-interface eth1 --syncid 44",
        ),
        (Op::StopSync(SyncRole::Backup), "--stop-daemon backup"),
    ];
    for (operation, words) in cases {
        assert_eq!(operation.arguments().join(" "), words);
    }
}

#[test]
fn foreign_entries_have_words_that_delete_them() {
    let v6 = "2001:db8::1".parse().unwrap();
    let cases = [
        (Foreign::Service { protocol: 132, address: VIP.into(), port: 9 }, "-D --sctp-service 10.0.0.100:9"),
        (Foreign::Service { protocol: 6, address: v6, port: 80 }, "-D -t [2001:db8::1]:80"),
        (Foreign::FwMarkV6(5), "-D -f 5 -6"),
    ];
    for (foreign, words) in cases {
        assert_eq!(Operation::DeleteForeign(foreign).arguments().join(" "), words);
    }
}

#[test]
fn the_port_of_direct_and_tunnel_destinations_is_the_services() {
    let mark = ServiceKey::FwMark(5);
    let cases = [
        (tcp(), Forwarding::Masquerade, 8080),
        (tcp(), Forwarding::Direct, 5000),
        (tcp(), Forwarding::Tunnel, 5000),
        (mark, Forwarding::Direct, 8080),
    ];
    for (key, forwarding, port) in cases {
        assert_eq!(key.destination_port(forwarding, 8080), port, "{key} {forwarding:?}");
    }
}
