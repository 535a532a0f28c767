//! The table refused something: what becomes of the service, the books and the nannies.
//!
//! Who serves goes on. A service that could not be edited is served as it was, until a reload tries again. Entries
//! of real servers are tried again when the kernel's table is next looked at; a program's table cannot be looked at.

use ipvs::{Error, ErrorKind, Operation, ServiceKey};

use super::{Action, Supervisor};
use crate::message::Message;

impl Supervisor {
    /// The table refused `operation`.
    pub fn failed(&mut self, operation: &Operation, error: &Error, out: &mut Vec<Action>) {
        if self.forestalled(operation, &error.kind, out) {
            return;
        }
        let message = match operation {
            Operation::SetTimeouts(_) => self.timeouts_failed(),
            Operation::Flush => return,
            Operation::AddService(service) => self.not_added(service.key, out),
            Operation::EditService(service) => self.not_edited(service.key),
            Operation::DeleteService(key) => Message::ServiceFailed { name: self.name(*key) },
            _ => self.command_failed(),
        };
        out.push(Action::Log(message));
        out.push(Action::Log(Message::Reason { text: error.to_string() }));
        self.server_failed(operation, out);
    }

    /// Whether an operation failed only because somebody else had edited the table: then the table is made right,
    /// and there is nothing to complain of.
    fn forestalled(&mut self, operation: &Operation, kind: &ErrorKind, out: &mut Vec<Action>) -> bool {
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
            // Its service could not be put back either; that has been said, and waits for the next look.
            (
                Op::AddDestination(key, _) | Op::EditDestination(key, _),
                ErrorKind::Missing | ErrorKind::NoService,
            ) if self.by_key(*key).is_some_and(|service| service.lost) => {}
            (
                Op::EditService(_) | Op::EditDestination(..) | Op::AddDestination(..),
                ErrorKind::Missing | ErrorKind::NoService,
            ) => out.push(Action::Inspect),
            _ => return false,
        }
        true
    }

    /// A service that is new has no nannies then: there is nothing that they could report for. One that somebody
    /// else has removed keeps them, and is put back later.
    fn not_added(&mut self, key: ServiceKey, out: &mut Vec<Action>) -> Message {
        let name = self.name(key);
        if let Some(service) = self.by_key(key).filter(|service| !service.lost) {
            service.refused = true;
            for server in &mut service.servers {
                server.entry = None;
            }
            let ids: Vec<_> = service.servers.iter_mut().filter_map(|server| server.nanny.take()).collect();
            self.nannies.retain(|id, _| !ids.contains(id));
            out.extend(ids.into_iter().map(Action::Stop));
        }
        Message::ServiceFailed { name }
    }

    fn not_edited(&mut self, key: ServiceKey) -> Message {
        let name = self.name(key);
        if let Some(service) = self.by_key(key) {
            if let Some(before) = service.before.take() {
                service.service = Some(before);
            }
        }
        Message::ServiceFailed { name }
    }

    /// A real server's entry could not be changed. With the original its nanny then ended; with a program, which
    /// cannot be asked what the table holds, it still counts as dead.
    fn server_failed(&mut self, operation: &Operation, out: &mut Vec<Action>) {
        let (key, server) = match operation {
            Operation::AddDestination(key, destination) | Operation::EditDestination(key, destination) => {
                (*key, destination.key)
            }
            Operation::DeleteDestination(key, server) => (*key, *server),
            _ => return,
        };
        let by_program = self.by_program;
        let Some(service) = self.by_key(key) else { return };
        let Some(found) = service.servers.iter_mut().find(|held| held.wanted.destination.key == server)
        else {
            service.leftovers.insert(server);
            return;
        };
        if !by_program {
            found.unsettled = true;
            return;
        }
        found.program_failed(operation);
        if let Some(id) = found.nanny {
            out.push(Action::Stop(id));
            self.nanny_ended(id, out);
        }
    }
}
