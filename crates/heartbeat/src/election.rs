//! The election: which of the two directors serves.
//!
//! The table of the original, with what is done better marked by a star:
//!
//! | state          | event                   | action                                                        |
//! |----------------|-------------------------|---------------------------------------------------------------|
//! | standby        | STOPPED                 | activate (a BACKUP in doubt: at the second one\*)              |
//! | standby        | nothing for deadtime    | activate                                                      |
//! | standby        | RUNNING, STOPME         | stay; lvs may be tried here again                             |
//! | barred         | STOPPED, deadtime       | stay; without a living partner try lvs with back-off\*         |
//! | active MASTER  | RUNNING, STOPME         | stay: `active_cmd`, announce, say RUNNING at once\*            |
//! | active BACKUP  | RUNNING, STOPME         | say RUNNING once more, deactivate, say STOPPED\*               |
//! | active         | overlap is over         | announce\*                                                    |
//! | active         | link down, lvs ended    | deactivate and be barred, say STOPPED\*                        |
//! | any            | keepalive               | say RUNNING or STOPPED                                        |
//! | any            | becomes active          | say RUNNING at once\*, announce when the addresses are up      |
//! | any            | TERM, INT               | deactivate, say STOPPED\*, exit                                |
//! | BACKUP         | `backup_active` is now 0\* | the same: a start would be refused                           |
//! | MASTER         | `backup_active` is now 0\* | watch no links; go on saying RUNNING or STOPPED              |
//!
//! "Barred" is a standby with a link down, or on which lvs ended by itself. `failover` has what is different with
//! `service = fos`.
//!
//! # The tie
//!
//! Two nodes that start together cross their first STOPPED, and by the table both would activate. A MASTER follows
//! the table. A BACKUP takes a STOPPED at its word only when no tie is possible: when the partner's word before was
//! RUNNING (it leaves), or when this process has not said STOPPED yet (so the MASTER cannot have activated on it).
//! Otherwise it waits for the partner's next word, one keepalive later: RUNNING from a MASTER that took the service,
//! a second STOPPED from one that cannot.
//!
//! # Handover
//!
//! See `handover.rs`: lvs is started on the standby ahead of a takeover, and a node that is told to end serves until
//! its partner is ready.
//!
//! # Lateness
//!
//! A process that was suspended or starved must not believe its own clock against a living partner. If a deadline is
//! served more than half a keepalive late, a standby listens for two more keepalives (at most deadtime), once, before
//! it takes the service. An active one says RUNNING at once, and the rules above do the rest: if the partner took the
//! service meanwhile, it answers.

mod failover;
mod handover;
mod partner;
mod paths;
mod transition;

use crate::backoff::ChildFailure;
use crate::wire::{ByteOrder, Datagram, Note, Word};
use crate::{ActivateReason, Ending, Input, Message, Mode, Output, Role, Settings};
use std::time::Duration;

/// What this node does with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits.
    Standby,
    /// It said RUNNING and brings the virtual addresses up.
    Activating,
    /// It serves.
    Active,
    /// It takes the virtual addresses down.
    Deactivating,
    /// It has left the election.
    Exited,
}

/// What this node knows of its partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partner {
    /// Nothing was heard yet that tells.
    Unknown,
    /// Its last word was RUNNING.
    Running,
    /// Its last word was STOPPED, for the first time at `since`.
    Stopped {
        /// When it began to say so.
        since: Duration,
    },
    /// Nothing was heard for deadtime, for the first time at `since`.
    Dead {
        /// When it was found dead.
        since: Duration,
    },
}

