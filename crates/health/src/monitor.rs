//! Rise and fall of one real server.

use std::time::Duration;

use crate::weight::{loaded_weight, ramped_weight, start_weight};
use crate::{load_average, Change, Endpoint, Force, Input, Message, Output, ProgramResult, Verdict};

/// Weights double at most once in about so many seconds.
const RAMP_PERIOD: u32 = 20;

/// What a monitor is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The checked real server.
    pub server: Endpoint,
    /// Pause after each check, in seconds; 0 counts as 1.
    pub interval: u32,
    /// Seconds for which a server that failed must answer before it is taken back.
    pub reentry: u32,
    /// The server's weight; 0 lets it drain.
    pub weight: u32,
    /// A low load raises the weight up to so many times the configured one.
    pub scale: u32,
    /// Keep a failed server entered, with weight 0.
    pub quiesce: bool,
    /// Adjust the weight by the server's load.
    pub load_monitor: bool,
    /// The server is in service already, under an earlier monitor: if its first check succeeds, it has its full
    /// weight at once instead of a slow start.
    pub in_service: bool,
}

/// Where the real server's entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Not entered.
    Out,
    /// Entered with weight 0 because it failed.
    Quiesced,
    /// Available, with this weight.
    In(u32),
}

/// What the monitor waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The time of the next check.
    Pause(Duration),
    /// The end of a check.
    Check,
    /// The end of the load command.
    Load,
    /// The administrator, who imposed a verdict.
    Forced,
    /// Nothing: the monitor ended.
    Ended,
}

/// Decides over one real server.
///
/// The first check comes at once, and a server that passes it is available at once. One failed check takes it
/// out. It comes back after as many successes in a row as intervals fit into the reentry time (at least one).
#[derive(Debug, Clone)]
pub struct Monitor {
    settings: Settings,
    /// Successes in a row that make the server available.
    threshold: u64,
    /// Successes in a row; begins at `threshold`, so that the first success counts.
    count: u64,
    entry: Entry,
    phase: Phase,
}

impl Monitor {
    /// A monitor whose first deadline is time zero, so now.
    pub fn new(settings: Settings) -> Self {
        let settings = Settings { interval: settings.interval.max(1), ..settings };
        let threshold = (settings.reentry / settings.interval).into();
        let phase = Phase::Pause(Duration::ZERO);
        Monitor { settings, threshold, count: threshold, entry: Entry::Out, phase }
    }

