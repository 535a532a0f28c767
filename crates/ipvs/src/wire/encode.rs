//! Requests.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{DefaultNla, Emitable, NLA_F_NESTED};

use super::constants::{
    command, daemon, destination, service, top, AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP,
};
use super::Message;
use crate::{
    Destination, DestinationKey, Foreign, Forwarding, Operation, Protocol, Service, ServiceKey, SyncDaemon,
    SyncRole, Timeouts,
};

/// The request that carries out `operation`.
#[must_use]
pub fn request(operation: &Operation) -> Message {
    use Operation as Op;
    match operation {
        Op::SetTimeouts(timeouts) => message(command::SET_CONFIG, &timeout_attributes(*timeouts)),
        Op::Flush => message(command::FLUSH, &[]),
        Op::AddService(wanted) => message(command::NEW_SERVICE, &[whole_service(wanted)]),
        Op::EditService(wanted) => message(command::SET_SERVICE, &[whole_service(wanted)]),
        Op::DeleteService(key) => message(command::DEL_SERVICE, &[service_key(key)]),
        Op::AddDestination(key, wanted) => {
            message(command::NEW_DEST, &[service_key(key), whole_destination(wanted)])
        }
        Op::EditDestination(key, wanted) => {
            message(command::SET_DEST, &[service_key(key), whole_destination(wanted)])
        }
        Op::DeleteDestination(key, gone) => {
            message(command::DEL_DEST, &[service_key(key), destination_key(gone)])
        }
        Op::DeleteForeign(foreign) => delete_foreign(foreign),
        Op::StartSync(wanted) => message(command::NEW_DAEMON, &[whole_daemon(wanted)]),
        Op::StopSync(role) => message(command::DEL_DAEMON, &[nested(top::DAEMON, &[daemon_state(*role)])]),
    }
}

/// The request for a dump of all services: each answer is for [`super::read_service`].
#[must_use]
pub fn dump_services() -> Message {
    message(command::GET_SERVICE, &[])
}

/// The request for a dump of a service's destinations: each answer is for [`super::read_destination`].
#[must_use]
pub fn dump_destinations(key: &ServiceKey) -> Message {
    message(command::GET_DEST, &[service_key(key)])
}

fn message(command: u8, attributes: &[DefaultNla]) -> Message {
    Message { command, attributes: emitted(attributes) }
}

fn emitted(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

fn nested(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, emitted(attributes))
}

fn number16(kind: u16, value: u16) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

