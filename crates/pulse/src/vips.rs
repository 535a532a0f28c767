//! The virtual addresses of this node: raised, withdrawn, announced and guarded together.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use heartbeat::Mode;
use lvs_cf::Config;
use system::vip::{self, Addresses, VirtualAddress};

use crate::arp::Announcements;
use crate::watch::Survey;

/// At most so often are addresses raised again that somebody else takes down.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// The virtual addresses and their announcements.
pub struct Vips {
    addresses: Addresses,
    announcements: Announcements,
    /// What this node is to hold: nothing while it is not active.
    wanted: Vec<VirtualAddress>,
    /// Those that somebody else took down are raised again at this time.
    restore_at: Option<Duration>,
    restored: Option<Duration>,
}

impl Vips {
    /// This node holds none yet.
    pub fn new(addresses: Addresses, mode: Mode) -> Self {
        let announcements = Announcements::new(mode);
        Self { addresses, announcements, wanted: Vec::new(), restore_at: None, restored: None }
    }

    /// Makes this node hold the addresses of `config`.
    pub fn raise(&mut self, config: &Config) {
        self.wanted = vip::wanted(config);
        self.settle(&self.wanted.clone());
    }

    /// Takes the addresses of `config` off this node, also those that a killed predecessor left.
    pub fn withdraw(&mut self, config: &Config) {
        self.announcements.cancel();
        self.restore_at = None;
        self.wanted.clear();
        self.settle(&vip::wanted(config));
    }

    /// Exchanges the addresses that this node holds for those of `config`, and announces them if they differ.
    pub fn follow(&mut self, now: Duration, config: &Config) {
        let known = std::mem::replace(&mut self.wanted, vip::wanted(config));
        self.settle(&known);
        if self.wanted != known {
            self.announce(now);
        }
    }

    /// Announces all of them again, from the first round.
    pub fn announce(&mut self, now: Duration) {
        match self.addresses.links() {
            Ok(links) => self.announcements.start(now, &self.wanted, &links),
            Err(error) => log::info!("cannot list the links: {error}"),
        }
    }

    /// Announces nothing more: the addresses are about to go.
    pub fn fall_silent(&mut self) {
        self.announcements.cancel();
    }

    /// The links and addresses of this node.
    ///
    /// # Errors
    ///
    /// Those of the netlink socket.
    pub fn survey(&mut self) -> io::Result<Survey> {
        self.addresses.survey()
    }

    /// Addresses have vanished from this node. Virtual ones of an active node are raised again, but not more
    /// often than once a second: whoever takes them down may be as stubborn.
    pub fn addresses_gone(&mut self, gone: &[Ipv4Addr], missed: bool, now: Duration) {
        if self.restore_at.is_some() || self.wanted.is_empty() {
            return;
        }
        if missed || self.wanted.iter().any(|vip| gone.contains(&vip.address)) {
            let soonest = self.restored.map_or(now, |last| last + RESTORE_PAUSE);
            self.restore_at = Some(now.max(soonest));
        }
    }

    fn restore(&mut self, now: Duration) {
        self.restore_at = None;
        let held = match self.addresses.survey() {
            Ok((_, held)) => held,
            Err(error) => return log::info!("cannot list the addresses: {error}"),
        };
        let is_lost = |vip: &&VirtualAddress| !held.iter().any(|held| held.address == vip.address);
        let lost = self.wanted.iter().filter(is_lost).count();
        if lost == 0 {
            return;
        }
        self.restored = Some(now);
        log::info!("{lost} virtual addresses were removed by somebody else; raising them again");
        self.settle(&self.wanted.clone());
        self.announce(now);
    }

    /// When something here is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        [self.announcements.next_deadline(), self.restore_at].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn proceed(&mut self, now: Duration) {
        if self.restore_at.is_some_and(|at| at <= now) {
            self.restore(now);
        }
        self.announcements.proceed(now);
    }

    /// Makes the kernel's addresses what is wanted; `known` ones count as ours.
    fn settle(&mut self, known: &[VirtualAddress]) {
        match self.addresses.settle(&self.wanted, known) {
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
