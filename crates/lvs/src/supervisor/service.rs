//! What lvs knows of one virtual service and of its real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipvs::{Destination, DestinationKey, Entry, Operation, Service, ServiceKey};
use lvs_cf::Text;

use super::{end_nannies, Action, NannyId, Report};
use crate::command::Command;
use crate::message::Message;
use crate::wanted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Unknown,
    Up,
    Down,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) wanted: wanted::Server,
    pub(super) nanny: Option<NannyId>,
    /// The nanny leaves the table to us: it has reported.
    pub(super) reports: bool,
    pub(super) health: Health,
    /// The entry that the table holds for it, or should.
    pub(super) entry: Option<Destination>,
    /// The table refused the last change of the entry.
    pub(super) unsettled: bool,
}

#[derive(Debug)]
pub(super) struct Virtual {
    pub(super) name: Text,
    /// What the table shall hold; `None` when lvs.cf asks for something that no table can hold.
    pub(super) service: Option<Service>,
    /// What it held before the last reload, should the table refuse the change.
    pub(super) before: Option<Service>,
    /// The table refused it.
    pub(super) refused: bool,
    /// It was missing in the table at the last look.
    pub(super) lost: bool,
    pub(super) servers: Vec<Server>,
    /// Entries of servers that are not wanted any more and that the table would not let go.
    pub(super) leftovers: BTreeSet<DestinationKey>,
    pub(super) sorry: Option<Destination>,
    pub(super) sorry_on: bool,
}

impl Server {
    pub(super) fn new(wanted: &wanted::Server) -> Self {
        Self {
            wanted: wanted.clone(),
            nanny: None,
            reports: false,
            health: Health::Unknown,
            entry: None,
            unsettled: false,
        }
    }

    /// The same server under a new lvs.cf. Another program that may edit the table itself enters its server, and fails
    /// where that is there already.
    pub(super) fn renewed(
        mut self,
        wanted: &wanted::Server,
        foreign_monitor: bool,
        key: ServiceKey,
        operations: &mut Vec<Operation>,
        out: &mut Vec<Action>,
    ) -> Self {
        let is_up = self.reports && self.health == Health::Up;
        if self.wanted.command != wanted.command {
            let foreign = foreign_monitor && self.wanted.command.program != wanted.command.program;
            end_nannies(std::slice::from_ref(&self), out);
            self.nanny = None;
            self.reports = false;
            if let Some(entry) = self.entry.take_if(|_| foreign) {
                self.health = Health::Unknown;
                operations.push(Operation::DeleteDestination(key, entry.key));
            }
        }
        let old = std::mem::replace(&mut self.wanted, wanted.clone()).destination;
        if let Some(entry) = &mut self.entry {
            // A weight that follows the load, or the state of a server, is its nanny's to set.
            let at_full_weight = is_up && entry.weight == old.weight;
            let weight = if at_full_weight { wanted.destination.weight } else { entry.weight };
            let edited = Destination { weight, forwarding: wanted.destination.forwarding, ..*entry };
            if edited != *entry {
                *entry = edited;
                operations.push(Operation::EditDestination(key, edited));
            }
        }
        self
    }

    /// Takes a verdict and gives the one edit that follows from it, if any.
    pub(super) fn report(&mut self, service: ServiceKey, report: Report) -> Option<Operation> {
        self.reports |= !matches!(report, Report::Edited(_) | Report::Silence);
        let weight = match report {
            Report::Edited(up) => {
                self.health = if up { Health::Up } else { Health::Down };
                return None;
            }
            Report::Silence => {
                if self.health == Health::Unknown {
                    self.health = Health::Down;
                }
                return None;
            }
            Report::Up(weight) => {
                self.health = Health::Up;
                weight
            }
            Report::Quiesced => {
                self.health = Health::Down;
                self.entry.as_ref()?;
                0
            }
            Report::Down => {
                self.health = Health::Down;
                let entry = self.entry.take()?;
                return Some(Operation::DeleteDestination(service, entry.key));
            }
        };
        let wanted = Destination { weight, ..self.wanted.destination };
        let unsettled = std::mem::take(&mut self.unsettled);
        match self.entry.replace(wanted) {
            None => Some(Operation::AddDestination(service, wanted)),
            Some(current) if unsettled || current != wanted => {
                Some(Operation::EditDestination(service, wanted))
            }
            Some(_) => None,
        }
    }

