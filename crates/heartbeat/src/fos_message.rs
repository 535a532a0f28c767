//! The lines that pulse logs with `service = fos` only, word for word as the original wrote them.

use crate::ChildEnd;
use std::fmt;
use std::time::Duration;

/// A line about failover services. Its text is given by [`fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FosMessage {
    /// The first thing that a standby does.
    StartingMonitors,
    /// A MASTER without a backup serves at once.
    NoBackup,
    /// RUNNING came to an active MASTER.
    PartnerActive,
    /// RUNNING came to an active BACKUP that has just taken the services over because the partner's do not answer.
    WantControl,
    /// STOPME came to an active MASTER.
    ToldToStop,
    /// The first STOPME goes out.
    TakingControl,
    /// fos ended on the active node.
    Restarting,
    /// fos ended on a standby: a service of the partner does not answer.
    CheckingNetwork,
    /// The gateway answers, so the fault is the partner's.
    GatewaySeen,
    /// Follows [`FosMessage::GatewaySeen`].
    FailingOver,
    /// There is no gateway, or it does not answer.
    GatewayUnavailable,
    /// Follows [`FosMessage::GatewayUnavailable`].
    NetworkFault,
    /// A heartbeat came on the public path after a network fault.
    NetworkFaultFixed,
    /// fos is started again after this time. Not in the original, which started it at once, for
    /// ever.
    RestartAfter(Duration),
    /// A service has not answered since the partner took it from this node, which is not long ago. Not in the
    /// original, which took it back.
    NotAnsweredYet,
    /// The monitoring fos failed itself, which says nothing of the partner. Not in the original, which took the
    /// services over.
    MonitorsFailed(ChildEnd),
}

impl fmt::Display for FosMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartingMonitors => "Starting Failover Service Monitors",
            Self::NoBackup => "Warning: FOS backup node not defined -- skipping checks",
            Self::PartnerActive => "partner active",
            Self::WantControl => "partner active: we want control!",
            Self::ToldToStop => "PARTNER HAS TOLD US TO GO INACTIVE!",
            Self::TakingControl => "Notifying partner WE are taking control!",
            Self::Restarting => "fos process exited -- restarting it",
            Self::CheckingNetwork => "fos process exited -- checking network connectivity",
            Self::GatewaySeen => "remote service unavailable but we can see the gateway",
            Self::FailingOver => "seems like a remote network fault; performing service failover",
            Self::GatewayUnavailable => "remote service unavailable; gateway unavailable",
            Self::NetworkFault => "I SEEM TO HAVE A NETWORK FAULT!",
            Self::NetworkFaultFixed => "Network fault seems to be fixed",
            Self::NotAnsweredYet => "remote service unavailable since the partner has it: waiting",
            Self::RestartAfter(delay) => {
                return write!(f, "fos is started again in {} s", delay.as_secs());
            }
            Self::MonitorsFailed(ChildEnd::Exited(status)) => {
                return write!(
                    f,
                    "fos exited with status {status}: the partner's services are not monitored"
                );
            }
            Self::MonitorsFailed(ChildEnd::Signalled(signal)) => {
                return write!(
                    f,
                    "fos was killed by signal {signal}: the partner's services are not monitored"
                );
            }
        })
    }
}
