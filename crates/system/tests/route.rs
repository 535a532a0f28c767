//! Links and addresses in a network namespace, checked with iproute2.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

mod common;

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use common::{cable, enter_namespace, index, ip, ip_addr, ip_addresses, words};
use nix::errno::Errno;
use system::route::{AddressChange, AddressSpec, Event, InterfaceAddress, Monitor, RouteSocket};

fn spec(index: u32, address: [u8; 4], prefix: u8, label: &str) -> AddressSpec {
    AddressSpec { index, address: address.into(), prefix, label: label.into(), broadcast: None }
}

fn add(index: u32, address: [u8; 4], prefix: u8, label: &str) -> AddressChange {
    AddressChange::Add(spec(index, address, prefix, label))
}

fn delete(index: u32, address: [u8; 4], prefix: u8) -> AddressChange {
    AddressChange::Delete(spec(index, address, prefix, ""))
}

fn change(changes: &[AddressChange]) {
    for result in outcomes(changes) {
        result.unwrap();
    }
}

/// The error that the only change meets.
fn outcomes(changes: &[AddressChange]) -> Vec<io::Result<()>> {
    let mut socket = RouteSocket::open().unwrap();
    let links = socket.links().unwrap();
    socket.change(&links, changes)
}

fn refusal(change: AddressChange) -> io::Error {
    outcomes(&[change]).remove(0).unwrap_err()
}

/// Whether the kernel keeps secondary addresses when their primary goes.
fn promote_secondaries(name: &str, promote: bool) {
    std::fs::write(
        format!("/proc/sys/net/ipv4/conf/{name}/promote_secondaries"),
        u8::from(promote).to_string(),
    )
    .unwrap();
}

fn as_words(address: &InterfaceAddress) -> String {
    let InterfaceAddress { address, prefix, label, broadcast, secondary, .. } = address;
    words(*address, &prefix.to_string(), label, *broadcast, *secondary)
}

#[test]
fn links_are_as_ip_shows_them() {
    enter_namespace();
    let [a, b] = cable();
    ip("link set dev b down");
    let links = RouteSocket::open().unwrap().links().unwrap();
    let by_name = |name: &str| links.iter().find(|link| link.name == name).unwrap().clone();

    let mac = by_name("a").mac.unwrap().map(|byte| format!("{byte:02x}")).join(":");
    assert_eq!(ip_addr("a")["address"], mac);
    let states = ["a", "b", "lo"].map(|name| {
        let link = by_name(name);
        (link.index, link.up, link.carrier, link.loopback)
    });
    assert_eq!(states, [(a, true, false, false), (b, false, false, false), (1, false, false, true)]);
    assert_eq!(by_name("lo").mac, None);

    ip("link set dev b up");
    let links = RouteSocket::open().unwrap().links().unwrap();
    assert!(links.iter().filter(|link| !link.loopback).all(|link| link.up && link.carrier), "{links:?}");
}

#[test]
fn addresses_are_as_ip_shows_them() {
    enter_namespace();
    let [a, _] = cable();
    ip("addr add 10.0.0.1/24 broadcast 10.0.0.255 dev a");
    ip("addr add 10.0.0.2/24 broadcast 10.0.0.255 dev a label a:1");
    ip("addr add 172.16.0.9/32 dev a label a:vip");
    ip("addr add 10.9.9.1/32 peer 10.9.9.2 dev a");
    ip("-6 addr add 2001:db8::1/64 dev a");
    let addresses = RouteSocket::open().unwrap().addresses().unwrap();
    let ours: Vec<_> = addresses.iter().filter(|address| address.index == a).map(as_words).collect();
    assert_eq!(ours, ip_addresses("a"));
    assert!(ours.contains(&"10.0.0.2/24 a:1 10.0.0.255 secondary".to_string()), "{ours:?}");
}

#[test]
fn an_address_comes_with_prefix_label_and_broadcast_in_one_step() {
    enter_namespace();
    let [a, _] = cable();
    let broadcast = Some(Ipv4Addr::new(10, 0, 0, 255));
    change(&[
        AddressChange::Add(AddressSpec { broadcast, ..spec(a, [10, 0, 0, 100], 24, "a:1") }),
        add(a, [192, 168, 7, 1], 32, "a:2"),
        add(a, [192, 168, 7, 2], 32, ""),
    ]);
    assert_eq!(ip_addresses("a"), ["10.0.0.100/24 a:1 10.0.0.255", "192.168.7.1/32 a:2", "192.168.7.2/32 a"]);
}

