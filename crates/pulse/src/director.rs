//! What makes this node the active director, and what undoes it: virtual addresses, announcements, lvs, the
//! sync daemon's role and the site's hooks.

use std::time::Duration;

use lvs_cf::Config;
use system::vip::{self, Addresses, VirtualAddress};

use crate::arp::Announcements;
use crate::controller::{Controller, Program};
use crate::hooks;
use crate::sync;

/// The effects of being active or not.
pub struct Director {
    config: Config,
    addresses: Addresses,
    announcements: Announcements,
    lvs: Controller,
    active: bool,
}

impl Director {
    /// A node that is not active.
    pub fn new(config: Config, addresses: Addresses, lvs: Program) -> Self {
        let (announcements, lvs) = (Announcements::new(), Controller::new(lvs));
        Self { config, addresses, announcements, lvs, active: false }
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
        [self.announcements.next_deadline(), self.lvs.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn proceed(&mut self, now: Duration) {
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
