//! The usual lab: a client, two directors and some real servers.
//!
//! ```text
//!              public switch 10.0.0.0/24           private switch 10.1.0.0/24
//!  client .100 ─┤                                   │
//!               ├─ eth0  a .1 (primary)  eth1 .1 ───┤
//!               ├─ eth0  b .2 (backup)   eth1 .2 ───┤
//!               │   VIP .50 on eth0:1               │  NAT router .254 on eth1:1
//!  direct, tunnel: real1 .11, real2 .12 …           ├─ nat: real1 .11, real2 .12 …
//! ```

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::client::{Outcome, Probe, Prober};
use crate::config::{Config, Virtual};
use crate::director::Director;
use crate::host::Host;
use crate::network::Network;
use crate::server::Server;
use crate::truth::require_ipvs;
use crate::wait::wait_until;
use crate::Journal;

/// The floating address of the service.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
/// The floating gateway of real servers behind NAT.
pub const NAT_ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);
/// The client's address.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);

/// How directors pass requests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Address translation; answers return through the director.
    Nat,
    /// Direct routing: the real servers have the VIP too and answer the client themselves.
    Direct,
    /// As direct routing, through an IP-in-IP tunnel.
    Tunnel,
}

impl Forwarding {
    /// The word for `network =`.
    pub fn keyword(self) -> &'static str {
        match self {
            Forwarding::Nat => "nat",
            Forwarding::Direct => "direct",
            Forwarding::Tunnel => "tunnel",
        }
    }

    /// What `ipvsadm -Ln` calls it.
    pub fn listed(self) -> &'static str {
        match self {
            Forwarding::Nat => "Masq",
            Forwarding::Direct => "Route",
            Forwarding::Tunnel => "Tunnel",
        }
    }

    /// The option of `ipvsadm -a`.
    pub fn option(self) -> &'static str {
        match self {
            Forwarding::Nat => "-m",
            Forwarding::Direct => "-g",
            Forwarding::Tunnel => "-i",
        }
    }
}

/// A real server.
#[derive(Debug)]
pub struct RealServer {
    /// The program that answers on port 80.
    pub server: Server,
    /// Its address.
    pub address: Ipv4Addr,
    /// The machine.
    pub host: Host,
}

/// Describes a cluster before it is built.
#[derive(Debug, Clone)]
pub struct ClusterBuilder {
    forwarding: Forwarding,
    real_servers: u8,
    prefix: Option<String>,
}

impl ClusterBuilder {
    /// The number of real servers (default 2).
    pub fn real_servers(mut self, count: u8) -> ClusterBuilder {
        self.real_servers = count;
        self
    }

    /// The beginning of the namespaces' names (default: unique).
    pub fn prefix(mut self, prefix: &str) -> ClusterBuilder {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// Builds the lab. The real servers serve; the directors have their `lvs.cf`, and nothing runs there.
    pub fn build(self) -> Cluster {
        require_ipvs();
        let network = self.prefix.as_deref().map_or_else(Network::default, Network::new);
        network.add_switch("public");
        network.add_switch("private");
        let client = network.add_host("client");
        network.connect(&client, "eth0", "public", CLIENT, 24);
        let [a, b] = [("a", 1), ("b", 2)].map(|(name, number)| {
            let host = network.add_host(name);
            network.connect(&host, "eth0", "public", Ipv4Addr::new(10, 0, 0, number), 24);
            network.connect(&host, "eth1", "private", Ipv4Addr::new(10, 1, 0, number), 24);
            Director::new(host)
        });
        let real_servers: Vec<RealServer> =
            (1..=self.real_servers).map(|number| self.real_server(&network, number)).collect();
        let config = self.config(&real_servers);
        a.configure(&config);
        b.configure(&config);
        Cluster { a, b, client, real_servers, config, forwarding: self.forwarding, network }
    }

    fn real_server(&self, network: &Network, number: u8) -> RealServer {
        let name = format!("real{number}");
        let host = network.add_host(&name);
        let (switch, address) = match self.forwarding {
            Forwarding::Nat => ("private", Ipv4Addr::new(10, 1, 0, 10 + number)),
            _ => ("public", Ipv4Addr::new(10, 0, 0, 10 + number)),
        };
        network.connect(&host, "eth0", switch, address, 24);
        let mut udp = vec![address];
        if self.forwarding == Forwarding::Nat {
            host.exec(&format!("ip route add default via {NAT_ROUTER}"));
        } else {
            take_vip(&host, self.forwarding);
            udp.push(VIP);
        }
        let server = Server::start(&host, &name, 80, &udp);
        RealServer { server, address, host }
    }

    /// An ordinary file: quick heartbeats and checks, one web service on all real servers.
    fn config(&self, real_servers: &[RealServer]) -> Config {
        let mut config = Config::default();
        config
            .set("serial_no", 1)
            .set("primary", "10.0.0.1")
            .set("service", "lvs")
            .set("backup_active", 1)
            .set("backup", "10.0.0.2")
            .set("heartbeat", 1)
            .set("heartbeat_port", 539)
            .set("keepalive", 1)
            .set("deadtime", 3)
            .set("network", self.forwarding.keyword());
        if self.forwarding == Forwarding::Nat {
            config.set("nat_router", format!("{NAT_ROUTER} eth1:1")).set("nat_nmask", "255.255.255.0");
        }
        let mut web = Virtual::new("web")
            .with("address", format!("{VIP} eth0:1"))
            .with("vip_nmask", "255.255.255.0")
            .with("port", 80)
            .with("protocol", "tcp")
            .with("scheduler", "rr")
            .with("timeout", 2)
            .with("reentry", 2);
        for real in real_servers {
            web.add_server(real.server.name(), real.address, 1);
        }
        config.virtuals.push(web);
        config
    }
}

/// Gives a real server the VIP, on a device that does not answer ARP for it.
fn take_vip(host: &Host, forwarding: Forwarding) {
    host.sysctl("net.ipv4.conf.all.arp_ignore", "1");
    host.sysctl("net.ipv4.conf.all.arp_announce", "2");
    if forwarding == Forwarding::Tunnel {
        host.exec("ip link set tunl0 up");
        host.sysctl("net.ipv4.conf.all.rp_filter", "0");
        host.sysctl("net.ipv4.conf.tunl0.rp_filter", "0");
        host.add_address("tunl0", VIP, 32);
    } else {
        host.add_address("lo", VIP, 32);
    }
}

/// The lab. Everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The primary director, 10.0.0.1.
    pub a: Director,
    /// The backup director, 10.0.0.2.
    pub b: Director,
    /// The client.
    pub client: Host,
    /// The real servers.
    pub real_servers: Vec<RealServer>,
    /// The configuration that both directors were given first.
    pub config: Config,
    /// How requests are passed on.
    pub forwarding: Forwarding,
    /// Switches and cables.
    pub network: Network,
}

