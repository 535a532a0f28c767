//! pulse: heartbeats, election, virtual addresses and announcements of one director.
//!
//! ```text
//!  sockets ──┐                        ┌── sockets     heartbeats out
//!  signals ──┼── runtime ── election ─┼── effects     addresses, announcements, lvs or fos, sync daemon, hooks
//!  children ─┘                        └── log
//! ```
//!
//! The election (crate `heartbeat`) decides; everything here carries out.

mod arp;
mod cli;
mod controller;
mod director;
mod effects;
mod fos;
mod fos_director;
mod hooks;
mod reload;
mod runtime;
mod settings;
mod sockets;
mod sync;
mod systemd;
mod vips;
mod watch;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use heartbeat::{Ending, Message, Role};
use lvs_cf::{Config, ServiceKind};
use system::clock;
use system::config::LoadError;
use system::daemon::{Detach, Readiness};
use system::errno;
use system::logging::{Logging, Sink};
use system::options::Stop;
use system::pair::{self, Pair};
use system::rereading::Rereading;
use system::startup::{enter_background, handle_signals};
use system::vip::{self, Addresses};

use crate::cli::Request;
use crate::controller::Program;
use crate::director::Director;
use crate::effects::Effects;
use crate::fos::Task;
use crate::fos_director::FosDirector;
use crate::runtime::{tell, Pulse};
use crate::settings::Start;
use crate::sockets::Sockets;
use crate::systemd::Systemd;
use crate::watch::Watch;

const PID_FILE: &str = "/var/run/pulse.pid";

/// What the original's main returned as -1.
const FAILED: u8 = 255;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()).and_then(|request| start(&request)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(stop.print()),
    }
}

fn start(request: &Request) -> Result<(), Stop> {
    let sink = if request.foreground || request.test { Sink::Stdout } else { Sink::Syslog };
    Logging { ident: cli::PROGRAM, prefix: cli::PROGRAM, sink, verbose: request.verbose }.init();

    let systemd = Systemd::from_environment();
    let mut config = load(request)?;
    let mut addresses = Addresses::open().map_err(|error| Stop::error(format!("pulse: {error}")))?;
    let pair = find_role(&config, &mut addresses)?;
    check_backup(&mut config);
    check_services(&config, request)?;
    if request.test {
        return plan(&config, &pair, request);
    }
    let sockets = Sockets::bind(&pair).map_err(|error| {
        tell(&Message::BindFailed(errno::text(&error)));
        Stop::error("pulse: cannot create heartbeat socket. running as root?")
    })?;
    let background = || enter_background(Detach::Fork, cli::PROGRAM, cli::PROGRAM, PID_FILE);
    let (readiness, pid_file) = (!request.foreground).then(background).transpose()?.unzip();
    if !pair.primary && !config.backup_active {
        tell(&Message::BackupNotWanted);
        if let Some(readiness) = readiness {
            readiness.fail(FAILED);
        }
        return Err(Stop { text: Vec::new(), status: FAILED });
    }
    let result = serve(request, config, pair, addresses, sockets, readiness, systemd);
    drop(pid_file);
    match result {
        Ok(Ending::Asked) => Ok(()),
        Ok(Ending::NotWanted) => Err(Stop { text: Vec::new(), status: FAILED }),
        Err(error) => {
            tell(&Message::PollFailed(errno::text(&error)));
            Err(Stop { text: Vec::new(), status: FAILED })
        }
    }
}

fn serve(
    request: &Request,
    config: Config,
    pair: Pair,
    addresses: Addresses,
    sockets: Sockets,
    readiness: Option<Readiness>,
    mut systemd: Systemd,
) -> std::io::Result<Ending> {
    let start =
        Start { force_active: request.force_active, prepare: system::sibling::is_our_lvs(&request.lvs) };
    let settings = settings::of(&config, &pair, start);
    // Before anybody can know that we run, and signal us.
    let signals = handle_signals()?;
    tell(&Message::Starting(settings.role));
    // Made after the sockets: when this process is killed, the kernel closes the heartbeat port before lvs or fos sees
    // the end of the lifeline and says goodbye from the same port.
    let (reader, _lifeline) = system::child::pipe()?;
    let watch = Watch::new(&config);
    let effects = effects(request, config, addresses, reader);
    // Before the command that started us may end: systemd must know by then who goes on.
    systemd.ready(clock::now());
    let path = request.configfile.clone();
    let file = Rereading::new(move || system::config::load(&path));
    let pulse = Pulse { file, pair, start, settings, sockets, effects, signals, watch, systemd };
    if let Some(readiness) = readiness {
        readiness.ready();
    }
    runtime::run(pulse)
}

