//! Virtual addresses on a real link, in a network namespace of each test's own; seen through `ip`, not through
//! our own reader. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may panic

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread;

use nix::sched::{unshare, CloneFlags};
use system::vip::{Addresses, VirtualAddress};

/// Runs a test in a fresh network with one Ethernet link `d0` that carries 10.0.0.1/24.
fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
        ip("link add name d0 type veth peer name e0");
        ip("link set d0 up");
        ip("addr add 10.0.0.1/24 dev d0");
        // The number of a namespace is used again, and a test that failed may have left something under it.
        let _ = std::fs::remove_file(record());
        let _ = std::fs::remove_dir(record());
        test();
    };
    thread::spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn ip(words: &str) -> String {
    let output = Command::new("ip").args(words.split(' ')).output().expect("iproute2");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `d0` carries, as `ADDRESS/PREFIX LABEL`, sorted.
fn held() -> Vec<String> {
    let text = ip("-4 -o addr show dev d0");
    let mut held: Vec<_> = text
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let label = words.iter().rev().find(|word| word.starts_with("d0")).unwrap();
            format!("{} {}", words[3], label.trim_end_matches('\\'))
        })
        .collect();
    held.sort();
    held
}

fn vip(text: &str) -> VirtualAddress {
    let (network, label) = text.split_once(' ').unwrap();
    let (address, prefix) = network.split_once('/').unwrap();
    let (address, prefix) = (address.parse().unwrap(), prefix.parse().unwrap());
    VirtualAddress { address, prefix, label: label.to_owned() }
}

fn vips(texts: &[&str]) -> Vec<VirtualAddress> {
    texts.iter().map(|text| vip(text)).collect()
}