#[test]
fn only_the_very_address_is_deleted() {
    enter_namespace();
    let [a, _] = cable();
    change(&[add(a, [10, 0, 0, 1], 32, ""), add(a, [10, 0, 0, 2], 32, "a:1"), add(a, [10, 0, 0, 1], 24, "")]);
    change(&[delete(a, [10, 0, 0, 1], 32)]);
    assert_eq!(ip_addresses("a"), ["10.0.0.2/32 a:1", "10.0.0.1/24 a"]);
}

#[test]
fn refusals_are_told_apart_and_the_rest_is_carried_out() {
    enter_namespace();
    let [a, _] = cable();
    let results = outcomes(&[
        add(a, [10, 0, 0, 1], 32, "a:1"),
        add(a, [10, 0, 0, 1], 32, "a:1"),
        add(a, [10, 0, 0, 9], 32, "b:1"),
        delete(a, [10, 0, 0, 3], 32),
        add(999, [10, 0, 0, 4], 32, ""),
        add(a, [10, 0, 0, 2], 32, "a:2"),
    ]);
    let errors: Vec<_> = results
        .into_iter()
        .map(|result| result.err().map(|error| error.raw_os_error().map(Errno::from_raw)))
        .collect();
    let [exists, gone, no_device] =
        [Errno::EEXIST, Errno::EADDRNOTAVAIL, Errno::ENODEV].map(|e| Some(Some(e)));
    assert_eq!(errors, [None, exists, Some(None), gone, no_device, None]);
    assert_eq!(ip_addresses("a"), ["10.0.0.1/32 a:1", "10.0.0.2/32 a:2"]);
}

#[test]
fn every_refusal_among_many_is_found_wherever_it_is() {
    enter_namespace();
    let [a, _] = cable();
    let change = |number: usize| match number % 3 {
        0 => add(a, [10, 0, (number / 256) as u8, number as u8], 32, ""),
        _ => delete(a, [10, 9, (number / 256) as u8, number as u8], 32),
    };
    // Of any number of requests, the last one accepted or refused.
    for count in [1, 2, 127, 128, 129, 130, 600] {
        let changes: Vec<_> = (0..count).map(change).collect();
        let results = outcomes(&changes);
        assert_eq!(results.len(), count);
        for (number, result) in results.into_iter().enumerate() {
            let errno = result.err().and_then(|error| error.raw_os_error()).map(Errno::from_raw);
            let refusal = if number % 3 == 0 { None } else { Some(Errno::EADDRNOTAVAIL) };
            assert_eq!(errno, refusal, "{number} of {count}");
        }
        outcomes(
            &(0..count)
                .step_by(3)
                .map(|number| delete(a, [10, 0, (number / 256) as u8, number as u8], 32))
                .collect::<Vec<_>>(),
        );
    }
}

#[test]
fn labels_that_ifconfig_could_not_address_are_refused_in_words() {
    enter_namespace();
    let [a, _] = cable();
    let cases = [
        ("b:1", "label b:1 is neither a nor an alias a:..."),
        ("ab", "label ab is neither a nor an alias a:..."),
        ("a:34567890123456", "label a:34567890123456 is longer than 15 bytes"),
    ];
    for (label, message) in cases {
        let error = refusal(add(a, [10, 0, 0, 1], 32, label));
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::InvalidInput, message));
    }
    change(&[add(a, [10, 0, 0, 1], 32, "a:3456789012345")]);
}

#[test]
fn an_address_in_the_nodes_own_network_leaves_the_nodes_own_alone() {
    enter_namespace();
    let [a, _] = cable();
    promote_secondaries("a", false);
    ip("addr add 10.0.0.1/24 dev a");
    change(&[add(a, [10, 0, 0, 100], 24, "a")]);
    assert_eq!(ip_addresses("a"), ["10.0.0.1/24 a", "10.0.0.100/24 a secondary"]);
    change(&[delete(a, [10, 0, 0, 100], 24)]);
    assert_eq!(ip_addresses("a"), ["10.0.0.1/24 a"]);
}

