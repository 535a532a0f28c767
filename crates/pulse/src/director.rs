//! What makes this node the active director, and what undoes it: virtual addresses, announcements, lvs, the
//! sync daemon's role and the site's hooks.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use heartbeat::{ChildEnd, DeactivateReason, Input, Mode, Output};
use ipvs::SyncRole;
use lvs_cf::Config;
use system::child::{Exit, Pid};
use system::services;
use system::vip::Addresses;

use crate::controller::{Controller, Ended, Program};
use crate::effects::{Answers, Effects};
use crate::hooks;
use crate::runtime;
use crate::sync::Sync;
use crate::vips::Vips;

/// The effects of being active or not with `service = lvs`.
pub struct Director {
    config: Config,
    vips: Vips,
    lvs: Controller,
    sync: Sync,
    active: bool,
    /// The election has yet to hear that this node is not active: some addresses are still here.
    leaving: bool,
    /// The sync daemon has yet to hear that this node is active: the announcements go first.
    sync_due: bool,
    /// An lvs that did not end as it should may have left services in the table.
    abandoned: Option<Abandoned>,
}

/// Services in the table that nobody keeps.
struct Abandoned {
    /// When they are taken out, if that is possible then.
    due: Duration,
    /// The pause if it fails; the next one is twice as long.
    pause: Duration,
}

impl Abandoned {
    fn since(now: Duration) -> Self {
        Self { due: now, pause: CLEAR_PAUSE }
    }

    /// After a failure.
    fn later(&self, now: Duration) -> Self {
        Self { due: now + self.pause, pause: CLEAR_LIMIT.min(self.pause * 2) }
    }
}

/// A partner that gets ready, addresses that linger, an lvs that has to be killed, and three calls of a program in
/// ipvsadm's place that hangs: less than this altogether.
const END_LIMIT: Duration = Duration::from_secs(60);

/// The first and the longest pause between tries to clear the table.
const CLEAR_PAUSE: Duration = Duration::from_secs(1);
const CLEAR_LIMIT: Duration = Duration::from_secs(60);

impl Director {
    /// A node that is not active.
    pub fn new(config: Config, addresses: Addresses, lvs: Program) -> Self {
        let (vips, lvs) = (Vips::new(addresses, Mode::Lvs), Controller::new(lvs));
        Self {
            config,
            vips,
            lvs,
            sync: Sync::new(),
            active: false,
            leaving: false,
            sync_due: false,
            abandoned: None,
        }
    }

    /// Becomes active. lvs starts first: while it fills the table, the addresses come up.
    fn activate(&mut self, now: Duration) -> io::Result<()> {
        hooks::run(self.config.active_cmd.as_ref());
        let lvs = self.lvs.start();
        self.active = true;
        self.vips.raise(now, &self.config);
        self.sync_due = true;
        lvs
    }

    /// Stops being active. The addresses go first and at once; lvs takes the table down on its own time.
    fn deactivate(&mut self, now: Duration, reason: DeactivateReason) {
        self.vips.fall_silent();
        self.sync_due = false;
        if std::mem::take(&mut self.active) {
            self.vips.withdraw(now, &self.config);
        }
        self.lvs.stop(now);
        self.clear_table(now);
        hooks::run(self.config.inactive_cmd.as_ref());
        match reason {
            DeactivateReason::Terminating => self.sync.stop(now, &self.config),
            _ => self.sync.set_role(now, &self.config, SyncRole::Backup),
        }
    }

    /// The partner takes over when it hears of this: not while both would answer for an address.
    fn leave(&mut self, answers: &mut Answers) {
        if self.leaving && !self.vips.linger() {
            self.leaving = false;
            answers.push(Input::Deactivated);
        }
    }

    /// Services that a killed lvs has left go once the addresses are down; an lvs of our own, or the next one, knows
    /// what to do with what it finds. What cannot be taken out now is tried again.
    fn clear_table(&mut self, now: Duration) {
        if self.clear_at().is_none_or(|due| now < due) {
            return;
        }
        let failures = services::withdraw(&self.config, false);
        for failure in &failures {
            log::info!("{failure}");
        }
        let tried = self.abandoned.take();
        self.abandoned = tried.filter(|_| !failures.is_empty()).map(|tried| tried.later(now));
    }

