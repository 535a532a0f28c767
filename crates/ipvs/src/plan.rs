//! From the table that is to the table that shall be.

use crate::{Destination, Entry, Foreign, Operation, Table};

/// The shortest plan that turns `current` into `wanted`.
///
/// What is right already is not touched, so its connections go on. First everything goes that nobody wants;
/// then the services follow in the order of their keys, each with its additions before its edits and deletions,
/// so that a service never stands without a real server in between.
#[must_use]
pub fn diff(current: &Table, wanted: &Table) -> Vec<Operation> {
    let mut plan = removals(current, wanted);
    for entry in wanted.services() {
        match current.get(&entry.service.key) {
            None => plan.extend(creation(entry)),
            Some(existing) => plan.extend(changes(existing, entry)),
        }
    }
    plan
}

/// Foreign entries and services that are not wanted. A destination goes with its service.
fn removals(current: &Table, wanted: &Table) -> Vec<Operation> {
    let outlives_its_service = |foreign: &&Foreign| match foreign {
        Foreign::Destination { service, .. } => wanted.get(service).is_some(),
        Foreign::Service { .. } | Foreign::FwMarkV6(_) => true,
    };
    let foreign = current
        .foreign()
        .filter(|foreign| !wanted.has_foreign(foreign))
        .filter(outlives_its_service)
        .map(|foreign| Operation::DeleteForeign(foreign.clone()));
    let services = current
        .services()
        .filter(|entry| wanted.get(&entry.service.key).is_none())
        .map(|entry| Operation::DeleteService(entry.service.key));
    foreign.chain(services).collect()
}

fn creation(wanted: &Entry) -> Vec<Operation> {
    let key = wanted.service.key;
    let service = Operation::AddService(wanted.service.clone());
    let destinations = wanted.destinations.values().map(|d| Operation::AddDestination(key, *d));
    std::iter::once(service).chain(destinations).collect()
}

fn changes(current: &Entry, wanted: &Entry) -> Vec<Operation> {
    let key = wanted.service.key;
    let mut plan = Vec::new();
    if current.unusual != wanted.unusual || current.service != wanted.service {
        plan.push(Operation::EditService(wanted.service.clone()));
    }
    let (known, new): (Vec<&Destination>, Vec<_>) =
        wanted.destinations.values().partition(|d| current.destinations.contains_key(&d.key));
    plan.extend(new.into_iter().map(|d| Operation::AddDestination(key, *d)));
    let differs = |d: &&Destination| {
        current.destinations.get(&d.key) != Some(d)
            || current.unusual_destinations.contains(&d.key) != wanted.unusual_destinations.contains(&d.key)
    };
    plan.extend(known.into_iter().filter(differs).map(|d| Operation::EditDestination(key, *d)));
    let gone = current.destinations.keys().filter(|d| !wanted.destinations.contains_key(d));
    plan.extend(gone.map(|d| Operation::DeleteDestination(key, *d)));
    plan
}
