//! The decisions of lvs: which services and servers the table holds, which nannies run.
//!
//! ```text
//!  lvs.cf ────── start / reload ─┐              ┌─ Apply    table operations
//!  nanny's pipe ─────── report ──┤              ├─ Start    a nanny
//!  SIGCHLD ──────── nanny_ended ─┼─ Supervisor ─┼─ Stop     a nanny
//!  table ────────────── failed ──┤              ├─ Log      one line
//!  TERM, INT, lost pulse ─ stop ─┘              └─ Withdraw, Exit
//! ```
//!
//! It makes no system call and knows no clock; `runtime` interprets its actions.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ipvs::{Destination, DestinationKey, Entry, Operation, Service, ServiceKey, Table};
use lvs_cf::Text;

use crate::command::Command;
use crate::message::Message;
use crate::wanted::{self, Wanted};

/// Names one nanny for as long as lvs runs; never used twice.
pub type NannyId = u64;

/// What a nanny says of its real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// In service, with this weight.
    Up(u32),
    /// Out of service.
    Down,
    /// In the table with weight 0: old connections may finish.
    Quiesced,
    /// Said by a nanny that edits the table itself: the server is available, or is not.
    Edited(bool),
    /// Not said: the nanny has had time for a check and has told nothing. One that edits the table itself has
    /// found its server down.
    Silence,
}

/// What the runtime has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write one line to the log.
    Log(Message),
    /// Change the kernel's table; every refusal comes back through [`Supervisor::failed`].
    Apply(Vec<Operation>),
    /// Start a nanny, unless [`Supervisor::expects`] no longer knows it.
    Start(Start),
    /// End a nanny.
    Stop(NannyId),
    /// End nannies one after the other, and wait for each: they may take their servers out of the table.
    Await(Vec<NannyId>),
    /// Take the pair's virtual addresses off this node and tell the partner.
    Withdraw,
    /// Leave, with exit status 0 as the original always does.
    Exit,
}

/// A nanny to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its name in later reports.
    pub id: NannyId,
    /// The virtual service, for the log.
    pub service: Text,
    /// The real server, for the log.
    pub server: Text,
    /// What to execute.
    pub command: Command,
    /// The server is in service already: no slow start for it.
    pub resume: bool,
    /// When [`Report::Silence`] is due, counted from the start.
    pub check_limit: Duration,
    /// Whether its standard output is read.
    pub overheard: bool,
}

/// Why everything ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// TERM or INT.
    Signal(i32),
    /// The pulse that started us is gone.
    PulseDied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Unknown,
    Up,
    Down,
}

#[derive(Debug)]
struct Server {
    wanted: wanted::Server,
    nanny: Option<NannyId>,
    /// The nanny leaves the table to us: it has reported.
    reports: bool,
    health: Health,
    /// The entry that the kernel holds for it.
    entry: Option<Destination>,
}

#[derive(Debug)]
struct Virtual {
    name: Text,
    /// What the table shall hold; `None` when lvs.cf asks for something that no table can hold.
    service: Option<Service>,
    /// The table refused it.
    refused: bool,
    servers: Vec<Server>,
    sorry: Option<Destination>,
    sorry_on: bool,
}

/// The state of lvs.
#[derive(Debug)]
pub struct Supervisor {
    virtuals: Vec<Virtual>,
    /// Where each running nanny belongs: virtual and server by position.
    nannies: HashMap<NannyId, (usize, usize)>,
    wanted: Wanted,
    next_id: NannyId,
    /// The table is edited by a program, in the original's steps.
    by_program: bool,
}

