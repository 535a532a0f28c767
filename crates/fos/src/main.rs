//! fos: starts and stops the services of a failover pair, or monitors the partner's.
//!
//! Started by pulse with `service = fos`: with `--active` on the node that serves, with `--monitor` on the other.
//! Its end is its only message to pulse.

mod cli;
mod command;
mod message;
mod runtime;
mod supervisor;

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;

use lvs_cf::{Config, ServiceKind};
use system::daemon::Detach;
use system::logging::{Logging, Sink};
use system::options::Stop;
use system::pair::Pair;
use system::route::RouteSocket;
use system::startup::{enter_background, handle_signals, LIFELINE};

use crate::cli::{Request, PROGRAM};
use crate::command::Style;
use crate::runtime::{tell, Fos};
use crate::supervisor::{Action, Input, Outcome, Service, Supervisor};

const PID_FILE: &str = "/var/run/fos.pid";

fn main() -> ExitCode {
    let lifeline = system::child::take_inherited(LIFELINE);
    match cli::parse(std::env::args_os()).and_then(|request| start(&request, lifeline)) {
        Ok(status) => ExitCode::from(status),
        Err(stop) => ExitCode::from(stop.print()),
    }
}

fn start(request: &Request, lifeline: Option<OwnedFd>) -> Result<u8, Stop> {
    let config = load(&request.configfile)?;
    let sink = if request.foreground || request.test { Sink::Stdout } else { Sink::Syslog };
    Logging { ident: PROGRAM, prefix: PROGRAM, sink, verbose: request.verbose }.init();
    let style = Style { verbose: request.verbose, foreground: request.foreground };
    let services = Service::all(&config, partner(&config)?, style);
    if request.test {
        plan(request, services);
        return Ok(0);
    }
    let how = if request.nofork { Detach::InPlace } else { Detach::Fork };
    let background = || enter_background(how, PROGRAM, PROGRAM, PID_FILE);
    let (readiness, pid_file) = (!request.foreground).then(background).transpose()?.unzip();
    // HUP ends fos, as it always did: pulse starts it again when its services have changed.
    let signals = handle_signals().map_err(|error| Stop::error(format!("fos: {error}")))?;
    let (supervisor, actions) = Supervisor::start(request.mode, services, lifeline.is_some());
    if let Some(readiness) = readiness {
        readiness.ready();
    }
    let limit = system::command_limit::get();
    let result = runtime::run(Fos { config, supervisor, limit, signals, lifeline }, actions);
    drop(pid_file);
    result.map_err(|error| Stop::error(format!("fos: {error}")))
}

fn load(path: &Path) -> Result<Config, Stop> {
    let mut config = system::config::load(path).map_err(|error| error.stop(PROGRAM))?;
    let path = path.display();
    if config.service != ServiceKind::Fos {
        return Err(Stop::error(format!("fos: Service type is not \"fos\" in {path}")));
    }
    if config.failovers.is_empty() {
        return Err(Stop::error(format!("fos: No Failover Services defined in {path}.")));
    }
    system::sibling::adopt_monitors(&mut config.failovers);
    Ok(config)
}

/// The other node's public address.
fn partner(config: &Config) -> Result<Ipv4Addr, Stop> {
    let held = RouteSocket::open().and_then(|mut route| route.addresses());
    let held = held.map_err(|error| Stop::error(format!("fos: cannot list the addresses: {error}")))?;
    let pair = Pair::of(config, &held).map_err(|reason| Stop::error(format!("fos: {reason}")))?;
    Ok(pair.public.partner)
}

/// `--test-start`: what would be done up to the point where all runs, and nothing is.
fn plan(request: &Request, services: Vec<Service>) {
    let (mut supervisor, mut actions) = Supervisor::start(request.mode, services, false);
    while let Some(action) = actions.pop() {
        // What comes before the last action of a batch is a line of log.
        for action in actions.drain(..) {
            if let Action::Log(message) = action {
                tell(&message);
            }
        }
        actions = match action {
            Action::Run(_, command) => {
                log::info!("would run: {}", command.line());
                supervisor.handle(Input::CommandEnded(Outcome::Ended(0)))
            }
            Action::Watch(id, command) => {
                log::info!("would run: {}", command.line());
                // Its first action tells the process id that there is not.
                supervisor.handle(Input::MonitorStarted(id, 0)).split_off(1)
            }
            _ => Vec::new(),
        };
    }
}