/// One node's side of the election. See the [crate] page for how to drive it.
#[derive(Debug, Clone)]
pub struct Election {
    settings: Settings,
    state: State,
    partner: Partner,
    /// The byte order in which the partner spoke last.
    order: ByteOrder,
    /// When the next periodic heartbeat is due.
    send_at: Duration,
    /// When the partner is dead if nothing is accepted until then.
    need_at: Duration,
    /// A STOPPED was heard that lets this standby activate once the sockets are drained.
    takeover: bool,
    /// STOPPED was said by this process, so that the partner may have activated on it.
    said_stopped: bool,
    /// The virtual addresses may be up: from the decision to activate until the runtime has them down.
    holding: bool,
    /// When the current or last activation began.
    active_since: Duration,
    paths: paths::Paths,
    /// Links without carrier: public, private.
    links_down: (bool, bool),
    child_failure: Option<ChildFailure>,
    /// Idle with `service = lvs`.
    failover: failover::Failover,
    handover: handover::Handover,
    /// This node is on its way out.
    ending: Option<Ending>,
    /// Heartbeats are sent: there is a partner, or there was one when this process started. One that has not read yet
    /// that it is no longer wanted must not take a node for dead that has.
    speaks: bool,
    /// When the partner's RUNNING was last answered by `active_cmd`.
    resent_at: Option<Duration>,
    /// When addresses were last announced because of the partner, and whether that is due once more.
    announced_at: Option<Duration>,
    announce_due: bool,
    /// The deadlines now being served were missed by more than half a keepalive.
    late: bool,
    /// The one more chance after lateness was given; a word from the partner renews it.
    chance_given: bool,
}

impl Election {
    /// Enters the election at `now`, as standby unless [`Settings::force_active`] is set. The first heartbeat is due
    /// one keepalive later.
    pub fn new(settings: Settings, now: Duration, out: &mut Vec<Output>) -> Self {
        let settings = settings.with_floor();
        let mut election = Self {
            state: State::Standby,
            partner: Partner::Unknown,
            order: ByteOrder::NATIVE,
            send_at: now + settings.keepalive,
            need_at: now + settings.deadtime,
            takeover: false,
            said_stopped: false,
            holding: false,
            active_since: now,
            paths: paths::Paths::new(now),
            links_down: (false, false),
            child_failure: None,
            failover: failover::Failover::default(),
            handover: handover::Handover::default(),
            ending: None,
            speaks: settings.backup_active,
            resent_at: None,
            announced_at: None,
            announce_due: false,
            late: false,
            chance_given: false,
            settings,
        };
        if election.settings.force_active {
            election.activate(now, ActivateReason::Forced, out);
        } else if election.settings.mode == Mode::Fos {
            election.begin_failover(now, out);
        }
        election
    }

    /// Takes in what happened at `now` and appends what is to be done to `out`, in the order in which it must be
    /// done. After [`Output::Exit`] nothing happens any more.
    pub fn handle(&mut self, now: Duration, input: Input<'_>, out: &mut Vec<Output>) {
        if self.state == State::Exited {
            return;
        }
        self.notice_lateness(now, out);
        match input {
            Input::Datagram { path, payload } => self.datagram(now, path, payload, out),
            Input::Stranger(source) => out.push(Output::Log(Message::Unexpected(source))),
            Input::Deadline => self.deadline(now, out),
            Input::LinksDown { public, private } => self.links_lost(now, (public, private), out),
            Input::LinksUp => self.links_restored(now, out),
            Input::ChildEnded { pid, end } => self.child_ended(now, pid, end, out),
            Input::GatewayAnswered(answered) => self.gateway_answered(now, answered, out),
            Input::Activated => self.activated(out),
            Input::Prepared => self.prepared(now, out),
            Input::Deactivated => self.deactivated(now, out),
            Input::Terminate { signal } => self.terminate(now, signal, out),
        }
    }

