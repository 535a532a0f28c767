//! Golden bytes: requests as the kernel must get them, and dumps as a 6.1 kernel sent them.
//!
//! The bytes are those of a little-endian machine.
#![cfg(target_endian = "little")]

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::{
    Destination, DestinationKey, ErrorKind, Foreign, Forwarding, Operation, Persistence, Protocol, Service,
    ServiceKey, SyncDaemon, SyncRole, Table, Timeouts,
};

const WEB: ServiceKey =
    ServiceKey::Address { protocol: Protocol::Tcp, address: Ipv4Addr::new(10, 0, 0, 1), port: 80 };
const REAL: Destination = Destination {
    key: DestinationKey { address: Ipv4Addr::new(192, 168, 0, 1), port: 8080 },
    forwarding: Forwarding::Direct,
    weight: 2,
};

/// Bytes written as hexadecimal words, one attribute to a word.
fn bytes(words: &str) -> Vec<u8> {
    let digits: Vec<_> = words.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

/// The nested attributes `nested` under `kind`.
fn nest(kind: u16, nested: &[u8]) -> Vec<u8> {
    let length = u16::try_from(nested.len() + 4).unwrap();
    [&length.to_le_bytes()[..], &(kind | 0x8000).to_le_bytes(), nested].concat()
}

const WEB_WORDS: &str =
    "0600010002000000 0600020006000000 140003000a000001000000000000000000000000 0600040000500000";
const REAL_WORDS: &str = "14000100c0a80001000000000000000000000000 060002001f900000 06000b0002000000";

#[test]
fn requests_are_encoded_as_the_kernel_wants_them() {
    let plain = Service { key: WEB, scheduler: "wlc".into(), persistence: None };
    let netmask = Ipv4Addr::new(255, 255, 255, 0);
    let persistent = Service { persistence: Some(Persistence { timeout: 60, netmask }), ..plain.clone() };
    let marked = Service { key: ServiceKey::FwMark(0x8000_0001), ..plain.clone() };
    let web = nest(1, &bytes(WEB_WORDS));
    let settings = "08000600776c6300 0c00070000000000ffffffff 0800080000000000 08000900ffffffff";
    let sticky = "08000600776c6300 0c00070001000000ffffffff 080008003c000000 08000900ffffff00";
    let mark = "0600010002000000 0800050001000080";
    let whole_real = nest(
        2,
        &bytes(&format!("{REAL_WORDS} 0800030003000000 0800040002000000 0800050000000000 0800060000000000")),
    );
    let cases = [
        (Operation::AddService(plain), 1, nest(1, &bytes(&format!("{WEB_WORDS}{settings}")))),
        (Operation::EditService(persistent), 2, nest(1, &bytes(&format!("{WEB_WORDS}{sticky}")))),
        (Operation::AddService(marked), 1, nest(1, &bytes(&format!("{mark}{settings}")))),
        (Operation::DeleteService(WEB), 3, web.clone()),
        (Operation::DeleteService(ServiceKey::FwMark(0x8000_0001)), 3, nest(1, &bytes(mark))),
        (Operation::AddDestination(WEB, REAL), 5, [web.clone(), whole_real.clone()].concat()),
        (Operation::EditDestination(WEB, REAL), 6, [web.clone(), whole_real].concat()),
        (Operation::DeleteDestination(WEB, REAL.key), 7, [web, nest(2, &bytes(REAL_WORDS))].concat()),
        (Operation::Flush, 17, Vec::new()),
        (
            Operation::SetTimeouts(Timeouts { tcp: 900, tcpfin: 120, udp: 300 }),
            12,
            bytes("0800040084030000 0800050078000000 080006002c010000"),
        ),
        (
            Operation::StartSync(SyncDaemon { role: SyncRole::Master, interface: "eth1".into(), syncid: 44 }),
            9,
            nest(3, &bytes("0800010001000000 090002006574683100000000 080003002c000000")),
        ),
        (Operation::StopSync(SyncRole::Backup), 10, nest(3, &bytes("0800010002000000"))),
        (
            Operation::DeleteForeign(Foreign::FwMarkV6(5)),
            3,
            nest(1, &bytes("060001000a000000 0800050005000000")),
        ),
    ];
    for (operation, command, attributes) in cases {
        assert_eq!(request(&operation), Message { command, attributes }, "{operation}");
    }
}

/// What a 6.1 kernel puts after every service and destination: statistics, in 32 and in 64 bits. Shortened.
const STATISTICS: &str = "24000a00 0800010000000000 0800020000000000 04000b00 0c0004000000000000000000
    1c000c00 0c0001000000000000000000 0c0002000000000000000000";

fn listed(kind: u16, words: &str) -> Message {
    Message { command: 1, attributes: nest(kind, &bytes(&format!("{words} {STATISTICS}"))) }
}

fn read(words: &str) -> (Listed, Table) {
    let mut table = Table::new();
    let listed = read_service(&listed(1, words), &mut table).unwrap();
    (listed, table)
}

#[test]
fn services_are_read_as_the_kernel_lists_them() {
    let tail = "08000600776c6300 0c00070002000000ffffffff 0800080000000000 08000900ffffffff";
    let sticky_tail = "08000600776c6300 0c00070003000000ffffffff 080008003c000000 08000900ffffff00";
    let mark = ServiceKey::FwMark(0x8000_0001);
    let netmask = Ipv4Addr::new(255, 255, 255, 0);
    let cases = [
        (format!("{WEB_WORDS}{tail}"), WEB, None),
        (format!("{WEB_WORDS}{sticky_tail}"), WEB, Some(Persistence { timeout: 60, netmask })),
        (format!("0600010002000000 0800050001000080 {tail}"), mark, None),
    ];
    for (words, key, persistence) in cases {
        let (listed, table) = read(&words);
        assert_eq!(listed, Listed::Service(key));
        let entry = table.get(&key).unwrap();
        assert_eq!(entry.service, Service { key, scheduler: "wlc".into(), persistence });
        assert!(!entry.unusual);
    }
}

#[test]
fn services_beyond_the_model_are_read_as_foreign() {
    let tail = "0700060072720000 0c00070002000000ffffffff 0800080000000000 0800090080000000";
    let v6 = "1400030020010db8000000000000000000000001 0600040000500000";
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let sctp = Ipv4Addr::new(10, 0, 0, 1).into();
    let cases = [
        (
            format!("060001000a000000 0600020006000000 {v6} {tail}"),
            Foreign::Service { protocol: 6, address, port: 80 },
        ),
        (
            WEB_WORDS.replace("0600020006", "0600020084") + tail,
            Foreign::Service { protocol: 132, address: sctp, port: 80 },
        ),
        (format!("060001000a000000 0800050005000000 {tail}"), Foreign::FwMarkV6(5)),
    ];
    for (words, foreign) in cases {
        let (listed, table) = read(&words);
        assert_eq!(listed, Listed::Foreign);
        assert!(table.foreign().eq([&foreign]), "{table:?}");
    }
}

#[test]
fn settings_beyond_the_model_make_a_service_unusual() {
    let one_packet = "08000600776c6300 0c00070006000000ffffffff";
    let engine = "08000600776c6300 08000b0073697000 0c00070003000000ffffffff 080008003c000000";
    for settings in [one_packet, engine] {
        let (_, table) = read(&format!("{WEB_WORDS}{settings}"));
        assert!(table.get(&WEB).unwrap().unusual, "{settings}");
    }
}

fn table_with_web() -> Table {
    let mut table = Table::new();
    table.insert(Service { key: WEB, scheduler: "wlc".into(), persistence: None });
    table
}

/// A destination of forwarding `method` with the upper threshold `upper`, as a 6.1 kernel lists it.
fn destination_words(method: u8, upper: u8) -> String {
    format!(
        "14000100c0a80001000000000000000000000000 060002001f900000 08000300{method:02x}000000 0800040002000000
         05000d0000000000 06000e0000000000 06000f0000000000 08000500{upper:02x}000000 0800060000000000
         0800070000000000 0800080000000000 0800090000000000 06000b0002000000"
    )
}

#[test]
fn destinations_are_read_as_the_kernel_lists_them() {
    let methods = [
        (0, Some(Forwarding::Masquerade)),
        (2, Some(Forwarding::Tunnel)),
        (3, Some(Forwarding::Direct)),
        (1, None),
    ];
    for (method, named) in methods {
        let mut table = table_with_web();
        read_destination(&listed(2, &destination_words(method, 0)), &WEB, &mut table).unwrap();
        let forwarding = named.unwrap_or(Forwarding::Direct);
        assert_eq!(table.destination(&WEB, &REAL.key), Some(&Destination { forwarding, ..REAL }));
        assert_eq!(table.get(&WEB).unwrap().unusual_destinations.contains(&REAL.key), named.is_none());
    }
}

#[test]
fn a_connection_threshold_makes_a_destination_unusual() {
    let mut table = table_with_web();
    read_destination(&listed(2, &destination_words(3, 100)), &WEB, &mut table).unwrap();
    assert!(table.get(&WEB).unwrap().unusual_destinations.contains(&REAL.key));
}

#[test]
fn kernels_that_list_no_destination_family_mean_the_services() {
    let words = destination_words(3, 0).replace("06000b0002000000", "");
    let mut table = table_with_web();
    read_destination(&listed(2, &words), &WEB, &mut table).unwrap();
    assert_eq!(table.destination(&WEB, &REAL.key), Some(&REAL));
}

#[test]
fn what_is_wrong_with_an_answer_is_said_by_name() {
    let cases = [
        ("", "no service family"),
        ("0600010002000000", "no service protocol"),
        ("0600010002000000 0600020006000000", "no service address"),
        ("0600010002000000 0600020006000000 080003000a000001", "service address of 4 bytes instead of 16"),
        ("0600010002000000 0800020006000000", "service protocol of 4 bytes instead of 2"),
        ("0600010063000000 0600020006000000 0600040000500000", "no service address"),
        ("0600010002000000 0800070000000000", "service flags of 4 bytes instead of 8"),
    ];
    for (words, problem) in cases {
        let message = Message { command: 1, attributes: nest(1, &bytes(words)) };
        let result = read_service(&message, &mut Table::new());
        assert_eq!(result, Err(ErrorKind::Malformed(problem.into())), "{words}");
    }
}

proptest! {
    /// Whatever the kernel says: an error at worst.
    #[test]
    fn no_answer_makes_the_reader_panic(attributes in prop::collection::vec(any::<u8>(), 0..200)) {
        for attributes in [attributes.clone(), nest(1, &attributes), nest(2, &attributes)] {
            let message = Message { command: 1, attributes };
            let _ = read_service(&message, &mut Table::new());
            let _ = read_destination(&message, &WEB, &mut table_with_web());
        }
    }

    /// A good answer of which bytes were lost or changed on the way.
    #[test]
    fn no_damaged_answer_makes_the_reader_panic(cut in 0_usize..300, at in 0_usize..300, value in any::<u8>()) {
        let tail = "08000600776c6300 0c00070003000000ffffffff 080008003c000000 08000900ffffffff";
        for (kind, words) in [(1, format!("{WEB_WORDS}{tail}")), (2, destination_words(3, 0))] {
            let mut message = listed(kind, &words);
            if let Some(byte) = message.attributes.get_mut(at) {
                *byte = value;
            }
            message.attributes.truncate(cut);
            let _ = read_service(&message, &mut Table::new());
            let _ = read_destination(&message, &WEB, &mut table_with_web());
        }
    }

    /// The kernel lists a service with the attributes that it was added with.
    #[test]
    fn what_is_written_can_be_read(
        address in any::<u32>(), port in any::<u16>(), weight in any::<u32>(), timeout in 1_u32.., mark in 1_u32..
    ) {
        let address = Ipv4Addr::from(address);
        let persistence = Some(Persistence { timeout, netmask: address });
        for key in [ServiceKey::Address { protocol: Protocol::Udp, address, port }, ServiceKey::FwMark(mark)] {
            let service = Service { key, scheduler: "lblcr".into(), persistence };
            let destination = Destination { key: DestinationKey { address, port }, weight, ..REAL };
            let mut table = Table::new();
            read_service(&request(&Operation::AddService(service.clone())), &mut table).unwrap();
            read_destination(&request(&Operation::AddDestination(key, destination)), &key, &mut table).unwrap();
            prop_assert_eq!(&table.get(&key).unwrap().service, &service);
            prop_assert_eq!(table.destination(&key, &destination.key), Some(&destination));
        }
    }
}
