//! A machine with a pulse on it, ours or the original, and the runtime around it.

use crate::network::{Side, PATHS};
use crate::original::{Deed, Original};
use heartbeat::wire::{self, ByteOrder, Datagram};
use heartbeat::{ActivateReason, ChildEnd, Election, Input, Mode, Output, Path, Role, Settings};
use std::collections::VecDeque;
use std::time::Duration;

/// Whose pulse a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Original,
}

#[derive(Debug, Clone, Copy)]
pub struct Timers {
    pub keepalive: Duration,
    pub deadtime: Duration,
}

/// What a pulse wants done, whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Send(Datagram),
    /// Fill the table ahead of a takeover, and forget it.
    Prepare,
    Unprepare,
    Up,
    /// Becomes active although the partner is: its services are dead.
    Take,
    Down,
    Announce,
    AskGateway,
    Exit,
}

enum Brain {
    Ours(Box<Election>),
    Original(Original),
}

/// Why a process does not run although it lives.
#[derive(Clone, Copy)]
pub struct Stall {
    pub until: Duration,
    /// The whole machine is suspended: what arrives is lost.
    pub deaf: bool,
}

pub struct Node {
    pub kind: Kind,
    /// Of our kind; the model of the original knows virtual servers only.
    pub mode: Mode,
    side: Side,
    timers: Timers,
    brain: Option<Brain>,
    socket: VecDeque<(Path, Datagram)>,
    pub stall: Option<Stall>,
    pub link_down: bool,
    pub leaving: bool,
    /// The virtual addresses are on this machine.
    pub holds: bool,
    /// Distinguishes the current change of addresses, and the current process, from those before.
    pub epoch: u32,
    /// When the pulse is to be woken next.
    pub wake_at: Option<Duration>,
    /// When it heard RUNNING last, unless STOPPED came after it.
    pub heard_running: Option<Duration>,
}

impl Node {
    pub fn new(kind: Kind, side: Side, timers: Timers) -> Self {
        Self {
            kind,
            mode: Mode::Lvs,
            side,
            timers,
            brain: None,
            socket: VecDeque::new(),
            stall: None,
            link_down: false,
            leaving: false,
            holds: false,
            epoch: 0,
            wake_at: None,
            heard_running: None,
        }
    }

    pub fn start(&mut self, now: Duration) {
        let Timers { keepalive, deadtime } = self.timers;
        let role = if self.side == Side::Master { Role::Master } else { Role::Backup };
        let settings = Settings {
            role,
            mode: self.mode,
            keepalive,
            deadtime,
            backup_active: true,
            private_path: true,
            prepare: true,
            force_active: false,
        };
        self.gone();
        self.brain = Some(match self.kind {
            Kind::Ours => Brain::Ours(Box::new(Election::new(settings, now, &mut Vec::new()))),
            Kind::Original => {
                Brain::Original(Original::start(role == Role::Master, keepalive, deadtime, now))
            }
        });
    }

    /// The process is no more; nothing of it survives but, for a moment, the addresses.
    pub fn gone(&mut self) {
        self.brain = None;
        self.socket.clear();
        self.stall = None;
        self.leaving = false;
        self.epoch += 1;
        self.wake_at = None;
        self.heard_running = None;
    }

    pub fn runs(&self) -> bool {
        self.brain.is_some()
    }

    /// Whether this node could serve right now.
    pub fn is_fit(&self) -> bool {
        let barred = match &self.brain {
            None => true,
            Some(Brain::Ours(election)) => election.has_child_failure(),
            Some(Brain::Original(original)) => original.child_failed,
        };
        !barred && !self.link_down && !self.leaving && self.stall.is_none()
    }

    /// A datagram reaches the machine.
    pub fn arrive(&mut self, path: Path, heartbeat: Datagram) {
        let deaf = self.stall.is_some_and(|stall| stall.deaf);
        if self.runs() && !deaf && self.socket.len() < 256 {
            self.socket.push_back((path, heartbeat));
        }
    }

