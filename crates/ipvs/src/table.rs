//! A whole table, as read from the kernel or as wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::{Destination, DestinationKey, ErrorKind, Operation, Service, ServiceKey};

/// All services with their destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    services: BTreeMap<ServiceKey, Entry>,
    foreign: BTreeSet<Foreign>,
}

/// One service with its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The service.
    pub service: Service,
    /// Its destinations.
    pub destinations: BTreeMap<DestinationKey, Destination>,
    /// The service has settings beyond the model (one-packet scheduling, a persistence engine, …).
    pub(crate) unusual: bool,
    /// Destinations with settings beyond the model (connection thresholds, …).
    pub(crate) unusual_destinations: BTreeSet<DestinationKey>,
}

/// Something in the kernel's table that the model cannot express; known well enough to delete it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Foreign {
    /// A service for IPv6 or for a protocol other than TCP and UDP.
    Service {
        /// The IP protocol number: 6 TCP, 17 UDP, 132 SCTP.
        protocol: u16,
        /// The virtual address.
        address: IpAddr,
        /// The virtual port.
        port: u16,
    },
    /// A firewall mark service for IPv6.
    FwMarkV6(u32),
    /// An IPv6 destination of an IPv4 service.
    Destination {
        /// The service.
        service: ServiceKey,
        /// The real server's address.
        address: Ipv6Addr,
        /// The real server's port.
        port: u16,
    },
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no service, not even a foreign one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.foreign.is_empty()
    }

    /// The services in the order of their keys.
    pub fn services(&self) -> impl Iterator<Item = &Entry> {
        self.services.values()
    }

    /// The service of this key.
    #[must_use]
    pub fn get(&self, key: &ServiceKey) -> Option<&Entry> {
        self.services.get(key)
    }

    /// The destination `destination` of the service `key`.
    #[must_use]
    pub fn destination(&self, key: &ServiceKey, destination: &DestinationKey) -> Option<&Destination> {
        self.services.get(key)?.destinations.get(destination)
    }

    /// What the kernel has beyond the model.
    pub fn foreign(&self) -> impl Iterator<Item = &Foreign> {
        self.foreign.iter()
    }

    /// Whether this entry beyond the model is there.
    #[must_use]
    pub fn has_foreign(&self, foreign: &Foreign) -> bool {
        self.foreign.contains(foreign)
    }

    /// Puts a service in. One of the same key keeps its destinations and takes the new settings.
    pub fn insert(&mut self, service: Service) {
        let entry = self.services.entry(service.key).or_insert_with(|| Entry::new(service.clone()));
        entry.service = service;
        entry.unusual = false;
    }

    /// Takes a service out with its destinations.
    pub fn remove(&mut self, key: &ServiceKey) -> Option<Entry> {
        self.foreign
            .retain(|foreign| !matches!(foreign, Foreign::Destination { service, .. } if service == key));
        self.services.remove(key)
    }

    /// Puts a destination in, or gives the one of the same key new settings. False if there is no such service.
    pub fn insert_destination(&mut self, key: &ServiceKey, destination: Destination) -> bool {
        let Some(entry) = self.services.get_mut(key) else { return false };
        entry.unusual_destinations.remove(&destination.key);
        entry.destinations.insert(destination.key, destination);
        true
    }

    /// Takes a destination out.
    pub fn remove_destination(
        &mut self,
        key: &ServiceKey,
        destination: &DestinationKey,
    ) -> Option<Destination> {
        let entry = self.services.get_mut(key)?;
        entry.unusual_destinations.remove(destination);
        entry.destinations.remove(destination)
    }

    /// Notes something beyond the model.
    pub fn insert_foreign(&mut self, foreign: Foreign) {
        self.foreign.insert(foreign);
    }

    /// Marks a service as having settings beyond the model.
    pub(crate) fn mark_unusual(&mut self, key: &ServiceKey) {
        if let Some(entry) = self.services.get_mut(key) {
            entry.unusual = true;
        }
    }

    /// Marks a destination as having settings beyond the model.
    pub(crate) fn mark_unusual_destination(&mut self, key: &ServiceKey, destination: DestinationKey) {
        if let Some(entry) = self.services.get_mut(key) {
            entry.unusual_destinations.insert(destination);
        }
    }

    /// Does to this table what the kernel would do to its own, and refuses what the kernel would refuse for the
    /// table's sake. Timeouts and synchronisation daemons are no part of the table.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], [`ErrorKind::Missing`] or [`ErrorKind::NoService`].
    pub fn apply(&mut self, operation: &Operation) -> Result<(), ErrorKind> {
        use Operation as Op;
        match operation {
            Op::SetTimeouts(_) | Op::StartSync(_) | Op::StopSync(_) => {}
            Op::Flush => *self = Self::new(),
            Op::AddService(service) if self.get(&service.key).is_some() => return Err(ErrorKind::Exists),
            Op::EditService(service) if self.get(&service.key).is_none() => return Err(ErrorKind::Missing),
            Op::AddService(service) | Op::EditService(service) => self.insert(service.clone()),
            Op::DeleteService(key) => drop(self.remove(key).ok_or(ErrorKind::Missing)?),
            Op::AddDestination(key, destination) => self.add_destination(key, destination)?,
            Op::EditDestination(key, destination) => self.edit_destination(key, destination)?,
            Op::DeleteDestination(key, destination) => {
                self.get(key).ok_or(ErrorKind::NoService)?;
                self.remove_destination(key, destination).ok_or(ErrorKind::Missing)?;
            }
            Op::DeleteForeign(foreign) if !self.foreign.remove(foreign) => return Err(ErrorKind::Missing),
            Op::DeleteForeign(_) => {}
        }
        Ok(())
    }

    fn add_destination(&mut self, key: &ServiceKey, destination: &Destination) -> Result<(), ErrorKind> {
        let entry = self.get(key).ok_or(ErrorKind::NoService)?;
        if entry.destinations.contains_key(&destination.key) {
            return Err(ErrorKind::Exists);
        }
        self.insert_destination(key, *destination);
        Ok(())
    }

    fn edit_destination(&mut self, key: &ServiceKey, destination: &Destination) -> Result<(), ErrorKind> {
        let entry = self.get(key).ok_or(ErrorKind::NoService)?;
        if !entry.destinations.contains_key(&destination.key) {
            return Err(ErrorKind::Missing);
        }
        self.insert_destination(key, *destination);
        Ok(())
    }
}

