//! Many real servers on one machine, and a director that checks them.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::resource::{setrlimit, Resource};
use testbed::{daemon, wait_until, Cluster, Forwarding, Host, Process, Server, Virtual, VIP};

use crate::keepalived::{self, Check};
use crate::pair::Suite;

const CONFIG: &str = "/etc/sysconfig/ha/lvs.cf";
/// A guest starts a thousand programs in 30 seconds if it has its processor for itself.
const LIMIT: Duration = Duration::from_secs(900);
/// Where connections are checked: on port 80 a check without a request would be one with.
const PORT: u16 = 8080;

/// The `index`-th of 10 000 and more addresses from 10.`net`.4.0 on.
pub fn numbered(net: u8, index: u16) -> Ipv4Addr {
    Ipv4Addr::new(10, net, 4 + (index / 250) as u8, 1 + (index % 250) as u8)
}

/// The machines: a director on which nothing runs yet, and many addresses at which a server answers.
pub struct Farm {
    cluster: Cluster,
    server: Server,
    size: u16,
    interval: u32,
}

impl Farm {
    /// A farm with so many real servers, each checked every `interval` seconds.
    pub fn new(size: u16, interval: u32) -> Farm {
        // A guest allows 4096, and lvs needs one for each nanny.
        setrlimit(Resource::RLIMIT_NOFILE, 1024, 2 * u64::from(size) + 1024).expect("root may raise limits");
        let cluster = Cluster::builder(Forwarding::Nat).real_servers(1).build();
        let real = &cluster.real_servers[0];
        real.host.ip(&(0..size)
            .map(|index| format!("addr add {}/32 dev lo", numbered(1, index)))
            .collect::<Vec<_>>());
        cluster.a.host.exec(&format!("ip route add 10.1.0.0/16 via {}", real.address));
        let server = Server::start(&real.host, "farm", PORT, &[]);
        Farm { cluster, server, size, interval }
    }

    /// The director.
    pub fn director(&self) -> &Host {
        &self.cluster.a.host
    }

    /// The program behind all addresses.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// How many connections the real servers' kernel has accepted so far.
    pub fn connections(&self) -> u64 {
        let counters =
            self.cluster.real_servers[0].host.read("/proc/thread-self/net/snmp").expect("counters");
        let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let mut named = names.split(' ').zip(values.split(' '));
        let (_, count) = named.find(|(name, _)| *name == "PassiveOpens").expect("a counter");
        count.parse().expect("a number")
    }

    /// How many real servers there are.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Real servers in the kernel's table.
    pub fn in_service(&self) -> usize {
        self.cluster.a.ipvs().services.first().map_or(0, |service| service.destinations.len())
    }

    /// Starts a suite that checks all, and waits until all are in service.
    pub fn serve(&self, suite: Suite, check: Check) -> Process {
        self.configure(suite, check, 1);
        let process = match suite {
            Suite::Ours => self.director().spawn(&daemon("lvs"), &["-n", "-c", CONFIG]),
            Suite::Keepalived => keepalived::start(self.director(), &["-C"]),
        };
        wait_until(LIMIT, "all real servers are in service", || self.in_service() == usize::from(self.size));
        process
    }

    /// Writes a configuration in which the last real server has this weight and all others have 1.
    pub fn configure(&self, suite: Suite, check: Check, last_weight: u32) {
        let weight = |index: u16| if index + 1 == self.size { last_weight } else { 1 };
        let servers = (0..self.size).map(|index| (numbered(1, index), weight(index)));
        match suite {
            Suite::Ours => self.director().write(CONFIG, &self.lvs_cf(check, servers)),
            Suite::Keepalived => {
                let config = keepalived::Config::checking_every(self.interval);
                config.service(VIP, PORT, check, servers).write(self.director());
            }
        }
    }

    fn lvs_cf(&self, check: Check, servers: impl Iterator<Item = (Ipv4Addr, u32)>) -> String {
        let mut config = self.cluster.config.clone();
        let mut farm = Virtual::new("farm")
            .with("address", format!("{VIP} eth0:1"))
            .with("port", PORT)
            .with("scheduler", "rr")
            .with("timeout", self.interval)
            .with("reentry", 1);
        if check == Check::Http {
            farm.set("send", "\"GET / HTTP/1.0\\r\\n\\r\\n\"").set("expect", "\"HTTP\"");
        }
        for (index, (address, weight)) in servers.enumerate() {
            farm.add_server(&format!("r{index}"), address, weight);
        }
        config.virtuals = vec![farm];
        config.to_string()
    }

    /// Memory of all processes on the director in KiB, shared pages divided among those who share them.
    pub fn memory(&self) -> u64 {
        let share = |pid: nix::unistd::Pid| {
            let map = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = map.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?;
            line.parse::<u64>().ok()
        };
        self.director().processes().into_iter().filter_map(share).sum()
    }

    /// Ends everything on the director and forgets the table.
    pub fn clear(&self) {
        self.director().kill_all();
        wait_until(LIMIT, "all processes are gone", || self.director().processes().is_empty());
        self.director().exec("ipvsadm -C");
        self.director().exec("rm -f /run/keepalived.pid /run/checkers.pid /run/vrrp.pid");
    }
}