    /// Lets the process run: reads the sockets, serves deadlines.
    pub fn run(&mut self, now: Duration) -> Vec<Act> {
        if self.stall.is_some() {
            return Vec::new();
        }
        let acts = match &mut self.brain {
            None => Vec::new(),
            Some(Brain::Ours(election)) => {
                let mut outputs = Vec::new();
                while let Some((path, heartbeat)) = self.socket.pop_front() {
                    let payload = heartbeat.as_bytes();
                    note(&mut self.heard_running, now, payload);
                    election.handle(now, Input::Datagram { path, payload }, &mut outputs);
                }
                while election.next_deadline().is_some_and(|due| due <= now) {
                    election.handle(now, Input::Deadline, &mut outputs);
                }
                outputs.iter().filter_map(act).collect()
            }
            Some(Brain::Original(original)) => {
                // It reads the private socket first.
                let (public, private): (VecDeque<_>, VecDeque<_>) =
                    self.socket.drain(..).partition(|(path, _)| *path == PATHS[0]);
                // It reads four bytes, whatever follows.
                let four =
                    |(_, heartbeat): (Path, Datagram)| heartbeat.as_bytes().first_chunk::<4>().copied();
                let mut words: VecDeque<[u8; 4]> =
                    private.into_iter().chain(public).filter_map(four).collect();
                let mut deeds = Vec::new();
                while original.turn(now, &mut words, &mut deeds) {}
                deeds.iter().map(deed).collect()
            }
        };
        self.plan_wake();
        acts
    }

    /// The addresses are up or down, and our runtime says so.
    pub fn addresses_changed(&mut self, now: Duration, up: bool) -> Vec<Act> {
        self.holds = up;
        self.input(now, if up { Input::Activated } else { Input::Deactivated }, |_, _| {})
    }

    pub fn links(&mut self, now: Duration, down: bool) -> Vec<Act> {
        self.link_down = down;
        let input = if down { Input::LinksDown { public: true, private: false } } else { Input::LinksUp };
        self.input(now, input, |original, deeds| original.links(down, deeds))
    }

    /// lvs ended, or fos: on a standby that means that the partner's services do not answer.
    pub fn child_ended(&mut self, now: Duration) -> Vec<Act> {
        let input = Input::ChildEnded { pid: 1, end: ChildEnd::Exited(0) };
        self.input(now, input, Original::child_ended)
    }

    pub fn gateway_answered(&mut self, now: Duration, answered: bool) -> Vec<Act> {
        self.input(now, Input::GatewayAnswered(answered), |_, _| {})
    }

    pub fn prepared(&mut self, now: Duration) -> Vec<Act> {
        self.input(now, Input::Prepared, |_, _| {})
    }

    pub fn terminate(&mut self, now: Duration) -> Vec<Act> {
        self.leaving = true;
        let mut acts = self.input(now, Input::Terminate { signal: 15 }, Original::terminate);
        if self.kind == Kind::Original {
            acts.push(Act::Exit);
        }
        acts
    }

    fn input(
        &mut self,
        now: Duration,
        input: Input<'_>,
        original: impl FnOnce(&mut Original, &mut Vec<Deed>),
    ) -> Vec<Act> {
        let acts = match &mut self.brain {
            None => Vec::new(),
            Some(Brain::Ours(election)) => {
                let mut outputs = Vec::new();
                election.handle(now, input, &mut outputs);
                outputs.iter().filter_map(act).collect()
            }
            Some(Brain::Original(brain)) => {
                let mut deeds = Vec::new();
                original(brain, &mut deeds);
                deeds.iter().map(deed).collect()
            }
        };
        self.plan_wake();
        acts
    }

    fn plan_wake(&mut self) {
        self.wake_at = match &self.brain {
            None => None,
            Some(Brain::Ours(election)) => election.next_deadline(),
            Some(Brain::Original(original)) => Some(original.next_deadline()),
        };
    }
}

fn note(heard_running: &mut Option<Duration>, now: Duration, payload: &[u8]) {
    match wire::decode(payload) {
        Ok((wire::Word::Running | wire::Word::FosRunning, _)) => *heard_running = Some(now),
        Ok((wire::Word::Stopped | wire::Word::FosStopped, _)) => *heard_running = None,
        _ => {}
    }
}

fn act(output: &Output) -> Option<Act> {
    match output {
        Output::Send { datagram, .. } => Some(Act::Send(*datagram)),
        Output::Prepare => Some(Act::Prepare),
        Output::Unprepare => Some(Act::Unprepare),
        Output::Activate(ActivateReason::RemoteFailure) => Some(Act::Take),
        Output::Activate(_) => Some(Act::Up),
        Output::Deactivate(_) => Some(Act::Down),
        Output::Announce => Some(Act::Announce),
        Output::Exit(_) => Some(Act::Exit),
        Output::CheckGateway => Some(Act::AskGateway),
        Output::RunActiveCommand | Output::StartMonitors | Output::StartServices | Output::Log(_) => None,
    }
}

fn deed(deed: &Deed) -> Act {
    match deed {
        Deed::Send(word) => Act::Send(Datagram::new(*word, ByteOrder::NATIVE, None)),
        Deed::Activate => Act::Up,
        Deed::Deactivate => Act::Down,
        Deed::StartArpHelper => Act::Announce,
    }
}
