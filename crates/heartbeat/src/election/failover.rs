//! What `service = fos` does differently: a standby monitors the partner's services and may take them from it.
//!
//! What is not listed is as in the [election](super) of virtual servers; better than the original is marked by a
//! star. Link down and the timers are the same, `active_cmd` and barring after a dead lvs do not exist.
//!
//! | state          | event                    | action                                                          |
//! |----------------|--------------------------|-----------------------------------------------------------------|
//! | start          |                          | monitors; a MASTER without a backup: activate                   |
//! | standby        | fos ended by itself      | ask the gateway (with a link down it is this node's fault\*)    |
//! | standby        | fos crashed              | monitors again, with back-off\*                                 |
//! | just yielded   | service never answered   | monitors again, with back-off: the partner starts it\*          |
//! | asking         | gateway answers          | activate and want control: say STOPME, at once\*                |
//! | asking         | it does not              | network fault: no monitors                                      |
//! | network fault  | heartbeat, public path   | monitors again, with back-off\*                                 |
//! | active         | fos ended                | start it again, from the second time on with back-off\*         |
//! | active MASTER  | RUNNING                  | stay, say RUNNING at once\*, announce when the overlap is over\* |
//! | active MASTER  | STOPME                   | deactivate                                                      |
//! | active BACKUP  | RUNNING, wants control   | stay, say STOPME at once                                        |
//! | wants control  | STOPPED, deadtime        | from now on say RUNNING                                         |
//! | active         | deactivated              | monitors                                                        |

use super::{Election, State};
use crate::backoff::ChildFailure;
use crate::wire::Word;
use crate::{
    ActivateReason, ChildEnd, DeactivateReason, FosMessage, Message, Mode, Output, Path, Role, NEVER_ANSWERED,
};
use std::time::Duration;

/// How long the partner's services may take to start when it has taken them from this node: as long as fos gives a
/// `start_cmd`. Otherwise two nodes with services that start slowly would take them from each other for ever.
const START_PATIENCE: Duration = Duration::from_secs(60);

const OK: ChildEnd = ChildEnd::Exited(0);
const NEVER: ChildEnd = ChildEnd::Exited(NEVER_ANSWERED as i32);

/// What an election of failover services knows beside the common things.
#[derive(Debug, Clone, Default)]
pub(super) struct Failover {
    /// The partner shall leave the services to this node, because they do not answer there ("FAILPARTNER").
    wants_control: bool,
    /// The operator was told so.
    told: bool,
    /// The gateway is being asked.
    asking: bool,
    /// It has answered; the services are taken once the sockets are drained.
    gateway_seen: bool,
    /// Neither the partner's services nor the gateway answer ("NETFAULT").
    network_fault: bool,
    /// When fos was last started, and how it ended since the last change of state.
    started: Duration,
    ended: Option<ChildFailure>,
    /// When fos may be started again. A timer, but for a network fault: there a heartbeat must come first.
    restart_at: Option<Duration>,
    /// Until then the partner may still be starting what this node has just left.
    partner_starts_until: Duration,
}

impl Failover {
    /// A change of state: fos is started anew, for something else.
    pub(super) fn begin(&mut self, now: Duration) {
        *self = Self { started: now, ..Self::default() };
    }

    /// fos is asked to end.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// The partner has left, or is dead.
    pub(super) fn has_control(&mut self) {
        (self.wants_control, self.told) = (false, false);
    }

    /// The timers of [`Election::next_deadline`].
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        if self.gateway_seen {
            return Some(Duration::ZERO);
        }
        self.restart_at.filter(|_| !self.network_fault)
    }
}

impl Election {
    /// The first thing that a node with failover services does, unless it is forced to be active.
    pub(super) fn begin_failover(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.settings.role == Role::Master && !self.settings.backup_active {
            out.push(Output::Log(Message::Fos(FosMessage::NoBackup)));
            return self.activate(now, ActivateReason::Forced, out);
        }
        out.push(Output::Log(Message::Fos(FosMessage::StartingMonitors)));
        self.start_monitors(now, out);
    }

    pub(super) fn start_monitors(&mut self, now: Duration, out: &mut Vec<Output>) {
        self.failover.started = now;
        self.failover.restart_at = None;
        out.push(Output::StartMonitors);
    }

    /// The word of an active node: STOPME as long as it wants control.
    pub(super) const fn running_word(&self) -> Word {
        if self.failover.wants_control {
            Word::StopMe
        } else {
            self.settings.mode.running()
        }
    }

    /// Tells the operator when the first STOPME goes out.
    pub(super) fn tell_control(&mut self, word: Word, out: &mut Vec<Output>) {
        if word == Word::StopMe && !std::mem::replace(&mut self.failover.told, true) {
            out.push(Output::Log(Message::Fos(FosMessage::TakingControl)));
        }
    }

    /// Any word from the partner on the public path ends a network fault, when fos may be started again.
    pub(super) fn network_works(&mut self, now: Duration, path: Path, out: &mut Vec<Output>) {
        let due = self.failover.restart_at.is_none_or(|at| at <= now);
        if !self.failover.network_fault || path != Path::Public || !due {
            return;
        }
        self.failover.network_fault = false;
        out.push(Output::Log(Message::Fos(FosMessage::NetworkFaultFixed)));
        self.start_monitors(now, out);
    }