    fn clear_at(&self) -> Option<Duration> {
        let nobody = !self.active && !self.lvs.is_present();
        self.abandoned.as_ref().filter(|_| nobody).map(|abandoned| abandoned.due)
    }
}

impl Effects for Director {
    /// Virtual addresses that a killed predecessor left are withdrawn, and services unless they are needed at once;
    /// the site and the sync daemon hear that this node is not active.
    fn begin(&mut self, now: Duration, at_once: bool) {
        self.vips.withdraw(now, &self.config);
        self.abandoned = (!at_once).then(|| Abandoned::since(now));
        self.clear_table(now);
        hooks::run(self.config.inactive_cmd.as_ref());
        self.sync.set_role(now, &self.config, SyncRole::Backup);
    }

    fn perform(&mut self, now: Duration, output: &Output, answers: &mut Answers) {
        match output {
            Output::Activate(_) => {
                let lvs = self.activate(now);
                answers.push(Input::Activated);
                if let Err(error) = lvs {
                    answers.push(not_started(&error));
                }
            }
            Output::Deactivate(reason) => {
                self.deactivate(now, *reason);
                self.leaving = true;
                self.leave(answers);
            }
            // lvs fills the table while the addresses are still elsewhere.
            Output::Prepare => {
                if let Err(error) = self.lvs.start() {
                    answers.push(not_started(&error));
                }
            }
            Output::Unprepare => self.lvs.stop(now),
            Output::Announce => {
                self.vips.announce(now);
                if std::mem::take(&mut self.sync_due) {
                    self.sync.set_role(now, &self.config, SyncRole::Master);
                }
            }
            Output::RunActiveCommand => hooks::run(self.config.active_cmd.as_ref()),
            // The runtime's, and those of `service = fos`.
            Output::Send { .. } | Output::Log(_) | Output::Exit(_) => {}
            Output::StartMonitors | Output::StartServices | Output::CheckGateway => {}
        }
    }

    fn child_ended(&mut self, now: Duration, pid: Pid, exit: Exit, answers: &mut Answers) -> bool {
        match self.lvs.ended(pid) {
            Ok(Ended::Stranger) => return self.sync.child_ended(now, pid, exit),
            // It may have been killed before it heard that it should end.
            Ok(Ended::Expected) if !exit.success() => {
                self.abandoned = Some(Abandoned::since(now));
                self.clear_table(now);
            }
            Ok(Ended::Expected) => {}
            Ok(Ended::Unexpected) => {
                self.abandoned = Some(Abandoned::since(now));
                self.clear_table(now);
                answers.push(Input::ChildEnded { pid: pid.as_raw(), end: runtime::end(exit) })
            }
            Err(error) => answers.push(not_started(&error)),
        }
        true
    }

    /// An active node's addresses follow a new file. lvs reads it too, and says of one that it cannot use so in its
    /// own words, so it hears of every HUP.
    fn reload(&mut self, now: Duration, config: Option<Config>) {
        if let Some(config) = config {
            let before = std::mem::replace(&mut self.config, config);
            if self.active {
                self.vips.follow(now, &self.config);
            }
            self.sync.reload(now, &before, &self.config);
        }
        self.lvs.reload();
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.lvs.ready_descriptor().into_iter().chain(self.sync.descriptor()).collect()
    }

    fn next_deadline(&self) -> Option<Duration> {
        let sync = self.sync.next_deadline();
        [self.vips.next_deadline(), self.lvs.next_deadline(), sync, self.clear_at()]
            .into_iter()
            .flatten()
            .min()
    }

    fn proceed(&mut self, now: Duration, readable: bool, answers: &mut Answers) {
        self.vips.proceed(now);
        self.leave(answers);
        self.lvs.proceed(now);
        self.sync.proceed(now);
        self.clear_table(now);
        if readable && self.lvs.take_ready() {
            answers.push(Input::Prepared);
        }
    }

    fn vips(&mut self) -> &mut Vips {
        &mut self.vips
    }

    fn is_busy(&self) -> bool {
        self.lvs.is_present() || self.sync.is_busy()
    }

    fn patience(&self) -> Duration {
        END_LIMIT
    }
}

/// The original saw a failed exec as a child with status 255.
fn not_started(error: &io::Error) -> Input<'static> {
    log::info!("cannot start lvs: {error}");
    Input::ChildEnded { pid: 0, end: ChildEnd::Exited(255) }
}
