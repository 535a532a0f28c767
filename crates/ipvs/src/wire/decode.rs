//! Answers to dumps. Nothing in them is trusted: sizes are checked, and what is missing is reported by name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NlasIterator, NLA_HEADER_SIZE};

use super::constants::{destination, service, top, AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use super::Message;
use crate::{
    Destination, DestinationKey, ErrorKind, Foreign, Forwarding, Persistence, Protocol, Service, ServiceKey,
    Table,
};

/// What an answer to [`super::dump_services`] brought into the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A service of the model: its destinations can be asked for.
    Service(ServiceKey),
    /// A service that the model cannot express.
    Foreign,
}

type Decoded<T> = Result<T, ErrorKind>;

/// Puts the service that `message` describes into `table`, without destinations.
///
/// # Errors
/// [`ErrorKind::Malformed`].
pub fn read_service(message: &Message, table: &mut Table) -> Decoded<Listed> {
    let raw = RawService::parse(nest(message, top::SERVICE, "service")?)?;
    let Some(key) = raw.key()? else {
        table.insert_foreign(raw.foreign()?);
        return Ok(Listed::Foreign);
    };
    let persistent = raw.flags & service::PERSISTENT != 0 && raw.timeout > 0;
    let persistence = persistent
        .then_some(Persistence { timeout: raw.timeout, netmask: raw.netmask.unwrap_or(Ipv4Addr::BROADCAST) });
    table.insert(Service { key, scheduler: raw.scheduler.clone(), persistence });
    if raw.is_unusual() {
        table.mark_unusual(&key);
    }
    Ok(Listed::Service(key))
}

/// Puts the destination that `message` describes into the service `key` of `table`.
///
/// # Errors
/// [`ErrorKind::Malformed`]; [`ErrorKind::NoService`] if the table has no such service.
pub fn read_destination(message: &Message, key: &ServiceKey, table: &mut Table) -> Decoded<()> {
    let raw = RawDestination::parse(nest(message, top::DEST, "destination")?)?;
    table.get(key).ok_or(ErrorKind::NoService)?;
    let port = raw.port.ok_or_else(|| missing("destination port"))?;
    match raw.address()? {
        IpAddr::V6(address) => {
            table.insert_foreign(Foreign::Destination { service: *key, address, port });
        }
        IpAddr::V4(address) => {
            let destination = DestinationKey { address, port };
            table.insert_destination(
                key,
                Destination {
                    key: destination,
                    forwarding: raw.forwarding(),
                    weight: raw.weight.ok_or_else(|| missing("destination weight"))?,
                },
            );
            if raw.unusual {
                table.mark_unusual_destination(key, destination);
            }
        }
    }
    Ok(())
}

/// A service's attributes as the kernel listed them.
#[derive(Default)]
struct RawService {
    family: Option<u16>,
    protocol: Option<u16>,
    address: Option<[u8; 16]>,
    port: Option<u16>,
    fwmark: Option<u32>,
    scheduler: String,
    flags: u32,
    timeout: u32,
    netmask: Option<Ipv4Addr>,
    has_engine: bool,
}

impl RawService {
    fn parse(bytes: &[u8]) -> Decoded<Self> {
        let mut raw = Self::default();
        for attribute in attributes(bytes) {
            let (kind, value) = attribute?;
            match kind {
                service::FAMILY => raw.family = Some(number16(value, "service family")?),
                service::PROTOCOL => raw.protocol = Some(number16(value, "service protocol")?),
                service::ADDRESS => raw.address = Some(sized(value, "service address")?),
                service::PORT => raw.port = Some(port(value, "service port")?),
                service::FWMARK => raw.fwmark = Some(number32(value, "service mark")?),
                service::SCHEDULER => raw.scheduler = text(value),
                service::FLAGS => raw.flags = flags(value)?,
                service::TIMEOUT => raw.timeout = number32(value, "service timeout")?,
                service::NETMASK => raw.netmask = Some(sized::<4>(value, "service netmask")?.into()),
                service::PERSISTENCE_ENGINE => raw.has_engine = true,
                _ => {}
            }
        }
        Ok(raw)
    }

    /// The service's key, or none if the model has none for it.
    fn key(&self) -> Decoded<Option<ServiceKey>> {
        if self.family.ok_or_else(|| missing("service family"))? != AF_INET {
            return Ok(None);
        }
        if let Some(mark) = self.fwmark {
            return Ok(Some(ServiceKey::FwMark(mark)));
        }
        let protocol = match self.protocol()? {
            IPPROTO_TCP => Protocol::Tcp,
            IPPROTO_UDP => Protocol::Udp,
            _ => return Ok(None),
        };
        let union = self.address.ok_or_else(|| missing("service address"))?;
        Ok(Some(ServiceKey::Address { protocol, address: first_four(union), port: self.port()? }))
    }