    /// When [`Input::Deadline`] is due; the past means at once. `None` after the exit.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.state == State::Exited {
            return None;
        }
        if self.takeover {
            return Some(Duration::ZERO);
        }
        let failover = self.failover.next_deadline();
        let timers = [self.retry_at(), self.announce_at(), self.handover_at(), failover];
        timers.into_iter().flatten().chain([self.send_at, self.need_at]).min()
    }

    /// Whether this node has the service or is bringing it up.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Activating | State::Active)
    }

    /// What this node does with the service.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// What this node knows of its partner.
    #[must_use]
    pub const fn partner(&self) -> Partner {
        self.partner
    }

    /// Whether a watched link is down.
    #[must_use]
    pub const fn has_link_failure(&self) -> bool {
        self.links_down.0 || self.links_down.1
    }

    /// Whether lvs ended here by itself and this node therefore stays away from the service.
    #[must_use]
    pub fn has_child_failure(&self) -> bool {
        self.child_failure.is_some_and(|failure| failure.barred)
    }

    /// Takes over `keepalive`, `deadtime`, `backup_active` and `private_path` from a reloaded configuration. Role and
    /// mode stay what they are. A BACKUP that is no longer wanted leaves.
    pub fn reconfigure(&mut self, settings: Settings, now: Duration, out: &mut Vec<Output>) {
        let Settings { role, mode, force_active, .. } = self.settings;
        if role == Role::Backup && self.settings.backup_active && !settings.backup_active {
            return self.dismissed(now, out);
        }
        self.speaks |= settings.backup_active;
        let last_accepted = self.need_at.saturating_sub(self.settings.deadtime);
        self.settings = Settings { role, mode, force_active, ..settings }.with_floor();
        self.send_at = self.send_at.min(now + self.settings.keepalive);
        self.need_at = last_accepted + self.settings.deadtime;
        if !self.settings.backup_active {
            self.links_down = (false, false);
        }
    }

    /// Serves every deadline that has come. A dead partner is found out before a heartbeat is sent, so that a node
    /// never says STOPPED and RUNNING in one breath.
    fn deadline(&mut self, now: Duration, out: &mut Vec<Output>) {
        if std::mem::take(&mut self.late) {
            self.give_one_more_chance(now);
        }
        if std::mem::take(&mut self.takeover) && self.may_activate() {
            self.activate(now, ActivateReason::PartnerInactive, out);
        }
        if self.need_at <= now {
            self.partner_silent(now, out);
        }
        if self.retry_at().is_some_and(|at| at <= now) {
            self.retry(now, out);
        }
        self.failover_deadline(now, out);
        self.handover_deadline(now, out);
        if self.announce_at().is_some_and(|at| at <= now) {
            self.announce(now, out);
        }
        if self.send_at <= now {
            self.say(now, self.word(), out);
        }
    }

    /// Remembers that the process was not run when it should have been.
    fn notice_lateness(&mut self, now: Duration, out: &mut Vec<Output>) {
        let late = now.saturating_sub(self.send_at.min(self.need_at));
        if late <= self.settings.keepalive / 2 || self.late {
            return;
        }
        self.late = true;
        out.push(Output::Log(Message::Late(late)));
    }

    /// After lateness: what the drained sockets said may be old, and silence may be ours. A standby listens for two
    /// more heartbeats before it takes the service, but only once for each silence.
    fn give_one_more_chance(&mut self, now: Duration) {
        if self.state != State::Standby || self.chance_given {
            return;
        }
        self.chance_given = true;
        let listen_until = now + self.settings.deadtime.min(2 * self.settings.keepalive);
        self.need_at =
            if std::mem::take(&mut self.takeover) { listen_until } else { self.need_at.max(listen_until) };
    }

    /// Says `word` to the partner at once. The rhythm of the periodic heartbeats is kept, but one that is due is
    /// hereby sent.
    fn say(&mut self, now: Duration, word: Word, out: &mut Vec<Output>) {
        self.say_with(now, word, self.note(), out);
    }

    fn say_with(&mut self, now: Duration, word: Word, note: Option<Note>, out: &mut Vec<Output>) {
        if self.send_at <= now {
            self.send_at = now + self.settings.keepalive;
        }
        if !self.speaks {
            return;
        }
        if !self.holding {
            self.said_stopped = true;
        }
        self.tell_control(word, out);
        out.push(Output::Log(Message::Sending));
        let datagram = Datagram::new(word, self.order, note);
        out.push(Output::Send { word, note, datagram });
    }

    /// The word for what this node does. It is RUNNING until the virtual addresses are down.
    const fn word(&self) -> Word {
        if self.holding {
            self.running_word()
        } else {
            self.settings.mode.stopped()
        }
    }

    /// Whether a standby is fit to serve.
    fn may_activate(&self) -> bool {
        self.state == State::Standby && !self.has_link_failure() && !self.has_child_failure()
    }

    /// When lvs may be tried again after it had ended here.
    fn retry_at(&self) -> Option<Duration> {
        let eligible = self.state == State::Standby && !self.has_link_failure();
        let failure = self.child_failure.filter(|_| eligible)?;
        failure.retry_at(self.partner, !self.speaks, self.settings.keepalive)
    }

    /// When a delayed announcement is due: two are at least half a keepalive apart, so that a flood of heartbeats
    /// does not become a flood of ARP.
    fn announce_at(&self) -> Option<Duration> {
        let last = self.announced_at.filter(|_| self.announce_due)?;
        Some(last + self.settings.keepalive / 2)
    }
}
