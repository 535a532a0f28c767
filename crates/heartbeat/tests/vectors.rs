//! The election row by row. Each file in `tests/vectors/` holds cases like this one:
//!
//! ```text
//! == name
//! node master keepalive 2 deadtime 5
//! < 1 RUNNING            the partner says so at second 1
//! > 2.000 send STOPPED   what the node must do, at the millisecond
//! end 3
//! ```
//!
//! Inputs and outputs are in order of time; every output but debug messages must be listed. The runtime is played by
//! the driver: addresses come up 10 ms after `activate` and go down 30 ms after `deactivate`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use heartbeat::wire::{self, ByteOrder, Datagram, Note, Word};
use heartbeat::{ChildEnd, Election, Ending, Input, Level, Mode, Output, Path, Role, Settings};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

const UP_AFTER: Duration = Duration::from_millis(10);
const DOWN_AFTER: Duration = Duration::from_millis(30);

#[test]
fn rules_of_the_original() {
    run_file(include_str!("vectors/original.txt"));
}

#[test]
fn rules_of_our_own() {
    run_file(include_str!("vectors/extended.txt"));
}

#[test]
fn failover_services() {
    run_file(include_str!("vectors/failover.txt"));
}

#[test]
fn handover() {
    run_file(include_str!("vectors/handover.txt"));
}

#[test]
fn lateness() {
    run_file(include_str!("vectors/lateness.txt"));
}

fn run_file(text: &str) {
    let cases: Vec<&str> = text.split("\n== ").skip(1).collect();
    assert!(!cases.is_empty(), "no cases in the file");
    let wrong: Vec<String> = cases.into_iter().filter_map(run_case).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs one case; the difference if there is one.
fn run_case(case: &str) -> Option<String> {
    let (name, body) = case.split_once('\n').expect("a case has a name");
    let lines: Vec<&str> =
        body.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let wanted: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("> ")).collect();
    let actual = Driver::new(lines[0]).run(&lines[1..]);
    if actual == wanted {
        return None;
    }
    let mut text = format!("case {name:?}: wanted (-) and got (+)\n");
    for line in wanted.iter().filter(|line| !actual.iter().any(|a| a == *line)) {
        writeln!(text, "  - {line}").unwrap();
    }
    for line in &actual {
        let sign = if wanted.contains(&line.as_str()) { ' ' } else { '+' };
        writeln!(text, "  {sign} {line}").unwrap();
    }
    Some(text)
}

/// Plays the runtime, the partner and the clock.
struct Driver {
    election: Election,
    outputs: Vec<Output>,
    /// Answers that the runtime owes, each with its time.
    answers: VecDeque<(Duration, Input<'static>)>,
    trace: Vec<String>,
}

impl Driver {
    /// Starts a node from a line like `node master keepalive 2 deadtime 5 forced alone`.
    fn new(line: &str) -> Self {
        let settings = settings(line);
        let mut outputs = Vec::new();
        let election = Election::new(settings, Duration::ZERO, &mut outputs);
        let mut driver = Self { election, outputs, answers: VecDeque::new(), trace: Vec::new() };
        driver.settle(Duration::ZERO);
        driver
    }