/// What `service` makes of the election's decisions.
fn effects(request: &Request, config: Config, addresses: Addresses, lifeline: OwnedFd) -> Box<dyn Effects> {
    let arguments = arguments(&config, request);
    match config.service {
        ServiceKind::Lvs => {
            let lvs = Program { path: request.lvs.clone(), arguments, lifeline };
            Box::new(Director::new(config, addresses, lvs))
        }
        ServiceKind::Fos => {
            let fos = fos::Program { path: request.fos.clone(), arguments, lifeline };
            Box::new(FosDirector::new(config, addresses, fos))
        }
    }
}

fn load(request: &Request) -> Result<Config, Stop> {
    system::config::load(&request.configfile).map_err(|error| {
        Stop::error(match &error {
            LoadError::Open { .. } => format!("pulse: {error}"),
            LoadError::Parse { .. } => format!("pulse: {error}\n{}", error.details().trim_end()),
        })
    })
}

fn find_role(config: &Config, addresses: &mut Addresses) -> Result<Pair, Stop> {
    let (links, held) = addresses.survey().map_err(|error| Stop::error(format!("pulse: {error}")))?;
    for name in pair::without_address(&links, &held) {
        log::debug!("{name} has no address");
        log::info!("SIOCGIFADDR failed: Cannot assign requested address");
    }
    Pair::of(config, &held).map_err(|reason| Stop::error(format!("pulse: {reason}")))
}

fn check_backup(config: &mut Config) {
    if config.backup_active && config.backup.address.is_unspecified() {
        tell(&Message::UndefinedBackup);
        config.backup_active = false;
    }
}

fn check_services(config: &Config, request: &Request) -> Result<(), Stop> {
    let path = request.configfile.display();
    let (kind, services) = match config.service {
        ServiceKind::Lvs => ("lvs", &config.virtuals),
        ServiceKind::Fos => ("fos", &config.failovers),
    };
    if !services.iter().any(|service| service.active) {
        return Err(Stop::error(format!("pulse: no active {kind} services defined in {path}")));
    }
    Ok(())
}

/// `--test-start`: what this node is and would hold; nothing is changed.
fn plan(config: &Config, pair: &Pair, request: &Request) -> Result<(), Stop> {
    if !pair.primary && !config.backup_active {
        tell(&Message::BackupNotWanted);
        return Err(Stop { text: Vec::new(), status: FAILED });
    }
    tell(&Message::Starting(if pair.primary { Role::Master } else { Role::Backup }));
    for ends in pair.paths().filter(|_| config.backup_active) {
        log::info!("heartbeats from {}:{} to {}:{}", ends.local, pair.port, ends.partner, pair.port);
    }
    for vip in vip::wanted(config) {
        log::info!("when active: {}/{} on {}", vip.address, vip.prefix, vip.label);
    }
    let arguments: Vec<_> =
        arguments(config, request).iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let arguments = arguments.join(" ");
    let (lvs, fos) = (request.lvs.to_string_lossy(), request.fos.to_string_lossy());
    match config.service {
        ServiceKind::Lvs => log::info!("when active: {lvs} {arguments}"),
        ServiceKind::Fos => {
            log::info!("when active: {fos} {} {arguments}", Task::Services.option());
            log::info!("when not: {fos} {} {arguments}", Task::Monitors.option());
        }
    }
    Ok(())
}

/// Those of lvs, and those of fos after the one that gives it its task.
fn arguments(config: &Config, request: &Request) -> Vec<OsString> {
    let mode = if request.foreground { "--nodaemon" } else { "--nofork" };
    let file: [OsString; 2] = ["-c".into(), request.configfile.clone().into_os_string()];
    let mut words: Vec<OsString> = match config.service {
        ServiceKind::Lvs => [[mode.into()].as_slice(), &file].concat(),
        ServiceKind::Fos => [file.as_slice(), &[mode.into()]].concat(),
    };
    if request.verbose {
        words.push("-v".into());
    }
    words
}
