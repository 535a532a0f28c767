//! Adding and deleting addresses.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressHeader, AddressMessage, AddressScope};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{attributes, InterfaceAddress, Link, RouteSocket};
use crate::netlink::Message;

/// The longest label in bytes: the kernel's IFNAMSIZ without its final zero.
const LABEL_MAX: usize = 15;

/// The byte of an address header that holds the low flags, and the flag of secondary addresses in it.
const FLAGS_BYTE: usize = 2;
const IFA_F_SECONDARY: u8 = 0x01;

/// An address as it shall be set, or as it shall go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressSpec {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// The length of the network prefix, 0 to 32.
    pub prefix: u8,
    /// The label, at most 15 bytes: the interface's name or an alias of it such as `eth0:1`. Empty means the
    /// interface's name for an addition, and any label for a deletion.
    pub label: String,
    /// The broadcast address, if it shall have one; ignored for a deletion.
    pub broadcast: Option<Ipv4Addr>,
}

/// A change of an interface's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AddressChange {
    /// Set the address, prefix and label in one step.
    Add(AddressSpec),
    /// Delete exactly this address.
    Delete(AddressSpec),
}

impl AddressChange {
    /// What is to be added or deleted.
    #[must_use]
    pub fn spec(&self) -> &AddressSpec {
        match self {
            Self::Add(spec) | Self::Delete(spec) => spec,
        }
    }
}

impl RouteSocket {
    /// Carries out all changes in order, whether or not earlier ones fail: one result for each. `links` are those of
    /// [`RouteSocket::links`], for the names that labels begin with.
    ///
    /// Where the kernel deletes secondary addresses along with their primary (`promote_secondaries` is off),
    /// those that nobody asked to delete are put back at once, as they were.
    ///
    /// Errors are: EEXIST when an address to be added is there, EADDRNOTAVAIL when one to be deleted is not, be
    /// it that an earlier change of the same call took it along as a secondary;
    /// ENODEV for an unknown interface; `InvalidInput` for a label that is too long or does not begin with the
    /// interface's name; EPERM without CAP_NET_ADMIN.
    pub fn change(&mut self, links: &[Link], changes: &[AddressChange]) -> Vec<io::Result<()>> {
        let endangered = self.endangered(changes).unwrap_or_default();
        let names = links.iter().map(|link| (link.index, link.name.as_str())).collect();
        let labels: Vec<_> = changes.iter().map(|change| check_label(change, &names)).collect();
        let requests = changes.iter().zip(&labels).filter(|(_, label)| label.is_ok());
        let requests = requests.map(|(change, _)| request(change)).collect();
        let mut answers = self.netlink.execute(requests).into_iter();
        let results = labels.into_iter().map(|label| label.and_then(|()| answers.next().unwrap_or(Ok(()))));
        let results = results.collect();
        self.put_back(&endangered);
        results
    }

    /// The secondary addresses that would go with a primary that `changes` delete, as the kernel describes them.
    fn endangered(&mut self, changes: &[AddressChange]) -> io::Result<Vec<Message>> {
        let deleted: HashSet<_> = changes
            .iter()
            .filter(|change| matches!(change, AddressChange::Delete(_)))
            .map(|change| Identity::from(change.spec()))
            .collect();
        if deleted.is_empty() {
            return Ok(Vec::new());
        }
        let mut present = Vec::new();
        for message in self.address_messages()? {
            present.push((attributes::address(&message.payload)?, message));
        }
        let networks: HashSet<_> = present
            .iter()
            .filter(|(address, _)| !address.secondary && deleted.contains(&Identity::from(address)))
            .map(|(address, _)| Identity::from(address).network())
            .collect();
        let shares_fate = |address: &InterfaceAddress| {
            let identity = Identity::from(address);
            address.secondary && networks.contains(&identity.network()) && !deleted.contains(&identity)
        };
        Ok(present
            .into_iter()
            .filter(|(address, _)| shares_fate(address))
            .map(|(_, message)| message)
            .collect())
    }

    /// Adds addresses again that are gone. Those that the kernel promoted are still there: EEXIST, no harm done.
    fn put_back(&mut self, endangered: &[Message]) {
        let requests = endangered.iter().map(|message| {
            let mut message = message.clone();
            if let Some(flags) = message.payload.get_mut(FLAGS_BYTE) {
                *flags &= !IFA_F_SECONDARY;
            }
            (NLM_F_CREATE | NLM_F_EXCL, message)
        });
        let answers = self.netlink.execute(requests.collect());
        for error in answers.into_iter().filter_map(Result::err) {
            if error.raw_os_error() != Some(libc::EEXIST) {
                log::warn!(
                    "an address that the kernel deleted with its primary could not be put back: {error}"
                );
            }
        }
    }
}

/// What tells addresses apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    index: u32,
    prefix: u8,
    address: u32,
}

impl Identity {
    /// The network that the address is in, on its interface.
    fn network(self) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
        Self { address: self.address & mask, ..self }
    }
}

impl From<&AddressSpec> for Identity {
    fn from(spec: &AddressSpec) -> Self {
        Self { index: spec.index, prefix: spec.prefix, address: spec.address.into() }
    }
}

impl From<&InterfaceAddress> for Identity {
    fn from(address: &InterfaceAddress) -> Self {
        Self { index: address.index, prefix: address.prefix, address: address.address.into() }
    }
}

/// Refuses what ifconfig(8) and ioctls could not address afterwards, in words clearer than the kernel's. Of an
/// interface that has no name here the kernel says what is wrong.
fn check_label(change: &AddressChange, names: &HashMap<u32, &str>) -> io::Result<()> {
    let (AddressChange::Add(spec), false) = (change, change.spec().label.is_empty()) else { return Ok(()) };
    let label = &spec.label;
    if label.len() > LABEL_MAX {
        return Err(invalid(format!("label {label} is longer than {LABEL_MAX} bytes")));
    }
    let Some(&name) = names.get(&spec.index) else { return Ok(()) };
    match label.strip_prefix(name) {
        Some(rest) if rest.is_empty() || rest.starts_with(':') => Ok(()),
        _ => Err(invalid(format!("label {label} is neither {name} nor an alias {name}:..."))),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn request(change: &AddressChange) -> (u16, RouteNetlinkMessage) {
    match change {
        AddressChange::Add(spec) => {
            let mut message = message(spec);
            message.attributes.extend(spec.broadcast.map(AddressAttribute::Broadcast));
            (NLM_F_CREATE | NLM_F_EXCL, RouteNetlinkMessage::NewAddress(message))
        }
        AddressChange::Delete(spec) => (0, RouteNetlinkMessage::DelAddress(message(spec))),
    }
}

fn message(spec: &AddressSpec) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: AddressFamily::Inet,
        prefix_len: spec.prefix,
        scope: if spec.address.is_loopback() { AddressScope::Host } else { AddressScope::Universe },
        index: spec.index,
        ..AddressHeader::default()
    };
    let address = IpAddr::V4(spec.address);
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    if !spec.label.is_empty() {
        message.attributes.push(AddressAttribute::Label(spec.label.clone()));
    }
    message
}
