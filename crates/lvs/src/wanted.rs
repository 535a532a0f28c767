//! What one lvs.cf asks of the kernel's table and of the nannies.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipvs::{Destination, DestinationKey, Forwarding, Persistence, Protocol, Service, ServiceKey, Timeouts};
use lvs_cf::{Config, Text};

use crate::command::{self, Command, Style};
use crate::message::Message;

/// Everything that one lvs.cf wants, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Connection timeouts as written, in seconds; 0 leaves the kernel's value.
    pub timeouts: [i32; 3],
    /// Whether the death of one nanny ends lvs.
    pub hard_shutdown: bool,
    /// The `ipvsadm` path, for the texts of failures.
    pub ipvsadm: Text,
    /// The active virtual services.
    pub virtuals: Vec<Virtual>,
}

/// One active virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    /// Its name in lvs.cf.
    pub name: Text,
    /// Its port as written, for the log.
    pub port: i32,
    /// What the table shall hold, or why it cannot.
    pub service: Result<Service, String>,
    /// The server of last resort.
    pub sorry: Option<Destination>,
    /// Its nannies may be programs that edit the table themselves.
    pub foreign_monitor: bool,
    /// Its active real servers.
    pub servers: Vec<Server>,
    /// What is to be said of active real servers that cannot be among them.
    pub left_out: Vec<Message>,
}

/// One active real server of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name in lvs.cf.
    pub name: Text,
    /// Its entry in the table at full weight.
    pub destination: Destination,
    /// The nanny that checks it.
    pub command: Command,
    /// A check takes no longer than this: a nanny that has said nothing by then is not one of ours.
    pub check_limit: Duration,
    /// The nanny's standard output is read: it may be one that tells of its verdicts there.
    pub overheard: bool,
}

impl Wanted {
    /// Reads the wishes out of a parsed lvs.cf.
    pub fn of(config: &Config, style: Style) -> Self {
        Self {
            timeouts: [config.tcp_timeout, config.tcpfin_timeout, config.udp_timeout],
            hard_shutdown: config.hard_shutdown,
            ipvsadm: config.ipvsadm.clone(),
            virtuals: config
                .virtuals
                .iter()
                .filter(|service| service.active)
                .map(|service| Virtual::of(config, service, style))
                .collect(),
        }
    }

    /// Marks services whose `client_monitor` is not this suite's nanny.
    pub fn mark_foreign_monitors(mut self) -> Self {
        for service in &mut self.virtuals {
            let monitor = service.servers.first().map(|server| server.command.program.as_os_str());
            service.foreign_monitor = monitor.is_some_and(|path| !system::sibling::is_our_nanny(path));
        }
        self
    }

    /// The timeouts as the kernel takes them, or none when one is negative.
    pub fn kernel_timeouts(&self) -> Option<Timeouts> {
        let [tcp, tcpfin, udp] = self.timeouts.map(u32::try_from);
        Some(Timeouts { tcp: tcp.ok()?, tcpfin: tcpfin.ok()?, udp: udp.ok()? })
    }
}

impl Virtual {
    fn of(config: &Config, service: &lvs_cf::Virtual, style: Style) -> Self {
        let forwarding = match config.network {
            lvs_cf::Forwarding::Nat => Forwarding::Masquerade,
            lvs_cf::Forwarding::Direct => Forwarding::Direct,
            lvs_cf::Forwarding::Tunnel => Forwarding::Tunnel,
        };
        let wanted = kernel_service(service);
        let key = wanted.as_ref().ok().map(|service| service.key);
        let (servers, mut left_out) = servers(config, service, key, forwarding, style);
        let sorry = sorry_server(service, forwarding).unwrap_or_else(|reason| {
            left_out.push(left_out_of(service, &Text::from("sorry_server"), reason));
            None
        });
        Self {
            name: service.name.clone(),
            port: service.port,
            service: wanted,
            sorry,
            foreign_monitor: false,
            servers,
            left_out,
        }
    }
}

fn kernel_service(service: &lvs_cf::Virtual) -> Result<Service, String> {
    let key = if service.fwmark != 0 {
        ServiceKey::FwMark(service.fwmark)
    } else {
        let protocol = match service.protocol {
            lvs_cf::Protocol::Tcp => Protocol::Tcp,
            lvs_cf::Protocol::Udp => Protocol::Udp,
        };
        ServiceKey::Address { protocol, address: service.address, port: port(service.port)? }
    };
    Ok(Service { key, scheduler: service.scheduler.as_str().to_owned(), persistence: persistence(service) })
}

