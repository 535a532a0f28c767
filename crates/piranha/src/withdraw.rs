//! `piranha withdraw`: what a director that has died may have left behind is taken off this node, so that two
//! directors never answer for one address. Done by every start of pulse too; this is for when none follows.

use crate::output::{self, Verdict};
use std::io::{self, Write};
use std::path::Path;
use system::daemon::{PidFile, PidFileError};
use system::services;
use system::vip::{self, Addresses, VirtualAddress};

/// pulse holds this locked for as long as it runs.
const PULSE_PID_FILE: &str = "/var/run/pulse.pid";

/// Takes the virtual addresses and the IPVS services of `file` off this node, and the addresses on record from an
/// earlier file. Without `force` it refuses while pulse runs, and no pulse can start meanwhile.
///
/// # Errors
/// Those of printing.
pub fn run(file: &Path, force: bool) -> io::Result<Verdict> {
    let _lock = match PidFile::create(PULSE_PID_FILE) {
        Err(error @ PidFileError::AlreadyRunning { .. }) if !force => {
            say(&format!("pulse is {error}: stop it instead, or use --force"))?;
            return Ok(Verdict::Errors);
        }
        lock => lock.ok(),
    };
    // What is on record goes first, and whatever becomes of the file: a name in it may have to be looked up at a
    // silent name server, and the partner does not wait for that.
    let mut failures = withdraw_addresses(&[]);
    let (config, unread) = match system::config::load(file) {
        Ok(config) => (Some(config), Verdict::Clean),
        Err(error) => (None, output::refuse(&error)?),
    };
    if let Some(config) = &config {
        failures = withdraw_addresses(&vip::wanted(config));
        failures.extend(services::withdraw(config, true));
    }
    for failure in &failures {
        say(failure)?;
    }
    Ok(if failures.is_empty() { unread } else { Verdict::Errors })
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "piranha: {text}")
}

/// Takes down the addresses on record and those that are `known` besides. What could not be taken down, and why.
fn withdraw_addresses(known: &[VirtualAddress]) -> Vec<String> {
    match Addresses::open().and_then(|mut addresses| addresses.settle(&[], known)) {
        Ok(failures) => failures
            .iter()
            .map(|failure| format!("cannot withdraw {}: {}", failure.address.address, failure.error))
            .collect(),
        Err(error) => vec![format!("cannot withdraw the virtual addresses: {error}")],
    }
}