#[test]
fn secondaries_outlive_their_primary() {
    enter_namespace();
    let [a, _] = cable();
    for promote in [false, true] {
        promote_secondaries("a", promote);
        change(&[add(a, [10, 0, 0, 1], 24, "a:1"), add(a, [10, 0, 1, 1], 24, "a:9")]);
        change(&[2, 3, 4].map(|host| add(a, [10, 0, 0, host], 24, &format!("a:{host}"))));
        change(&[delete(a, [10, 0, 0, 3], 24), delete(a, [10, 0, 0, 1], 24)]);
        let mut left = ip_addresses("a");
        left.sort();
        assert_eq!(left, ["10.0.0.2/24 a:2", "10.0.0.4/24 a:4 secondary", "10.0.1.1/24 a:9"], "{promote}");
        change(&[delete(a, [10, 0, 1, 1], 24), delete(a, [10, 0, 0, 4], 24), delete(a, [10, 0, 0, 2], 24)]);
    }
}

#[test]
fn a_secondary_that_goes_with_its_primary_is_gone() {
    enter_namespace();
    let [a, _] = cable();
    promote_secondaries("a", false);
    change(&[add(a, [10, 0, 0, 1], 24, ""), add(a, [10, 0, 0, 2], 24, "")]);
    let results = outcomes(&[delete(a, [10, 0, 0, 1], 24), delete(a, [10, 0, 0, 2], 24)]);
    assert!(results[0].is_ok());
    assert_eq!(results[1].as_ref().unwrap_err().raw_os_error(), Some(Errno::EADDRNOTAVAIL as i32));
    assert_eq!(ip_addresses("a"), [""; 0]);
}

#[test]
fn a_thousand_addresses_in_one_call() {
    enter_namespace();
    let [a, _] = cable();
    let spec = |number: u16| {
        let [high, low] = number.to_be_bytes();
        spec(a, [10, 1, high, low], 32, "a:1")
    };
    let mut socket = RouteSocket::open().unwrap();
    let links = socket.links().unwrap();
    let start = Instant::now();
    let added = socket.change(&links, &(0..1000).map(|n| AddressChange::Add(spec(n))).collect::<Vec<_>>());
    println!("added in {:?}", start.elapsed());
    assert!(added.iter().all(Result::is_ok));
    assert_eq!(ip_addresses("a").len(), 1000);
    assert_eq!(socket.addresses().unwrap().len(), 1000);
    let start = Instant::now();
    let deleted =
        socket.change(&links, &(0..1000).map(|n| AddressChange::Delete(spec(n))).collect::<Vec<_>>());
    println!("deleted in {:?}", start.elapsed());
    assert!(deleted.iter().all(Result::is_ok));
    assert_eq!(ip_addresses("a"), [""; 0]);
}

#[test]
fn the_monitor_hears_of_addresses_and_links() {
    enter_namespace();
    let [a, b] = cable();
    let mut monitor = Monitor::open().unwrap();
    assert_eq!(monitor.drain().unwrap(), []);
    ip("addr add 10.0.0.1/32 dev a");
    ip("addr del 10.0.0.1/32 dev a");
    let events = monitor.drain().unwrap();
    let [Event::AddressAdded(added), Event::AddressGone(gone)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((as_words(added), added), ("10.0.0.1/32 a".to_string(), gone));

    ip("link set dev b down");
    let cut = |event: &Event| matches!(event, Event::LinkChanged(link) if link.index == a && !link.carrier);
    // The kernel tells of a carrier on its own time.
    let start = Instant::now();
    while !monitor.drain().unwrap().iter().any(cut) {
        assert!(start.elapsed() < Duration::from_secs(10), "the lost carrier is heard of");
        std::thread::sleep(Duration::from_millis(10));
    }
    ip("link del dev b");
    let gone = |event: &Event| matches!(event, Event::LinkGone(link) if link.index == b);
    assert!(monitor.drain().unwrap().iter().any(gone));
    assert_eq!(index("lo"), 1);
}
