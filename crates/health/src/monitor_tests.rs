use super::*;
use Verdict::{Down, Unknown, Up};

const SERVER: Endpoint = Endpoint { address: std::net::Ipv4Addr::LOCALHOST, port: 5001 };

fn settings() -> Settings {
    Settings {
        server: SERVER,
        interval: 1,
        reentry: 3,
        weight: 1,
        scale: 10,
        quiesce: false,
        in_service: false,
        load_monitor: false,
    }
}

/// A monitor whose checks take no time, on a clock of whole seconds; records changes and log lines.
struct Rig {
    monitor: Monitor,
    seconds: u64,
    record: Vec<String>,
}

impl Rig {
    fn new(settings: Settings) -> Self {
        Rig { monitor: Monitor::new(settings), seconds: 0, record: Vec::new() }
    }

    fn now(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        let outputs = self.monitor.handle(self.now(), input);
        for output in &outputs {
            match output {
                Output::Change(change) => self.record.push(format!("{} {change:?}", self.seconds)),
                Output::Log(message) if !message.is_debug() => self.record.push(message.to_string()),
                _ => {}
            }
        }
        outputs
    }

    /// Runs until `end`, the service being in the state that `state` gives for each second.
    fn run(&mut self, end: u64, state: impl Fn(u64) -> Verdict) -> &mut Self {
        while let Some(deadline) = self.monitor.next_deadline().filter(|deadline| deadline.as_secs() <= end) {
            self.seconds = self.seconds.max(deadline.as_secs());
            assert_eq!(self.feed(Input::Timer), [Output::StartCheck]);
            self.feed(Input::Checked(state(self.seconds)));
        }
        self.seconds = end;
        self
    }

    /// The recorded changes alone.
    fn changes(&self) -> Vec<&str> {
        let is_change = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
        self.record.iter().map(String::as_str).filter(is_change).collect()
    }
}

fn up_except(down: std::ops::Range<u64>) -> impl Fn(u64) -> Verdict {
    move |second| if down.contains(&second) { Down } else { Up }
}

#[test]
fn changes_over_time() {
    let s = settings;
    /// Name, settings, seconds in which the service is down, length in seconds, expected changes.
    type Case<'a> = (&'a str, Settings, std::ops::Range<u64>, u64, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("healthy", Settings { interval: 2, reentry: 4, ..s() }, 0..0, 60, &["0 Add(1)"]),
        ("never there", s(), 0..99, 60, &[]),
        ("gone and back", s(), 4..6, 60, &["0 Add(1)", "4 Remove", "8 Add(1)"]),
        ("quiesced", Settings { quiesce: true, ..s() }, 4..6, 60, &["0 Add(1)", "4 Quiesce", "8 Readmit(1)"]),
        ("late", s(), 0..3, 60, &["5 Add(1)"]),
        ("in service before", Settings { weight: 100, in_service: true, ..s() }, 0..0, 60, &["0 Add(100)"]),
        (
            "in service before, but down now",
            Settings { reentry: 4, weight: 64, in_service: true, ..s() },
            0..1,
            5,
            &["4 Add(2)"],
        ),
        ("reentry below interval", Settings { interval: 2, reentry: 1, ..s() }, 0..1, 60, &["2 Add(1)"]),
        ("default reentry", Settings { reentry: 180, ..s() }, 0..1, 300, &["180 Add(1)"]),
        (
            "slow start",
            Settings { interval: 5, reentry: 15, weight: 100, ..s() },
            0..0,
            90,
            &["0 Add(3)", "0 Weight(6)", "20 Weight(12)", "40 Weight(24)", "60 Weight(48)", "80 Weight(96)"],
        ),
        (
            "slow start, long interval",
            Settings { interval: 21, weight: 64, ..s() },
            0..0,
            30,
            &["0 Add(2)", "0 Weight(4)", "21 Weight(8)"],
        ),
        (
            "slow start with the defaults",
            Settings { interval: 10, reentry: 180, weight: 4, ..s() },
            0..0,
            60,
            &["0 Add(1)", "10 Weight(2)", "30 Weight(4)"],
        ),
        ("draining", Settings { weight: 0, ..s() }, 0..0, 60, &["0 Add(0)"]),
        (
            "slow start again after a failure",
            Settings { interval: 21, reentry: 0, weight: 2, ..s() },
            21..22,
            70,
            &["0 Add(1)", "0 Weight(2)", "21 Remove", "42 Add(1)", "42 Weight(2)"],
        ),
    ];
    for (name, settings, down, end, expected) in cases {
        let mut rig = Rig::new(*settings);
        rig.run(*end, up_except(down.clone()));
        assert_eq!(rig.changes(), *expected, "{name}");
    }
}

/// Nothing is known of the server: it stays as it is, and its successes are still in a row.
#[test]
fn a_check_that_cannot_be_made_changes_nothing() {
    let mut rig = Rig::new(settings());
    rig.run(9, |second| if second == 0 { Up } else { Unknown });
    assert_eq!(rig.changes(), ["0 Add(1)"]);

    let mut rig = Rig::new(settings());
    let verdicts = [Unknown, Down, Up, Unknown, Up, Unknown, Up];
    rig.run(6, |second| verdicts[second as usize]);
    assert_eq!(rig.changes(), ["6 Add(1)"]);
}

#[test]
fn log_lines_stand_before_their_changes() {
    let mut rig = Rig::new(settings());
    rig.run(5, up_except(4..9));
    rig.feed(Input::Stop(15));
    let expected = [
        "[ active ] making 127.0.0.1:5001 available",
        "0 Add(1)",
        "[inactive] shutting down 127.0.0.1:5001 due to connection failure",
        "4 Remove",
        "Terminating due to signal 15",
    ];
    assert_eq!(rig.record, expected);
}

