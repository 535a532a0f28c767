//! Plans from one table to another.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::net::Ipv4Addr;

use ipvs::{
    diff, Backend, Destination, DestinationKey, ErrorKind, Foreign, Forwarding, Operation, Persistence,
    Protocol, Recorder, Service, ServiceKey, Table,
};
use proptest::prelude::*;

fn key(port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: Ipv4Addr::new(10, 0, 0, 1), port }
}

fn service(port: u16) -> Service {
    Service { key: key(port), scheduler: "wlc".into(), persistence: None }
}

fn real(host: u8, weight: u32) -> Destination {
    let address = Ipv4Addr::new(192, 168, 0, host);
    Destination { key: DestinationKey { address, port: 80 }, forwarding: Forwarding::Masquerade, weight }
}

/// A table with one service for each port, and its real servers as (host, weight).
fn table(services: &[(u16, &[(u8, u32)])]) -> Table {
    let mut table = Table::new();
    for (port, reals) in services {
        table.insert(service(*port));
        for (host, weight) in *reals {
            assert!(table.insert_destination(&key(*port), real(*host, *weight)));
        }
    }
    table
}

/// The plan as ipvsadm command lines.
fn plan(current: &Table, wanted: &Table) -> Vec<String> {
    diff(current, wanted).iter().map(|operation| operation.arguments().join(" ")).collect()
}

#[test]
fn an_empty_table_is_filled_service_by_service() {
    assert_eq!(
        plan(&Table::new(), &table(&[(443, &[]), (80, &[(2, 1), (1, 1)])])),
        [
            "-A -t 10.0.0.1:80 -s wlc",
            "-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 1",
            "-a -t 10.0.0.1:80 -r 192.168.0.2:80 -m -w 1",
            "-A -t 10.0.0.1:443 -s wlc",
        ]
    );
}

#[test]
fn what_is_right_is_not_touched() {
    let current = table(&[(80, &[(1, 1), (2, 1)]), (443, &[(1, 1)])]);
    assert_eq!(plan(&current, &current.clone()), [""; 0]);
    let one_weight_more = table(&[(80, &[(1, 1), (2, 5)]), (443, &[(1, 1)])]);
    assert_eq!(plan(&current, &one_weight_more), ["-e -t 10.0.0.1:80 -r 192.168.0.2:80 -m -w 5"]);
}

#[test]
fn one_real_server_less_is_one_deletion() {
    let current = table(&[(80, &[(1, 1), (2, 1)])]);
    assert_eq!(plan(&current, &table(&[(80, &[(2, 1)])])), ["-d -t 10.0.0.1:80 -r 192.168.0.1:80"]);
}

#[test]
fn a_service_never_stands_without_a_real_server_in_between() {
    assert_eq!(
        plan(&table(&[(80, &[(1, 1), (2, 1)])]), &table(&[(80, &[(2, 9), (3, 1)])])),
        [
            "-a -t 10.0.0.1:80 -r 192.168.0.3:80 -m -w 1",
            "-e -t 10.0.0.1:80 -r 192.168.0.2:80 -m -w 9",
            "-d -t 10.0.0.1:80 -r 192.168.0.1:80",
        ]
    );
}

#[test]
fn a_change_of_forwarding_is_an_edit() {
    let current = table(&[(80, &[(1, 1)])]);
    let mut wanted = Table::new();
    wanted.insert(service(80));
    wanted.insert_destination(&key(80), Destination { forwarding: Forwarding::Direct, ..real(1, 1) });
    assert_eq!(plan(&current, &wanted), ["-e -t 10.0.0.1:80 -r 192.168.0.1:80 -g -w 1"]);
}

#[test]
fn a_change_of_scheduler_keeps_the_real_servers() {
    let current = table(&[(80, &[(1, 1)])]);
    let mut wanted = current.clone();
    wanted.insert(Service { scheduler: "rr".into(), ..service(80) });
    assert_eq!(plan(&current, &wanted), ["-E -t 10.0.0.1:80 -s rr"]);
}

