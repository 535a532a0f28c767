//! Virtual services that lvs left in the table when it was killed.

use std::io;
use std::path::Path;

use ipvs::{Backend, ErrorKind, Operation, Protocol, ServiceKey};
use lvs_cf::{Config, Virtual};

/// There once the kernel has IPVS.
const LOADED: &str = "/proc/net/ip_vs";

/// Takes the virtual services of `config` out of the kernel's table, if they are there: nobody keeps them any more.
/// A program that edits the table cannot list it: with `unseen` it is asked to delete all of them, otherwise nothing.
/// Returns what could not be done, and why.
pub fn withdraw(config: &Config, unseen: bool) -> Vec<String> {
    let by_program = config.ipvsadm.as_bytes() != crate::ipvs::STANDARD_PROGRAM.as_bytes();
    // A kernel that has not loaded IPVS holds no service, and need not load it for this.
    if !by_program && !Path::new(LOADED).exists() {
        return Vec::new();
    }
    let keys: Vec<ServiceKey> = config.virtuals.iter().filter_map(key).collect();
    match crate::ipvs::backend(config.ipvsadm.as_os_str()) {
        Ok(mut backend) => delete(backend.as_mut(), keys, unseen),
        // A kernel without IPVS holds no service.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![format!("cannot withdraw the services: {error}")],
    }
}

/// Deletes those of the services that are there; another service's entries are not touched.
fn delete(backend: &mut dyn Backend, mut keys: Vec<ServiceKey>, unseen: bool) -> Vec<String> {
    match backend.table() {
        Ok(table) => keys.retain(|key| table.get(key).is_some()),
        Err(error) if error.kind == ErrorKind::Unsupported && unseen => {}
        Err(error) if error.kind == ErrorKind::Unsupported => return Vec::new(),
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
        let failures = delete(&mut kernel, vec![web(80), web(443), ServiceKey::FwMark(7)], false);
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
        let failures = delete(&mut kernel, vec![web(80), web(25)], true);
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(failures[0].contains("permission denied"), "{failures:?}");
    }
}