#[test]
fn the_interval_begins_when_the_work_ends() {
    let mut monitor = Monitor::new(Settings { interval: 2, ..settings() });
    monitor.handle(Duration::ZERO, Input::Timer);
    assert_eq!(monitor.next_deadline(), None);
    monitor.handle(Duration::from_millis(1500), Input::Checked(Up));
    assert_eq!(monitor.next_deadline(), Some(Duration::from_millis(3500)));
    assert_eq!(monitor.handle(Duration::from_millis(3499), Input::Timer), []);
}

#[test]
fn load_follows_slow_start() {
    let mut rig = Rig::new(Settings { interval: 11, weight: 4, load_monitor: true, ..settings() });
    rig.run(11, |_| Up);
    assert_eq!(rig.changes(), ["0 Add(1)", "0 Weight(2)", "11 Weight(4)"]);
    let mut changes = Vec::new();
    for (number, load) in ["0.00", "0.50", "3.00", "9", "nonsense"].iter().enumerate() {
        rig.seconds = 22 + 11 * number as u64;
        rig.feed(Input::Timer);
        assert_eq!(rig.feed(Input::Checked(Up)).last(), Some(&Output::ReadLoad));
        assert_eq!(rig.monitor.next_deadline(), None);
        let reply = format!("load average: {load}, 1.00, 1.00\n");
        let outputs = rig.feed(Input::Load(ProgramResult::Output(reply.into_bytes())));
        changes.extend(outputs.into_iter().filter(|output| matches!(output, Output::Change(_))));
    }
    let weights = [6, 7, 4].map(|weight| Output::Change(Change::Weight(weight)));
    assert_eq!(changes, weights);
    assert_eq!(rig.record.last().unwrap(), "bad load average returned: load average: nonsense, 1.00, 1.00\n");
    rig.seconds += 11;
    rig.feed(Input::Timer);
    rig.feed(Input::Checked(Up));
    rig.feed(Input::Load(ProgramResult::Failed));
    assert_eq!(rig.record.last().unwrap(), "failed to read remote load");
}

#[test]
fn opaque_glasses_take_a_server_out_until_released() {
    let mut rig = Rig::new(settings());
    rig.run(1, |_| Up);
    rig.feed(Input::Force(Force::Down));
    assert_eq!(rig.monitor.next_deadline(), None);
    rig.seconds = 5;
    assert!(rig.feed(Input::Release).contains(&Output::StartCheck));
    rig.feed(Input::Checked(Up));
    assert_eq!(rig.changes(), ["0 Add(1)", "1 Remove", "5 Add(1)"]);
    assert!(rig.record.contains(&"opaque glasses on".to_owned()));
    assert!(rig.record.contains(&"DEBUG -- removing glasses".to_owned()));
}

#[test]
fn rose_coloured_glasses_bring_a_server_in_with_its_full_weight() {
    let mut rig = Rig::new(Settings { weight: 40, ..settings() });
    rig.run(1, |_| Down);
    rig.feed(Input::Force(Force::Up));
    rig.seconds = 4;
    rig.feed(Input::Release);
    rig.feed(Input::Checked(Down));
    assert_eq!(rig.changes(), ["1 Add(40)", "4 Remove"]);
}

/// The original set weight 0 in the first case and deleted an entry twice in the second.
#[test]
fn forced_states_keep_the_books() {
    let mut rig = Rig::new(Settings { weight: 40, ..settings() });
    rig.run(1, |_| Down);
    rig.feed(Input::Force(Force::Up));
    rig.feed(Input::Release);
    rig.feed(Input::Checked(Up));
    rig.run(60, |_| Up);
    assert_eq!(rig.changes(), ["1 Add(40)"]);

    let mut rig = Rig::new(Settings { quiesce: true, ..settings() });
    rig.run(1, |_| Up);
    rig.feed(Input::Force(Force::Down));
    rig.feed(Input::Release);
    rig.feed(Input::Checked(Up));
    assert_eq!(rig.changes(), ["0 Add(1)", "1 Remove", "1 Add(1)"]);

    let mut rig = Rig::new(Settings { quiesce: true, weight: 8, ..settings() });
    rig.run(1, up_except(1..2));
    rig.feed(Input::Force(Force::Up));
    assert_eq!(rig.changes(), ["0 Add(1)", "1 Quiesce", "1 Readmit(8)"]);
}

#[test]
fn a_forced_verdict_overtakes_a_running_check() {
    let mut rig = Rig::new(settings());
    rig.feed(Input::Timer);
    rig.feed(Input::Force(Force::Down));
    assert_eq!(rig.feed(Input::Checked(Up)), []);
    assert_eq!(rig.changes(), [""; 0]);
}

#[test]
fn released_without_force_the_next_success_counts() {
    let mut rig = Rig::new(Settings { interval: 2, reentry: 100, ..settings() });
    rig.run(2, |second| if second == 0 { Down } else { Up });
    rig.seconds = 3;
    rig.feed(Input::Release);
    rig.feed(Input::Checked(Up));
    assert_eq!(rig.changes(), ["3 Add(1)"]);
}

#[test]
fn a_stopped_monitor_removes_what_is_available_and_is_silent_then() {
    let mut rig = Rig::new(Settings { quiesce: true, ..settings() });
    rig.run(1, up_except(1..2));
    assert_eq!(rig.feed(Input::Stop(2)).last(), Some(&Output::Exit(0)));
    assert_eq!(rig.changes(), ["0 Add(1)", "1 Quiesce"]);
    assert_eq!(rig.feed(Input::Force(Force::Up)), []);
    assert_eq!(rig.monitor.next_deadline(), None);
}
