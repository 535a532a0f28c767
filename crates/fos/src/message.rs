//! Every line that fos logs, in the original's words.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use lvs_cf::Text;

/// Where a service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The virtual address.
    pub address: Ipv4Addr,
    /// The port, as written.
    pub port: i32,
}

/// Which of a service's two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `stop_cmd`
    Stop,
    /// `start_cmd`
    Start,
}

/// One line for the log. Monitoring greps for these texts: they do not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The service may run here, left by a predecessor: that comes first.
    StoppingServices,
    /// A `stop_cmd` is about to run.
    StoppingService(Endpoint),
    /// A `stop_cmd` failed, with this status.
    StopFailed(Endpoint, i32),
    /// A `start_cmd` is about to run.
    StartingService(Endpoint),
    /// A `start_cmd` failed.
    StartFailed(Endpoint),
    /// A monitor runs. The original gave its own process id.
    StartingMonitor(Endpoint, i32),
    /// A monitor is told to end.
    StoppingMonitor { name: Text, at: Endpoint, pid: i32 },
    /// A monitor ended by itself.
    MonitorExited(Endpoint),
    /// A child ended that fos knows nothing of.
    ChildDied { pid: i32, status: i32 },
    /// TERM, INT or HUP.
    ShuttingDown { signal: i32 },
    /// The last line.
    Exiting,
    /// The block has no such command. The original ran whatever its memory held.
    NoCommand(Step, Endpoint),
    /// A command did not end in time and was ended. The original waited for ever.
    TimedOut(Step, Endpoint, Duration),
    /// A program could not be started; the reason follows.
    NotStarted { program: String, reason: String },
    /// There is no process or descriptor left to start a program; the reason follows. It is tried again.
    PutOff { program: String, reason: String },
    /// pulse is gone.
    PulseDied,
    /// What was given up after pulse's death.
    Withdrawn { addresses: usize },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop_cmd",
            Self::Start => "start_cmd",
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StoppingServices => f.write_str("Stopping local services (if any)"),
            // The blank at the end is the original's.
            Self::StoppingService(at) => write!(f, "Shutting down local service {at} "),
            Self::StopFailed(at, status) => {
                write!(f, "Warning; shutdown of local service {at} returned error {status}")
            }
            Self::StartingService(at) => write!(f, "Starting local service {at} ..."),
            Self::StartFailed(at) => write!(f, "Failed to start service {at}!"),
            Self::StartingMonitor(at, pid) => write!(f, "Starting monitor for {at} running as pid {pid}"),
            Self::StoppingMonitor { name, at, pid } => {
                write!(f, "Shutting down monitor for {name} {at} running as pid {pid}")
            }
            Self::MonitorExited(at) => {
                write!(f, "Monitor for service {at} exited. This is a failover condition!")
            }
            Self::ChildDied { pid, status } => {
                write!(f, "Child with pid {pid} died with status {status} -- exiting...")
            }
            Self::ShuttingDown { signal } => write!(f, "Shutting down due to signal {signal}"),
            Self::Exiting => f.write_str("will now exit to notify pulse..."),
            Self::NoCommand(step, at) => write!(f, "no {step} for service {at}: skipped"),
            Self::TimedOut(step, at, limit) => {
                write!(f, "{step} of service {at} has not ended within {} s: stopped", limit.as_secs())
            }
            Self::NotStarted { program, reason } => write!(f, "Couldn't execute \"{program}\": {reason}"),
            Self::PutOff { program, reason } => {
                write!(f, "Couldn't execute \"{program}\" yet: {reason}; trying again")
            }
            Self::PulseDied => f.write_str("pulse died! shutting down"),
            Self::Withdrawn { addresses } => {
                write!(f, "{addresses} virtual addresses withdrawn")
            }
        }
    }
}
