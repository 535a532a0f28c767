//! nanny: checks one real server of a virtual service, and enters it into or takes it out of the IPVS table.
//!
//! The deciding is done by the crate `health`; here is what it takes to do what that decides: a command line,
//! a wait for sockets and signals, checks, programs and reports.

#![forbid(unsafe_code)]

mod address;
mod check;
mod cli;
mod program;
mod report;
mod runtime;
mod wait;

use std::process::ExitCode;

use health::Message;
use system::daemon::{daemonise, Detach};
use system::logging::{self, Sink};
use system::options::Stop;

use crate::cli::{Config, Detachment};

/// Name in syslog and on standard output.
const IDENT: &str = "nanny";

fn main() -> ExitCode {
    let status = match cli::parse(std::env::args_os()) {
        Ok(config) => start(config),
        Err(stop) => stop.print(),
    };
    ExitCode::from(status)
}

/// Becomes what the command line says (daemon or not), and watches. Returns the exit status.
fn start(config: Config) -> u8 {
    let parent = report::Parent::take();
    let detach = match config.detachment {
        Detachment::Foreground => None,
        Detachment::InPlace => Some(Detach::InPlace),
        Detachment::Daemon => Some(Detach::Fork),
    };
    let readiness = match detach.map(daemonise).transpose() {
        Ok(readiness) => readiness,
        Err(error) => return failed(&error),
    };
    let sink = if detach.is_some() { Sink::Syslog } else { Sink::Both };
    logging::init(IDENT, sink, config.verbose);
    let runtime = runtime::Runtime::new(config, parent);
    if let Some(readiness) = readiness {
        match &runtime {
            Ok(_) => readiness.ready(),
            Err(_) => readiness.fail(1),
        }
    }
    match runtime {
        Ok(mut runtime) => runtime.run(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &std::io::Error) -> u8 {
    Stop::error(format!("nanny: {error}")).print()
}

/// Logs a message of the state machines.
fn log(message: &Message) {
    let level = if message.is_debug() { log::Level::Debug } else { log::Level::Info };
    log::log!(level, "{message}");
}

/// Logs a debug message, which is made only if it is wanted.
fn debug(message: impl FnOnce() -> Message) {
    if log::log_enabled!(log::Level::Debug) {
        log(&message());
    }
}
