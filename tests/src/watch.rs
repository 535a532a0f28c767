//! Who holds an address, and when: `ip monitor` on each director.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::host::Host;
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

/// Records every change of one address on some hosts.
#[derive(Debug)]
pub struct VipWatch {
    changes: Arc<Mutex<Vec<Holding>>>,
    monitors: Vec<Child>,
}

impl VipWatch {
    /// Watches `address` on `hosts` from now on.
    pub fn start(address: Ipv4Addr, hosts: &[&Host]) -> VipWatch {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let monitors = hosts.iter().map(|host| monitor(address, host, &changes)).collect();
        VipWatch { changes, monitors }
    }

    /// The changes so far; the first of each host is what it had at the start.
    pub fn changes(&self) -> Vec<Holding> {
        let mut changes = self.changes.lock().unwrap().clone();
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// The time during which more than one host had the address, and the time during which none had it
    /// after one had it first, up to `now`.
    pub fn twice_and_never(&self, now: Duration) -> (Duration, Duration) {
        summarise(&self.changes(), now)
    }
}

impl Drop for VipWatch {
    fn drop(&mut self) {
        for monitor in &mut self.monitors {
            let _ = monitor.kill();
            let _ = monitor.wait();
        }
    }
}

fn monitor(address: Ipv4Addr, host: &Host, changes: &Arc<Mutex<Vec<Holding>>>) -> Child {
    let mut child = host.observe("ip", &["-o", "-4", "monitor", "address"]);
    let (name, journal, record) = (host.name().to_owned(), host.journal().clone(), changes.clone());
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let needle = format!(" inet {address}/");
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok).filter(|line| line.contains(&needle)) {
            let holds = !line.starts_with("Deleted");
            record.lock().unwrap().push(Holding { at: journal.now(), host: name.clone(), holds });
        }
    });
    let holds = addresses(host).iter().any(|(_, held)| *held == address);
    let at = host.journal().now();
    changes.lock().unwrap().push(Holding { at, host: host.name().to_owned(), holds });
    child
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