    fn foreign(&self) -> Decoded<Foreign> {
        if let Some(mark) = self.fwmark {
            return Ok(Foreign::FwMarkV6(mark));
        }
        let address = ip_address(self.family, self.address, "service")?;
        Ok(Foreign::Service { protocol: self.protocol()?, address, port: self.port()? })
    }

    fn protocol(&self) -> Decoded<u16> {
        self.protocol.ok_or_else(|| missing("service protocol"))
    }

    fn port(&self) -> Decoded<u16> {
        self.port.ok_or_else(|| missing("service port"))
    }

    fn is_unusual(&self) -> bool {
        self.has_engine || self.flags & !(service::PERSISTENT | service::HASHED) != 0
    }
}

/// A destination's attributes as the kernel listed them.
#[derive(Default)]
struct RawDestination {
    family: Option<u16>,
    address: Option<[u8; 16]>,
    port: Option<u16>,
    method: u32,
    weight: Option<u32>,
    unusual: bool,
}

impl RawDestination {
    fn parse(bytes: &[u8]) -> Decoded<Self> {
        let mut raw = Self::default();
        for attribute in attributes(bytes) {
            let (kind, value) = attribute?;
            match kind {
                destination::FAMILY => raw.family = Some(number16(value, "destination family")?),
                destination::ADDRESS => raw.address = Some(sized(value, "destination address")?),
                destination::PORT => raw.port = Some(port(value, "destination port")?),
                destination::FORWARDING => raw.method = number32(value, "destination forwarding")?,
                destination::WEIGHT => raw.weight = Some(number32(value, "destination weight")?),
                destination::UPPER_THRESHOLD | destination::LOWER_THRESHOLD => {
                    raw.unusual |= number32(value, "destination threshold")? != 0;
                }
                destination::TUNNEL_TYPE => raw.unusual |= value.iter().any(|&byte| byte != 0),
                _ => {}
            }
        }
        raw.method &= destination::FORWARDING_MASK;
        raw.unusual |= raw.named_forwarding().is_none();
        Ok(raw)
    }

    /// Kernels before 3.18 list no family: theirs is the service's, IPv4 here.
    fn address(&self) -> Decoded<IpAddr> {
        ip_address(self.family.or(Some(AF_INET)), self.address, "destination")
    }

    fn named_forwarding(&self) -> Option<Forwarding> {
        match self.method {
            destination::MASQUERADE => Some(Forwarding::Masquerade),
            destination::TUNNEL => Some(Forwarding::Tunnel),
            destination::DIRECT => Some(Forwarding::Direct),
            _ => None,
        }
    }

    /// A method without a name here (local node, bypass) makes the destination unusual, so any will do.
    fn forwarding(&self) -> Forwarding {
        self.named_forwarding().unwrap_or(Forwarding::Direct)
    }
}

/// The attributes within the attribute `wanted` of a message.
fn nest<'a>(message: &'a Message, wanted: u16, name: &str) -> Decoded<&'a [u8]> {
    for attribute in attributes(&message.attributes) {
        let (kind, value) = attribute?;
        if kind == wanted {
            return Ok(value);
        }
    }
    Err(missing(name))
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = Decoded<(u16, &[u8])>> {
    NlasIterator::new(bytes).map(|attribute| {
        let attribute = attribute.map_err(|error| ErrorKind::Malformed(error.to_string()))?;
        let value = attribute.into_inner().get(NLA_HEADER_SIZE..usize::from(attribute.length()));
        Ok((attribute.kind(), value.unwrap_or_default()))
    })
}

fn missing(name: &str) -> ErrorKind {
    ErrorKind::Malformed(format!("no {name}"))
}

fn sized<const N: usize>(value: &[u8], name: &str) -> Decoded<[u8; N]> {
    value
        .try_into()
        .map_err(|_| ErrorKind::Malformed(format!("{name} of {} bytes instead of {N}", value.len())))
}

fn number16(value: &[u8], name: &str) -> Decoded<u16> {
    sized(value, name).map(u16::from_ne_bytes)
}

fn number32(value: &[u8], name: &str) -> Decoded<u32> {
    sized(value, name).map(u32::from_ne_bytes)
}

fn port(value: &[u8], name: &str) -> Decoded<u16> {
    sized(value, name).map(u16::from_be_bytes)
}

/// Flags come as `{flags, mask}`.
fn flags(value: &[u8]) -> Decoded<u32> {
    let [a, b, c, d, ..] = sized::<8>(value, "service flags")?;
    Ok(u32::from_ne_bytes([a, b, c, d]))
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn first_four([a, b, c, d, ..]: [u8; 16]) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

fn ip_address(family: Option<u16>, union: Option<[u8; 16]>, what: &str) -> Decoded<IpAddr> {
    let union = union.ok_or_else(|| missing(&format!("{what} address")))?;
    match family {
        Some(AF_INET) => Ok(first_four(union).into()),
        Some(AF_INET6) => Ok(Ipv6Addr::from(union).into()),
        other => Err(ErrorKind::Malformed(format!("{what} of family {other:?}"))),
    }
}
