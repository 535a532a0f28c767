//! The virtual addresses of this node: raised, withdrawn, announced and guarded together.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use heartbeat::Mode;
use lvs_cf::Config;
use system::route::Link;
use system::vip::{self, Addresses, VirtualAddress};

use crate::arp::Announcements;
use crate::watch::Survey;

/// At most so often are addresses raised again that somebody else takes down.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// An announcement that follows so soon upon raising the addresses needs no new look at the links.
const FRESH: Duration = Duration::from_millis(100);

/// At most so often are the links looked at for the sake of the announcements: some flap.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// So long is the partner not told that this node serves no longer, if addresses cannot be withdrawn: one try at once
/// and two later ones.
const LINGER_LIMIT: Duration = Duration::from_millis(3500);

/// What could not be raised or withdrawn is tried again after a second, and after twice as long each further time up
/// to this.
const RETRY_LIMIT: Duration = Duration::from_secs(60);

/// The virtual addresses and their announcements.
pub struct Vips {
    addresses: Addresses,
    announcements: Announcements,
    /// What this node is to hold: nothing while it is not active.
    wanted: Vec<VirtualAddress>,
    /// Those that somebody else took down are raised again at this time.
    restore_at: Option<Duration>,
    restored: Option<Duration>,
    /// Devices of virtual addresses that could carry no announcement when they were last looked at.
    dead: BTreeSet<String>,
    /// They are looked at again at this time, for links have changed.
    look_at: Option<Duration>,
    looked: Option<Duration>,
    /// When addresses were last raised or withdrawn.
    settled: Option<Duration>,
    /// What is still to be done.
    unsettled: Option<Unsettled>,
    /// Addresses that cannot be withdrawn are waited for until then.
    linger_until: Option<Duration>,
}

/// Some addresses could not be raised or withdrawn.
struct Unsettled {
    /// Addresses that are ours wherever they stand.
    known: Vec<VirtualAddress>,
    /// How many failed.
    count: usize,
    /// When they are tried again.
    due: Duration,
    pause: Duration,
}

impl Vips {
    /// This node holds none yet.
    pub fn new(addresses: Addresses, mode: Mode) -> Self {
        let announcements = Announcements::new(mode);
        Self {
            addresses,
            announcements,
            wanted: Vec::new(),
            restore_at: None,
            restored: None,
            dead: BTreeSet::new(),
            look_at: None,
            looked: None,
            settled: None,
            unsettled: None,
            linger_until: None,
        }
    }

    /// Makes this node hold the addresses of `config`.
    pub fn raise(&mut self, now: Duration, config: &Config) {
        self.linger_until = None;
        self.wanted = vip::wanted(config);
        self.settle(now, self.wanted.clone());
    }

    /// Takes the addresses of `config` off this node, also those that a killed predecessor left.
    pub fn withdraw(&mut self, now: Duration, config: &Config) {
        self.announcements.cancel();
        (self.restore_at, self.look_at) = (None, None);
        self.wanted.clear();
        self.settle(now, vip::wanted(config));
        self.linger_until = Some(now + LINGER_LIMIT);
    }

    /// Whether addresses that were to be withdrawn may still be here, and are still waited for.
    pub fn linger(&mut self) -> bool {
        let Some(unsettled) = self.unsettled.as_ref().filter(|_| self.linger_until.is_some()) else {
            return false;
        };
        let Ok((_, held)) = self.addresses.survey() else { return true };
        unsettled.known.iter().any(|vip| held.iter().any(|held| held.address == vip.address))
    }

    fn stop_lingering(&mut self) {
        if self.linger() {
            log::info!("virtual addresses cannot be withdrawn; the partner is not kept waiting any longer");
        }
        self.linger_until = None;
    }

    /// Exchanges the addresses that this node holds for those of `config`, and announces them if they differ.
    pub fn follow(&mut self, now: Duration, config: &Config) {
        let known = std::mem::replace(&mut self.wanted, vip::wanted(config));
        let differs = self.wanted != known;
        self.settle(now, known);
        if differs {
            self.announce(now);
        }
    }

    /// Announces all of them again, from the first round.
    pub fn announce(&mut self, now: Duration) {
        let is_fresh = self.settled.is_some_and(|settled| now < settled + FRESH);
        let links = match is_fresh {
            true => Ok(Cow::Borrowed(self.addresses.links_when_settled())),
            false => self.addresses.links().map(Cow::Owned),
        };
        match links {
            Ok(links) => {
                self.dead = dead_devices(&self.wanted, &links);
                self.announcements.start(now, &self.wanted, &links);
            }
            Err(error) => log::info!("cannot list the links: {error}"),
        }
    }

