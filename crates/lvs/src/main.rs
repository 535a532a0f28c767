//! lvs: keeps the kernel's IPVS table as lvs.cf and the health of the real servers want it.
//!
//! Started by pulse on the active director; installed as `lvsd`. It starts one nanny for each active real
//! server and is the only writer of the table: nannies report to it.

mod cli;
mod command;
mod message;
mod nannies;
mod orphan;
mod report;
mod runtime;
mod supervisor;
#[cfg(test)]
mod supervisor_tests;
mod wanted;

use std::path::Path;
use std::process::ExitCode;

use lvs_cf::Config;
use system::config::LoadError;
use system::daemon::{daemonise, Detach, PidFile, PidFileError, Readiness};
use system::logging::{open_syslog, Logging, Sink};
use system::options::Stop;
use system::signals::{self, Signals};

use crate::cli::Request;
use crate::command::Style;
use crate::runtime::{Lvs, Pulse};

const IDENT: &str = "lvsd";
const PID_FILE: &str = "/var/run/lvs.pid";

/// Names the descriptor that reads end-of-file when the pulse that started us is gone.
const LIFELINE: &str = "PIRANHA_LIFELINE_FD";

/// Names the descriptor on which pulse waits for the table to be filled.
const READY: &str = "PIRANHA_READY_FD";

fn main() -> ExitCode {
    let pulse = Pulse {
        ready: system::child::take_inherited(READY),
        lifeline: system::child::take_inherited(LIFELINE),
    };
    match cli::parse(std::env::args_os()).and_then(|request| start(&request, pulse)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(stop.print()),
    }
}

fn start(request: &Request, pulse: Pulse) -> Result<(), Stop> {
    let config = load(&request.configfile).map_err(|error| refused(&request.configfile, &error))?;
    let sink = if request.foreground { Sink::Stdout } else { Sink::Syslog };
    Logging { ident: IDENT, prefix: cli::PROGRAM, sink, verbose: request.verbose }.init();
    let style = Style { verbose: request.verbose, foreground: request.foreground };
    if request.test {
        return plan(&config, style);
    }
    let backend = system::ipvs::backend(config.ipvsadm.as_os_str())
        .map_err(|error| Stop::error(format!("lvs: no access to the kernel's IPVS table: {error}")))?;

    // A pipe for each nanny: 1024, the usual limit, is not many real servers.
    if let Err(error) = system::limits::allow_many_descriptors() {
        log::info!("the limit of open files stays as it is: {error}");
    }
    let (readiness, pid_file) = detach(request)?;
    let signals = handlers().map_err(|error| Stop::error(format!("lvs: {error}")))?;
    let lvs = Lvs { path: request.configfile.clone(), config, style, backend, signals, pulse };
    let result = runtime::run(lvs, || {
        announce_start();
        if let Some(readiness) = readiness {
            readiness.ready();
        }
    });
    drop(pid_file);
    result.map_err(|error| Stop::error(format!("lvs: {error}")))
}

/// Reads lvs.cf; the default checker is taken from beside this program when that runs from a build tree.
fn load(path: &Path) -> Result<Config, LoadError> {
    let mut config = system::config::load(path)?;
    system::sibling::adopt_monitors(&mut config.virtuals);
    Ok(config)
}

fn refused(path: &Path, error: &LoadError) -> Stop {
    let path = path.display();
    Stop::error(match error {
        LoadError::Open { .. } => format!("lvs: failed to open {path}"),
        LoadError::Parse { .. } => {
            format!("lvs: error parsing {path} on line {}.\n{}", error.line(), error.details().trim_end())
        }
    })
}

/// `--test-start`: what would be done, and nothing is.
fn plan(config: &Config, style: Style) -> Result<(), Stop> {
    let wanted = wanted::Wanted::of(config, style);
    let mut actions = Vec::new();
    supervisor::Supervisor::start(wanted, None, &mut actions);
    for action in actions {
        match action {
            supervisor::Action::Log(message) => log::info!("{message}"),
            supervisor::Action::Apply(operations) => {
                for operation in operations {
                    log::info!("would run: {} {}", config.ipvsadm, operation.arguments().join(" "));
                }
            }
            supervisor::Action::Start(start) => {
                let words: Vec<_> =
                    start.command.arguments.iter().map(|word| word.to_string_lossy()).collect();
                log::info!("would run: {} {}", Path::new(&start.command.program).display(), words.join(" "));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Leaves the terminal as asked, and takes the pid file.
fn detach(request: &Request) -> Result<(Option<Readiness>, Option<PidFile>), Stop> {
    if request.foreground {
        return Ok((None, None));
    }
    let how = if request.nofork { Detach::InPlace } else { Detach::Fork };
    let readiness = daemonise(how).map_err(|error| Stop::error(format!("lvs: cannot detach: {error}")))?;
    let pid_file = match PidFile::create(PID_FILE) {
        Ok(file) => Some(file),
        Err(error @ PidFileError::AlreadyRunning { .. }) => {
            readiness.fail(1);
            return Err(Stop::error(format!("lvs: {error}")));
        }
        Err(error) => {
            log::info!("{error}");
            None
        }
    };
    open_syslog(IDENT);
    Ok((Some(readiness), pid_file))
}

fn handlers() -> std::io::Result<Signals> {
    // The original died of these; a stray one must not take the service down.
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGPIPE] {
        signals::ignore(signal)?;
    }
    let signals = Signals::install(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGCHLD])?;
    signals::unblock_all()?;
    Ok(signals)
}

/// Late originals' pulse kills an lvsd that does not post this semaphore within ten seconds.
fn announce_start() {
    if let Err(error) = system::semaphore::post_and_unlink(c"/lvs") {
        log::info!("Error creating semaphore: {}", system::errno::text(&error));
    }
}
