//! Bringing the virtual services of lvs.cf up, on top of what is there of them.

use std::collections::{BTreeMap, BTreeSet};

use ipvs::{Destination, DestinationKey, Operation, Service, ServiceKey, Table};

use super::service::{Health, Held, Server, Virtual};
use super::{apply, Action, Start, Supervisor};
use crate::message::Message;
use crate::wanted;

impl Supervisor {
    /// The part of the kernel's table that lvs.cf wants as well. The rest goes, as after the original's
    /// `ipvsadm -C`; real servers keep their weight until a nanny has judged them.
    pub(super) fn keep(&self, table: &Table) -> Table {
        let mut kept = Table::new();
        for wanted in &self.wanted.virtuals {
            let Ok(service) = &wanted.service else { continue };
            let Some(entry) = table.get(&service.key) else { continue };
            if kept.get(&service.key).is_some() {
                continue;
            }
            kept.insert(service.clone());
            // A monitor that edits the table itself adds its server, and fails where that is there already.
            for server in wanted.servers.iter().filter(|_| !wanted.foreign_monitor) {
                if let Some(found) = entry.destinations.get(&server.destination.key) {
                    let forwarding = server.destination.forwarding;
                    kept.insert_destination(&service.key, Destination { forwarding, ..*found });
                }
            }
        }
        kept
    }

    /// Brings the virtual services of lvs.cf up in the file's order, each on top of what is held of it.
    pub(super) fn install(
        &mut self,
        virtuals: Vec<wanted::Virtual>,
        held: &mut BTreeMap<ServiceKey, Held>,
        out: &mut Vec<Action>,
    ) {
        let mut seen = BTreeSet::new();
        for wanted in virtuals {
            let service = match &wanted.service {
                Ok(service) if seen.insert(service.key) => Ok(service.clone()),
                Ok(service) => Err(format!("{} is defined twice", service.key)),
                Err(reason) => Err(reason.clone()),
            };
            match service {
                Ok(service) => {
                    let held = held.remove(&service.key);
                    self.install_one(wanted, service, held, out);
                }
                Err(reason) => self.install_refused(wanted, reason, out),
            }
        }
    }

    fn install_refused(&mut self, wanted: wanted::Virtual, reason: String, out: &mut Vec<Action>) {
        out.push(Action::Log(Message::StartingService { name: wanted.name.clone(), port: wanted.port }));
        out.push(Action::Log(Message::ServiceFailed { name: wanted.name.clone() }));
        out.push(Action::Log(Message::Reason { text: reason }));
        self.virtuals.push(Virtual {
            name: wanted.name,
            service: None,
            before: None,
            refused: false,
            lost: false,
            servers: Vec::new(),
            leftovers: BTreeSet::new(),
            sorry: None,
            sorry_on: false,
        });
    }

    fn install_one(
        &mut self,
        wanted: wanted::Virtual,
        service: Service,
        held: Option<Held>,
        out: &mut Vec<Action>,
    ) {
        let held = held.unwrap_or_default();
        if !held.running {
            out.push(Action::Log(Message::StartingService { name: wanted.name.clone(), port: wanted.port }));
        }
        out.extend(wanted.left_out.iter().cloned().map(Action::Log));
        let key = service.key;
        self.names.insert(key, wanted.name.clone());
        let mut operations = Vec::new();
        match &held.service {
            None => operations.push(Operation::AddService(service.clone())),
            Some(current) if *current != service => operations.push(Operation::EditService(service.clone())),
            Some(_) => {}
        }
        let at = self.virtuals.len();
        let (servers, starts) = self.adopt(at, key, &wanted, held.servers, &mut operations, out);
        let sorry_on = held.sorry.is_some() && wanted.sorry == held.sorry;
        let mut service = Virtual {
            name: wanted.name,
            service: Some(service),
            before: held.service,
            refused: false,
            lost: false,
            servers,
            leftovers: BTreeSet::new(),
            sorry: wanted.sorry,
            sorry_on,
        };
        operations.extend(held.sorry.filter(|_| !sorry_on).map(|old| service.without_sorry(key, old.key)));
        apply(operations, out);
        out.extend(starts.into_iter().map(Action::Start));
        service.settle_sorry(out);
        self.virtuals.push(service);
    }

    /// Matches the wanted servers with those held: unchanged ones keep their nanny, their verdict and their
    /// connections; of changed ones the nanny is replaced; the rest leaves the table.
    fn adopt(
        &mut self,
        at: usize,
        key: ServiceKey,
        wanted: &wanted::Virtual,
        mut held: BTreeMap<DestinationKey, Server>,
        operations: &mut Vec<Operation>,
        out: &mut Vec<Action>,
    ) -> (Vec<Server>, Vec<Start>) {
        let mut servers = Vec::with_capacity(wanted.servers.len());
        let mut starts = Vec::new();
        for wanted_server in &wanted.servers {
            let mut server = match held.remove(&wanted_server.destination.key) {
                Some(old) => old.renewed(wanted_server, wanted.foreign_monitor, key, operations, out),
                None => Server::new(wanted_server),
            };
            if server.nanny.is_none() {
                let id = self.next_id;
                self.next_id += 1;
                server.nanny = Some(id);
                starts.push(Start {
                    id,
                    service: wanted.name.clone(),
                    server: server.wanted.name.clone(),
                    command: server.wanted.command.clone(),
                    resume: server.health == Health::Up,
                    check_limit: server.wanted.check_limit,
                    overheard: server.wanted.overheard,
                });
            }
            self.nannies.extend(server.nanny.map(|id| (id, (at, servers.len()))));
            servers.push(server);
        }
        for (gone, server) in held {
            out.extend(server.nanny.map(Action::Stop));
            if server.entry.is_some() {
                operations.push(Operation::DeleteDestination(key, gone));
            }
        }
        (servers, starts)
    }
}
