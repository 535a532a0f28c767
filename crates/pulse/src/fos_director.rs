//! What a node with failover services does as the active one and as a standby.
//!
//! ```text
//!  active    end fos ──▶ addresses up    ──▶ fos --active     (they come up while the services start)
//!  standby   end fos ──▶ addresses down  ──▶ fos --monitor
//!  leaving   end fos ──▶ addresses down
//! ```
//!
//! fos may take its time to end, for it stops the services. Heartbeats go on meanwhile, and the election hears
//! of a change when it is complete.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use heartbeat::{ChildEnd, Input, Mode, Output};
use lvs_cf::Config;
use system::child::{Exit, Pid};
use system::command_limit;
use system::gateway::{self, Check};
use system::vip::Addresses;

use crate::effects::{Answers, Effects};
use crate::fos::{Ended, Fos, Program, Task};
use crate::runtime;
use crate::vips::Vips;

/// What a fos without commands to run may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The effects of being active or not with `service = fos`.
pub struct FosDirector {
    config: Config,
    vips: Vips,
    fos: Fos,
    /// What fos is to do.
    goal: Option<Task>,
    /// What the election waits for, until the goal is reached.
    owed: Option<Input<'static>>,
    /// No fos runs and the addresses have been moved: what is left to do once those to be withdrawn are gone.
    moved: bool,
    gateway: Option<Check>,
}

impl FosDirector {
    /// A node that does nothing yet.
    pub fn new(config: Config, addresses: Addresses, fos: Program) -> Self {
        let (vips, fos) = (Vips::new(addresses, Mode::Fos), Fos::new(fos));
        Self { config, vips, fos, goal: None, owed: None, moved: false, gateway: None }
    }

    /// Sets a goal and goes for it.
    fn aim(
        &mut self,
        now: Duration,
        goal: Option<Task>,
        owed: Option<Input<'static>>,
        answers: &mut Answers,
    ) {
        self.goal = goal;
        self.owed = owed;
        self.gateway = None;
        self.moved = false;
        self.step(now, answers);
    }

    /// Goes on towards the goal, as far as that is possible now.
    fn step(&mut self, now: Duration, answers: &mut Answers) {
        if self.fos.does(self.goal) {
            return answers.extend(self.owed.take());
        }
        if self.fos.is_present() {
            return self.fos.stop(now, self.fos_patience());
        }
        if self.goal == Some(Task::Services) {
            self.vips.raise(now, &self.config);
        } else {
            self.vips.withdraw(now, &self.config);
        }
        self.moved = true;
        self.conclude(answers);
    }

    /// The partner takes over when it hears that this node is not active: not while both would answer for an address.
    fn conclude(&mut self, answers: &mut Answers) {
        if !self.moved || self.vips.linger() {
            return;
        }
        self.moved = false;
        answers.extend(self.owed.take());
        if let Some(Err(error)) = self.goal.map(|task| self.fos.start(task)) {
            log::info!("cannot start fos: {error}");
            answers.push(Input::ChildEnded { pid: 0, end: ChildEnd::Exited(255) });
        }
    }

    /// How long fos may take to end: a `stop_cmd` for each service, and the one that may be running.
    fn fos_patience(&self) -> Duration {
        let commands = self.config.failovers.iter().filter(|service| service.active).count() + 1;
        let each = command_limit::get() + command_limit::GRACE;
        each.saturating_mul(u32::try_from(commands).unwrap_or(u32::MAX)).saturating_add(PATIENCE)
    }

    fn check_gateway(&mut self, now: Duration, answers: &mut Answers) {
        let check =
            gateway::find().and_then(|found| found.map(|address| Check::start(address, now)).transpose());
        match check {
            Ok(Some(check)) => self.gateway = Some(check),
            Ok(None) => answers.push(Input::GatewayAnswered(false)),
            Err(error) => {
                log::info!("cannot ask the gateway: {error}");
                answers.push(Input::GatewayAnswered(false));
            }
        }
    }
}

impl Effects for FosDirector {
    /// Virtual addresses that a killed predecessor left are withdrawn.
    fn begin(&mut self, now: Duration, _at_once: bool) {
        self.vips.withdraw(now, &self.config);
    }

    fn perform(&mut self, now: Duration, output: &Output, answers: &mut Answers) {
        match output {
            Output::Activate(_) => self.aim(now, Some(Task::Services), Some(Input::Activated), answers),
            Output::Deactivate(_) => {
                self.vips.fall_silent();
                self.aim(now, None, Some(Input::Deactivated), answers);
            }
            Output::StartMonitors => self.aim(now, Some(Task::Monitors), None, answers),
            Output::StartServices => self.aim(now, Some(Task::Services), None, answers),
            Output::CheckGateway => self.check_gateway(now, answers),
            Output::Announce => self.vips.announce(now),
            // The runtime's, and those of `service = lvs`.
            Output::Send { .. } | Output::Log(_) | Output::Exit(_) => {}
            Output::Prepare | Output::Unprepare | Output::RunActiveCommand => {}
        }
    }

    fn child_ended(&mut self, now: Duration, pid: Pid, exit: Exit, answers: &mut Answers) -> bool {
        match self.fos.ended(pid) {
            Ended::Stranger => return false,
            Ended::Expected => self.step(now, answers),
            Ended::Unexpected => {
                answers.push(Input::ChildEnded { pid: pid.as_raw(), end: runtime::end(exit) })
            }
        }
        true
    }

    /// When anything about the services differs, fos is ended and started again: it reads the file at its start.
    fn reload(&mut self, now: Duration, config: Option<Config>) {
        let Some(config) = config else { return };
        let old = std::mem::replace(&mut self.config, config);
        if self.goal == Some(Task::Services) {
            self.vips.follow(now, &self.config);
        }
        if old.failovers != self.config.failovers {
            self.fos.stop(now, self.fos_patience());
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.gateway.iter().map(Check::fd).collect()
    }

    fn next_deadline(&self) -> Option<Duration> {
        let gateway = self.gateway.as_ref().map(Check::next_deadline);
        [self.vips.next_deadline(), self.fos.next_deadline(), gateway].into_iter().flatten().min()
    }

    fn proceed(&mut self, now: Duration, _readable: bool, answers: &mut Answers) {
        self.vips.proceed(now);
        self.conclude(answers);
        self.fos.proceed(now);
        if let Some(answered) = self.gateway.as_mut().and_then(|check| check.proceed(now)) {
            self.gateway = None;
            answers.push(Input::GatewayAnswered(answered));
        }
    }

    fn vips(&mut self) -> &mut Vips {
        &mut self.vips
    }

    fn is_busy(&self) -> bool {
        self.fos.is_present()
    }

    fn patience(&self) -> Duration {
        self.fos_patience() + PATIENCE
    }
}