/// Persistence is on when its time is positive; a mask of 0.0.0.0 means every client by itself.
fn persistence(service: &lvs_cf::Virtual) -> Option<Persistence> {
    let timeout = u32::try_from(service.persistent).ok().filter(|seconds| *seconds > 0)?;
    let netmask = if service.pmask.is_unspecified() { Ipv4Addr::BROADCAST } else { service.pmask };
    Some(Persistence { timeout, netmask })
}

fn sorry_server(service: &lvs_cf::Virtual, forwarding: Forwarding) -> Result<Option<Destination>, String> {
    if service.sorry_server.is_unspecified() {
        return Ok(None);
    }
    let key = DestinationKey { address: service.sorry_server, port: port(service.port)? };
    Ok(Some(Destination { key, forwarding, weight: 1 }))
}

fn left_out_of(service: &lvs_cf::Virtual, server: &Text, reason: String) -> Message {
    Message::ServerLeftOut { service: service.name.clone(), server: server.clone(), reason }
}

/// The active servers, and what keeps others out: a port that is none, or one that is there already, which the
/// original left out in silence.
fn servers(
    config: &Config,
    service: &lvs_cf::Virtual,
    key: Option<ServiceKey>,
    forwarding: Forwarding,
    style: Style,
) -> (Vec<Server>, Vec<Message>) {
    let mut seen = BTreeSet::new();
    let (mut servers, mut left_out) = (Vec::new(), Vec::new());
    for server in service.servers.iter().filter(|server| server.active) {
        let found =
            port(server.port).map(|port| destination_key(config, key, forwarding, server.address, port));
        match found
            .and_then(|key| seen.insert(key).then_some(key).ok_or_else(|| format!("{key} is there already")))
        {
            Ok(key) => servers.push(Server {
                name: server.name.clone(),
                destination: Destination {
                    key,
                    forwarding,
                    weight: u32::try_from(server.weight).unwrap_or(0),
                },
                command: command::nanny(config, service, server, style),
                check_limit: check_limit(service.timeout),
                overheard: !service.sorry_server.is_unspecified(),
            }),
            Err(reason) => left_out.push(left_out_of(service, &server.name, reason)),
        }
    }
    (servers, left_out)
}

/// How the table names a real server. With direct routing and tunnels packets arrive with the service's port, and
/// ipvsadm enters that one, whatever it is told; so do we where we write the table ourselves.
fn destination_key(
    config: &Config,
    service: Option<ServiceKey>,
    forwarding: Forwarding,
    address: Ipv4Addr,
    port: u16,
) -> DestinationKey {
    let by_kernel = config.ipvsadm.as_bytes() == system::ipvs::STANDARD_PROGRAM.as_bytes();
    let port =
        service.filter(|_| by_kernel).map_or(port, |service| service.destination_port(forwarding, port));
    DestinationKey { address, port }
}

/// One `timeout` for the connection, one for the reply, and time to start.
fn check_limit(timeout: i32) -> Duration {
    Duration::from_secs(u64::try_from(timeout).unwrap_or(0).max(1) * 2 + 1)
}

fn port(written: i32) -> Result<u16, String> {
    u16::try_from(written).map_err(|_| format!("port {written} is not between 0 and 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks nothing up.
    struct Nobody;

    impl lvs_cf::Resolver for Nobody {
        fn host(&self, _: &[u8]) -> Option<Ipv4Addr> {
            None
        }

        fn tcp_port(&self, _: &[u8]) -> Option<u16> {
            None
        }
    }

    /// A firewall mark needs no port; the sorry server's would be the service's.
    #[test]
    fn a_mark_with_a_port_that_is_none_loses_its_sorry_server_alone() {
        for (port, left_out) in [(80, None), (70000, Some("70000")), (-1, Some("-1"))] {
            let text = format!(
                "virtual web {{\n active = 1\n fwmark = 7\n server r1 {{\n address = 10.0.1.1\n active = 1\n }}
                 port = {port}\n sorry_server = 10.0.1.9\n }}\n"
            );
            let config = lvs_cf::parse(text.as_bytes(), &Nobody).unwrap();
            let service = Wanted::of(&config, Style::default()).virtuals.remove(0);
            assert_eq!((service.service.is_ok(), service.servers.len()), (true, 1), "{port}");
            assert_eq!(service.sorry.is_none(), left_out.is_some(), "{port}");
            let said: Vec<_> = service.left_out.iter().map(ToString::to_string).collect();
            let expected = left_out.map(|port| {
                format!("real server web/sorry_server left out: port {port} is not between 0 and 65535")
            });
            assert_eq!(said, Vec::from_iter(expected));
        }
    }
}