    /// RUNNING or STOPME came to an active node with failover services.
    pub(super) fn services_overlap(&mut self, now: Duration, word: Word, out: &mut Vec<Output>) {
        match self.settings.role {
            Role::Master if word == Word::StopMe => {
                out.push(Output::Log(Message::Fos(FosMessage::ToldToStop)));
                self.deactivate(DeactivateReason::PartnerActive, out);
            }
            Role::Master => self.insist(now, FosMessage::PartnerActive, out),
            Role::Backup if self.failover.wants_control => self.insist(now, FosMessage::WantControl, out),
            Role::Backup => self.yield_to_partner(now, out),
        }
    }

    /// This is the node that stays: makes the partner know at once, at most twice per keepalive.
    fn insist(&mut self, now: Duration, message: FosMessage, out: &mut Vec<Output>) {
        if self.resent_at.is_some_and(|last| now < last + self.settings.keepalive / 2) {
            return;
        }
        self.resent_at = Some(now);
        out.push(Output::Log(Message::Fos(message)));
        self.say(now, self.word(), out);
    }

    /// fos ended although nobody asked it to.
    pub(super) fn fos_ended(&mut self, now: Duration, end: ChildEnd, out: &mut Vec<Output>) {
        let failure = ChildFailure::after(self.failover.ended, self.failover.started, now);
        match self.state {
            State::Activating | State::Active => {
                self.failover.ended = Some(failure);
                self.services_ended(now, failure, out);
            }
            State::Standby => {
                self.failover.ended = Some(failure);
                self.monitors_ended(now, end, failure, out);
            }
            State::Deactivating | State::Exited => {}
        }
    }

    fn services_ended(&mut self, now: Duration, failure: ChildFailure, out: &mut Vec<Output>) {
        out.push(Output::Log(Message::Fos(FosMessage::Restarting)));
        if failure.is_first() {
            self.start_fos_again(now, out);
        } else {
            self.start_fos_later(now, failure, out);
        }
    }

    /// fos ends with one of two statuses when a monitor ended, which says that a service does not answer.
    fn monitors_ended(&mut self, now: Duration, end: ChildEnd, failure: ChildFailure, out: &mut Vec<Output>) {
        let not_yet = end == NEVER && now < self.failover.partner_starts_until;
        if not_yet || (end != OK && end != NEVER) {
            let why = if not_yet { FosMessage::NotAnsweredYet } else { FosMessage::MonitorsFailed(end) };
            out.push(Output::Log(Message::Fos(why)));
            return self.start_fos_later(now, failure, out);
        }
        out.push(Output::Log(Message::Fos(FosMessage::CheckingNetwork)));
        if self.has_link_failure() {
            return self.network_fault(now, out);
        }
        self.failover.asking = true;
        out.push(Output::CheckGateway);
    }

    fn start_fos_later(&mut self, now: Duration, failure: ChildFailure, out: &mut Vec<Output>) {
        let delay = failure.delay(self.settings.keepalive);
        self.failover.restart_at = Some(now + delay);
        out.push(Output::Log(Message::Fos(FosMessage::RestartAfter(delay))));
    }

    fn start_fos_again(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.state == State::Standby {
            return self.start_monitors(now, out);
        }
        self.failover.started = now;
        self.failover.restart_at = None;
        out.push(Output::StartServices);
    }

    /// The answer to [`Output::CheckGateway`]; late ones mean nothing.
    pub(super) fn gateway_answered(&mut self, now: Duration, answered: bool, out: &mut Vec<Output>) {
        if !std::mem::take(&mut self.failover.asking) {
            return;
        }
        if answered && self.may_activate() {
            self.failover.gateway_seen = true;
        } else {
            self.network_fault(now, out);
        }
    }

    fn network_fault(&mut self, now: Duration, out: &mut Vec<Output>) {
        let delay =
            self.failover.ended.map_or(Duration::ZERO, |failure| failure.delay(self.settings.keepalive));
        self.failover.network_fault = true;
        self.failover.restart_at = Some(now + delay);
        for message in [FosMessage::GatewayUnavailable, FosMessage::NetworkFault] {
            out.push(Output::Log(Message::Fos(message)));
        }
    }

    /// Serves the deadlines of failover services.
    pub(super) fn failover_deadline(&mut self, now: Duration, out: &mut Vec<Output>) {
        if std::mem::take(&mut self.failover.gateway_seen) {
            if self.may_activate() {
                self.activate(now, ActivateReason::RemoteFailure, out);
            } else {
                self.network_fault(now, out);
            }
        }
        if self.failover.next_deadline().is_some_and(|at| at <= now) {
            self.start_fos_again(now, out);
        }
    }

    /// Called when an activation begins: from now on fos is there for the services.
    pub(super) fn begin_services(&mut self, now: Duration, reason: ActivateReason) {
        self.failover.begin(now);
        self.failover.wants_control = reason == ActivateReason::RemoteFailure;
    }

    /// Called when a node has become a standby.
    pub(super) fn begin_standby(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.settings.mode == Mode::Fos {
            self.failover.begin(now);
            self.failover.partner_starts_until = now + START_PATIENCE;
            self.start_monitors(now, out);
        }
    }
}
