//! Who holds an address, and when: `ip monitor` over the directors' namespaces.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::host::{succeed, Host};
use crate::truth::addresses;

/// A change: a host got the address or lost it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The journal's time.
    pub at: Duration,
    /// The host's name.
    pub host: String,
    /// Whether it has the address from now on.
    pub holds: bool,
}

/// Records every change of one address on some hosts. One monitor sees them all, so that their order is the
/// kernel's and not that in which observers happened to run.
#[derive(Debug)]
pub struct VipWatch {
    changes: Arc<Mutex<Vec<Holding>>>,
    monitor: Child,
}

impl VipWatch {
    /// Watches `address` on `hosts` from now on.
    pub fn start(address: Ipv4Addr, hosts: &[&Host]) -> VipWatch {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let monitor = monitor(address, hosts, &changes);
        for host in hosts {
            let holds = addresses(host).iter().any(|(_, held)| *held == address);
            let first = Holding { at: host.journal().now(), host: host.name().to_owned(), holds };
            changes.lock().unwrap().push(first);
        }
        VipWatch { changes, monitor }
    }

    /// The changes so far, in order; the first of each host is what it had at the start.
    pub fn changes(&self) -> Vec<Holding> {
        self.changes.lock().unwrap().clone()
    }

    /// The time during which more than one host had the address, and the time during which none had it
    /// after one had it first, up to `now`.
    pub fn twice_and_never(&self, now: Duration) -> (Duration, Duration) {
        summarise(&self.changes(), now)
    }
}

impl Drop for VipWatch {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

fn monitor(address: Ipv4Addr, hosts: &[&Host], changes: &Arc<Mutex<Vec<Holding>>>) -> Child {
    let names: BTreeMap<String, String> =
        hosts.iter().map(|host| (namespace_number(host), host.name().to_owned())).collect();
    let mut child = Command::new("ip")
        .args(["-o", "-4", "monitor", "all-nsid", "address"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ip can be started");
    let (journal, record) = (hosts[0].journal().clone(), changes.clone());
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let needle = format!(" inet {address}/");
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok).filter(|line| line.contains(&needle)) {
            let at = journal.now();
            // `[nsid 3]Deleted 2: eth0    inet 10.0.0.50/24 …`
            let Some((number, change)) = line.strip_prefix("[nsid ").and_then(|rest| rest.split_once(']'))
            else {
                continue;
            };
            if let Some(host) = names.get(number) {
                let holds = !change.trim_start().starts_with("Deleted");
                record.lock().unwrap().push(Holding { at, host: host.clone(), holds });
            }
        }
    });
    child
}

/// The number by which a monitor in this process's namespace knows the host's.
fn namespace_number(host: &Host) -> String {
    // Fails if it has a number already.
    let _ = Command::new("ip").args(["netns", "set", host.namespace(), "auto"]).output();
    let listing = succeed(Command::new("ip").args(["netns", "list"]));
    let prefix = format!("{} (id: ", host.namespace());
    let number = listing.lines().find_map(|line| line.strip_prefix(&prefix)?.strip_suffix(')'));
    number.unwrap_or_else(|| panic!("no number for {}: {listing}", host.namespace())).to_owned()
}

fn summarise(changes: &[Holding], now: Duration) -> (Duration, Duration) {
    let (mut twice, mut never) = (Duration::ZERO, Duration::ZERO);
    let mut holders: Vec<&str> = Vec::new();
    let mut held_before = false;
    for (index, change) in changes.iter().enumerate() {
        holders.retain(|host| *host != change.host);
        if change.holds {
            holders.push(&change.host);
            held_before = true;
        }
        let until = changes.get(index + 1).map_or(now, |next| next.at);
        let period = until.saturating_sub(change.at);
        match holders.len() {
            0 if held_before => never += period,
            0 | 1 => {}
            _ => twice += period,
        }
    }
    (twice, never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_overlap_and_absence() {
        let change =
            |at, host: &str, holds| Holding { at: Duration::from_secs(at), host: host.into(), holds };
        let changes = [
            change(0, "a", false),
            change(0, "b", false),
            change(2, "a", true),
            change(5, "a", false),
            change(6, "b", true),
            change(8, "a", true),
            change(9, "b", false),
        ];
        let (twice, never) = summarise(&changes, Duration::from_secs(20));
        assert_eq!((twice.as_secs(), never.as_secs()), (1, 1));
    }
}
