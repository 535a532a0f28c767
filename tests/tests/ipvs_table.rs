//! The kernel's IPVS table as our backends write and read it, against what ipvsadm says about it.
//!
//! Each test has a network namespace of its own, and IPVS has a table for each.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Instant;

use ipvs::{
    diff, Backend, Destination, DestinationKey, ErrorKind, Foreign, Forwarding, Operation, Persistence,
    Protocol, Service, ServiceKey, SyncDaemon, SyncRole, Table, Timeouts,
};
use nix::sched::{unshare, CloneFlags};
use system::ipvs::{Kernel, Program};

const IPVSADM: &str = "/sbin/ipvsadm";

fn kernel() -> Kernel {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
    // Without any address the kernel takes no destination for unicast.
    output("/sbin/ip", "link set lo up");
    Kernel::open().expect("this test needs a kernel with IPVS: `make test` runs it in one")
}

fn output(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn ipvsadm(arguments: &str) -> String {
    output(IPVSADM, arguments)
}

/// The table as `ipvsadm --save` writes it: sorted lines. It writes marks from 2³¹ on as negative numbers, and
/// the default kind of tunnel, which was the only one in Piranha's days.
fn saved() -> Vec<String> {
    let unsigned = |word: &str| match word.parse::<i32>() {
        Ok(number) if number < 0 => (number as u32).to_string(),
        _ => word.to_string(),
    };
    let line = |line: &str| {
        let line = line.replace(" --tun-type ipip", "");
        line.split_whitespace().map(unsigned).collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<_> = ipvsadm("-Sn").lines().map(line).collect();
    lines.sort();
    lines
}

fn apply(kernel: &mut Kernel, operations: &[Operation]) {
    for result in kernel.apply(operations) {
        result.unwrap();
    }
}

fn tcp(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: address.parse().unwrap(), port }
}

fn udp(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Udp, address: address.parse().unwrap(), port }
}

fn service(key: ServiceKey, scheduler: &str) -> Service {
    Service { key, scheduler: scheduler.into(), persistence: None }
}

fn persistent(key: ServiceKey, timeout: u32, netmask: [u8; 4]) -> Service {
    let persistence = Persistence { timeout, netmask: netmask.into() };
    Service { persistence: Some(persistence), ..service(key, "wlc") }
}

fn real(address: &str, port: u16, forwarding: Forwarding, weight: u32) -> Destination {
    Destination { key: DestinationKey { address: address.parse().unwrap(), port }, forwarding, weight }
}

/// A table with every kind of service and destination.
fn assorted() -> Table {
    let mut table = Table::new();
    for service in [
        service(tcp("10.0.0.1", 80), "wlc"),
        service(tcp("10.0.0.2", 80), "rr"),
        service(udp("10.0.0.1", 53), "sh"),
        service(ServiceKey::FwMark(7), "wrr"),
        service(ServiceKey::FwMark(0x8000_0001), "lblcr"),
        persistent(tcp("10.0.0.1", 443), 300, [255, 255, 255, 255]),
        persistent(tcp("10.0.0.1", 0), 60, [255, 255, 255, 0]),
    ] {
        table.insert(service);
    }
    for (key, destination) in [
        (tcp("10.0.0.1", 80), real("192.168.0.1", 8080, Forwarding::Masquerade, 1)),
        (tcp("10.0.0.1", 80), real("192.168.0.2", 8080, Forwarding::Masquerade, 65535)),
        (tcp("10.0.0.2", 80), real("192.168.0.1", 80, Forwarding::Direct, 0)),
        (udp("10.0.0.1", 53), real("192.168.0.1", 53, Forwarding::Tunnel, 3)),
        (ServiceKey::FwMark(7), real("192.168.0.1", 8080, Forwarding::Direct, 2)),
        (ServiceKey::FwMark(0x8000_0001), real("192.168.0.3", 0, Forwarding::Masquerade, 1)),
    ] {
        assert!(table.insert_destination(&key, destination));
    }
    table
}

/// What `ipvsadm --save` says about a table: our argument vectors, which are Piranha's.
fn lines_of(table: &Table) -> Vec<String> {
    let operations = diff(&Table::new(), table);
    let mut lines: Vec<_> = operations.iter().map(|operation| operation.arguments().join(" ")).collect();
    lines.sort();
    lines
}

#[test]
fn ipvsadm_lists_what_the_kernel_backend_added() {
    let mut kernel = kernel();
    let wanted = assorted();
    apply(&mut kernel, &diff(&Table::new(), &wanted));
    assert_eq!(saved(), lines_of(&wanted));
    assert_eq!(kernel.table().unwrap(), wanted);
}

#[test]
fn the_program_backend_leaves_the_same_table_as_the_kernel_backend() {
    let mut kernel = kernel();
    let wanted = assorted();
    let mut program = Program::new(IPVSADM);
    let plan = [vec![Operation::Flush], diff(&Table::new(), &wanted)].concat();
    for result in program.apply(&plan) {
        result.unwrap();
    }
    assert_eq!(kernel.table().unwrap(), wanted);
}

