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
use system::daemon::Detach;
use system::logging::{Logging, Sink};
use system::options::Stop;
use system::rereading::Rereading;
use system::startup::{enter_background, handle_signals, LIFELINE, READY};

use crate::cli::Request;
use crate::command::Style;
use crate::runtime::{Lvs, Pulse};

const IDENT: &str = "lvsd";
const PID_FILE: &str = "/var/run/lvs.pid";

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
    let config = load(&request.configfile).map_err(|error| error.stop(cli::PROGRAM))?;
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
    let how = if request.nofork { Detach::InPlace } else { Detach::Fork };
    let background = || enter_background(how, cli::PROGRAM, IDENT, PID_FILE);
    let (readiness, pid_file) = (!request.foreground).then(background).transpose()?.unzip();
    let signals = handle_signals().map_err(|error| Stop::error(format!("lvs: {error}")))?;
    let path = request.configfile.clone();
    let file = Rereading::new(move || load(&path));
    let lvs = Lvs { file, config, style, backend, signals, pulse };
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

/// Late originals' pulse kills an lvsd that does not post this semaphore within ten seconds.
fn announce_start() {
    if let Err(error) = system::semaphore::post_and_unlink(c"/lvs") {
        log::info!("Error creating semaphore: {}", system::errno::text(&error));
    }
}
