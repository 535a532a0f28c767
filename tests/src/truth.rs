//! What the kernel says, read by the distribution's own tools and not by ours.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;

use crate::host::Host;

/// Panics unless the kernel has IPVS: a scenario fails without it, it never passes by doing nothing.
pub fn require_ipvs() {
    if !Path::new("/proc/net/ip_vs").exists() {
        let _ = std::process::Command::new("modprobe").arg("ip_vs").status();
    }
    assert!(
        Path::new("/proc/net/ip_vs").exists(),
        "this kernel has no IPVS: run the scenarios with `make scenarios`, or below tests/lab/in-ipvs-kernel"
    );
}

/// The IPv4 addresses of a host as `device label address/prefix`.
pub fn addresses(host: &Host) -> Vec<(String, Ipv4Addr)> {
    let output = host.exec("ip -j -4 addr show");
    let links: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
    let entries = links.as_array().into_iter().flatten().flat_map(|link| {
        link["addr_info"].as_array().into_iter().flatten().filter_map(|info| {
            let label = info["label"].as_str().or(link["ifname"].as_str())?;
            Some((label.to_owned(), info["local"].as_str()?.parse().ok()?))
        })
    });
    entries.collect()
}

/// The IPVS table of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The virtual services in the kernel's order.
    pub services: Vec<Service>,
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `TCP 10.0.0.50:80`, `UDP …` or `FWM 80`.
    pub key: String,
    /// The scheduler's name.
    pub scheduler: String,
    /// Persistence in seconds.
    pub persistent: Option<u32>,
    /// The real servers in the kernel's order.
    pub destinations: Vec<Destination>,
}

/// A real server of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `10.1.0.11:80`.
    pub address: String,
    /// `Masq`, `Route`, `Tunnel` or `Local`.
    pub forward: String,
    /// The weight; 0 takes no new connections.
    pub weight: u32,
    /// Connections, active and inactive.
    pub connections: u32,
}

impl Table {
    /// The service with this key.
    pub fn service(&self, key: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.key == key)
    }

    /// The weight of a real server in a service, if it is there.
    pub fn weight(&self, key: &str, destination: &str) -> Option<u32> {
        self.service(key)?
            .destinations
            .iter()
            .find(|entry| entry.address == destination)
            .map(|entry| entry.weight)
    }

    /// Parses the output of `ipvsadm -Ln`.
    fn parse(listing: &str) -> Table {
        let mut table = Table::default();
        // Three lines of head.
        for line in listing.lines().skip(3) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match *words.as_slice() {
                ["->", address, forward, weight, active, inactive] => {
                    let destination = Destination {
                        address: address.to_owned(),
                        forward: forward.to_owned(),
                        weight: weight.parse().unwrap_or_default(),
                        connections: active.parse::<u32>().unwrap_or_default()
                            + inactive.parse::<u32>().unwrap_or_default(),
                    };
                    table.services.last_mut().expect("a service first").destinations.push(destination);
                }
                [protocol, address, scheduler, ref flags @ ..] => table.services.push(Service {
                    key: format!("{protocol} {address}"),
                    scheduler: scheduler.to_owned(),
                    persistent: flags
                        .iter()
                        .position(|flag| *flag == "persistent")
                        .and_then(|position| flags.get(position + 1)?.parse().ok()),
                    destinations: Vec::new(),
                }),
                _ => {}
            }
        }
        table
    }
}

/// The IPVS table of a host.
pub fn ipvs(host: &Host) -> Table {
    Table::parse(&host.exec("ipvsadm -Ln"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_listing_of_ipvsadm() {
        let table = Table::parse(
            "IP Virtual Server version 1.2.1 (size=4096)\n\
             Prot LocalAddress:Port Scheduler Flags\n\
             \x20 -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n\
             TCP  10.0.0.50:80 wrr\n\
             \x20 -> 10.1.0.11:80                 Masq    3      1          4         \n\
             \x20 -> 10.1.0.12:80                 Masq    0      0          0         \n\
             FWM  80 wlc persistent 300 mask 255.255.255.0\n",
        );
        assert_eq!(table.weight("TCP 10.0.0.50:80", "10.1.0.11:80"), Some(3));
        assert_eq!(table.weight("TCP 10.0.0.50:80", "10.1.0.12:80"), Some(0));
        assert_eq!(table.weight("TCP 10.0.0.50:80", "10.1.0.13:80"), None);
        assert_eq!(table.services[0].destinations[0].connections, 5);
        let marked = table.service("FWM 80").unwrap();
        assert_eq!((marked.scheduler.as_str(), marked.persistent), ("wlc", Some(300)));
        assert!(marked.destinations.is_empty());
    }
}
