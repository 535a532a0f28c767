//! Becoming active, ceasing to be, and what on this node makes it so.

use super::{Election, Partner, State};
use crate::backoff::ChildFailure;
use crate::{ActivateReason, ChildEnd, DeactivateReason, Ending, FosMessage, Message, Mode, Output, Path};
use std::time::Duration;

impl Election {
    pub(super) fn activate(&mut self, now: Duration, reason: ActivateReason, out: &mut Vec<Output>) {
        out.extend(self.reasons(reason).into_iter().map(Output::Log));
        self.begin_services(now, reason);
        self.state = State::Activating;
        self.holding = true;
        self.takeover = false;
        self.preparation_used();
        self.active_since = now;
        self.need_at = now + self.settings.deadtime;
        self.say(now, self.word(), out);
        out.push(Output::Activate(reason));
    }

    /// What the operator is told about an activation.
    fn reasons(&self, reason: ActivateReason) -> Vec<Message> {
        let mode = self.settings.mode;
        match reason {
            ActivateReason::Forced => vec![Message::ForcedActive(mode)],
            ActivateReason::PartnerInactive => vec![Message::PartnerInactive(self.settings.role, mode)],
            ActivateReason::PartnerDead | ActivateReason::Retry => vec![Message::PartnerDead(mode)],
            ActivateReason::RemoteFailure => {
                vec![Message::Fos(FosMessage::GatewaySeen), Message::Fos(FosMessage::FailingOver)]
            }
        }
    }

    /// The addresses are up. An `Activated` that a deactivation has overtaken means nothing.
    pub(super) fn activated(&mut self, out: &mut Vec<Output>) {
        if self.state != State::Activating {
            return;
        }
        self.state = State::Active;
        self.resent_at = None;
        self.announced_at = None;
        self.announce_due = false;
        out.push(Output::Announce);
    }

    pub(super) fn deactivate(&mut self, reason: DeactivateReason, out: &mut Vec<Output>) {
        self.state = State::Deactivating;
        self.takeover = false;
        self.preparation_used();
        self.announce_due = false;
        self.failover.end();
        out.push(Output::Deactivate(reason));
    }

    /// The addresses are down, and the partner hears of it at once: one that serves refreshes its announcements, one
    /// that waits takes over. If it stopped serving meanwhile, this node is the one to take over.
    pub(super) fn deactivated(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.state != State::Deactivating {
            return;
        }
        self.state = State::Standby;
        self.holding = false;
        if let Some(ending) = self.ending {
            self.say(now, self.word(), out);
            self.state = State::Exited;
            out.push(Output::Exit(ending));
        } else if matches!(self.partner, Partner::Stopped { .. }) && self.may_activate() {
            self.activate(now, ActivateReason::PartnerInactive, out);
        } else {
            self.say(now, self.word(), out);
            self.begin_standby(now, out);
        }
    }

    pub(super) fn links_lost(&mut self, now: Duration, down: (bool, bool), out: &mut Vec<Output>) {
        if !self.settings.backup_active {
            return;
        }
        if down == (false, false) {
            return self.links_restored(now, out);
        }
        let (had_failure, before) = (self.has_link_failure(), self.links_down);
        self.links_down = down;
        if down.0 && !before.0 {
            out.push(Output::Log(Message::LinkDown(Path::Public)));
        }
        if down.1 && !before.1 {
            out.push(Output::Log(Message::LinkDown(Path::Private)));
        }
        if !had_failure {
            out.push(Output::Log(Message::LinksFailed));
        }
        self.takeover = false;
        self.unprepare(out);
        if self.is_active() {
            out.push(Output::Log(Message::LinkFailureDeactivating(self.settings.mode)));
            self.deactivate(DeactivateReason::LinkFailure, out);
        }
    }

    /// The timers go on as they were. A STOPPED from before is not counted towards a tie: both nodes may have been
    /// barred, and both are fit again now.
    pub(super) fn links_restored(&mut self, now: Duration, out: &mut Vec<Output>) {
        if !self.has_link_failure() {
            return;
        }
        self.links_down = (false, false);
        if let Partner::Stopped { since } = &mut self.partner {
            *since = now;
        }
        out.push(Output::Log(Message::LinksRestored));
    }

    pub(super) fn child_ended(&mut self, now: Duration, pid: i32, end: ChildEnd, out: &mut Vec<Output>) {
        if self.settings.mode == Mode::Fos {
            return self.fos_ended(now, end, out);
        }
        if !self.is_active() {
            self.preparation_failed();
            return;
        }
        self.child_failure = Some(ChildFailure::after(self.child_failure, self.active_since, now));
        out.push(Output::Log(Message::ChildEnded(pid, end)));
        if !self.speaks || matches!(self.partner, Partner::Dead { .. }) {
            self.tell_retry(out);
        }
        self.deactivate(DeactivateReason::ChildEnded, out);
    }

    /// Tells the operator how long lvs is left alone after it ended here.
    pub(super) fn tell_retry(&self, out: &mut Vec<Output>) {
        if let Some(failure) = self.child_failure.filter(|failure| failure.barred) {
            out.push(Output::Log(Message::RetryAfter(failure.delay(self.settings.keepalive))));
        }
    }

    /// Nobody serves, so lvs is tried once more although it ended here.
    pub(super) fn retry(&mut self, now: Duration, out: &mut Vec<Output>) {
        if let Some(failure) = &mut self.child_failure {
            failure.barred = false;
        }
        self.activate(now, ActivateReason::Retry, out);
    }

    /// A standby is deactivated too: the runtime runs what a node runs on leaving.
    /// An active one first lets its partner get ready, unless it is told a second time.
    pub(super) fn terminate(&mut self, now: Duration, signal: i32, out: &mut Vec<Output>) {
        if self.ending.is_some() {
            if self.is_leaving() {
                self.leave(out);
            }
            return;
        }
        out.push(Output::Log(Message::Terminating(signal)));
        self.end(now, Ending::Asked, out);
    }

    /// This BACKUP has read that no backup is wanted. It leaves in the same way.
    pub(super) fn dismissed(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.ending.is_none() && self.state != State::Exited {
            out.push(Output::Log(Message::BackupNotWanted));
            self.end(now, Ending::NotWanted, out);
        }
    }

    fn end(&mut self, now: Duration, ending: Ending, out: &mut Vec<Output>) {
        self.ending = Some(ending);
        if self.state != State::Deactivating && !self.ask_partner_first(now, out) {
            self.deactivate(DeactivateReason::Terminating, out);
        }
    }

    pub(super) fn announce(&mut self, now: Duration, out: &mut Vec<Output>) {
        self.announced_at = Some(now);
        self.announce_due = false;
        out.push(Output::Announce);
    }

    /// Announces now, or when half a keepalive has passed since the last time.
    pub(super) fn announce_soon(&mut self, now: Duration, out: &mut Vec<Output>) {
        self.announce_due = true;
        if self.announced_at.is_none() || self.announce_at().is_some_and(|at| at <= now) {
            self.announce(now, out);
        }
    }
}