fn number32(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

fn port(kind: u16, value: u16) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

fn text(kind: u16, value: &str) -> DefaultNla {
    DefaultNla::new(kind, [value.as_bytes(), &[0]].concat())
}

/// An address always fills the kernel's 16-byte union, IPv4 in its first four bytes.
fn address(kind: u16, value: IpAddr) -> DefaultNla {
    let mut union = [0; 16];
    match value {
        IpAddr::V4(v4) => union[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => union = v6.octets(),
    }
    DefaultNla::new(kind, union.to_vec())
}

fn family(value: IpAddr) -> u16 {
    if value.is_ipv6() {
        AF_INET6
    } else {
        AF_INET
    }
}

fn address_service(protocol: u16, virtual_address: IpAddr, virtual_port: u16) -> Vec<DefaultNla> {
    vec![
        number16(service::FAMILY, family(virtual_address)),
        number16(service::PROTOCOL, protocol),
        address(service::ADDRESS, virtual_address),
        port(service::PORT, virtual_port),
    ]
}

/// A mark stands alone: with an address beside it the kernel would take the address.
fn mark_service(family: u16, mark: u32) -> Vec<DefaultNla> {
    vec![number16(service::FAMILY, family), number32(service::FWMARK, mark)]
}

fn service_selector(key: &ServiceKey) -> Vec<DefaultNla> {
    match *key {
        ServiceKey::Address { protocol: Protocol::Tcp, address, port } => {
            address_service(IPPROTO_TCP, address.into(), port)
        }
        ServiceKey::Address { protocol: Protocol::Udp, address, port } => {
            address_service(IPPROTO_UDP, address.into(), port)
        }
        ServiceKey::FwMark(mark) => mark_service(AF_INET, mark),
    }
}

fn service_key(key: &ServiceKey) -> DefaultNla {
    nested(top::SERVICE, &service_selector(key))
}

/// The kernel refuses a service that lacks any of these. The mask after the flags is all ones, so that an edit
/// also clears flags that someone else has set.
fn whole_service(wanted: &Service) -> DefaultNla {
    let (flags, timeout, netmask) = match wanted.persistence {
        Some(persistence) => (service::PERSISTENT, persistence.timeout, persistence.netmask),
        None => (0, 0, Ipv4Addr::BROADCAST),
    };
    let mut attributes = service_selector(&wanted.key);
    attributes.extend([
        text(service::SCHEDULER, &wanted.scheduler),
        DefaultNla::new(service::FLAGS, [flags.to_ne_bytes(), u32::MAX.to_ne_bytes()].concat()),
        number32(service::TIMEOUT, timeout),
        DefaultNla::new(service::NETMASK, netmask.octets().to_vec()),
    ]);
    nested(top::SERVICE, &attributes)
}

fn destination_selector(real_address: IpAddr, real_port: u16) -> Vec<DefaultNla> {
    vec![
        address(destination::ADDRESS, real_address),
        port(destination::PORT, real_port),
        number16(destination::FAMILY, family(real_address)),
    ]
}

fn destination_key(key: &DestinationKey) -> DefaultNla {
    nested(top::DEST, &destination_selector(key.address.into(), key.port))
}

fn whole_destination(wanted: &Destination) -> DefaultNla {
    let forwarding = match wanted.forwarding {
        Forwarding::Masquerade => destination::MASQUERADE,
        Forwarding::Tunnel => destination::TUNNEL,
        Forwarding::Direct => destination::DIRECT,
    };
    let mut attributes = destination_selector(wanted.key.address.into(), wanted.key.port);
    attributes.extend([
        number32(destination::FORWARDING, forwarding),
        number32(destination::WEIGHT, wanted.weight),
        number32(destination::UPPER_THRESHOLD, 0),
        number32(destination::LOWER_THRESHOLD, 0),
    ]);
    nested(top::DEST, &attributes)
}

fn delete_foreign(foreign: &Foreign) -> Message {
    match *foreign {
        Foreign::Service { protocol, address, port } => {
            message(command::DEL_SERVICE, &[nested(top::SERVICE, &address_service(protocol, address, port))])
        }
        Foreign::FwMarkV6(mark) => {
            message(command::DEL_SERVICE, &[nested(top::SERVICE, &mark_service(AF_INET6, mark))])
        }
        Foreign::Destination { service, address, port } => message(
            command::DEL_DEST,
            &[service_key(&service), nested(top::DEST, &destination_selector(address.into(), port))],
        ),
    }
}

fn timeout_attributes(timeouts: Timeouts) -> [DefaultNla; 3] {
    [
        number32(top::TIMEOUT_TCP, timeouts.tcp),
        number32(top::TIMEOUT_TCP_FIN, timeouts.tcpfin),
        number32(top::TIMEOUT_UDP, timeouts.udp),
    ]
}

fn daemon_state(role: SyncRole) -> DefaultNla {
    number32(
        daemon::STATE,
        match role {
            SyncRole::Master => daemon::MASTER,
            SyncRole::Backup => daemon::BACKUP,
        },
    )
}

fn whole_daemon(wanted: &SyncDaemon) -> DefaultNla {
    nested(
        top::DAEMON,
        &[
            daemon_state(wanted.role),
            text(daemon::INTERFACE, &wanted.interface),
            number32(daemon::SYNC_ID, wanted.syncid.into()),
        ],
    )
}