#[test]
fn edits_and_deletions_reach_the_kernel() {
    let mut kernel = kernel();
    let mut wanted = assorted();
    apply(&mut kernel, &diff(&Table::new(), &wanted));

    wanted.insert(persistent(tcp("10.0.0.1", 80), 10, [255, 255, 0, 0]));
    wanted.insert(service(tcp("10.0.0.1", 443), "lc"));
    wanted.insert_destination(&tcp("10.0.0.1", 80), real("192.168.0.1", 8080, Forwarding::Tunnel, 0));
    wanted.insert_destination(&tcp("10.0.0.1", 80), real("192.168.0.9", 8080, Forwarding::Masquerade, 4));
    wanted.remove_destination(&tcp("10.0.0.1", 80), &real("192.168.0.2", 8080, Forwarding::Direct, 0).key);
    wanted.remove(&ServiceKey::FwMark(7));
    let plan = diff(&kernel.table().unwrap(), &wanted);
    assert_eq!(plan.len(), 6, "{plan:?}");
    apply(&mut kernel, &plan);

    assert_eq!(kernel.table().unwrap(), wanted);
    assert_eq!(saved(), lines_of(&wanted));
    assert_eq!(diff(&kernel.table().unwrap(), &wanted), []);
}

#[test]
fn flush_clears_everything() {
    let mut kernel = kernel();
    apply(&mut kernel, &diff(&Table::new(), &assorted()));
    ipvsadm("-A --sctp-service 10.0.0.1:9 -s rr");
    apply(&mut kernel, &[Operation::Flush]);
    assert!(kernel.table().unwrap().is_empty());
    assert_eq!(saved(), Vec::<String>::new());
}

#[test]
fn foreign_entries_are_read_and_a_plan_removes_them() {
    let mut kernel = kernel();
    let _ = Command::new("/sbin/modprobe").arg("ipv6").status();
    for line in [
        "-A --sctp-service 10.0.0.1:9 -s rr",
        "-a --sctp-service 10.0.0.1:9 -r 192.168.0.1:9 -m",
        "-A -t [2001:db8::1]:80 -s rr",
        "-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -m",
        "-A -u [2001:db8::1]:53 -s rr",
        "-A -f 5 -6 -s rr",
        "-A -t 10.0.0.1:80 -s wlc",
        "-a -t 10.0.0.1:80 -r 192.168.0.1:80 -i",
        "-a -t 10.0.0.1:80 -r [2001:db8::3]:80 -i",
        "-A -f 5 -s rr",
    ] {
        ipvsadm(line);
    }
    let current = kernel.table().unwrap();
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let IpAddr::V6(real_v6) = "2001:db8::3".parse().unwrap() else { unreachable!() };
    let mut expected = [
        Foreign::Service { protocol: 132, address: Ipv4Addr::new(10, 0, 0, 1).into(), port: 9 },
        Foreign::Service { protocol: 6, address, port: 80 },
        Foreign::Service { protocol: 17, address, port: 53 },
        Foreign::FwMarkV6(5),
        Foreign::Destination { service: tcp("10.0.0.1", 80), address: real_v6, port: 80 },
    ];
    expected.sort();
    assert!(current.foreign().eq(&expected), "{current:?}");

    let mut wanted = Table::new();
    wanted.insert(service(tcp("10.0.0.1", 80), "wlc"));
    wanted.insert_destination(&tcp("10.0.0.1", 80), real("192.168.0.1", 80, Forwarding::Tunnel, 1));
    let plan = diff(&current, &wanted);
    assert!(plan.iter().all(|operation| operation.arguments()[0].eq_ignore_ascii_case("-d")), "{plan:?}");
    apply(&mut kernel, &plan);
    assert_eq!(saved(), lines_of(&wanted));
}

#[test]
fn foreign_entries_can_be_removed_with_ipvsadms_words_too() {
    let mut kernel = kernel();
    let _ = Command::new("/sbin/modprobe").arg("ipv6").status();
    ipvsadm("-A --sctp-service 10.0.0.1:9 -s rr");
    ipvsadm("-A -u [2001:db8::1]:53 -s rr");
    ipvsadm("-A -f 5 -6 -s rr");
    let plan = diff(&kernel.table().unwrap(), &Table::new());
    for result in Program::new(IPVSADM).apply(&plan) {
        result.unwrap();
    }
    assert!(kernel.table().unwrap().is_empty());
}

#[test]
fn settings_beyond_the_model_are_reset() {
    let mut kernel = kernel();
    ipvsadm("-A -u 10.0.0.1:53 -s wlc --ops");
    ipvsadm("-A -f 9 -s mh -b mh-port");
    ipvsadm("-A -t 10.0.0.1:80 -s wlc");
    ipvsadm("-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -x 100 -y 50");
    ipvsadm("-a -t 10.0.0.1:80 -r 192.168.0.2:80 -m");
    let mut wanted = Table::new();
    wanted.insert(service(udp("10.0.0.1", 53), "wlc"));
    wanted.insert(service(ServiceKey::FwMark(9), "mh"));
    wanted.insert(service(tcp("10.0.0.1", 80), "wlc"));
    for address in ["192.168.0.1", "192.168.0.2"] {
        wanted.insert_destination(&tcp("10.0.0.1", 80), real(address, 80, Forwarding::Masquerade, 1));
    }
    let plan = diff(&kernel.table().unwrap(), &wanted);
    let edits: Vec<_> = plan.iter().map(|operation| operation.arguments()[0].clone()).collect();
    assert_eq!(edits, ["-e", "-E", "-E"], "{plan:?}");
    apply(&mut kernel, &plan);
    assert_eq!(kernel.table().unwrap(), wanted);
    assert_eq!(saved(), lines_of(&wanted));
}