impl Cluster {
    /// Begins the description of a cluster.
    pub fn builder(forwarding: Forwarding) -> ClusterBuilder {
        ClusterBuilder { forwarding, real_servers: 2, prefix: None }
    }

    /// The journal of the lab.
    pub fn journal(&self) -> &Journal {
        self.network.journal()
    }

    /// Gives both directors the current `config`.
    pub fn configure(&self) {
        self.a.configure(&self.config);
        self.b.configure(&self.config);
    }

    /// Starts the primary, which takes the service at once, and then the backup, and waits until all real
    /// servers are in service.
    pub fn start_both(&mut self) {
        self.a.start(&["--forceactive"]);
        let (a, servers) = (&self.a, self.real_servers.len());
        wait_until(Duration::from_secs(10), "a serves", || {
            a.holds(VIP)
                && a.ipvs().services.first().is_some_and(|service| service.destinations.len() == servers)
        });
        self.b.start(&[]);
    }

    /// Separates the directors from each other on both networks, but not from anybody else, or reunites
    /// them.
    pub fn partition(&self, apart: bool) {
        self.journal().step(if apart { "partition: a and b apart" } else { "partition healed" });
        for director in [&self.a, &self.b] {
            for device in ["eth0", "eth1"] {
                self.network.isolate(&director.host, device, apart);
            }
        }
    }

    /// Starts probing the VIP on port 80.
    pub fn probe(&self, probe: Probe, interval: Duration) -> Prober {
        Prober::start(&self.client, probe, SocketAddrV4::new(VIP, 80), interval)
    }

    /// Waits until a probe sent from now on is answered. Panics after ten seconds.
    pub fn wait_for_service(&self, prober: &Prober) {
        let since = self.journal().now();
        wait_until(Duration::from_secs(10), "clients are served", || {
            let report = prober.report().since(since);
            report.samples.iter().any(|sample| matches!(sample.outcome, Outcome::Answered(_)))
        });
    }

    /// Does by hand what the daemons do on an active director: VIP, NAT router and IPVS table.
    pub fn serve_by_hand(&self, director: &Director) {
        let host = &director.host;
        let mut addresses = vec![format!("addr add {VIP}/24 dev eth0 label eth0:1")];
        if self.forwarding == Forwarding::Nat {
            addresses.push(format!("addr add {NAT_ROUTER}/24 dev eth1 label eth1:1"));
        }
        host.ip(&addresses);
        for protocol in ["-t", "-u"] {
            host.exec(&format!("ipvsadm -A {protocol} {VIP}:80 -s rr"));
            for real in &self.real_servers {
                let option = self.forwarding.option();
                host.exec(&format!("ipvsadm -a {protocol} {VIP}:80 -r {}:80 {option} -w 1", real.address));
            }
        }
    }
}
