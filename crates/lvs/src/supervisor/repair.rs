//! Somebody else has edited the table: what lvs.cf and the verdicts ask for is put back.
//!
//! Only what is missing, and servers that were found down, are put right. Weights and schedulers set by hand stay
//! until lvs has a reason of its own to set them, and so do services of others: administrators drain servers with
//! `ipvsadm -e`, and the original left that alone too.

use ipvs::{Destination, Entry, ErrorKind, Operation, Table};

use super::service::{Health, Virtual};
use super::{apply, Action, Supervisor};
use crate::message::Message;

impl Supervisor {
    /// Compares the kernel's table with what lvs has put there and puts right what somebody else has undone.
    pub fn repair(&mut self, current: &Table, out: &mut Vec<Action>) {
        let mut operations = Vec::new();
        for service in self.virtuals.iter_mut().filter(|service| !service.refused) {
            service.repair(current, &mut operations);
        }
        let removed =
            operations.iter().filter(|change| matches!(change, Operation::DeleteDestination(..))).count();
        let added = operations.len() - removed;
        if added > 0 {
            out.push(Action::Log(Message::Restoring { entries: added }));
        }
        if removed > 0 {
            out.push(Action::Log(Message::Removing { entries: removed }));
        }
        apply(operations, out);
    }

    /// Whether an operation failed only because somebody else had edited the table: then the table is made right,
    /// and there is nothing to complain of.
    pub(super) fn forestalled(operation: &Operation, kind: &ErrorKind, out: &mut Vec<Action>) -> bool {
        use Operation as Op;
        match (operation, kind) {
            (Op::AddService(service), ErrorKind::Exists) => {
                out.push(Action::Apply(vec![Op::EditService(service.clone())]));
            }
            (Op::AddDestination(key, destination), ErrorKind::Exists) => {
                out.push(Action::Apply(vec![Op::EditDestination(*key, *destination)]));
            }
            (
                Op::DeleteService(_) | Op::DeleteDestination(..) | Op::DeleteForeign(_),
                ErrorKind::Missing | ErrorKind::NoService,
            ) => {}
            (
                Op::EditService(_) | Op::EditDestination(..) | Op::AddDestination(..),
                ErrorKind::Missing | ErrorKind::NoService,
            ) => out.push(Action::Inspect),
            _ => return false,
        }
        true
    }
}

impl Virtual {
    fn repair(&mut self, current: &Table, operations: &mut Vec<Operation>) {
        let Some(service) = &self.service else { return };
        let key = service.key;
        let entry = current.get(&key);
        if entry.is_none() {
            operations.push(Operation::AddService(service.clone()));
        }
        let is_missing = |destination: &Destination| {
            !entry.is_some_and(|entry| entry.destinations.contains_key(&destination.key))
        };
        let held = self.servers.iter().filter(|server| server.reports).filter_map(|server| server.entry);
        let sorry = self.sorry.filter(|_| self.sorry_on);
        let missing = held.chain(sorry).filter(is_missing);
        operations.extend(missing.map(|destination| Operation::AddDestination(key, destination)));
        if let Some(entry) = entry {
            self.judge_strays(entry, operations);
        }
    }

    /// Real servers of lvs.cf that somebody else has put into the table: those found down leave it, of the others
    /// lvs keeps the books from now on.
    fn judge_strays(&mut self, entry: &Entry, operations: &mut Vec<Operation>) {
        let sorry = self.sorry.filter(|_| self.sorry_on).map(|sorry| sorry.key);
        for server in self.servers.iter_mut().filter(|server| server.reports && server.entry.is_none()) {
            let key = server.wanted.destination.key;
            match (server.health, entry.destinations.get(&key)) {
                (Health::Down, Some(_)) if sorry != Some(key) => {
                    operations.push(Operation::DeleteDestination(entry.service.key, key));
                }
                (Health::Up, Some(found)) => server.entry = Some(*found),
                _ => {}
            }
        }
    }
}