#[test]
fn refusals_say_why_and_the_rest_is_carried_out() {
    let mut kernel = kernel();
    let key = tcp("10.0.0.1", 80);
    let other = tcp("10.0.0.2", 80);
    let destination = real("192.168.0.1", 80, Forwarding::Masquerade, 1);
    let cases = [
        (Operation::AddService(service(key, "wlc")), None),
        (Operation::AddService(service(key, "wlc")), Some(ErrorKind::Exists)),
        (Operation::AddService(service(other, "nosuch")), Some(ErrorKind::NoScheduler("nosuch".into()))),
        (Operation::EditService(service(key, "nosuch")), Some(ErrorKind::NoScheduler("nosuch".into()))),
        (Operation::EditService(service(other, "rr")), Some(ErrorKind::Missing)),
        (Operation::DeleteService(other), Some(ErrorKind::Missing)),
        (Operation::AddDestination(other, destination), Some(ErrorKind::NoService)),
        (Operation::EditDestination(other, destination), Some(ErrorKind::NoService)),
        (Operation::DeleteDestination(other, destination.key), Some(ErrorKind::NoService)),
        (Operation::EditDestination(key, destination), Some(ErrorKind::Missing)),
        (Operation::DeleteDestination(key, destination.key), Some(ErrorKind::Missing)),
        (Operation::AddDestination(key, destination), None),
        (Operation::AddDestination(key, destination), Some(ErrorKind::Exists)),
        (Operation::StopSync(SyncRole::Backup), Some(ErrorKind::Missing)),
        (Operation::DeleteDestination(key, destination.key), None),
        (Operation::DeleteService(key), None),
    ];
    let operations: Vec<_> = cases.iter().map(|(operation, _)| operation.clone()).collect();
    let results = kernel.apply(&operations);
    for ((operation, expected), result) in cases.into_iter().zip(results) {
        assert_eq!(result.err().map(|error| error.kind), expected, "{operation}");
    }
}

#[test]
fn timeouts_of_zero_leave_the_old_ones() {
    let mut kernel = kernel();
    apply(&mut kernel, &[Operation::SetTimeouts(Timeouts { tcp: 100, tcpfin: 50, udp: 25 })]);
    assert!(ipvsadm("-l --timeout").contains("100 50 25"));
    apply(&mut kernel, &[Operation::SetTimeouts(Timeouts { tcp: 0, tcpfin: 40, udp: 0 })]);
    assert!(ipvsadm("-l --timeout").contains("100 40 25"));
}

#[test]
fn the_sync_daemons_start_and_stop() {
    let mut kernel = kernel();
    for line in ["link add name sync0 type dummy", "addr add 10.9.9.1/24 dev sync0", "link set sync0 up"] {
        output("/sbin/ip", line);
    }
    let daemon = |role, syncid| Operation::StartSync(SyncDaemon { role, interface: "sync0".into(), syncid });
    apply(&mut kernel, &[daemon(SyncRole::Backup, 44), daemon(SyncRole::Master, 44)]);
    let listed = ipvsadm("-l --daemon");
    assert!(listed.contains("master sync daemon (mcast=sync0, syncid=44"), "{listed}");
    assert!(listed.contains("backup sync daemon (mcast=sync0, syncid=44"), "{listed}");
    let again = kernel.apply(&[daemon(SyncRole::Master, 44)]).remove(0).unwrap_err();
    assert_eq!(again.kind, ErrorKind::Exists);
    apply(&mut kernel, &[Operation::StopSync(SyncRole::Master), Operation::StopSync(SyncRole::Backup)]);
    assert!(!ipvsadm("-l --daemon").contains("sync daemon"));
}

#[test]
fn a_thousand_services_with_ten_thousand_destinations() {
    let mut kernel = kernel();
    let mut wanted = Table::new();
    for service_number in 0..1000_u16 {
        let [high, low] = service_number.to_be_bytes();
        let key = tcp(&format!("10.1.{high}.{low}"), 80);
        wanted.insert(service(key, "wlc"));
        for host in 1..=10 {
            let address = format!("192.168.{high}.{host}");
            wanted.insert_destination(&key, real(&address, 1000 + service_number, Forwarding::Masquerade, 1));
        }
    }
    let start = Instant::now();
    apply(&mut kernel, &diff(&Table::new(), &wanted));
    let added = start.elapsed();
    let current = kernel.table().unwrap();
    println!("added in {added:?}, read in {:?}", start.elapsed() - added);
    assert_eq!(diff(&current, &wanted), []);
    assert_eq!(saved().len(), 11_000);
}
