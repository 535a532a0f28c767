//! A takeover without a gap: lvs is started on the standby before the addresses are needed there.
//!
//! Not in the original, and invisible to one. Two occasions:
//!
//! * **The partner falls silent.** Shortly before deadtime is over, when at least one heartbeat is overdue, the
//!   standby has lvs fill the table. A word from the partner calls it off.
//! * **The partner leaves.** An active node that is told to end goes on serving and says so in a [`Note`] behind its
//!   RUNNING. A partner of the same kind answers with STOPPED and [`Note::Preparing`] at once, and with
//!   [`Note::Ready`] when its table is filled; only then do the addresses move. An original ignores the note and
//!   answers nothing, and the node leaves without further ado.
//!
//! ```text
//!   leaving, active                        standby
//!        RUNNING + leaving    ------------>  starts lvs
//!        waits                <------------  STOPPED + preparing
//!        addresses down       <------------  STOPPED + ready
//!        STOPPED, exit        ------------>  addresses up, RUNNING
//! ```

use super::{Election, Partner, State};
use crate::wire::Note;
use crate::{DeactivateReason, Mode, Output};
use std::time::Duration;

/// How long before the end of deadtime lvs is started.
const LEAD: Duration = Duration::from_millis(500);

/// How long a leaving node waits for a partner that does not say that it prepares.
const UNHEARD: Duration = Duration::from_millis(250);

/// How long it waits for one that does.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is going on of a handover.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Handover {
    preparation: Option<Preparation>,
    /// One preparation for each silence: it is not repeated when lvs fails.
    spent: bool,
    /// This active node was told to end, and leaves at this time at the latest.
    leave_at: Option<Duration>,
    /// Its partner has said that it prepares.
    heard: bool,
}

/// lvs runs, or is being started, on this standby.
#[derive(Debug, Clone, Copy)]
struct Preparation {
    ready: bool,
    /// The partner said that it leaves; it is given up when it does not do so until then.
    leaving_until: Option<Duration>,
}

impl Election {
    /// When something here is due.
    pub(super) fn handover_at(&self) -> Option<Duration> {
        let given_up = self.handover.preparation.and_then(|preparation| preparation.leaving_until);
        [self.prepare_at(), given_up, self.handover.leave_at].into_iter().flatten().min()
    }

    /// When a silent partner is reason enough to start lvs. A heartbeat must be overdue by then.
    fn prepare_at(&self) -> Option<Duration> {
        let (settings, handover) = (&self.settings, &self.handover);
        if !self.may_prepare() || handover.spent || handover.preparation.is_some() {
            return None;
        }
        let overdue = self.need_at.saturating_sub(settings.deadtime) + settings.keepalive * 5 / 4;
        let at = self.need_at.saturating_sub(LEAD).max(overdue);
        (at < self.need_at).then_some(at)
    }

    fn may_prepare(&self) -> bool {
        self.settings.prepare && self.settings.mode == Mode::Lvs && self.may_activate()
    }

    /// Serves what is due here, after any activation.
    pub(super) fn handover_deadline(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.prepare_at().is_some_and(|at| at <= now) {
            self.prepare(None, out);
        }
        let given_up = self.handover.preparation.and_then(|preparation| preparation.leaving_until);
        if given_up.is_some_and(|at| at <= now) {
            self.unprepare(out);
        }
        if self.handover.leave_at.is_some_and(|at| at <= now) {
            self.leave(out);
        }
    }

    fn prepare(&mut self, leaving_until: Option<Duration>, out: &mut Vec<Output>) {
        self.handover.spent = true;
        self.handover.preparation = Some(Preparation { ready: false, leaving_until });
        out.push(Output::Prepare);
    }

    /// Calls a preparation off. Nothing happens when there is none.
    pub(super) fn unprepare(&mut self, out: &mut Vec<Output>) {
        if self.handover.preparation.take().is_some() {
            out.push(Output::Unprepare);
        }
    }

    /// An activation takes over what was prepared.
    pub(super) fn preparation_used(&mut self) {
        self.handover.preparation = None;
    }

    /// lvs has filled the table.
    pub(super) fn prepared(&mut self, now: Duration, out: &mut Vec<Output>) {
        let Some(preparation) = &mut self.handover.preparation else { return };
        preparation.ready = true;
        if preparation.leaving_until.is_some() {
            self.say_with(now, self.word(), Some(Note::Ready), out);
        }
    }

    /// lvs ended while it prepared: it is tried again when the service is needed.
    pub(super) fn preparation_failed(&mut self) {
        self.handover.preparation = None;
    }

    /// The partner was heard. RUNNING without a note calls a preparation off.
    pub(super) fn partner_heard(&mut self, now: Duration, note: Option<Note>, out: &mut Vec<Output>) {
        self.handover.spent = false;
        match note {
            Some(Note::Leaving) => self.partner_leaves(now, out),
            // A second "preparing" does not prolong the wait.
            Some(Note::Preparing) if self.is_leaving() && !self.handover.heard => {
                self.handover.heard = true;
                self.handover.leave_at = Some(now + PATIENCE);
            }
            Some(Note::Ready) if self.is_leaving() => self.leave(out),
            _ if self.partner == Partner::Running => self.unprepare(out),
            _ => {}
        }
    }

    fn partner_leaves(&mut self, now: Duration, out: &mut Vec<Output>) {
        if !self.may_prepare() {
            return;
        }
        let leaving_until = Some(now + PATIENCE + self.settings.keepalive);
        let note = match &mut self.handover.preparation {
            // The same word again: on the other path, or with the next heartbeat.
            Some(Preparation { leaving_until: Some(_), .. }) => return,
            Some(preparation) => {
                preparation.leaving_until = leaving_until;
                if preparation.ready {
                    Note::Ready
                } else {
                    Note::Preparing
                }
            }
            None => {
                self.prepare(leaving_until, out);
                Note::Preparing
            }
        };
        self.say_with(now, self.word(), Some(note), out);
    }

    /// An active node was told to end. True when it waits for its partner; it goes on serving meanwhile.
    pub(super) fn ask_partner_first(&mut self, now: Duration, out: &mut Vec<Output>) -> bool {
        // One that has just started may not have said its first word.
        let may_wait = matches!(self.partner, Partner::Stopped { .. } | Partner::Unknown);
        let partner_waits = may_wait && self.speaks;
        if self.state != State::Active || self.settings.mode != Mode::Lvs || !partner_waits {
            return false;
        }
        self.handover.leave_at = Some(now + UNHEARD);
        self.handover.heard = false;
        self.say(now, self.word(), out);
        true
    }

    /// What goes with every heartbeat of a leaving node, should the first have been lost.
    pub(super) const fn note(&self) -> Option<Note> {
        if self.handover.leave_at.is_some() {
            Some(Note::Leaving)
        } else {
            None
        }
    }

    pub(super) fn leave(&mut self, out: &mut Vec<Output>) {
        self.handover.leave_at = None;
        if self.is_active() {
            self.deactivate(DeactivateReason::Terminating, out);
        }
    }

    /// Whether this node serves only until its partner is ready.
    pub(super) const fn is_leaving(&self) -> bool {
        self.handover.leave_at.is_some()
    }
}
