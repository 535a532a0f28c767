//! The virtual addresses of the pair on this node: raised together, withdrawn exactly, never mixed up with
//! the node's own.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::Ipv4Addr;

use lvs_cf::{Config, Forwarding, ServiceKind, Text};

use crate::record::Record;
use crate::route::{AddressChange, AddressSpec, InterfaceAddress, Link, RouteSocket};

/// One virtual address as lvs.cf wants it on a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// Length of its prefix, 0 to 32; 32 when lvs.cf gives no mask.
    pub prefix: u8,
    /// The device as written, with its alias: `eth0:1`.
    pub label: String,
}

impl VirtualAddress {
    /// The device without the alias.
    pub fn device(&self) -> &str {
        self.label.split(':').next().unwrap_or(&self.label)
    }

    fn new(address: Ipv4Addr, mask: Ipv4Addr, device: &Text) -> Self {
        Self { address, prefix: prefix_of(mask), label: device.to_string() }
    }

    /// As the broadcast address of a subnet; an address by itself (/31, /32) has none.
    fn broadcast(&self) -> Option<Ipv4Addr> {
        let host_bits = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        (self.prefix < 31).then(|| Ipv4Addr::from(u32::from(self.address) | host_bits))
    }
}

/// A mask of 0.0.0.0 stands for none given. A mask with holes cannot be a prefix: it counts up to its first hole.
fn prefix_of(mask: Ipv4Addr) -> u8 {
    match u32::from(mask).leading_ones() as u8 {
        0 => 32,
        ones => ones,
    }
}

/// What the active node holds: the router address of a NAT cluster, and each distinct address of the active
/// services with the device and mask of the first service that names it. With `service = fos` it is the addresses
/// of the active failover services.
pub fn wanted(config: &Config) -> Vec<VirtualAddress> {
    let mut seen = BTreeSet::new();
    let router = config
        .nat_router_device
        .as_ref()
        .filter(|_| config.service == ServiceKind::Lvs && config.network == Forwarding::Nat)
        .map(|device| VirtualAddress::new(config.nat_router, config.nat_nmask, device));
    let services = config.selected().iter().filter(|service| service.active).filter_map(|service| {
        let device = service.device.as_ref()?;
        Some(VirtualAddress::new(service.address, service.vip_nmask, device))
    });
    router
        .into_iter()
        .chain(services)
        .filter(|vip| !vip.address.is_unspecified() && seen.insert(vip.address))
        .collect()
}

/// An address that could not be raised or withdrawn, and why.
#[derive(Debug)]
pub struct Failure {
    /// The address.
    pub address: VirtualAddress,
    /// What the kernel, or the list of links, said.
    pub error: io::Error,
}

/// The virtual addresses that this node holds.
#[derive(Debug)]
pub struct Addresses {
    route: RouteSocket,
    record: Record,
    /// Those that this process holds: it needs no record to know them.
    ours: BTreeSet<VirtualAddress>,
    /// The links as they were found when the addresses were last settled.
    surveyed: Vec<Link>,
}

impl Addresses {
    /// Opens the kernel's address table.
    ///
    /// # Errors
    ///
    /// Those of the netlink socket.
    pub fn open() -> io::Result<Self> {
        let (route, record) = (RouteSocket::open()?, Record::of_this_network());
        Ok(Self { route, record, ours: BTreeSet::new(), surveyed: Vec::new() })
    }

    /// The links and addresses of this node.
    ///
    /// # Errors
    ///
    /// Those of the netlink socket.
    pub fn survey(&mut self) -> io::Result<(Vec<Link>, Vec<InterfaceAddress>)> {
        Ok((self.route.links()?, self.route.addresses()?))
    }