    fn run(mut self, lines: &[&str]) -> Vec<String> {
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "<" => {
                    let now = seconds(words[1]);
                    self.advance(now);
                    self.input(now, &words[2..]);
                }
                // The process does not run until the next input, which finds every deadline missed.
                "asleep" => self.input_late(&words[1..]),
                "end" => self.advance(seconds(words[1])),
                _ => {}
            }
        }
        self.trace
    }

    /// `asleep 12 RUNNING STOPPED`: wakes at 12 and finds these in the socket.
    fn input_late(&mut self, words: &[&str]) {
        let now = seconds(words[0]);
        for word in &words[1..] {
            self.feed_only(
                now,
                Input::Datagram { path: Path::Public, payload: &bytes(word, ByteOrder::NATIVE) },
            );
        }
        self.feed(now, Input::Deadline);
    }

    fn input(&mut self, now: Duration, words: &[&str]) {
        let number = |at: usize| words[at].parse::<i32>().unwrap();
        match words[0] {
            "links-down" => {
                let (public, private) = (words.contains(&"public"), words.contains(&"private"));
                self.feed(now, Input::LinksDown { public, private });
            }
            "reload" => {
                self.election.reconfigure(settings(&words.join(" ")), now, &mut self.outputs);
                self.settle(now);
            }
            "links-up" => self.feed(now, Input::LinksUp),
            "lvs-exits" | "fos-exits" => {
                self.feed(now, Input::ChildEnded { pid: 77, end: ChildEnd::Exited(number(1)) })
            }
            "gateway" => self.feed(now, Input::GatewayAnswered(words[1] == "answers")),
            "lvs-killed" | "fos-killed" => {
                self.feed(now, Input::ChildEnded { pid: 77, end: ChildEnd::Signalled(number(1)) })
            }
            "prepared" => self.feed(now, Input::Prepared),
            "signal" => self.feed(now, Input::Terminate { signal: number(1) }),
            "stranger" => self.feed(now, Input::Stranger([10, 0, 0, 9].into())),
            "raw" => {
                let raw: Vec<u8> =
                    words[1..].iter().map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
                self.feed(now, Input::Datagram { path: Path::Public, payload: &raw });
            }
            "swapped" => {
                let swapped =
                    if ByteOrder::NATIVE == ByteOrder::Big { ByteOrder::Little } else { ByteOrder::Big };
                self.feed(now, Input::Datagram { path: Path::Public, payload: &bytes(words[1], swapped) });
            }
            word => {
                let path = if words.contains(&"private") { Path::Private } else { Path::Public };
                let note = words.iter().find_map(|word| match *word {
                    "leaving" => Some(Note::Leaving),
                    "preparing" => Some(Note::Preparing),
                    "ready" => Some(Note::Ready),
                    _ => None,
                });
                let heartbeat = Datagram::new(known(word), ByteOrder::NATIVE, note);
                self.feed(now, Input::Datagram { path, payload: heartbeat.as_bytes() });
            }
        }
    }

    /// Serves deadlines and gives the runtime's answers until `end`.
    fn advance(&mut self, end: Duration) {
        loop {
            let answer = self.answers.front().map(|(at, _)| *at);
            let deadline = self.election.next_deadline();
            let next = answer.into_iter().chain(deadline).min().filter(|at| *at < end);
            let Some(now) = next else { return };
            if answer == Some(now) {
                let (_, input) = self.answers.pop_front().unwrap();
                self.feed(now, input);
            } else {
                self.feed(now, Input::Deadline);
            }
        }
    }

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        self.feed_only(now, input);
        if self.election.next_deadline().is_some_and(|due| due < now) {
            self.feed_only(now, Input::Deadline);
        }
    }

    fn feed_only(&mut self, now: Duration, input: Input<'_>) {
        self.election.handle(now, input, &mut self.outputs);
        self.settle(now);
    }

    fn settle(&mut self, now: Duration) {
        for output in std::mem::take(&mut self.outputs) {
            match &output {
                Output::Activate(_) => self.answers.push_back((now + UP_AFTER, Input::Activated)),
                Output::Deactivate(_) => self.answers.push_back((now + DOWN_AFTER, Input::Deactivated)),
                _ => {}
            }
            if let Some(text) = describe(&output) {
                self.trace.push(format!("{:.3} {text}", now.as_secs_f64()));
            }
        }
    }
}

fn settings(line: &str) -> Settings {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |key: &str| words.iter().position(|word| *word == key).map(|at| seconds(words[at + 1]));
    Settings {
        role: if words.contains(&"master") { Role::Master } else { Role::Backup },
        mode: if words.contains(&"fos") { Mode::Fos } else { Mode::Lvs },
        keepalive: after("keepalive").expect("keepalive"),
        deadtime: after("deadtime").expect("deadtime"),
        backup_active: !words.contains(&"alone"),
        private_path: words.contains(&"two-paths"),
        prepare: words.contains(&"prepares"),
        force_active: words.contains(&"forced"),
    }
}

fn describe(output: &Output) -> Option<String> {
    Some(match output {
        Output::Send { word, note, datagram } => {
            let foreign = *datagram != Datagram::new(*word, ByteOrder::NATIVE, *note);
            let note = note.map_or(String::new(), |note| format!(" + {note:?}").to_lowercase());
            format!("send {}{}{note}", name(*word), if foreign { " swapped" } else { "" })
        }
        Output::Prepare => "prepare".into(),
        Output::Unprepare => "unprepare".into(),
        Output::Activate(reason) => format!("activate {reason:?}"),
        Output::Deactivate(reason) => format!("deactivate {reason:?}"),
        Output::Announce => "announce".into(),
        Output::RunActiveCommand => "active_cmd".into(),
        Output::StartMonitors => "fos --monitor".into(),
        Output::StartServices => "fos --active".into(),
        Output::CheckGateway => "ask gateway".into(),
        Output::Log(message) if message.level() == Level::Debug => return None,
        Output::Log(message) => format!("log {message}"),
        Output::Exit(Ending::Asked) => "exit".into(),
        Output::Exit(Ending::NotWanted) => "exit not wanted".into(),
    })
}

const NAMES: [(&str, Word); 7] = [
    ("STOPPED", Word::Stopped),
    ("RUNNING", Word::Running),
    ("FOS-STOPPED", Word::FosStopped),
    ("FOS-RUNNING", Word::FosRunning),
    ("STOPME", Word::StopMe),
    ("HOLD", Word::Hold),
    ("HELD", Word::Held),
];

fn name(word: Word) -> &'static str {
    NAMES.iter().find(|(_, w)| *w == word).unwrap().0
}

fn bytes(text: &str, order: ByteOrder) -> [u8; 4] {
    wire::encode(known(text), order)
}

fn known(text: &str) -> Word {
    NAMES.iter().find(|(name, _)| *name == text).unwrap_or_else(|| panic!("unknown word {text:?}")).1
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().unwrap_or_else(|_| panic!("not a time: {text:?}")))
}
