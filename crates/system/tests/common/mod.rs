//! A network namespace for each test, and iproute2 as the second opinion on what is in it.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::Ipv4Addr;
use std::process::Command;

use nix::sched::{unshare, CloneFlags};
use serde_json::Value;

/// Puts the calling thread, and what it starts, into a new network namespace in which nothing is up.
pub fn enter_namespace() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
}

/// Runs `ip` with these words and returns what it says.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "ip {arguments}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Two ends of a cable, `a` and `b`, both up; their interface numbers.
pub fn cable() -> [u32; 2] {
    ip("link add name a type veth peer name b");
    ip("link set dev a up");
    ip("link set dev b up");
    ["a", "b"].map(index)
}

/// The number of an interface.
pub fn index(name: &str) -> u32 {
    let links: Value = serde_json::from_str(&ip(&format!("-j link show dev {name}"))).unwrap();
    u32::try_from(links[0]["ifindex"].as_u64().unwrap()).unwrap()
}

/// What `ip -j addr` says of an interface.
pub fn ip_addr(name: &str) -> Value {
    let links: Value = serde_json::from_str(&ip(&format!("-j addr show dev {name}"))).unwrap();
    links[0].clone()
}

/// An interface's IPv4 addresses by `ip`, in the words `address/prefix label [broadcast] [secondary]`.
pub fn ip_addresses(name: &str) -> Vec<String> {
    let link = ip_addr(name);
    let addresses = link["addr_info"].as_array().unwrap().iter().filter(|info| info["family"] == "inet");
    addresses
        .map(|info| {
            let broadcast = info["broadcast"].as_str().map(|broadcast| broadcast.parse().unwrap());
            let secondary = info["secondary"] == true;
            let [local, label] = ["local", "label"].map(|field| info[field].as_str().unwrap());
            words(local.parse().unwrap(), &info["prefixlen"].to_string(), label, broadcast, secondary)
        })
        .collect()
}

/// An address in the words of [`ip_addresses`].
pub fn words(
    address: Ipv4Addr,
    prefix: &str,
    label: &str,
    broadcast: Option<Ipv4Addr>,
    secondary: bool,
) -> String {
    let mut words = format!("{address}/{prefix} {label}");
    if let Some(broadcast) = broadcast {
        words += &format!(" {broadcast}");
    }
    if secondary {
        words += " secondary";
    }
    words
}
