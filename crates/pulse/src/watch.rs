//! What happens to this node's links and addresses behind pulse's back.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use heartbeat::Input;
use lvs_cf::Config;
use system::pair::Pair;
use system::route::{Event, InterfaceAddress, Link, Monitor};

/// Hears of links and addresses.
pub struct Watch {
    /// None when the kernel refused it; then nothing is heard.
    monitor: Option<Monitor>,
    /// `monitor_links`, which counts only with a backup.
    links_matter: bool,
    /// Links that do not work as last told: public, private.
    down: (bool, bool),
    /// Whether the heartbeat addresses were seen on a link: public, private.
    seen: (bool, bool),
}

/// What was heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Some link has changed, or has got or lost one of the heartbeat addresses.
    pub links: bool,
    /// Addresses that are gone.
    pub gone: Vec<Ipv4Addr>,
    /// More happened than could be heard.
    pub missed: bool,
}

impl Watch {
    /// Begins to listen.
    pub fn new(config: &Config) -> Self {
        let monitor = Monitor::open()
            .inspect_err(|error| log::info!("links and addresses cannot be watched: {error}"))
            .ok();
        Self { monitor, links_matter: links_matter(config), down: (false, false), seen: (false, false) }
    }

    /// What to wait on.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.monitor.as_ref().map(AsFd::as_fd)
    }

    /// Takes a reloaded lvs.cf over.
    pub fn reload(&mut self, config: &Config) {
        self.links_matter = links_matter(config);
        self.down = (false, false);
    }

    /// Whether a link without carrier keeps this node from serving.
    pub fn links_matter(&self) -> bool {
        self.links_matter
    }

    /// What has happened since the last call.
    pub fn news(&mut self, pair: &Pair) -> News {
        let mut news = News::default();
        let Some(monitor) = &mut self.monitor else { return news };
        match monitor.drain() {
            Ok(events) => events.into_iter().for_each(|event| news.add(event, pair)),
            Err(error) => {
                log::info!("links and addresses are no longer watched: {error}");
                self.monitor = None;
            }
        }
        news
    }

    /// Looks at the links under both heartbeat paths; what the election has to know, if it is new.
    pub fn check_links(&mut self, pair: &Pair, survey: &io::Result<Survey>) -> Option<Input<'static>> {
        let (links, held) = survey.as_ref().ok().filter(|_| self.links_matter)?;
        let is_down = |address: Ipv4Addr, seen: &mut bool| match link_of(address, links, held) {
            Some(link) => {
                *seen = true;
                !link.works()
            }
            None => *seen,
        };
        let (public, private) = &mut self.seen;
        let down = (
            is_down(pair.public.local, public),
            pair.private.is_some_and(|ends| is_down(ends.local, private)),
        );
        if std::mem::replace(&mut self.down, down) == down {
            return None;
        }
        Some(match down {
            (false, false) => Input::LinksUp,
            (public, private) => Input::LinksDown { public, private },
        })
    }
}

/// Links and addresses of this node.
pub type Survey = (Vec<Link>, Vec<InterfaceAddress>);

impl News {
    fn add(&mut self, event: Event, pair: &Pair) {
        let is_heartbeats = |held: &InterfaceAddress| pair.paths().any(|ends| ends.local == held.address);
        match event {
            Event::LinkChanged(_) | Event::LinkGone(_) => self.links = true,
            Event::AddressGone(held) => {
                self.links |= is_heartbeats(&held);
                self.gone.push(held.address);
            }
            Event::AddressAdded(held) => self.links |= is_heartbeats(&held),
            Event::Missed => (self.links, self.missed) = (true, true),
        }
    }
}

fn links_matter(config: &Config) -> bool {
    config.monitor_links != 0 && config.backup_active && config.backup.is_set()
}

