//! Hosts and the switches between them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use crate::host::{succeed, Host};
use crate::journal::Journal;

/// A lab: any number of hosts on any number of switched networks.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    journal: Journal,
    /// All switches are bridges in one namespace of their own.
    switch: Host,
    ports: Mutex<BTreeMap<(String, String), u32>>,
}

/// Distinguishes the networks that one process makes.
static NETWORKS: AtomicU32 = AtomicU32::new(0);

impl Default for Network {
    fn default() -> Self {
        Network::new(&format!("lab{}-{}-", process::id(), NETWORKS.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Network {
    /// A network whose namespaces are called `prefix` and the host's name.
    pub fn new(prefix: &str) -> Network {
        let journal = Journal::default();
        let switch = Host::new("switch", &format!("{prefix}switch"), &journal);
        Network { prefix: prefix.to_owned(), journal, switch, ports: Mutex::default() }
    }

    /// The journal of all hosts.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The host in which all switches are.
    pub fn switch(&self) -> &Host {
        &self.switch
    }

    /// Adds a switch.
    pub fn add_switch(&self, name: &str) {
        self.switch.ip(&[
            format!("link add name {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"),
            format!("link set {name} up"),
        ]);
    }

    /// Adds a host that is not connected to anything.
    pub fn add_host(&self, name: &str) -> Host {
        Host::new(name, &format!("{}{name}", self.prefix), &self.journal)
    }

    /// Connects `device` of a host to a switch, with an address and its prefix length.
    pub fn connect(&self, host: &Host, device: &str, switch: &str, address: Ipv4Addr, prefix: u8) {
        let port = {
            let mut ports = self.ports.lock().unwrap();
            let port = ports.len() as u32 + 1;
            ports.insert((host.name().to_owned(), device.to_owned()), port);
            port
        };
        let [high, low] = (port as u16).to_be_bytes();
        let hardware = format!("02:00:00:00:{high:02x}:{low:02x}");
        // From outside: hosts do not see each other's namespaces.
        succeed(Command::new("ip").args(["-n", self.switch.namespace(), "link", "add", "name"]).args([
            &format!("p{port}"),
            "type",
            "veth",
            "peer",
            "name",
            device,
            "address",
            &hardware,
            "netns",
            host.namespace(),
        ]));
        self.switch.exec(&format!("ip link set p{port} master {switch} up"));
        host.ip(&[
            format!("addr add {address}/{prefix} brd + dev {device}"),
            format!("link set {device} up"),
        ]);
    }

    /// Pulls the cable of `device`: the host sees its carrier go.
    pub fn unplug(&self, host: &Host, device: &str) {
        self.set_port(host, device, "down");
    }

    /// Puts the cable of `device` back.
    pub fn plug(&self, host: &Host, device: &str) {
        self.set_port(host, device, "up");
    }

    fn set_port(&self, host: &Host, device: &str, state: &str) {
        self.journal.step(&format!("link of {} {device} {state}", host.name()));
        self.switch.exec(&format!("ip link set p{} {state}", self.port(host, device)));
    }

    /// Hosts with an isolated port reach everybody but each other.
    pub fn isolate(&self, host: &Host, device: &str, isolated: bool) {
        let state = if isolated { "on" } else { "off" };
        self.switch.exec(&format!("bridge link set dev p{} isolated {state}", self.port(host, device)));
    }

    /// Treats what `device` sends (or what it is sent) as these words of `netem` say, or properly again.
    pub fn impair(&self, host: &Host, device: &str, sent: bool, how: Option<&str>) {
        let (at, device) = match sent {
            true => (host, device.to_owned()),
            false => (&self.switch, format!("p{}", self.port(host, device))),
        };
        match how {
            Some(how) => {
                at.exec(&format!("tc qdisc replace dev {device} root netem {how}"));
            }
            None => at.try_exec(&format!("tc qdisc del dev {device} root")),
        }
    }

    fn port(&self, host: &Host, device: &str) -> u32 {
        let key = (host.name().to_owned(), device.to_owned());
        *self.ports.lock().unwrap().get(&key).unwrap_or_else(|| panic!("{} has no {device}", host.name()))
    }
}
