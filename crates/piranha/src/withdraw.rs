//! `piranha withdraw`: what a director that has died may have left behind is taken off this node, so that two
//! directors never answer for one address. Done by every start of pulse too; this is for when none follows.

use crate::output::{self, Verdict};
use ipvs::{Backend, ErrorKind, Operation, Protocol, ServiceKey};
use lvs_cf::{Config, Virtual};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use system::daemon::{PidFile, PidFileError};
use system::vip::{self, Addresses};

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
    // A file that cannot be read any more must not keep the addresses on record up.
    let (config, unread) = match system::config::load(file) {
        Ok(config) => (Some(config), Verdict::Clean),
        Err(error) => (None, output::refuse(&error)?),
    };
    let mut failures = withdraw_addresses(config.as_ref());
    if let Some(config) = &config {
        failures.extend(withdraw_services(config));
    }
    for failure in &failures {
        say(failure)?;
    }
    Ok(if failures.is_empty() { unread } else { Verdict::Errors })
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "piranha: {text}")
}

/// What could not be taken down, and why.
fn withdraw_addresses(config: Option<&Config>) -> Vec<String> {
    let known = config.map(vip::wanted).unwrap_or_default();
    match Addresses::open().and_then(|mut addresses| addresses.settle(&[], &known)) {
        Ok(failures) => failures
            .iter()
            .map(|failure| format!("cannot withdraw {}: {}", failure.address.address, failure.error))
            .collect(),
        Err(error) => vec![format!("cannot withdraw the virtual addresses: {error}")],
    }
}

fn withdraw_services(config: &Config) -> Vec<String> {
    let keys: Vec<ServiceKey> = config.virtuals.iter().filter_map(key).collect();
    match system::ipvs::backend(OsStr::from_bytes(config.ipvsadm.as_bytes())) {
        Ok(mut backend) => delete(backend.as_mut(), keys),
        // A kernel without IPVS holds no service.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![format!("cannot withdraw the services: {error}")],
    }
}

/// Deletes those of the services that are there; another service's entries are not touched.
fn delete(backend: &mut dyn Backend, mut keys: Vec<ServiceKey>) -> Vec<String> {
    match backend.table() {
        Ok(table) => keys.retain(|key| table.get(key).is_some()),
        // A program that cannot list: it is asked to delete them all.
        Err(error) if error.kind == ErrorKind::Unsupported => {}
        Err(error) => return vec![error.to_string()],
    }
    let operations: Vec<_> = keys.into_iter().map(Operation::DeleteService).collect();
    let results = backend.apply(&operations);
    let failed = |error: &ipvs::Error| !error.is_missing() && !matches!(error.kind, ErrorKind::Program(_));
    results.into_iter().filter_map(Result::err).filter(failed).map(|error| error.to_string()).collect()
}

/// What the kernel knows a service by; none for a port that cannot be one.
fn key(service: &Virtual) -> Option<ServiceKey> {
    if service.fwmark != 0 {
        return Some(ServiceKey::FwMark(service.fwmark));
    }
    let protocol = match service.protocol {
        lvs_cf::Protocol::Tcp => Protocol::Tcp,
        lvs_cf::Protocol::Udp => Protocol::Udp,
    };
    let port = u16::try_from(service.port).ok()?;
    Some(ServiceKey::Address { protocol, address: service.address, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipvs::{Recorder, Service, Table};

    fn web(port: u16) -> ServiceKey {
        ServiceKey::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 10].into(), port }
    }

    fn table(keys: &[ServiceKey]) -> Table {
        let mut table = Table::new();
        for key in keys {
            table.insert(Service { key: *key, scheduler: "wlc".into(), persistence: None });
        }
        table
    }

    #[test]
    fn only_services_that_are_there_and_ours_are_deleted() {
        let mut kernel = Recorder::with(table(&[web(80), web(25), ServiceKey::FwMark(7)]));
        let failures = delete(&mut kernel, vec![web(80), web(443), ServiceKey::FwMark(7)]);
        assert_eq!(failures, [""; 0]);
        assert_eq!(
            kernel.operations,
            [Operation::DeleteService(web(80)), Operation::DeleteService(ServiceKey::FwMark(7))]
        );
    }

    #[test]
    fn a_refusal_is_reported_and_a_service_that_is_gone_is_not() {
        let mut kernel = Recorder::with(table(&[web(80), web(25)]));
        kernel.refuse(Operation::DeleteService(web(80)), ErrorKind::Permission);
        kernel.refuse(Operation::DeleteService(web(25)), ErrorKind::Missing);
        let failures = delete(&mut kernel, vec![web(80), web(25)]);
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(failures[0].contains("permission denied"), "{failures:?}");
    }
}
