//! What the partner says, and what its silence says.

use super::{Election, Partner, State};
use crate::wire::{self, Note, Word};
use crate::{ActivateReason, DeactivateReason, Message, Mode, Output, Path, Role};
use std::time::Duration;

impl Election {
    /// Takes in a datagram from the partner. Every accepted word re-arms the dead timer, a rejected one does not.
    pub(super) fn datagram(&mut self, now: Duration, path: Path, payload: &[u8], out: &mut Vec<Output>) {
        let rejected = match wire::decode(payload) {
            Ok((word, order)) if self.settings.mode.accepts(word) => {
                self.order = order;
                if self.settings.private_path {
                    let told = self.paths.heard(now, path, self.settings.deadtime);
                    out.extend(told.into_iter().flatten().map(Output::Log));
                }
                self.accepted(now, path, word, out);
                return self.partner_heard(now, Note::read(payload), out);
            }
            Ok(_) | Err(wire::DecodeError::Unknown(_)) => Message::Incompatible,
            Err(wire::DecodeError::Short) => Message::BadHeartbeat,
        };
        out.push(Output::Log(rejected));
    }

    fn accepted(&mut self, now: Duration, path: Path, word: Word, out: &mut Vec<Output>) {
        out.push(Output::Log(Message::Received));
        self.need_at = now + self.settings.deadtime;
        self.chance_given = false;
        self.network_works(now, path, out);
        match word {
            Word::Running | Word::FosRunning | Word::StopMe => self.partner_running(now, word, out),
            Word::Stopped | Word::FosStopped => self.partner_stopped(now, out),
            Word::Hold | Word::Held => {
                if matches!(self.partner, Partner::Dead { .. }) {
                    self.partner = Partner::Unknown;
                }
            }
        }
    }

    fn partner_running(&mut self, now: Duration, word: Word, out: &mut Vec<Output>) {
        self.partner = Partner::Running;
        self.child_failure = None;
        self.takeover = false;
        if !self.is_active() {
            return;
        }
        match (self.settings.mode, self.settings.role) {
            (Mode::Fos, _) => self.services_overlap(now, word, out),
            // STOPME belongs to failover services. To an lvs pair it says no more than that the partner is active.
            (Mode::Lvs, Role::Backup) => self.yield_to_partner(now, out),
            (Mode::Lvs, Role::Master) if self.state == State::Active => self.resend(now, out),
            // A MASTER that is just coming up announces itself when it is.
            (Mode::Lvs, Role::Master) => {}
        }
    }

    pub(super) fn yield_to_partner(&mut self, now: Duration, out: &mut Vec<Output>) {
        out.push(Output::Log(Message::PartnerActiveYielding(self.settings.mode)));
        self.say(now, self.word(), out);
        self.deactivate(DeactivateReason::PartnerActive, out);
    }

    /// Both are active and this is the one that stays: makes the network and the partner know, at most twice per
    /// keepalive. The heartbeat goes out at once, so the overlap lasts a round trip instead of a keepalive.
    fn resend(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.resent_at.is_some_and(|last| now < last + self.settings.keepalive / 2) {
            return self.announce_soon(now, out);
        }
        self.resent_at = Some(now);
        out.push(Output::Log(Message::PartnerActiveResending));
        out.push(Output::RunActiveCommand);
        self.announce_soon(now, out);
        self.say(now, self.word(), out);
    }

    fn partner_stopped(&mut self, now: Duration, out: &mut Vec<Output>) {
        let before = self.partner;
        let since = if let Partner::Stopped { since } = before { since } else { now };
        self.partner = Partner::Stopped { since };
        self.failover.has_control();
        match self.state {
            State::Active if !matches!(before, Partner::Stopped { .. }) => self.announce_soon(now, out),
            State::Standby if self.may_activate() && self.believes_stopped(now, before) => {
                self.takeover = true
            }
            State::Standby | State::Activating | State::Active | State::Deactivating | State::Exited => {}
        }
    }

    /// Whether STOPPED can be taken at its word. The only doubt is a BACKUP's, in a tie: its own STOPPED may just be
    /// making the MASTER active. The same heartbeat on the other path, or a duplicate, is no confirmation.
    fn believes_stopped(&self, now: Duration, before: Partner) -> bool {
        match (self.settings.role, before) {
            (Role::Master, _) | (_, Partner::Running) => true,
            _ if !self.said_stopped => true,
            (_, Partner::Stopped { since }) => now >= since + self.settings.keepalive / 2,
            (_, Partner::Unknown | Partner::Dead { .. }) => false,
        }
    }

    /// Nothing was accepted for deadtime.
    pub(super) fn partner_silent(&mut self, now: Duration, out: &mut Vec<Output>) {
        self.need_at = now + self.settings.deadtime;
        self.failover.has_control();
        let before = self.partner;
        if !matches!(before, Partner::Dead { .. }) {
            self.partner = Partner::Dead { since: now };
            self.tell_retry(out);
        }
        if self.state == State::Active && before == Partner::Running {
            self.announce_soon(now, out);
        }
        if self.may_activate() {
            self.activate(now, ActivateReason::PartnerDead, out);
        }
    }
}
