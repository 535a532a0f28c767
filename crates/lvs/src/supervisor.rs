//! The decisions of lvs: which services and servers the table holds, which nannies run.
//!
//! ```text
//!  lvs.cf ────── start / reload ─┐              ┌─ Apply    table operations
//!  nanny's pipe ─────── report ──┤              ├─ Start    a nanny
//!  SIGCHLD ──────── nanny_ended ─┼─ Supervisor ─┼─ Stop     a nanny
//!  table ────────────── failed ──┤              ├─ Log      one line
//!  table, now and then ── repair ┤              ├─ Inspect  the table
//!  TERM, INT, lost pulse ─ stop ─┘              └─ Withdraw, Exit
//! ```
//!
//! It makes no system call and knows no clock; `runtime` interprets its actions.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ipvs::{Operation, ServiceKey, Table};
use lvs_cf::Text;

use self::service::{Health, Held, Server, Virtual};
use crate::command::Command;
use crate::message::Message;
use crate::wanted::{self, Wanted};

mod install;
mod refusal;
mod repair;
mod service;

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
    /// Read the table soon, for [`Supervisor::repair`].
    Inspect,
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
    /// What lvs.cf calls each service, also one that is just being taken down.
    names: HashMap<ServiceKey, Text>,
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
            names: HashMap::new(),
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
        self.virtuals[at].report(server, report, out);
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
        } else {
            service.settle_sorry(out);
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

    /// Whether the death of a nanny ends nothing else (`hard_shutdown = 0`).
    pub const fn goes_on_without_a_nanny(&self) -> bool {
        !self.wanted.hard_shutdown
    }

    /// Says how the table is edited from now on: by a program, or through the kernel's interface.
    pub const fn set_by_program(&mut self, by_program: bool) {
        self.by_program = by_program;
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
            // The kernel drops a service with its servers; the original's nannies took theirs out, but for
            // quiesced ones.
            let served = |server: &&Server| server.nanny.is_some() && server.health == Health::Up;
            let entries = service.servers.iter().filter(served).filter_map(|server| server.entry.as_ref());
            operations.extend(entries.map(|entry| Operation::DeleteDestination(key, entry.key)));
        }
        if !service.refused || self.by_program {
            operations.push(Operation::DeleteService(key));
        }
        apply(operations, out);
    }

    fn by_key(&mut self, key: ServiceKey) -> Option<&mut Virtual> {
        self.virtuals.iter_mut().find(|service| service.service.as_ref().is_some_and(|s| s.key == key))
    }

    fn name(&self, key: ServiceKey) -> Text {
        self.names.get(&key).cloned().unwrap_or_else(|| Text::from(key.to_string().as_str()))
    }
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
