//! What makes this node the active director, and what undoes it: virtual addresses, announcements, lvs, the
//! sync daemon's role and the site's hooks.

use std::net::Ipv4Addr;
use std::time::Duration;

use lvs_cf::Config;
use system::vip::{self, Addresses, VirtualAddress};

use crate::arp::Announcements;
use crate::controller::{Controller, Program};
use crate::hooks;
use crate::sync;
use crate::watch::Survey;

/// At most so often are addresses raised again that somebody else takes down.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// The effects of being active or not.
pub struct Director {
    config: Config,
    addresses: Addresses,
    announcements: Announcements,
    lvs: Controller,
    active: bool,
    /// Virtual addresses that somebody else took down are raised again at this time.
    restore_at: Option<Duration>,
    restored: Option<Duration>,
}

impl Director {
    /// A node that is not active.
    pub fn new(config: Config, addresses: Addresses, lvs: Program) -> Self {
        let (announcements, lvs) = (Announcements::new(), Controller::new(lvs));
        Self { config, addresses, announcements, lvs, active: false, restore_at: None, restored: None }
    }

    /// What a node does before it knows of its partner: virtual addresses that a killed predecessor left are
    /// withdrawn, and the site and the sync daemon hear that it is not active.
    pub fn begin(&mut self) {
        self.settle(&[], &vip::wanted(&self.config));
        hooks::run(self.config.inactive_cmd.as_ref());
        sync::set_role(&self.config, sync::Role::Backup);
    }

    /// Has lvs fill the table while the addresses are still elsewhere.
    ///
    /// # Errors
    ///
    /// Those of starting a program.
    pub fn prepare(&mut self) -> std::io::Result<()> {
        self.lvs.start()
    }

    /// Calls that off.
    pub fn unprepare(&mut self, now: Duration) {
        self.lvs.stop(now);
    }

    /// Becomes active. lvs starts first: while it fills the table, the addresses come up.
    ///
    /// # Errors
    ///
    /// lvs cannot be started; the addresses are up all the same.
    pub fn activate(&mut self, now: Duration) -> std::io::Result<()> {
        hooks::run(self.config.active_cmd.as_ref());
        let lvs = self.lvs.start();
        self.active = true;
        let wanted = vip::wanted(&self.config);
        self.settle(&wanted, &wanted);
        self.announce(now);
        sync::set_role(&self.config, sync::Role::Master);
        lvs
    }

    /// Stops being active. The addresses go first and at once; lvs takes the table down on its own time.
    pub fn deactivate(&mut self, now: Duration) {
        self.announcements.cancel();
        self.restore_at = None;
        if std::mem::take(&mut self.active) {
            self.settle(&[], &vip::wanted(&self.config));
        }
        self.lvs.stop(now);
        hooks::run(self.config.inactive_cmd.as_ref());
        sync::set_role(&self.config, sync::Role::Backup);
    }

    /// Announces all virtual addresses again, from the first round.
    pub fn announce(&mut self, now: Duration) {
        match self.addresses.survey() {
            Ok((links, _)) => self.announcements.start(now, &vip::wanted(&self.config), &links),
            Err(error) => log::info!("cannot list the links: {error}"),
        }
    }

    /// The links and addresses of this node.
    ///
    /// # Errors
    ///
    /// Those of the netlink socket.
    pub fn survey(&mut self) -> std::io::Result<Survey> {
        self.addresses.survey()
    }

    /// Addresses have vanished from this node. Virtual ones of an active node are raised again, but not more
    /// often than once a second: whoever takes them down may be as stubborn.
    pub fn addresses_gone(&mut self, gone: &[Ipv4Addr], missed: bool, now: Duration) {
        if !self.active || self.restore_at.is_some() || (gone.is_empty() && !missed) {
            return;
        }
        let ours = vip::wanted(&self.config);
        if missed || ours.iter().any(|vip| gone.contains(&vip.address)) {
            let soonest = self.restored.map_or(now, |last| last + RESTORE_PAUSE);
            self.restore_at = Some(now.max(soonest));
        }
    }

    fn restore(&mut self, now: Duration) {
        self.restore_at = None;
        let wanted = vip::wanted(&self.config);
        let held = match self.addresses.survey() {
            Ok((_, held)) => held,
            Err(error) => return log::info!("cannot list the addresses: {error}"),
        };
        let lost = wanted.iter().filter(|vip| !held.iter().any(|held| held.address == vip.address)).count();
        if lost == 0 {
            return;
        }
        self.restored = Some(now);
        log::info!("{lost} virtual addresses were removed by somebody else; raising them again");
        self.settle(&wanted, &wanted);
        self.announce(now);
    }

    /// Runs `active_cmd` once more.
    pub fn run_active_command(&self) {
        hooks::run(self.config.active_cmd.as_ref());
    }

    /// Takes a new lvs.cf over: an active node's addresses follow it, and lvs reads it too.
    pub fn reload(&mut self, config: Config, now: Duration) {
        let known = vip::wanted(&self.config);
        self.config = config;
        if self.active {
            let wanted = vip::wanted(&self.config);
            self.settle(&wanted, &known);
            if wanted != known {
                self.announce(now);
            }
        }
    }

    /// The lvs that runs while this node is active.
    pub fn lvs(&mut self) -> &mut Controller {
        &mut self.lvs
    }

    /// When something here is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        let due = [self.announcements.next_deadline(), self.lvs.next_deadline(), self.restore_at];
        due.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn proceed(&mut self, now: Duration) {
        if self.restore_at.is_some_and(|at| at <= now) {
            self.restore(now);
        }
        self.announcements.proceed(now);
        self.lvs.proceed(now);
    }

    fn settle(&mut self, wanted: &[VirtualAddress], known: &[VirtualAddress]) {
        match self.addresses.settle(wanted, known) {
            Ok(failures) => {
                for failure in failures {
                    let VirtualAddress { address, prefix, label } = &failure.address;
                    log::info!("virtual address {address}/{prefix} on {label}: {}", failure.error);
                }
            }
            Err(error) => log::info!("cannot change the virtual addresses: {error}"),
        }
    }
}