    /// The links of this node, without its addresses, which may be thousands.
    ///
    /// # Errors
    ///
    /// Those of the netlink socket.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        self.route.links()
    }

    /// The links as [`Addresses::settle`] has found them the last time, to save a look at what cannot have changed since.
    pub fn links_when_settled(&self) -> &[Link] {
        &self.surveyed
    }

    /// Makes `wanted` the virtual addresses of this node: missing ones are raised, and those that this or a
    /// killed predecessor raised and nobody wants any more are withdrawn. `known` are addresses to be treated
    /// as ours where they sit on their alias, though no record tells: those of lvs.cf.
    ///
    /// # Errors
    ///
    /// Those of the netlink socket; single refusals are in the list. That the record of a predecessor cannot be read,
    /// once all that does not depend on it is done.
    pub fn settle(
        &mut self,
        wanted: &[VirtualAddress],
        known: &[VirtualAddress],
    ) -> io::Result<Vec<Failure>> {
        let (links, held) = self.survey()?;
        let recorded = self.record.read();
        let plan = self.plan(wanted, known, recorded.as_deref().unwrap_or_default(), &links, &held);
        self.surveyed = links;
        let failures = self.carry_out(plan, recorded.as_deref().ok(), &held)?;
        match recorded {
            Ok(_) => Ok(failures),
            Err(error) => {
                Err(io::Error::new(error.kind(), format!("those of a predecessor are not known: {error}")))
            }
        }
    }

    fn plan(
        &self,
        wanted: &[VirtualAddress],
        known: &[VirtualAddress],
        recorded: &[VirtualAddress],
        links: &[Link],
        held: &[InterfaceAddress],
    ) -> Plan {
        let index: HashMap<&str, u32> = links.iter().map(|link| (link.name.as_str(), link.index)).collect();
        let ours: BTreeSet<&VirtualAddress> =
            self.ours.iter().chain(recorded).chain(known.iter().filter(aliased)).collect();
        let wanted_set: BTreeSet<&VirtualAddress> = wanted.iter().collect();

        let mut plan = Plan::default();
        let (mut standing, mut the_nodes_own) = (BTreeSet::new(), BTreeSet::new());
        for address in held {
            let vip = as_virtual(address);
            if !is_ours(&ours, &vip) {
                the_nodes_own.insert((address.index, address.address));
            } else if wanted_set.contains(&vip) {
                standing.insert((address.index, address.address));
            } else {
                plan.withdraw(vip, address);
            }
        }
        for vip in wanted {
            match index.get(vip.device()) {
                None => plan.failures.push(Failure { address: vip.clone(), error: no_device(vip) }),
                Some(index) if the_nodes_own.contains(&(*index, vip.address)) => {}
                Some(index) => {
                    plan.ours.insert(vip.clone());
                    if !standing.contains(&(*index, vip.address)) {
                        plan.raise(vip, *index);
                    }
                }
            }
        }
        plan
    }

    /// `recorded` is what the record says, if it can be read.
    fn carry_out(
        &mut self,
        mut plan: Plan,
        recorded: Option<&[VirtualAddress]>,
        before: &[InterfaceAddress],
    ) -> io::Result<Vec<Failure>> {
        let mut recorded = recorded.map(|recorded| recorded.iter().cloned().collect());
        // Before the addresses stand, and as long as those to be withdrawn may: a crash must not leave any that
        // nobody remembers.
        let withdrawn: BTreeSet<_> = plan.deletions().map(|(vip, _)| vip.clone()).collect();
        self.remember(plan.ours.union(&withdrawn).cloned().collect(), &mut recorded);
        let results = self.route.change(&self.surveyed, &plan.changes);
        for ((vip, change), result) in plan.subjects.iter().zip(&plan.changes).zip(results) {
            if let Err(error) = result.or_else(|error| already_so(change, error)) {
                if matches!(change, AddressChange::Delete(_)) {
                    plan.ours.insert(vip.clone());
                }
                plan.failures.push(Failure { address: vip.clone(), error });
            }
        }
        self.remember(std::mem::take(&mut plan.ours), &mut recorded);
        if !withdrawn.is_empty() {
            self.restore_bystanders(&plan, before)?;
        }
        Ok(plan.failures)
    }

    /// Keeps in mind what is ours, and writes it down where the record says something else. One that cannot be read is
    /// left alone.
    fn remember(&mut self, ours: BTreeSet<VirtualAddress>, recorded: &mut Option<BTreeSet<VirtualAddress>>) {
        self.ours = ours;
        let Some(recorded) = recorded.as_mut().filter(|recorded| **recorded != self.ours) else { return };
        match self.ours.is_empty() {
            true => self.record.clear(),
            false => self.record.write(&self.ours),
        }
        recorded.clone_from(&self.ours);
    }

    /// Deleting the first address of a subnet makes the kernel drop the others with it. Whatever vanished
    /// without being asked to comes back.
    fn restore_bystanders(&mut self, plan: &Plan, before: &[InterfaceAddress]) -> io::Result<()> {
        let now: BTreeSet<_> =
            self.route.addresses()?.iter().map(|held| (held.index, held.address)).collect();
        let deleted: BTreeSet<_> = plan.deletions().map(|(_, spec)| (spec.index, spec.address)).collect();
        let lost = |held: &&InterfaceAddress| {
            let key = (held.index, held.address);
            !now.contains(&key) && !deleted.contains(&key)
        };
        let back: Vec<_> = before.iter().filter(lost).map(|held| AddressChange::Add(spec_of(held))).collect();
        if !back.is_empty() {
            for result in self.route.change(&self.surveyed, &back) {
                result?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Plan {
    /// What stands for the pair once the plan is carried out.
    ours: BTreeSet<VirtualAddress>,
    changes: Vec<AddressChange>,
    /// The address that each change is about.
    subjects: Vec<VirtualAddress>,
    failures: Vec<Failure>,
}

impl Plan {
    fn deletions(&self) -> impl Iterator<Item = (&VirtualAddress, &AddressSpec)> {
        self.subjects.iter().zip(&self.changes).filter_map(|(vip, change)| match change {
            AddressChange::Delete(spec) => Some((vip, spec)),
            AddressChange::Add(_) => None,
        })
    }

    fn withdraw(&mut self, vip: VirtualAddress, held: &InterfaceAddress) {
        self.changes.push(AddressChange::Delete(spec_of(held)));
        self.subjects.push(vip);
    }

    fn raise(&mut self, vip: &VirtualAddress, index: u32) {
        self.changes.push(AddressChange::Add(AddressSpec {
            index,
            address: vip.address,
            prefix: vip.prefix,
            label: vip.label.clone(),
            broadcast: vip.broadcast(),
        }));
        self.subjects.push(vip.clone());
    }
}

fn aliased(vip: &&VirtualAddress) -> bool {
    vip.label.contains(':')
}

/// The prefix may differ: an original left a classful one, or lvs.cf has changed since.
fn is_ours(ours: &BTreeSet<&VirtualAddress>, vip: &VirtualAddress) -> bool {
    let lowest = VirtualAddress { prefix: 0, label: String::new(), ..vip.clone() };
    ours.range::<&VirtualAddress, _>(&lowest..)
        .take_while(|one| one.address == vip.address)
        .any(|one| one.label == vip.label)
}

fn as_virtual(held: &InterfaceAddress) -> VirtualAddress {
    VirtualAddress { address: held.address, prefix: held.prefix, label: held.label.clone() }
}

fn spec_of(held: &InterfaceAddress) -> AddressSpec {
    AddressSpec {
        index: held.index,
        address: held.address,
        prefix: held.prefix,
        label: held.label.clone(),
        broadcast: held.broadcast,
    }
}

fn no_device(vip: &VirtualAddress) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no device {}", vip.device()))
}

/// Raised already, or gone already: what was asked for is so.
fn already_so(change: &AddressChange, error: io::Error) -> io::Result<()> {
    let wanted = match change {
        AddressChange::Add(_) => libc::EEXIST,
        AddressChange::Delete(_) => libc::EADDRNOTAVAIL,
    };
    if error.raw_os_error() == Some(wanted) {
        Ok(())
    } else {
        Err(error)
    }
}
