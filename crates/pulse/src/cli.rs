//! The command line of pulse.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use system::options::{version_block, Opt, Options, Stop};

/// The program's name in messages and in syslog.
pub const PROGRAM: &str = "pulse";

const TABLE: &[Opt] = &[
    Opt::text("configfile").short('c').help("Configuration file"),
    Opt::flag("nodaemon").short('n').help("Don't run as a daemon"),
    Opt::flag("test-start")
        .short('t')
        .help("Display what commands would be run on startup, but don't actually run anything"),
    Opt::flag("norun").help("Same as --test-start"),
    Opt::flag("verbose").short('v').help("Verbose output"),
    Opt::flag("forceactive").help("Become the active director at once"),
    Opt::text("lvsd").help("Path of the lvs daemon"),
    Opt::alias("lvs", "lvsd"),
    Opt::text("fos").help("Path of the failover service daemon"),
    Opt::flag("version").help("Display program version"),
];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The lvs.cf to read, as it is passed on to lvs.
    pub configfile: PathBuf,
    /// Stay in the foreground and log to standard output.
    pub foreground: bool,
    /// Say what would be done and do nothing.
    pub test: bool,
    /// Log in detail.
    pub verbose: bool,
    /// Be active from the start.
    pub force_active: bool,
    /// The lvs to run.
    pub lvs: OsString,
    /// The fos to run.
    pub fos: OsString,
}

/// Reads the command line, `argv[0]` first.
///
/// # Errors
///
/// Help, version and mistakes: a text and an exit status.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Stop> {
    let values = Options::new(PROGRAM, TABLE).parse(arguments)?;
    if values.flag("version") {
        return Err(Stop { text: version_block("pulse 1.56").into_bytes(), status: 0 });
    }
    let program = |option, standard, names: &[&str]| {
        let given = values.text(option).map(OsStr::to_owned);
        given.unwrap_or_else(|| system::sibling::or(standard, names))
    };
    Ok(Request {
        configfile: values.text("configfile").unwrap_or(system::config::DEFAULT_PATH.as_ref()).into(),
        foreground: values.flag("nodaemon"),
        test: values.flag("test-start") || values.flag("norun"),
        verbose: values.flag("verbose"),
        force_active: values.flag("forceactive"),
        lvs: program("lvsd", "/usr/sbin/lvsd", &system::sibling::LVS),
        fos: program("fos", "/usr/sbin/fos", &["fos"]),
    })
}
