//! What happened, in order: the daemons' log lines and the scenario's own steps, with time stamps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Time since the journal began.
    pub at: Duration,
    /// The host that wrote it, or `-` for the scenario itself.
    pub source: String,
    /// The text, without its line end.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:8.3} {:<8} {}", self.at.as_secs_f64(), self.source, self.text)
    }
}

/// A shared, growing record; clones are the same journal. Its last owner prints it when the scenario
/// panics.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Record>);

#[derive(Debug)]
struct Record {
    start: Instant,
    lines: Mutex<Vec<Line>>,
    live: AtomicBool,
}

impl Default for Journal {
    fn default() -> Self {
        let record =
            Record { start: Instant::now(), lines: Mutex::new(Vec::new()), live: AtomicBool::new(false) };
        Journal(Arc::new(record))
    }
}

impl Journal {
    /// Time since the journal began.
    pub fn now(&self) -> Duration {
        self.0.start.elapsed()
    }

    /// The journal's time of `instant`.
    pub fn time_of(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.0.start)
    }

    /// Also prints each new line at once.
    pub fn print_live(&self, live: bool) {
        self.0.live.store(live, Ordering::Relaxed);
    }

    /// Adds a line.
    pub fn add(&self, source: &str, text: &str) {
        let line = Line { at: self.now(), source: source.to_owned(), text: text.to_owned() };
        if self.0.live.load(Ordering::Relaxed) {
            println!("{line}");
        }
        self.0.lines.lock().unwrap().push(line);
    }

    /// Adds a step of the scenario.
    pub fn step(&self, text: &str) {
        self.add("-", text);
    }

    /// A copy of the lines that `wanted` accepts.
    pub fn lines(&self, wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
        self.0.lines.lock().unwrap().iter().filter(|line| wanted(line)).cloned().collect()
    }

    /// The first line of `source` since `since` that contains `part`.
    pub fn find(&self, source: &str, since: Duration, part: &str) -> Option<Line> {
        let lines = self.0.lines.lock().unwrap();
        lines
            .iter()
            .find(|line| line.source == source && line.at >= since && line.text.contains(part))
            .cloned()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("--- journal");
            for line in self.lines.get_mut().map(std::mem::take).unwrap_or_default() {
                println!("{line}");
            }
            println!("--- end of journal");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_line_of_a_source_since_a_time() {
        let journal = Journal::default();
        journal.add("a", "pulse: gratuitous lvs arps finished");
        journal.add("b", "pulse: partner dead: activating lvs");
        let since = journal.now();
        journal.add("b", "pulse: partner active: deactivating LVS");
        let found = |source, since, part| journal.find(source, since, part).map(|line| line.text);
        assert_eq!(found("b", Duration::ZERO, "partner"), Some("pulse: partner dead: activating lvs".into()));
        assert_eq!(found("b", since, "partner"), Some("pulse: partner active: deactivating LVS".into()));
        assert_eq!(found("a", Duration::ZERO, "partner"), None);
        assert_eq!(journal.lines(|line| line.source == "b").len(), 2);
    }
}