/// The link that carries the address. One that was never seen anywhere says nothing of any link; one that was has lost
/// its link, by an interface that is gone, say. The original counted both as up.
fn link_of<'a>(address: Ipv4Addr, links: &'a [Link], held: &[InterfaceAddress]) -> Option<&'a Link> {
    let index = held.iter().find(|held| held.address == address)?.index;
    links.iter().find(|link| link.index == index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use system::pair::Ends;

    fn link(index: u32, up: bool, carrier: bool) -> Link {
        Link { index, name: format!("eth{index}"), mac: None, up, carrier, loopback: false }
    }

    fn held(index: u32, address: [u8; 4]) -> InterfaceAddress {
        let label = format!("eth{index}");
        InterfaceAddress {
            index,
            address: address.into(),
            prefix: 24,
            label,
            broadcast: None,
            secondary: false,
        }
    }

    fn watch() -> Watch {
        Watch { monitor: None, links_matter: true, down: (false, false), seen: (false, false) }
    }

    fn pair() -> Pair {
        let ends = |third: u8| Ends { local: [10, 0, third, 1].into(), partner: [10, 0, third, 2].into() };
        Pair { primary: true, public: ends(1), private: Some(ends(2)), port: 539 }
    }

    #[test]
    fn each_change_is_told_once() {
        let (mut watch, pair) = (watch(), pair());
        let addresses = || vec![held(1, [10, 0, 1, 1]), held(2, [10, 0, 2, 1])];
        let mut see = |public: (bool, bool), private: (bool, bool)| {
            let links = vec![link(1, public.0, public.1), link(2, private.0, private.1)];
            watch.check_links(&pair, &Ok((links, addresses())))
        };
        let (good, unplugged, disabled) = ((true, true), (true, false), (false, false));
        assert_eq!(see(good, good), None);
        assert_eq!(see(good, unplugged), Some(Input::LinksDown { public: false, private: true }));
        assert_eq!(see(good, unplugged), None);
        assert_eq!(see(disabled, unplugged), Some(Input::LinksDown { public: true, private: true }));
        assert_eq!(see(good, good), Some(Input::LinksUp));
    }

    #[test]
    fn an_address_that_was_never_anywhere_is_no_link_failure() {
        let survey = Ok((vec![link(1, false, false)], vec![held(1, [10, 9, 9, 9])]));
        assert_eq!(watch().check_links(&pair(), &survey), None);
    }

    #[test]
    fn an_address_that_has_gone_is_a_link_failure_until_it_is_back() {
        let (mut watch, pair) = (watch(), pair());
        let links = || vec![link(1, true, true), link(2, true, true)];
        let (public, private) = (held(1, [10, 0, 1, 1]), held(2, [10, 0, 2, 1]));
        let both = [public, private];
        let down = |public, private| Some(Input::LinksDown { public, private });
        assert_eq!(watch.check_links(&pair, &Ok((links(), both.to_vec()))), None);
        // The address alone, and then the interface too.
        assert_eq!(watch.check_links(&pair, &Ok((links(), both[..1].to_vec()))), down(false, true));
        assert_eq!(watch.check_links(&pair, &Ok((links()[..1].to_vec(), both.to_vec()))), None);
        assert_eq!(watch.check_links(&pair, &Ok((Vec::new(), Vec::new()))), down(true, true));
        assert_eq!(watch.check_links(&pair, &Ok((links(), both.to_vec()))), Some(Input::LinksUp));
    }

    #[test]
    fn of_the_addresses_those_of_the_heartbeat_make_the_links_worth_a_look() {
        let (public, private, virtual_one) = ([10, 0, 1, 1], [10, 0, 2, 1], [10, 0, 1, 100]);
        for (address, links) in [(public, true), (private, true), (virtual_one, false)] {
            for event in [Event::AddressAdded, Event::AddressGone] {
                let mut news = News::default();
                news.add(event(held(1, address)), &pair());
                assert_eq!(news.links, links, "{address:?}");
            }
        }
    }

    #[test]
    fn links_matter_only_with_monitor_links_and_a_backup() {
        let mut config = Config::default();
        assert!(!links_matter(&config));
        config.monitor_links = 7;
        assert!(!links_matter(&config));
        config.backup_active = true;
        config.backup.address = [10, 0, 0, 2].into();
        assert!(links_matter(&config));
    }
}