#[test]
fn what_nobody_wants_goes_first() {
    let mut current = table(&[(80, &[(1, 1)]), (443, &[(1, 1)])]);
    let v6 = "2001:db8::1".parse().unwrap();
    current.insert_foreign(Foreign::FwMarkV6(5));
    current.insert_foreign(Foreign::Destination { service: key(80), address: v6, port: 80 });
    current.insert_foreign(Foreign::Destination { service: key(443), address: v6, port: 80 });
    assert_eq!(
        plan(&current, &table(&[(443, &[(1, 1)]), (8080, &[])])),
        [
            "-D -f 5 -6",
            "-d -t 10.0.0.1:443 -r [2001:db8::1]:80",
            "-D -t 10.0.0.1:80",
            "-A -t 10.0.0.1:8080 -s wlc",
        ]
    );
}

#[test]
fn the_recorder_refuses_what_the_kernel_would_refuse() {
    let mut recorder = Recorder::new();
    let cases = [
        (Operation::DeleteService(key(80)), Some(ErrorKind::Missing)),
        (Operation::AddDestination(key(80), real(1, 1)), Some(ErrorKind::NoService)),
        (Operation::AddService(service(80)), None),
        (Operation::AddService(service(80)), Some(ErrorKind::Exists)),
        (Operation::EditDestination(key(80), real(1, 1)), Some(ErrorKind::Missing)),
        (Operation::AddDestination(key(80), real(1, 1)), None),
        (Operation::AddDestination(key(80), real(1, 2)), Some(ErrorKind::Exists)),
        (Operation::EditDestination(key(80), real(1, 2)), None),
    ];
    let operations: Vec<_> = cases.iter().map(|(operation, _)| operation.clone()).collect();
    let results = recorder.apply(&operations);
    for ((operation, expected), result) in cases.into_iter().zip(results) {
        assert_eq!(result.err().map(|error| error.kind), expected, "{operation}");
    }
    assert_eq!(recorder.table, table(&[(80, &[(1, 2)])]));
    assert_eq!(recorder.take(), operations);
}

#[test]
fn the_recorder_refuses_once_what_a_test_tells_it_to() {
    let mut recorder = Recorder::new();
    let add = Operation::AddService(service(80));
    recorder.refuse(add.clone(), ErrorKind::NoScheduler("wlc".into()));
    let add = [add];
    let error = recorder.apply(&add).remove(0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot add service TCP 10.0.0.1:80 (wlc): the kernel has no scheduler wlc (module ip_vs_wlc)"
    );
    assert_eq!(recorder.apply(&add), [Ok(())]);
}

/// Tables small enough that two of them have much in common.
fn tables() -> impl Strategy<Value = Table> {
    let reals = prop::collection::vec((1_u8..5, 0_u32..3, any::<bool>()), 0..5);
    let services = prop::collection::vec((80_u16..84, any::<bool>(), any::<bool>(), reals), 0..5);
    (services, prop::collection::vec(1_u32..3, 0..2)).prop_map(|(services, marks)| {
        let mut table = Table::new();
        for (port, round_robin, sticky, reals) in services {
            let scheduler = if round_robin { "rr" } else { "wlc" }.to_string();
            let persistence = sticky.then_some(Persistence { timeout: 60, netmask: Ipv4Addr::BROADCAST });
            table.insert(Service { key: key(port), scheduler, persistence });
            for (host, weight, direct) in reals {
                let forwarding = if direct { Forwarding::Direct } else { Forwarding::Tunnel };
                table.insert_destination(&key(port), Destination { forwarding, ..real(host, weight) });
            }
        }
        marks.into_iter().for_each(|mark| table.insert_foreign(Foreign::FwMarkV6(mark)));
        table
    })
}

proptest! {
    /// Every operation of a plan succeeds, and afterwards there is nothing left to plan.
    #[test]
    fn a_plan_leads_to_the_wanted_table(current in tables(), mut wanted in tables()) {
        let foreign: Vec<_> = wanted.foreign().cloned().collect();
        for foreign in foreign {
            wanted.apply(&Operation::DeleteForeign(foreign)).unwrap();
        }
        let mut recorder = Recorder::with(current.clone());
        for result in recorder.apply(&diff(&current, &wanted)) {
            prop_assert_eq!(result, Ok(()));
        }
        prop_assert_eq!(&recorder.table, &wanted);
        prop_assert_eq!(diff(&recorder.table, &wanted), []);
    }
}