impl Supervisor {
    /// Takes over the table. `current` is what the kernel holds, or `None` when a program edits it: then the
    /// table is cleared and built anew, as the original does. Otherwise what is already right stays untouched,
    /// real servers in it stay until their first verdict, and everything foreign goes.
    pub fn start(wanted: Wanted, current: Option<&Table>, out: &mut Vec<Action>) -> Self {
        let mut supervisor = Self {
            virtuals: Vec::new(),
            nannies: HashMap::new(),
            wanted,
            next_id: 1,
            by_program: current.is_none(),
        };
        supervisor.set_timeouts(out);
        let kept = match current {
            None => {
                out.push(Action::Apply(vec![Operation::Flush]));
                Table::new()
            }
            Some(table) => {
                let kept = supervisor.keep(table);
                apply(ipvs::diff(table, &kept), out);
                kept
            }
        };
        let mut held = kept.services().map(|entry| (entry.service.key, Held::from(entry))).collect();
        let virtuals = supervisor.wanted.virtuals.clone();
        supervisor.install(virtuals, &mut held, out);
        supervisor
    }

    /// Takes a new lvs.cf over: only what changed is touched.
    pub fn reload(&mut self, wanted: Wanted, out: &mut Vec<Action>) {
        let timeouts_changed = wanted.timeouts != self.wanted.timeouts;
        let virtuals = wanted.virtuals.clone();
        self.wanted = wanted;
        if timeouts_changed {
            self.set_timeouts(out);
        }
        let mut held = BTreeMap::new();
        for old in std::mem::take(&mut self.virtuals) {
            match &old.service {
                Some(service) if wants(&virtuals, service.key) => {
                    held.insert(service.key, Held::from(old));
                }
                _ => self.stop_virtual(&old, out),
            }
        }
        self.nannies.clear();
        self.install(virtuals, &mut held, out);
    }

    /// A nanny said something. Those of stopped nannies are ignored.
    pub fn report(&mut self, id: NannyId, report: Report, out: &mut Vec<Action>) {
        let Some((at, server)) = self.nannies.get(&id).copied() else { return };
        let service = &mut self.virtuals[at];
        let Some(key) = service.service.as_ref().map(|service| service.key) else { return };
        let operation = service.servers[server].report(key, report);
        out.extend(operation.map(|operation| Action::Apply(vec![operation])));
        service.settle_sorry(out);
    }

    /// A nanny ended. Unless it was told to, `hard_shutdown` decides what becomes of lvs.
    pub fn nanny_ended(&mut self, id: NannyId, out: &mut Vec<Action>) {
        let Some((at, server)) = self.nannies.remove(&id) else { return };
        let service = &mut self.virtuals[at];
        service.servers[server].nanny = None;
        let hard_shutdown = self.wanted.hard_shutdown;
        out.push(Action::Log(Message::NannyDied {
            service: service.name.clone(),
            server: service.servers[server].wanted.name.clone(),
            hard_shutdown,
        }));
        if hard_shutdown {
            self.stop_all(out);
        }
    }

    /// Ends everything in an orderly way.
    pub fn stop(&mut self, reason: Reason, out: &mut Vec<Action>) {
        match reason {
            Reason::Signal(signal) => out.push(Action::Log(Message::ShuttingDown { signal })),
            Reason::PulseDied => {
                out.push(Action::Log(Message::PulseDied));
                out.push(Action::Withdraw);
            }
        }
        self.stop_all(out);
    }

    /// The table refused `operation`.
    pub fn failed(&mut self, operation: &Operation, reason: &str, out: &mut Vec<Action>) {
        let message = match operation {
            Operation::SetTimeouts(_) => self.timeouts_failed(),
            Operation::Flush => return,
            Operation::AddService(service) | Operation::EditService(service) => self.refuse(service.key),
            Operation::DeleteService(key) => Message::ServiceFailed { name: self.name(*key) },
            Operation::AddDestination(key, destination) => {
                self.forget_entry(*key, destination.key);
                self.command_failed()
            }
            _ => self.command_failed(),
        };
        out.push(Action::Log(message));
        out.push(Action::Log(Message::Reason { text: reason.to_owned() }));
    }

    /// Whether the table is filled: of every service some server is up, or all have been judged.
    pub fn is_ready(&self) -> bool {
        self.virtuals.iter().all(|service| {
            let known = |server: &Server| server.health != Health::Unknown || server.nanny.is_none();
            service.servers.iter().any(|server| server.health == Health::Up)
                || service.servers.iter().all(known)
        })
    }

    /// Whether this nanny still has work.
    pub fn expects(&self, id: NannyId) -> bool {
        self.nannies.contains_key(&id)
    }