    /// Links have changed. When one comes to life that virtual addresses are on, nobody there has heard of them yet.
    pub fn links_changed(&mut self, now: Duration) {
        if !self.wanted.is_empty() {
            let soonest = self.looked.map_or(now, |last| last + LOOK_PAUSE);
            self.look_at.get_or_insert(now.max(soonest));
        }
    }

    fn look(&mut self, now: Duration) {
        (self.look_at, self.looked) = (None, Some(now));
        let links = match self.addresses.links() {
            Ok(links) => links,
            Err(error) => {
                self.look_at = Some(now + LOOK_PAUSE);
                return log::info!("cannot list the links: {error}");
            }
        };
        let dead = dead_devices(&self.wanted, &links);
        let earlier = std::mem::replace(&mut self.dead, dead);
        if let Some(device) = earlier.iter().find(|device| !self.dead.contains(*device)) {
            log::info!("link of {device} is up: announcing the virtual addresses");
            self.announcements.start(now, &self.wanted, &links);
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
            Err(error) => {
                self.restore_at = Some(now + RESTORE_PAUSE);
                return log::info!("cannot list the addresses: {error}");
            }
        };
        let is_lost = |vip: &&VirtualAddress| !held.iter().any(|held| held.address == vip.address);
        let lost = self.wanted.iter().filter(is_lost).count();
        if lost == 0 {
            return;
        }
        self.restored = Some(now);
        log::info!("{lost} virtual addresses were removed by somebody else; raising them again");
        self.settle(now, self.wanted.clone());
        self.announce(now);
    }

    /// When something here is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        let retry = self.unsettled.as_ref().map(|unsettled| unsettled.due);
        let linger = self.linger_until.filter(|_| self.unsettled.is_some());
        let deadlines = [self.announcements.next_deadline(), self.restore_at, self.look_at, retry, linger];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn proceed(&mut self, now: Duration) {
        if self.restore_at.is_some_and(|at| at <= now) {
            self.restore(now);
        }
        if self.unsettled.as_ref().is_some_and(|unsettled| unsettled.due <= now) {
            self.retry(now);
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
        self.announcements.proceed(now);
        if self.linger_until.is_some_and(|until| until <= now) {
            self.stop_lingering();
        }
    }

    /// Tries again what failed; what stands now that did not before is announced.
    fn retry(&mut self, now: Duration) {
        let Some(Unsettled { count, pause, .. }) = self.unsettled else { return };
        self.settle_or_retry(now, Vec::new(), RETRY_LIMIT.min(pause * 2));
        let left = self.unsettled.as_ref().map_or(0, |unsettled| unsettled.count);
        if left < count && !self.wanted.is_empty() {
            self.announce(now);
        }
    }

    /// Makes the kernel's addresses what is wanted; `known` ones count as ours, as do those of an earlier try.
    fn settle(&mut self, now: Duration, known: Vec<VirtualAddress>) {
        self.settle_or_retry(now, known, RESTORE_PAUSE);
    }

    /// The same; what fails is tried again after `pause`.
    fn settle_or_retry(&mut self, now: Duration, mut known: Vec<VirtualAddress>, pause: Duration) {
        known.extend(self.unsettled.take().into_iter().flat_map(|earlier| earlier.known));
        self.settled = None;
        let count = match self.addresses.settle(&self.wanted, &known) {
            Ok(failures) => {
                self.settled = Some(now);
                for failure in &failures {
                    let VirtualAddress { address, prefix, label } = &failure.address;
                    log::info!("virtual address {address}/{prefix} on {label}: {}", failure.error);
                }
                failures.len()
            }
            Err(error) => {
                log::info!("cannot change the virtual addresses: {error}");
                self.wanted.len() + known.len()
            }
        };
        if count > 0 {
            known.sort();
            known.dedup();
            self.unsettled = Some(Unsettled { known, count, due: now + pause, pause });
        }
    }
}

/// The devices of these addresses that are not there, or carry nothing now.
fn dead_devices(vips: &[VirtualAddress], links: &[Link]) -> BTreeSet<String> {
    let alive: BTreeSet<_> =
        links.iter().filter(|link| link.works()).map(|link| link.name.as_str()).collect();
    let devices = vips.iter().map(VirtualAddress::device);
    devices.filter(|device| !alive.contains(device)).map(str::to_owned).collect()
}
