//! A single change of the kernel's IPVS state, and its ipvsadm argument vector.

use std::fmt;
use std::net::Ipv4Addr;

use crate::{
    Destination, DestinationKey, Foreign, Persistence, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts,
};

/// A single change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Set the connection timeouts.
    SetTimeouts(Timeouts),
    /// Delete every service, foreign ones too. Timeouts and the synchronisation daemons stay.
    Flush,
    /// Add a service.
    AddService(Service),
    /// Give an existing service another scheduler or persistence. Its destinations and connections stay.
    EditService(Service),
    /// Delete a service with all its destinations.
    DeleteService(ServiceKey),
    /// Add a destination to a service.
    AddDestination(ServiceKey, Destination),
    /// Give an existing destination another weight or forwarding. Its connections stay.
    EditDestination(ServiceKey, Destination),
    /// Delete a destination.
    DeleteDestination(ServiceKey, DestinationKey),
    /// Delete an entry that this model cannot express.
    DeleteForeign(Foreign),
    /// Start a connection synchronisation daemon.
    StartSync(SyncDaemon),
    /// Stop the connection synchronisation daemon of this role.
    StopSync(SyncRole),
}

impl Operation {
    /// The words after `ipvsadm` that do the same, in the order in which Piranha gave them.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::SetTimeouts(Timeouts { tcp, tcpfin, udp }) => {
                vec!["--set".into(), tcp.to_string(), tcpfin.to_string(), udp.to_string()]
            }
            Self::Flush => vec!["-C".into()],
            Self::AddService(service) => service_arguments("-A", service),
            Self::EditService(service) => service_arguments("-E", service),
            Self::DeleteService(key) => [vec!["-D".into()], key.selector().into()].concat(),
            Self::AddDestination(key, destination) => destination_arguments("-a", key, destination),
            Self::EditDestination(key, destination) => destination_arguments("-e", key, destination),
            Self::DeleteDestination(key, destination) => real_server_arguments("-d", key, destination),
            Self::DeleteForeign(foreign) => foreign.delete_arguments(),
            Self::StartSync(SyncDaemon { role, interface, syncid }) => vec![
                "--start-daemon".into(),
                role.to_string(),
                "--mcast-interface".into(),
                interface.clone(),
                "--syncid".into(),
                syncid.to_string(),
            ],
            Self::StopSync(role) => vec!["--stop-daemon".into(), role.to_string()],
        }
    }
}

/// `-A SVC -s SCHED [-p SECONDS [-M MASK]]`; Piranha left the mask out where it is all ones.
fn service_arguments(command: &str, service: &Service) -> Vec<String> {
    let mut words = vec![command.into()];
    words.extend(service.key.selector());
    words.extend(["-s".into(), service.scheduler.clone()]);
    if let Some(Persistence { timeout, netmask }) = service.persistence {
        words.extend(["-p".into(), timeout.to_string()]);
        if netmask != Ipv4Addr::BROADCAST {
            words.extend(["-M".into(), netmask.to_string()]);
        }
    }
    words
}

/// `-a SVC -r RIP:RPORT FWD -w WEIGHT`
fn destination_arguments(command: &str, key: &ServiceKey, destination: &Destination) -> Vec<String> {
    let mut words = real_server_arguments(command, key, &destination.key);
    words.extend([destination.forwarding.option().into(), "-w".into(), destination.weight.to_string()]);
    words
}

/// `-d SVC -r RIP:RPORT`; the port is written for firewall marks too.
fn real_server_arguments(command: &str, key: &ServiceKey, destination: &DestinationKey) -> Vec<String> {
    let mut words = vec![command.into()];
    words.extend(key.selector());
    words.extend(["-r".into(), destination.to_string()]);
    words
}

/// What the operation does, in words that follow `cannot `.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetTimeouts(Timeouts { tcp, tcpfin, udp }) => {
                write!(f, "set timeouts tcp {tcp}, tcpfin {tcpfin}, udp {udp}")
            }
            Self::Flush => f.write_str("clear the table"),
            Self::AddService(service) => write!(f, "add service {} ({})", service.key, service.scheduler),
            Self::EditService(service) => write!(f, "edit service {} ({})", service.key, service.scheduler),
            Self::DeleteService(key) => write!(f, "delete service {key}"),
            Self::AddDestination(key, d) => write!(f, "add {} to {key} (weight {})", d.key, d.weight),
            Self::EditDestination(key, d) => write!(f, "edit {} of {key} (weight {})", d.key, d.weight),
            Self::DeleteDestination(key, d) => write!(f, "delete {d} of {key}"),
            Self::DeleteForeign(foreign) => write!(f, "delete {foreign}"),
            Self::StartSync(SyncDaemon { role, interface, syncid }) => {
                write!(f, "start the {role} sync daemon on {interface} (syncid {syncid})")
            }
            Self::StopSync(role) => write!(f, "stop the {role} sync daemon"),
        }
    }
}