    fn set_timeouts(&self, out: &mut Vec<Action>) {
        out.push(match self.wanted.kernel_timeouts() {
            Some(timeouts) => Action::Apply(vec![Operation::SetTimeouts(timeouts)]),
            None => Action::Log(self.timeouts_failed()),
        });
    }

    fn timeouts_failed(&self) -> Message {
        let [tcp, tcpfin, udp] = self.wanted.timeouts;
        Message::TimeoutsFailed { tcp, tcpfin, udp }
    }

    fn command_failed(&self) -> Message {
        Message::CommandFailed { ipvsadm: self.wanted.ipvsadm.clone() }
    }

    /// The part of the kernel's table that lvs.cf wants as well. The rest goes, as after the original's
    /// `ipvsadm -C`; real servers keep their weight until a nanny has judged them.
    fn keep(&self, table: &Table) -> Table {
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
    fn install(
        &mut self,
        virtuals: Vec<wanted::Virtual>,
        held: &mut BTreeMap<ServiceKey, Held>,
        out: &mut Vec<Action>,
    ) {
        let mut seen = std::collections::BTreeSet::new();
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
            refused: false,
            servers: Vec::new(),
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
        let key = service.key;
        let mut operations = Vec::new();
        match &held.service {
            None => operations.push(Operation::AddService(service.clone())),
            Some(current) if *current != service => operations.push(Operation::EditService(service.clone())),
            Some(_) => {}
        }
        let at = self.virtuals.len();
        let (servers, starts) = self.adopt(at, key, &wanted, held.servers, &mut operations, out);
        if let (Some(old), true) = (&held.sorry, held.sorry.is_some() && wanted.sorry != held.sorry) {
            operations.push(Operation::DeleteDestination(key, old.key));
        }
        apply(operations, out);
        out.extend(starts.into_iter().map(Action::Start));
        let sorry_on = held.sorry.is_some() && wanted.sorry == held.sorry;
        let mut service = Virtual {
            name: wanted.name,
            service: Some(service),
            refused: false,
            servers,
            sorry: wanted.sorry,
            sorry_on,
        };
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
                Some(old) => old.renewed(wanted_server, key, operations, out),
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

    fn stop_all(&mut self, out: &mut Vec<Action>) {
        for service in std::mem::take(&mut self.virtuals) {
            self.stop_virtual(&service, out);
        }
        self.nannies.clear();
        out.push(Action::Exit);
    }

    fn stop_virtual(&self, service: &Virtual, out: &mut Vec<Action>) {
        let Some(key) = service.service.as_ref().map(|service| service.key) else { return };
        out.push(Action::Log(Message::StoppingService { name: service.name.clone() }));
        end_nannies(&service.servers, out);
        let mut operations = Vec::new();
        if self.by_program {
            // The kernel drops a service with its servers; the original took them out one by one.
            let entries = service.servers.iter().filter_map(|server| server.entry.as_ref());
            operations.extend(entries.map(|entry| Operation::DeleteDestination(key, entry.key)));
        }
        if !service.refused || self.by_program {
            operations.push(Operation::DeleteService(key));
        }
        apply(operations, out);
    }

    /// A refused service keeps no nannies: there is nothing that they could report for.
    fn refuse(&mut self, key: ServiceKey) -> Message {
        let name = self.name(key);
        if let Some(service) = self.by_key(key) {
            service.refused = true;
            for server in &mut service.servers {
                server.entry = None;
            }
            let ids: Vec<_> = service.servers.iter_mut().filter_map(|server| server.nanny.take()).collect();
            self.nannies.retain(|id, _| !ids.contains(id));
        }
        Message::ServiceFailed { name }
    }

    fn forget_entry(&mut self, key: ServiceKey, server: DestinationKey) {
        let service = self.by_key(key);
        let found = service
            .and_then(|service| service.servers.iter_mut().find(|s| s.wanted.destination.key == server));
        if let Some(server) = found {
            server.entry = None;
        }
    }

    fn by_key(&mut self, key: ServiceKey) -> Option<&mut Virtual> {
        self.virtuals.iter_mut().find(|service| service.service.as_ref().is_some_and(|s| s.key == key))
    }

    fn name(&self, key: ServiceKey) -> Text {
        let held = |service: &&Virtual| service.service.as_ref().is_some_and(|service| service.key == key);
        match self.virtuals.iter().find(held) {
            Some(service) => service.name.clone(),
            None => Text::from(key.to_string().as_str()),
        }
    }
}

impl Server {
    fn new(wanted: &wanted::Server) -> Self {
        Self { wanted: wanted.clone(), nanny: None, reports: false, health: Health::Unknown, entry: None }
    }

    /// The same server under a new lvs.cf.
    fn renewed(
        mut self,
        wanted: &wanted::Server,
        key: ServiceKey,
        operations: &mut Vec<Operation>,
        out: &mut Vec<Action>,
    ) -> Self {
        if self.wanted.command != wanted.command {
            end_nannies(std::slice::from_ref(&self), out);
            self.nanny = None;
            self.reports = false;
        }
        self.wanted = wanted.clone();
        if let Some(entry) = &mut self.entry {
            if entry.forwarding != wanted.destination.forwarding {
                entry.forwarding = wanted.destination.forwarding;
                operations.push(Operation::EditDestination(key, *entry));
            }
        }
        self
    }

    /// Takes a verdict and gives the one edit that follows from it, if any.
    fn report(&mut self, service: ServiceKey, report: Report) -> Option<Operation> {
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
        match self.entry.replace(wanted) {
            None => Some(Operation::AddDestination(service, wanted)),
            Some(current) if current != wanted => Some(Operation::EditDestination(service, wanted)),
            Some(_) => None,
        }
    }
}

impl Virtual {
    /// The sorry server serves only while every server has a verdict and none is up.
    fn settle_sorry(&mut self, out: &mut Vec<Action>) {
        let (Some(sorry), Some(service)) = (&self.sorry, &self.service) else { return };
        let up = self.servers.iter().filter(|server| server.health == Health::Up).count();
        let all_down =
            !self.servers.is_empty() && self.servers.iter().all(|server| server.health == Health::Down);
        if all_down && !self.sorry_on {
            self.sorry_on = true;
            out.push(Action::Log(Message::SorryOn { name: self.name.clone(), server: sorry.key.address }));
            out.push(Action::Apply(vec![Operation::AddDestination(service.key, *sorry)]));
        } else if up > 0 && self.sorry_on {
            self.sorry_on = false;
            let server = sorry.key.address;
            out.push(Action::Log(Message::SorryOff { name: self.name.clone(), up, server }));
            out.push(Action::Apply(vec![Operation::DeleteDestination(service.key, sorry.key)]));
        }
    }
}

/// What exists already of a service that lvs.cf wants.
#[derive(Debug, Default)]
struct Held {
    service: Option<Service>,
    servers: BTreeMap<DestinationKey, Server>,
    /// The sorry server, while it serves.
    sorry: Option<Destination>,
    /// It was brought up by this lvs, not found in the kernel.
    running: bool,
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
    Server { wanted, nanny: None, reports: false, health: Health::Unknown, entry: Some(*destination) }
}

/// Ends the nannies of these servers. One that never reported may edit the table itself, and does so at its end:
/// that comes before anything else happens to the service.
fn end_nannies(servers: &[Server], out: &mut Vec<Action>) {
    let (ours, others): (Vec<_>, Vec<_>) = servers.iter().partition(|server| server.reports);
    out.extend(ours.iter().filter_map(|server| server.nanny).map(Action::Stop));
    let others: Vec<_> = others.iter().filter_map(|server| server.nanny).collect();
    if !others.is_empty() {
        out.push(Action::Await(others));
    }
}

fn apply(operations: Vec<Operation>, out: &mut Vec<Action>) {
    if !operations.is_empty() {
        out.push(Action::Apply(operations));
    }
}

fn wants(virtuals: &[wanted::Virtual], key: ServiceKey) -> bool {
    virtuals.iter().any(|wanted| wanted.service.as_ref().is_ok_and(|service| service.key == key))
}
