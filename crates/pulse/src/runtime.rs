//! pulse's loop: the only interpreter of what the election decides.

use std::io;
use std::time::Duration;

use heartbeat::{ChildEnd, Election, Ending, Input, Level, Message, Output, Settings};
use lvs_cf::Config;
use system::child::{self, Exit};
use system::clock;
use system::config::LoadError;
use system::errno::SHORTAGE_PAUSE;
use system::pair::Pair;
use system::poll::{Interest, Poller, Ready};
use system::rereading::Rereading;
use system::signals::Signals;

use crate::effects::{Answers, Effects};
use crate::reload;
use crate::settings::{self, Start};
use crate::sockets::Sockets;
use crate::systemd::Systemd;
use crate::watch::Watch;

/// A flood of datagrams keeps a deadline waiting no longer than this.
const FLOOD_PATIENCE: Duration = Duration::from_millis(100);

/// The poller's names for what is watched.
const HEARTBEATS: usize = 0;
const EFFECTS: usize = 1;
const SIGNALS: usize = 2;
const NEWS: usize = 3;
const REREADING: usize = 4;

/// What a turn has to look at beside the heartbeats: nothing in most of them, and so it costs no system call.
struct Woken {
    effects: bool,
    signals: bool,
    news: bool,
    rereading: bool,
}

impl Woken {
    fn by(ready: &[Ready]) -> Woken {
        let is = |token| ready.iter().any(|ready| ready.token == token);
        Woken { effects: is(EFFECTS), signals: is(SIGNALS), news: is(NEWS), rereading: is(REREADING) }
    }
}

/// Everything that the loop works with.
pub struct Pulse {
    /// The file that HUP reads again.
    pub file: Rereading<Result<Config, LoadError>>,
    /// This node's place, fixed for the life of the process.
    pub pair: Pair,
    /// What the command line adds to the settings.
    pub start: Start,
    /// The election's settings, for comparison at a reload.
    pub settings: Settings,
    /// The paths to the partner.
    pub sockets: Sockets,
    /// What decisions do to this node.
    pub effects: Box<dyn Effects>,
    /// TERM, INT, HUP and CHLD.
    pub signals: Signals,
    /// Links and addresses of this node.
    pub watch: Watch,
    /// The service manager, if it started us.
    pub systemd: Systemd,
}

/// Runs until the election says that all is down and said, and lvs or fos has ended. Why it came to that is the answer.
///
/// # Errors
///
/// Those of waiting for events.
pub fn run(mut pulse: Pulse) -> io::Result<Ending> {
    let mut poller = Poller::new();
    pulse.effects.begin(clock::now(), pulse.settings.force_active || !pulse.settings.backup_active);
    let mut out = Vec::new();
    let mut election = Election::new(pulse.settings, clock::now(), &mut out);
    pulse.check_links(&mut election, &mut out);
    let mut ending = pulse.carry_out(&mut election, &mut out);
    loop {
        if let Some(ending) = ending.filter(|_| !pulse.effects.is_busy()) {
            return Ok(ending);
        }
        let due = [
            election.next_deadline().filter(|_| ending.is_none()),
            pulse.effects.next_deadline(),
            pulse.systemd.next_deadline(),
            pulse.file.next_deadline(),
        ];
        let due = due.into_iter().flatten().min();
        pulse.watch(&mut poller);
        let woken = Woken::by(poller.wait(due.map(|due| due.saturating_sub(clock::now())))?);
        let mut answers = Answers::new();
        pulse.effects.proceed(clock::now(), woken.effects, &mut answers);
        pulse.answer(&mut election, answers, &mut out);
        let left = pulse.turn(&woken, &mut election, &mut out, ending.is_some());
        ending = ending.or(left);
    }
}

impl Pulse {
    /// The few descriptors that a turn waits on.
    fn watch(&self, poller: &mut Poller) {
        poller.clear();
        for descriptor in self.sockets.descriptors() {
            poller.register(HEARTBEATS, descriptor, Interest::Read);
        }
        poller.register(SIGNALS, self.signals.fd(), Interest::Read);
        if let Some(descriptor) = self.watch.descriptor() {
            poller.register(NEWS, descriptor, Interest::Read);
        }
        if let Some(descriptor) = self.file.descriptor() {
            poller.register(REREADING, descriptor, Interest::Read);
        }
        for descriptor in self.effects.descriptors() {
            poller.register(EFFECTS, descriptor, Interest::Read);
        }
    }

    /// One turn: everything that has arrived is heard before any deadline is believed. Tells when pulse is to leave.
    fn turn(
        &mut self,
        woken: &Woken,
        election: &mut Election,
        out: &mut Vec<Output>,
        leaving: bool,
    ) -> Option<Ending> {
        if woken.news {
            self.hear_news(election, out);
        }
        let drained = self.sockets.drain(|input| {
            if !leaving {
                election.handle(clock::now(), input, out);
            }
        });
        if woken.signals {
            for signal in self.signals.take() {
                self.on_signal(signal, election, out);
            }
        }
        self.reread(woken.rereading, election, out);
        let mut ending = self.carry_out(election, out);
        let now = clock::now();
        let patience = if drained { Duration::ZERO } else { FLOOD_PATIENCE };
        let due = election.next_deadline().is_some_and(|due| now >= due + patience);
        if due && !leaving && ending.is_none() {
            election.handle(now, Input::Deadline, out);
            ending = self.carry_out(election, out);
        }
        self.systemd.proceed(clock::now());
        ending
    }

