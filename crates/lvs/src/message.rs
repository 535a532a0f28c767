//! Every line that lvs logs, in the original's words.

use std::fmt;

use lvs_cf::Text;

/// One line for the log. Monitoring greps for these texts: they do not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A virtual service is about to enter the table.
    StartingService { name: Text, port: i32 },
    /// A nanny was started for a real server.
    NannyStarted { service: Text, server: Text, pid: i32 },
    /// A nanny could not be started.
    NannyNotStarted { service: Text, server: Text, reason: String },
    /// A real server of lvs.cf that cannot be in the table.
    ServerLeftOut { service: Text, server: Text, reason: String },
    /// The kernel (or ipvsadm) refused a virtual service.
    ServiceFailed { name: Text },
    /// The kernel (or ipvsadm) refused the timeouts.
    TimeoutsFailed { tcp: i32, tcpfin: i32, udp: i32 },
    /// The kernel (or ipvsadm) refused a real server.
    CommandFailed { ipvsadm: Text },
    /// Why an operation was refused; follows one of the three above.
    Reason { text: String },
    /// A virtual service is about to leave the table.
    StoppingService { name: Text },
    /// TERM or INT.
    ShuttingDown { signal: i32 },
    /// HUP.
    Rereading,
    /// Reload: the file cannot be opened.
    OpenFailed { path: String },
    /// Reload: the file has an error.
    ParseFailed { path: String, line: u32 },
    /// Reload: the file is for fos now, or no longer.
    ServiceChanged,
    /// A nanny ended by itself.
    NannyDied { service: Text, server: Text, hard_shutdown: bool },
    /// No monitored server is up: the sorry server takes over.
    SorryOn { name: Text, server: std::net::Ipv4Addr },
    /// Monitored servers are back.
    SorryOff { name: Text, up: usize, server: std::net::Ipv4Addr },
    /// Somebody else has removed services or real servers from the table.
    Restoring { entries: usize },
    /// Somebody else has put real servers into the table that are down.
    Removing { entries: usize },
    /// pulse is gone: this node gives up what the pair owns.
    PulseDied,
    /// What was given up after pulse's death.
    Withdrawn { addresses: usize },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartingService { name, port } => {
                write!(f, "starting virtual service {name} active: {port}")
            }
            Self::NannyStarted { service, server, pid } => {
                write!(f, "create_monitor for {service}/{server} running as pid {pid}")
            }
            Self::NannyNotStarted { service, server, reason } => {
                write!(f, "create_monitor for {service}/{server} failed: {reason}")
            }
            Self::ServerLeftOut { service, server, reason } => {
                write!(f, "real server {service}/{server} left out: {reason}")
            }
            Self::ServiceFailed { name } => write!(f, "ipvsadm failed for virtual server {name}!"),
            Self::TimeoutsFailed { tcp, tcpfin, udp } => {
                write!(f, "ipvsadm failed to set timeouts ({tcp} {tcpfin} {udp})")
            }
            Self::CommandFailed { ipvsadm } => write!(f, "{ipvsadm} command failed!"),
            Self::Reason { text } => f.write_str(text),
            Self::StoppingService { name } => write!(f, "shutting down virtual service {name}"),
            Self::ShuttingDown { signal } => write!(f, "shutting down due to signal {signal}"),
            Self::Rereading => f.write_str("rereading configuration file"),
            Self::OpenFailed { path } => write!(f, "lvs: failed to open {path}"),
            Self::ParseFailed { path, line } => write!(f, "lvs: error parsing {path} on line {line}."),
            Self::ServiceChanged => {
                f.write_str("service has changed: it is taken over when pulse starts again")
            }
            Self::NannyDied { service, server, hard_shutdown: true } => {
                write!(f, "nanny for child {service}/{server} died! shutting down lvs")
            }
            Self::NannyDied { service, server, hard_shutdown: false } => {
                write!(f, "nanny for child {service}/{server} died! manual action needed!")
            }
            Self::SorryOn { name, server } => {
                write!(f, "Virtual Server {name}: No real servers; activate sorry_server {server}")
            }
            Self::SorryOff { name, up, server } => {
                write!(f, "Virtual Server {name}: {up} real servers; deactivate sorry_server {server}")
            }
            Self::Restoring { entries } => {
                write!(
                    f,
                    "{entries} entries of the IPVS table were removed by somebody else; adding them again"
                )
            }
            Self::Removing { entries } => {
                write!(f, "{entries} real servers that are down were added by somebody else; removing them")
            }
            Self::PulseDied => f.write_str("pulse died! withdrawing virtual addresses and services"),
            Self::Withdrawn { addresses } => {
                write!(f, "{addresses} virtual addresses withdrawn; partner notified")
            }
        }
    }
}
