//! The command line of fos.

use std::ffi::OsString;
use std::path::PathBuf;

use system::options::{version_block, Opt, Options, Stop};

use crate::supervisor::Mode;

/// The program's name in messages and in syslog.
pub const PROGRAM: &str = "fos";

const TABLE: &[Opt] = &[
    Opt::text("configfile").short('c').help("Configuration file"),
    Opt::flag("nodaemon").short('n').help("Don't run as a daemon"),
    Opt::flag("monitor").short('f').help("Start client monitors and watch for failure"),
    Opt::flag("active").short('F').help("Start IP services and watch for failure"),
    Opt::flag("verbose").short('v').help("Log debugging information"),
    Opt::flag("test-start")
        .short('t')
        .help("Display what commands would be run on startup, but don't actually run anything"),
    Opt::flag("nofork").help("Don't fork, but do disassociate"),
    Opt::flag("version").help("Display program version"),
];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The lvs.cf to read.
    pub configfile: PathBuf,
    /// Run the services, or monitor the partner's.
    pub mode: Mode,
    /// Stay in the foreground and log to standard output.
    pub foreground: bool,
    /// Detach without forking.
    pub nofork: bool,
    /// Say what would be done and do nothing.
    pub test: bool,
    /// Monitors log in detail.
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
        return Err(Stop { text: version_block("fos 1.13").into_bytes(), status: 0 });
    }
    let mode = match (values.flag("active"), values.flag("monitor")) {
        (true, false) => Mode::Active,
        (false, true) => Mode::Monitor,
        (true, true) => return Err(Stop::error("fos: Cannot specifiy both -f and -F!")),
        (false, false) => return Err(Stop::error("fos: Either --monitor (-f) or --active (-F) required!")),
    };
    Ok(Request {
        configfile: values.text("configfile").unwrap_or(system::config::DEFAULT_PATH.as_ref()).into(),
        mode,
        foreground: values.flag("nodaemon"),
        nofork: values.flag("nofork"),
        test: values.flag("test-start"),
        verbose: values.flag("verbose"),
    })
}