impl Entry {
    fn new(service: Service) -> Self {
        Self { service, destinations: BTreeMap::new(), unusual: false, unusual_destinations: BTreeSet::new() }
    }
}

/// SCTP's IP protocol number.
pub(crate) const IPPROTO_SCTP: u16 = 132;

impl Foreign {
    /// The words after `ipvsadm` that delete it.
    pub(crate) fn delete_arguments(&self) -> Vec<String> {
        let service = |option: &str, address: &IpAddr, port: &u16| {
            vec!["-D".into(), option.into(), format!("{}:{port}", Host(address))]
        };
        match self {
            Self::Service { protocol: 17, address, port } => service("-u", address, port),
            Self::Service { protocol: IPPROTO_SCTP, address, port } => {
                service("--sctp-service", address, port)
            }
            Self::Service { address, port, .. } => service("-t", address, port),
            Self::FwMarkV6(mark) => vec!["-D".into(), "-f".into(), mark.to_string(), "-6".into()],
            Self::Destination { service, address, port } => {
                let [option, value] = service.selector();
                vec!["-d".into(), option, value, "-r".into(), format!("[{address}]:{port}")]
            }
        }
    }
}

/// An address as it is written before a port.
struct Host<'a>(&'a IpAddr);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { protocol, address, port } => {
                let name = match *protocol {
                    6 => "TCP".to_string(),
                    17 => "UDP".to_string(),
                    IPPROTO_SCTP => "SCTP".to_string(),
                    other => format!("protocol {other}"),
                };
                write!(f, "foreign service {name} {}:{port}", Host(address))
            }
            Self::FwMarkV6(mark) => write!(f, "foreign service FWM {mark} IPv6"),
            Self::Destination { service, address, port } => {
                write!(f, "foreign destination [{address}]:{port} of {service}")
            }
        }
    }
}
