//! What the starts of pulse, lvs and fos have in common.

use std::io;

use crate::daemon::{daemonise, Detach, PidFile, PidFileError, Readiness};
use crate::logging::open_syslog;
use crate::options::Stop;
use crate::signals::{self, Signals};

/// Names, in the environment of lvs and fos, the descriptor that reads end-of-file when the pulse that started them is
/// gone.
pub const LIFELINE: &str = "PIRANHA_LIFELINE_FD";

/// Names, in lvs's environment, the descriptor on which pulse waits for the table to be filled.
pub const READY: &str = "PIRANHA_READY_FD";

/// Leaves the terminal, takes the pid file and opens the syslog as `ident`. A pid file that cannot be written is logged
/// and no reason not to run, as with the originals.
///
/// # Errors
/// The text and status to end with, `program` in front: the same daemon runs already, or the system refuses to fork.
pub fn enter_background(
    how: Detach,
    program: &str,
    ident: &'static str,
    pid_file: &str,
) -> Result<(Readiness, Option<PidFile>), Stop> {
    let readiness =
        daemonise(how).map_err(|error| Stop::error(format!("{program}: cannot detach: {error}")))?;
    let pid_file = match PidFile::create(pid_file) {
        Ok(file) => Some(file),
        Err(error @ PidFileError::AlreadyRunning { .. }) => {
            readiness.fail(1);
            return Err(Stop::error(format!("{program}: {error}")));
        }
        Err(error) => {
            log::info!("{error}");
            None
        }
    };
    open_syslog(ident);
    Ok((readiness, pid_file))
}

/// Takes over TERM, INT, HUP and CHLD. The originals died of USR1, USR2 and PIPE, their addresses still up, and an old web
/// tool even sends USR2: those are ignored.
///
/// # Errors
/// Those of [`Signals::install`].
pub fn handle_signals() -> io::Result<Signals> {
    for signal in [signals::SIGUSR1, signals::SIGUSR2, signals::SIGPIPE] {
        signals::ignore(signal)?;
    }
    let signals = Signals::install(&[signals::SIGTERM, signals::SIGINT, signals::SIGHUP, signals::SIGCHLD])?;
    signals::unblock_all()?;
    Ok(signals)
}
