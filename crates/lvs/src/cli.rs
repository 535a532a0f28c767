//! The command line of lvs.

use std::ffi::OsString;
use std::path::PathBuf;

use system::options::{version_block, Opt, Options, Stop};

/// The program's name in messages; it is installed as `lvsd`.
pub const PROGRAM: &str = "lvs";

const TABLE: &[Opt] = &[
    Opt::text("configfile").short('c').help("Configuration file"),
    Opt::flag("nodaemon").short('n').help("Don't run as a daemon"),
    Opt::flag("test-start")
        .short('t')
        .help("Display what commands would be run on startup, but don't actually run anything"),
    Opt::flag("verbose").short('v').help("Verbose output"),
    Opt::flag("nofork").help("Don't fork, but do disassociate"),
    Opt::flag("version").help("Display program version"),
];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The lvs.cf to read.
    pub configfile: PathBuf,
    /// Stay in the foreground and log to standard output.
    pub foreground: bool,
    /// Detach without forking.
    pub nofork: bool,
    /// Say what would be done and do nothing.
    pub test: bool,
    /// Nannies log in detail.
    pub verbose: bool,
}

/// Reads the command line, `argv[0]` first.
///
/// # Errors
///
/// Help, version and mistakes: a text and an exit status.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Stop> {
    let values = Options::new(PROGRAM, TABLE).parse(arguments)?;
    if values.flag("version") {
        return Err(Stop { text: version_block("lvs 1.38").into_bytes(), status: 0 });
    }
    Ok(Request {
        configfile: values.text("configfile").unwrap_or(system::config::DEFAULT_PATH.as_ref()).into(),
        foreground: values.flag("nodaemon"),
        nofork: values.flag("nofork"),
        test: values.flag("test-start"),
        verbose: values.flag("verbose"),
    })
}