/// Settles on `wanted` as a process that has just started would.
fn settle(wanted: &[&str], known: &[&str]) {
    let failures = Addresses::open().unwrap().settle(&vips(wanted), &vips(known)).unwrap();
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn addresses_come_with_their_prefix_and_label_and_go_exactly() {
    in_own_network(|| {
        let wanted = ["10.0.0.100/24 d0:1", "10.0.0.101/24 d0:2", "10.9.9.9/32 d0:3"];
        settle(&wanted, &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0", wanted[0], wanted[1], wanted[2]]);
        assert!(ip("addr show dev d0").contains("10.0.0.100/24 brd 10.0.0.255"));
        settle(&[wanted[1]], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0", wanted[1]]);
        settle(&[], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
    });
}

#[test]
fn a_thousand_come_and_go_at_once() {
    in_own_network(|| {
        let texts: Vec<_> =
            (0..1000).map(|n| format!("10.8.{}.{}/16 d0:{n}", n / 250, n % 250 + 1)).collect();
        let wanted: Vec<_> = texts.iter().map(String::as_str).collect();
        settle(&wanted, &[]);
        assert_eq!(held().len(), 1001);
        settle(&[], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
    });
}

#[test]
fn what_the_kernel_drops_along_comes_back() {
    in_own_network(|| {
        settle(&["10.5.0.1/24 d0:1"], &[]);
        ip("addr add 10.5.0.7/24 dev d0");
        settle(&[], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0", "10.5.0.7/24 d0"]);
    });
}

#[test]
fn a_killed_predecessors_addresses_are_found_by_record_or_by_alias() {
    in_own_network(|| {
        settle(&["10.0.0.100/24 d0:1"], &[]);
        settle(&["10.0.0.101/24 d0:2"], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0", "10.0.0.101/24 d0:2"], "by record");
        ip("addr add 10.7.0.1/8 dev d0 label d0:9");
        settle(&[], &["10.7.0.1/24 d0:9"]);
        assert_eq!(held(), ["10.0.0.1/24 d0"], "by the alias in lvs.cf, whatever its prefix");
    });
}

#[test]
fn the_nodes_own_addresses_are_never_taken_down() {
    in_own_network(|| {
        settle(&["10.0.0.1/24 d0"], &["10.0.0.1/24 d0"]);
        settle(&[], &["10.0.0.1/24 d0"]);
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
    });
}

#[test]
fn an_address_named_without_alias_is_added_beside_the_nodes_own() {
    in_own_network(|| {
        settle(&["10.0.0.50/24 d0"], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0", "10.0.0.50/24 d0"]);
        settle(&[], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
    });
}

#[test]
fn one_that_cannot_be_raised_does_not_hold_the_others_back() {
    in_own_network(|| {
        let wanted = vips(&["10.0.0.100/24 nosuch:1", "10.0.0.101/24 d0:2"]);
        let failures = Addresses::open().unwrap().settle(&wanted, &[]).unwrap();
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].error.to_string(), "there is no device nosuch");
        assert_eq!(held(), ["10.0.0.1/24 d0", "10.0.0.101/24 d0:2"]);
        settle(&[], &[]);
    });
}

/// The record of the test's network.
fn record() -> std::path::PathBuf {
    let namespace = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    format!("/run/piranha/addresses.{namespace}").into()
}

#[test]
fn what_this_process_raised_it_withdraws_without_a_record() {
    in_own_network(|| {
        let mut addresses = Addresses::open().unwrap();
        let raised = vips(&["10.0.0.50/24 d0", "10.0.0.51/24 d0:1"]);
        assert!(addresses.settle(&raised, &[]).unwrap().is_empty());
        std::fs::remove_file(record()).unwrap();
        assert!(addresses.settle(&[], &raised).unwrap().is_empty());
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
    });
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_left_alone() {
    in_own_network(|| {
        settle(&["10.0.0.50/24 d0"], &[]);
        let found = std::fs::read(record()).unwrap();
        let aside = record().with_extension("aside");
        std::fs::rename(record(), &aside).unwrap();
        std::fs::create_dir(record()).unwrap();

        let mut addresses = Addresses::open().unwrap();
        let error = addresses.settle(&vips(&["10.0.0.51/24 d0"]), &[]).unwrap_err().to_string();
        assert!(error.contains(record().to_str().unwrap()), "{error}");
        assert_eq!(
            held(),
            ["10.0.0.1/24 d0", "10.0.0.50/24 d0", "10.0.0.51/24 d0"],
            "what can be done is done"
        );
        addresses.settle(&[], &[]).unwrap_err();
        assert_eq!(held(), ["10.0.0.1/24 d0", "10.0.0.50/24 d0"]);

        std::fs::remove_dir(record()).unwrap();
        std::fs::rename(&aside, record()).unwrap();
        assert_eq!(std::fs::read(record()).unwrap(), found);
        assert!(addresses.settle(&[], &[]).unwrap().is_empty());
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
        assert!(!record().exists());
    });
}

#[test]
fn what_could_not_be_withdrawn_stays_on_record() {
    in_own_network(|| {
        let mut addresses = Addresses::open().unwrap();
        let (first, both) = (["10.0.0.50/24 d0"], ["10.0.0.50/24 d0", "10.0.0.51/24 d0"]);
        assert!(addresses.settle(&vips(&both), &[]).unwrap().is_empty());
        for (wanted, failures) in [(&first[..], 1), (&[], 2), (&["10.0.0.52/24 d0"], 3)] {
            let refused = without_right_to_change(|| addresses.settle(&vips(wanted), &[])).unwrap();
            assert_eq!(refused.len(), failures, "{wanted:?}");
        }
        assert_eq!(held(), ["10.0.0.1/24 d0", both[0], both[1]]);
        settle(&[], &[]);
        assert_eq!(held(), ["10.0.0.1/24 d0"]);
        assert!(!record().exists());
    });
}

/// Runs something while this thread may not change addresses.
fn without_right_to_change<T>(action: impl FnOnce() -> T) -> T {
    /// The words of capget(2) for a version that has two of each set.
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    // Effective, permitted, inheritable; twice.
    let mut sets = [0_u32; 6];
    // SAFETY: the kernel writes the header's two words and six words of sets, and the arrays have so many.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    assert_eq!(got, 0);
    let found = sets[0];
    let mut set_effective = |effective| {
        sets[0] = effective;
        // SAFETY: the kernel reads the same two arrays; it changes this thread only.
        let set = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
        assert_eq!(set, 0);
    };
    set_effective(0);
    let result = action();
    set_effective(found);
    result
}
