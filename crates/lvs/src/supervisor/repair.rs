//! The table is looked at: what lvs.cf and the verdicts ask for is put back where somebody else has undone it, and what
//! the table has refused is tried again.
//!
//! Of what others do, only what is missing, and servers that were found down, are put right. Weights and schedulers set
//! by hand stay until lvs has a reason of its own to set them, and so do services of others: administrators drain
//! servers with `ipvsadm -e`, and the original left that alone too.

use ipvs::{Destination, Entry, Operation, ServiceKey, Table};

use super::service::{Health, Virtual};
use super::{apply, Action, Supervisor};
use crate::message::Message;

/// What is to be done to the table, by reason.
#[derive(Default)]
struct Repairs {
    restored: Vec<Operation>,
    removed: Vec<Operation>,
    retried: Vec<Operation>,
}

impl Supervisor {
    /// Compares the kernel's table with what lvs has put there and puts right what is not so.
    pub fn repair(&mut self, current: &Table, out: &mut Vec<Action>) {
        let mut repairs = Repairs::default();
        for service in self.virtuals.iter_mut().filter(|service| !service.refused) {
            service.repair(current, &mut repairs);
        }
        let Repairs { restored, removed, retried } = repairs;
        if !restored.is_empty() {
            out.push(Action::Log(Message::Restoring { entries: restored.len() }));
        }
        if !removed.is_empty() {
            out.push(Action::Log(Message::Removing { entries: removed.len() }));
        }
        apply([restored, removed, retried].concat(), out);
    }
}

impl Virtual {
    fn repair(&mut self, current: &Table, repairs: &mut Repairs) {
        let Some(service) = &self.service else { return };
        let key = service.key;
        let entry = current.get(&key);
        self.lost = entry.is_none();
        if self.lost {
            repairs.restored.push(Operation::AddService(service.clone()));
        }
        self.restore(key, entry, repairs);
        if let Some(entry) = entry {
            self.judge_strays(entry, repairs);
            self.try_again(entry, &mut repairs.retried);
        }
    }

    /// Puts back what is missing, also what could not be added when it should have been.
    fn restore(&self, key: ServiceKey, entry: Option<&Entry>, repairs: &mut Repairs) {
        let is_missing = |destination: &Destination| {
            !entry.is_some_and(|entry| entry.destinations.contains_key(&destination.key))
        };
        for server in self.servers.iter().filter(|server| server.reports) {
            let list = if server.unsettled { &mut repairs.retried } else { &mut repairs.restored };
            let missing = server.entry.filter(is_missing);
            list.extend(missing.map(|destination| Operation::AddDestination(key, destination)));
        }
        let sorry = self.sorry.filter(|sorry| self.sorry_on && is_missing(sorry));
        repairs.restored.extend(sorry.map(|sorry| Operation::AddDestination(key, sorry)));
    }

    /// Real servers of lvs.cf that somebody else has put into the table: those found down leave it, of the others
    /// lvs keeps the books from now on.
    fn judge_strays(&mut self, entry: &Entry, repairs: &mut Repairs) {
        let sorry = self.sorry.filter(|_| self.sorry_on).map(|sorry| sorry.key);
        for server in self.servers.iter_mut().filter(|server| server.reports && server.entry.is_none()) {
            let key = server.wanted.destination.key;
            match (server.health, entry.destinations.get(&key)) {
                (Health::Down, Some(_)) if sorry != Some(key) => {
                    let list = if server.unsettled { &mut repairs.retried } else { &mut repairs.removed };
                    list.push(Operation::DeleteDestination(entry.service.key, key));
                }
                (Health::Up, Some(found)) => server.entry = Some(*found),
                _ => {}
            }
        }
    }

    /// Repeats changes and deletions that the table has refused. Whatever fails now is remembered again.
    fn try_again(&mut self, entry: &Entry, retried: &mut Vec<Operation>) {
        let key = entry.service.key;
        let sorry = self.sorry.filter(|_| self.sorry_on).map(|sorry| sorry.key);
        for server in &mut self.servers {
            let unsettled = std::mem::take(&mut server.unsettled);
            let Some(wanted) = server.entry.filter(|wanted| unsettled && sorry != Some(wanted.key)) else {
                continue;
            };
            if entry.destinations.get(&wanted.key).is_some_and(|found| *found != wanted) {
                retried.push(Operation::EditDestination(key, wanted));
            }
        }
        let leftovers = std::mem::take(&mut self.leftovers);
        let left = leftovers
            .into_iter()
            .filter(|left| sorry != Some(*left) && entry.destinations.contains_key(left));
        retried.extend(left.map(|left| Operation::DeleteDestination(key, left)));
    }
}