    /// The program failed to do this: what its table holds now, for the nanny that a reload starts.
    pub(super) fn program_failed(&mut self, operation: &Operation) {
        match operation {
            Operation::AddDestination(..) => {
                self.entry = None;
                self.health = Health::Unknown;
            }
            Operation::DeleteDestination(..) => self.entry = Some(self.wanted.destination),
            _ => {}
        }
        self.unsettled = self.entry.is_some();
    }
}

impl Virtual {
    /// Takes a verdict on the server at this position.
    pub(super) fn report(&mut self, server: usize, report: Report, out: &mut Vec<Action>) {
        let Some(key) = self.service.as_ref().map(|service| service.key) else { return };
        let server = &mut self.servers[server];
        let operation = server.report(key, report);
        // One entry for both: it is the sorry server's until that leaves.
        let is_sorry =
            self.sorry_on && self.sorry.is_some_and(|sorry| sorry.key == server.wanted.destination.key);
        out.extend(operation.filter(|_| !is_sorry).map(|operation| Action::Apply(vec![operation])));
        self.settle_sorry(out);
    }

    /// The sorry server serves only while every server has a verdict, or nobody to give one, and none is up.
    pub(super) fn settle_sorry(&mut self, out: &mut Vec<Action>) {
        let (Some(sorry), Some(service)) = (&self.sorry, &self.service) else { return };
        let up = self.servers.iter().filter(|server| server.health == Health::Up).count();
        let is_down = |server: &Server| match server.health {
            Health::Up => false,
            Health::Down => true,
            Health::Unknown => server.nanny.is_none(),
        };
        let all_down = !self.refused && !self.servers.is_empty() && self.servers.iter().all(is_down);
        if all_down && !self.sorry_on {
            self.sorry_on = true;
            out.push(Action::Log(Message::SorryOn { name: self.name.clone(), server: sorry.key.address }));
            let operation = match self.entry(sorry.key) {
                None => Operation::AddDestination(service.key, *sorry),
                Some(_) => Operation::EditDestination(service.key, *sorry),
            };
            out.push(Action::Apply(vec![operation]));
        } else if up > 0 && self.sorry_on {
            self.sorry_on = false;
            let server = sorry.key.address;
            out.push(Action::Log(Message::SorryOff { name: self.name.clone(), up, server }));
            out.push(Action::Apply(vec![self.without_sorry(service.key, sorry.key)]));
        }
    }

    /// What takes the sorry server out of the table. A real server at the same address keeps its entry.
    pub(super) fn without_sorry(&self, service: ServiceKey, sorry: DestinationKey) -> Operation {
        match self.entry(sorry) {
            None => Operation::DeleteDestination(service, sorry),
            Some(entry) => Operation::EditDestination(service, entry),
        }
    }

    fn entry(&self, key: DestinationKey) -> Option<Destination> {
        self.servers.iter().filter_map(|server| server.entry).find(|entry| entry.key == key)
    }
}

/// What exists already of a service that lvs.cf wants.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) service: Option<Service>,
    pub(super) servers: BTreeMap<DestinationKey, Server>,
    /// The sorry server, while it serves.
    pub(super) sorry: Option<Destination>,
    /// It was brought up by this lvs, not found in the kernel.
    pub(super) running: bool,
}

impl From<Virtual> for Held {
    fn from(old: Virtual) -> Self {
        let servers = old.servers.into_iter().map(|server| (server.wanted.destination.key, server)).collect();
        let sorry = old.sorry.filter(|_| old.sorry_on);
        let service = old.service.filter(|_| !old.refused);
        Self { service, servers, sorry, running: !old.refused }
    }
}

impl From<&Entry> for Held {
    fn from(entry: &Entry) -> Self {
        let servers = entry.destinations.values().map(|destination| (destination.key, found(destination)));
        Self { service: Some(entry.service.clone()), servers: servers.collect(), sorry: None, running: false }
    }
}

/// A server found in the kernel: its entry stays until a nanny of our own has judged it.
fn found(destination: &Destination) -> Server {
    let wanted = wanted::Server {
        name: Text::from(""),
        destination: *destination,
        command: Command { program: Default::default(), arguments: Vec::new() },
        check_limit: Duration::ZERO,
        overheard: false,
    };
    Server { entry: Some(*destination), ..Server::new(&wanted) }
}