    fn hear_news(&mut self, election: &mut Election, out: &mut Vec<Output>) {
        let news = self.watch.news(&self.pair);
        if news.links {
            self.check_links(election, out);
            self.effects.vips().links_changed(clock::now());
        }
        self.effects.vips().addresses_gone(&news.gone, news.missed, clock::now());
    }

    fn check_links(&mut self, election: &mut Election, out: &mut Vec<Output>) {
        if let Some(input) = self.watch.check_links(&self.pair, &self.effects.vips().survey()) {
            election.handle(clock::now(), input, out);
        }
    }

    fn on_signal(&mut self, signal: i32, election: &mut Election, out: &mut Vec<Output>) {
        match signal {
            libc::SIGCHLD => self.reap(election, out),
            libc::SIGHUP => {
                self.systemd.reloading(clock::now());
                self.file.ask();
            }
            _ => {
                self.systemd.stopping(self.effects.patience());
                election.handle(clock::now(), Input::Terminate { signal }, out);
            }
        }
    }

    fn reap(&mut self, election: &mut Election, out: &mut Vec<Output>) {
        for (pid, exit) in child::reap() {
            let mut answers = Answers::new();
            if !self.effects.child_ended(clock::now(), pid, exit, &mut answers) {
                tell(&Message::UnknownChild(pid.as_raw()));
            }
            self.answer(election, answers, out);
        }
    }

    /// Does what the election decided, answering it where it waits for an answer, until it is content.
    fn carry_out(&mut self, election: &mut Election, out: &mut Vec<Output>) -> Option<Ending> {
        let mut ending = None;
        while !out.is_empty() {
            for output in std::mem::take(out) {
                match output {
                    Output::Send { datagram, .. } => self.sockets.send(datagram.as_bytes()),
                    Output::Log(message) => tell(&message),
                    Output::Exit(reason) => {
                        if reason == Ending::NotWanted {
                            self.systemd.stopping(self.effects.patience());
                        }
                        ending = Some(reason);
                    }
                    effect => {
                        let mut answers = Answers::new();
                        self.effects.perform(clock::now(), &effect, &mut answers);
                        self.answer(election, answers, out);
                    }
                }
            }
        }
        ending
    }

    /// Tells the election what became of its decisions.
    fn answer(&mut self, election: &mut Election, answers: Answers, out: &mut Vec<Output>) {
        for answer in answers {
            match answer {
                Input::Activated => self.systemd.set_active(true),
                Input::Deactivated => self.systemd.set_active(false),
                _ => {}
            }
            election.handle(clock::now(), answer, out);
        }
    }

    /// Reads the file as often as HUP has asked for it. Nothing waits for that.
    fn reread(&mut self, mut readable: bool, election: &mut Election, out: &mut Vec<Output>) {
        while let Some(read) = self.file.proceed(clock::now(), std::mem::take(&mut readable)) {
            self.reload(read, election, out);
        }
    }

    /// The file has been read after HUP: one that cannot be used is refused, and everything stays as it is.
    fn reload(&mut self, read: Result<Config, LoadError>, election: &mut Election, out: &mut Vec<Output>) {
        let config = match read {
            Ok(config) if settings::mode(&config) == self.settings.mode => Some(config),
            Ok(_) => {
                log::info!("service has changed: it is taken over at the next start");
                None
            }
            Err(error) => {
                log::info!("{error}");
                self.read_later(&error);
                None
            }
        };
        if let Some(config) = &config {
            self.adopt(config, election, out);
        }
        self.effects.reload(clock::now(), config);
        if !self.watch.links_matter() && election.has_link_failure() {
            election.handle(clock::now(), Input::LinksUp, out);
        }
        self.check_links(election, out);
        if !self.file.is_busy() {
            self.systemd.reloaded();
        }
    }

    /// HUP shall not be lost on a shortage that passes.
    fn read_later(&mut self, error: &LoadError) {
        if let Some(reason) = error.shortage() {
            log::info!("{reason}: the file is read again in {} seconds", SHORTAGE_PAUSE.as_secs());
            self.file.put_off(clock::now() + SHORTAGE_PAUSE);
        }
    }

    fn adopt(&mut self, config: &Config, election: &mut Election, out: &mut Vec<Output>) {
        let fresh = reload::settings(config, &self.pair, &self.settings, self.start);
        if fresh != self.settings {
            election.reconfigure(fresh, clock::now(), out);
            self.settings = fresh;
        }
        self.watch.reload(config);
    }
}

/// The election's word for how a child ended.
pub fn end(exit: Exit) -> ChildEnd {
    match exit {
        Exit::Status(status) => ChildEnd::Exited(status),
        Exit::Signal(signal) => ChildEnd::Signalled(signal),
    }
}

/// Writes one of the election's lines to the log.
pub fn tell(message: &Message) {
    match message.level() {
        Level::Info => log::info!("{message}"),
        Level::Debug => log::debug!("{message}"),
    }
}
