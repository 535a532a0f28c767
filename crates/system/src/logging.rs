//! Where the daemons' messages go: syslog and standard output, through the `log` facade.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::poll::{Interest, Poller};
use crate::syslog::Syslog;

/// Longest text on standard output, in bytes, as in the original; the prefix does not count.
const STDOUT_LIMIT: usize = 255;
/// Longest text sent to syslog, in bytes: receivers cut or drop what is much longer (RFC 3164).
const SYSLOG_LIMIT: usize = 1000;
/// Ends a text that was cut for syslog.
const CUT_MARK: &str = "...";

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// syslog only: a daemon.
    Syslog,
    /// Standard output only: pulse and lvs in the foreground.
    Stdout,
    /// Both: nanny in the foreground.
    Both,
}

/// How a daemon logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// Name in syslog, e.g. `lvsd`.
    pub ident: &'static str,
    /// What stands before `: ` on standard output, e.g. `lvs`.
    pub prefix: &'static str,
    /// Where messages go.
    pub sink: Sink,
    /// Whether debug messages are logged.
    pub verbose: bool,
}

/// Starts logging under one name everywhere, with syslog open: see [`Logging::init`] and [`open_syslog`].
pub fn init(ident: &'static str, sink: Sink, verbose: bool) {
    Logging { ident, prefix: ident, sink, verbose }.init();
    if sink != Sink::Stdout {
        open_syslog(ident);
    }
}

impl Logging {
    /// Starts logging; a second call has no effect.
    ///
    /// Until [`open_syslog`] is called, messages go to syslog as those of any program: facility user, the
    /// program's own name, no pid. The originals log like that until their main loop is set up.
    ///
    /// Every message has priority info, and is one line: control characters are escaped. With a sink on
    /// standard output, the variable `RUST_LOG` says what is logged there (`debug`, `info,ipvs=trace`, …).
    pub fn init(self) {
        let wanted = if self.verbose { LevelFilter::Debug } else { LevelFilter::Info };
        let filter = (self.sink != Sink::Syslog && std::env::var_os("RUST_LOG").is_some())
            .then(|| env_logger::Builder::from_default_env().build());
        let highest = filter.as_ref().map_or(wanted, |filter| filter.filter().max(wanted));
        if log::set_boxed_logger(Box::new(Logger { settings: self, filter })).is_ok() {
            log::set_max_level(highest);
        }
    }
}

/// From now on syslog messages carry this ident and the pid, and go to facility daemon. Call it once the
/// process id is final, after daemonising.
pub fn open_syslog(ident: &'static str) {
    with_syslog(|syslog| syslog.open(ident));
}

/// One way to the syslog for the process.
static SYSLOG: Mutex<Option<Syslog>> = Mutex::new(None);

fn with_syslog(work: impl FnOnce(&mut Syslog)) {
    // A thread that panicked while it logged leaves a sender that still sends.
    let mut syslog = SYSLOG.lock().unwrap_or_else(PoisonError::into_inner);
    work(syslog.get_or_insert_with(Syslog::new));
}

struct Logger {
    settings: Logging,
    filter: Option<env_logger::Logger>,
}

impl Logger {
    /// Whether a message is meant for the daemon's normal log. The libraries' own remarks are not.
    fn is_ours(&self, metadata: &Metadata<'_>) -> bool {
        let limit = if self.settings.verbose { Level::Debug } else { Level::Info };
        metadata.level() <= limit && !metadata.target().starts_with("netlink")
    }

    fn to_syslog(&self, record: &Record<'_>) -> bool {
        self.settings.sink != Sink::Stdout && self.is_ours(record.metadata())
    }

    fn to_stdout(&self, record: &Record<'_>) -> bool {
        self.settings.sink != Sink::Syslog
            && match &self.filter {
                Some(filter) => filter.matches(record),
                None => self.is_ours(record.metadata()),
            }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.is_ours(metadata) || self.filter.as_ref().is_some_and(|filter| filter.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        let (syslog, stdout) = (self.to_syslog(record), self.to_stdout(record));
        if !syslog && !stdout {
            return;
        }
        let text = one_line(&record.args().to_string());
        if stdout {
            write_stdout(&stdout_line(self.settings.prefix, &text));
        }
        if syslog {
            with_syslog(|syslog| syslog.send(&syslog_text(&text)));
        }
    }

    fn flush(&self) {}
}

/// Makes a text one line of printable characters: what a peer or a program sent must not forge log lines or
/// move an operator's cursor. Newlines at the end, which some of the originals' texts have, go.
fn one_line(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// The longest start of `text` of at most `limit` bytes that does not split a character.
fn cut(text: &str, limit: usize) -> &str {
    let fits = |&end: &usize| text.is_char_boundary(end);
    match text.len() <= limit {
        true => text,
        false => &text[..(0..=limit).rev().find(fits).unwrap_or(0)],
    }
}

fn stdout_line(prefix: &str, text: &str) -> String {
    format!("{prefix}: {}\n", cut(text, STDOUT_LIMIT))
}

fn syslog_text(text: &str) -> String {
    match cut(text, SYSLOG_LIMIT) {
        whole if whole.len() == text.len() => whole.to_owned(),
        part => format!("{part}{CUT_MARK}"),
    }
}

/// Writes a line at once or not at all: a reader that is gone or does not read must not stop a director.
fn write_stdout(line: &str) {
    let stdout = io::stdout();
    let mut poller = Poller::new();
    poller.register(0, stdout.as_fd(), Interest::Write);
    let writable = matches!(poller.wait(Some(Duration::ZERO)), Ok([ready, ..]) if ready.writable);
    if writable {
        // The reader may go between the two calls; there is nobody left to tell.
        let _ = nix::unistd::write(&stdout, line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_printable_line() {
        let cases = [
            ("plain text", "plain text"),
            ("%s %n stay", "%s %n stay"),
            ("ends in newlines\n\n", "ends in newlines"),
            ("forged\nMay 1 pulse: x", "forged\\nMay 1 pulse: x"),
            ("bell\u{7} nul\0 esc\u{1b}[2J", "bell\\u{7} nul\\u{0} esc\\u{1b}[2J"),
        ];
        for (text, expected) in cases {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(5000);
        assert_eq!(stdout_line("pulse", &long), format!("pulse: {}\n", &long[..255]));
        assert_eq!(syslog_text(&long), format!("{}...", &long[..1000]));
        assert_eq!(syslog_text("short"), "short");
        let wide = "é".repeat(200);
        assert_eq!(stdout_line("lvs", &wide), format!("lvs: {}\n", "é".repeat(127)));
    }

    #[test]
    fn verbose_decides_on_debug_and_libraries_stay_quiet() {
        let logger = |verbose| Logger {
            settings: Logging { ident: "lvsd", prefix: "lvs", sink: Sink::Both, verbose },
            filter: None,
        };
        let metadata = |level, target| Metadata::builder().level(level).target(target).build();
        assert!(logger(false).enabled(&metadata(Level::Info, "lvs")));
        assert!(!logger(false).enabled(&metadata(Level::Debug, "lvs")));
        assert!(logger(true).enabled(&metadata(Level::Debug, "lvs")));
        assert!(!logger(true).enabled(&metadata(Level::Warn, "netlink_packet_route::link")));
    }
}