    /// When [`Input::Timer`] is due. Nothing while a check runs or a verdict is imposed.
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Pause(until) => Some(until),
            Phase::Check | Phase::Load | Phase::Forced | Phase::Ended => None,
        }
    }

    /// Whether the server takes new connections as far as this monitor is concerned.
    pub fn is_available(&self) -> bool {
        matches!(self.entry, Entry::In(_))
    }

    /// Takes in what happened; returns what is to be done, in order. An input that does not fit the moment,
    /// such as the result of a check that has been overtaken by [`Input::Force`], has no effect.
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Output> {
        match (input, self.phase) {
            (_, Phase::Ended) => Vec::new(),
            (Input::Timer, Phase::Pause(until)) if now >= until => self.check(),
            (Input::Checked(verdict), Phase::Check) => self.checked(now, verdict),
            (Input::Load(result), Phase::Load) => self.loaded(now, result),
            (Input::Force(Force::Up), _) => self.force_up(),
            (Input::Force(Force::Down), _) => self.force_down(),
            (Input::Release, phase) => self.release(phase),
            (Input::Stop(signal), _) => self.stop(signal),
            (Input::Timer | Input::Checked(_) | Input::Load(_), _) => Vec::new(),
        }
    }

    fn check(&mut self) -> Vec<Output> {
        self.phase = Phase::Check;
        vec![Output::StartCheck]
    }

    fn checked(&mut self, now: Duration, verdict: Verdict) -> Vec<Output> {
        self.phase = Phase::Pause(now + self.interval());
        let available = verdict == Verdict::Up;
        self.count += u64::from(available);
        // What was before anything follows from the verdict, as in the original.
        let round = Message::Round { available, active: self.is_available(), count: self.count };
        let mut outputs = vec![Output::Log(round)];
        outputs.extend(match verdict {
            Verdict::Up => self.success(),
            Verdict::Down => self.failure(),
            // A shortage takes no server out, let alone all of them at once.
            Verdict::Unknown => return Vec::new(),
        });
        self.adjust(&mut outputs);
        outputs
    }

    fn success(&mut self) -> Vec<Output> {
        if self.is_available() || self.count < self.threshold {
            return Vec::new();
        }
        let active = Output::Log(Message::Active(self.settings.server));
        let weight = match std::mem::take(&mut self.settings.in_service) {
            true => self.settings.weight,
            false => start_weight(self.settings.weight),
        };
        vec![active, self.enter(weight)]
    }

    /// Makes the server available, whether its entry is gone or still there.
    fn enter(&mut self, weight: u32) -> Output {
        let change = match self.entry {
            Entry::Out => Change::Add(weight),
            Entry::Quiesced | Entry::In(_) => Change::Readmit(weight),
        };
        self.entry = Entry::In(weight);
        Output::Change(change)
    }

    fn failure(&mut self) -> Vec<Output> {
        let had_count = std::mem::take(&mut self.count) > 0;
        self.settings.in_service = false;
        if !self.is_available() {
            return if had_count {
                vec![Output::Log(Message::NoService { always: false })]
            } else {
                Vec::new()
            };
        }
        let (entry, change) = match self.settings.quiesce {
            true => (Entry::Quiesced, Change::Quiesce),
            false => (Entry::Out, Change::Remove),
        };
        self.entry = entry;
        vec![Output::Log(Message::Inactive(self.settings.server)), Output::Change(change)]
    }

    /// Slow start, and once the weight is reached, the load: in rounds about [`RAMP_PERIOD`] apart.
    fn adjust(&mut self, outputs: &mut Vec<Output>) {
        let Entry::In(weight) = self.entry else { return };
        let rounds = RAMP_PERIOD / self.settings.interval;
        if rounds != 0 && self.count % u64::from(rounds) != 0 {
            return;
        }
        if weight < self.settings.weight {
            self.set_weight(ramped_weight(weight, self.settings.weight), outputs);
        } else if self.settings.load_monitor {
            self.phase = Phase::Load;
            outputs.push(Output::ReadLoad);
        }
    }

    fn set_weight(&mut self, weight: u32, outputs: &mut Vec<Output>) {
        self.entry = Entry::In(weight);
        outputs.push(Output::Log(Message::Adjusting(self.settings.server, weight)));
        outputs.push(Output::Change(Change::Weight(weight)));
    }

    fn loaded(&mut self, now: Duration, result: ProgramResult) -> Vec<Output> {
        self.phase = Phase::Pause(now + self.interval());
        let text = match result {
            ProgramResult::Output(text) => text,
            failure => {
                return failure
                    .message(self.settings.server)
                    .into_iter()
                    .chain([Message::LoadFailed])
                    .map(Output::Log)
                    .collect()
            }
        };
        let text = String::from_utf8_lossy(&text);
        let Some(load) = load_average(&text) else {
            return vec![Output::Log(Message::BadLoad(text.into_owned()))];
        };
        let mut outputs = vec![Output::Log(Message::Load(self.settings.server.address, load))];
        if let Entry::In(last) = self.entry {
            if let Some(new) = loaded_weight(last, self.settings.weight, load, self.settings.scale) {
                outputs.push(Output::Log(Message::NewWeight { last, new, load }));
                self.set_weight(new, &mut outputs);
            }
        }
        outputs
    }

    fn force_up(&mut self) -> Vec<Output> {
        self.phase = Phase::Forced;
        let mut outputs = vec![Output::Log(Message::ForcedUp)];
        if !self.is_available() {
            outputs.push(self.enter(self.settings.weight));
        }
        outputs
    }

    /// Takes an available server out; one that is quiesced keeps its entry, as it takes nothing new anyway.
    fn force_down(&mut self) -> Vec<Output> {
        self.phase = Phase::Forced;
        let mut outputs = vec![Output::Log(Message::ForcedDown)];
        if self.is_available() {
            self.entry = Entry::Out;
            outputs.push(Output::Change(Change::Remove));
        }
        outputs
    }

    /// The next success counts at once, without the reentry time. A check that runs already is that next one.
    fn release(&mut self, phase: Phase) -> Vec<Output> {
        self.count = self.threshold;
        let mut outputs = vec![Output::Log(Message::Released)];
        if !matches!(phase, Phase::Check | Phase::Load) {
            outputs.extend(self.check());
        }
        outputs
    }

    /// Takes an available server out. The entry of a quiesced one is left to lvs.
    fn stop(&mut self, signal: i32) -> Vec<Output> {
        self.phase = Phase::Ended;
        let mut outputs = vec![Output::Log(Message::Terminating(signal))];
        if self.is_available() {
            self.entry = Entry::Out;
            outputs.push(Output::Change(Change::Remove));
        }
        outputs.push(Output::Exit(0));
        outputs
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.settings.interval.into())
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
