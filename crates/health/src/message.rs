//! The texts that nanny logs: those of the original, word for word, since monitoring greps for them.

use std::fmt;
use std::net::Ipv4Addr;

/// An address and port, printed `10.0.0.1:80`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: Ipv4Addr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

/// A message. Endpoints are the checked real server.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The monitor starts.
    Started {
        /// The virtual service, `ADDRESS:PORT` as given.
        service: String,
        /// The real server, `ADDRESS:PORT` as given.
        server: String,
    },
    /// The monitor starts for fos.
    FailoverStarted(String),
    /// The server becomes available.
    Active(Endpoint),
    /// The server is taken out.
    Inactive(Endpoint),
    /// fos: the service answered for the first time.
    RemoteAvailable(Endpoint),
    /// fos: the service answered before and does not any more.
    RemoteLost(Endpoint),
    /// fos: the service never answered.
    RemoteTimeout,
    /// The service is not available, and was not before.
    NoService {
        /// Whether it is worth more than a debug message.
        always: bool,
    },
    /// A signal ends the monitor.
    Terminating(i32),
    /// A signal ends a running program.
    KillingChild(i32),
    /// The ipvsadm program, or the kernel, refused a change.
    CommandFailed(String),
    /// No check is configured and the virtual port is 80.
    AssumingWeb,
    /// Both a program and a send string are configured; this is the program.
    IgnoringSend(String),
    /// This host has not what a check, or the load command, takes; what it has not.
    CannotCheck(Endpoint, String),
    /// The connection was not made in time.
    ConnectTimeout(Endpoint),
    /// The reply did not come in time.
    ReadTimeout(Endpoint),
    /// Reading the reply failed: error number and text.
    ReadError(i32, String),
    /// The reply ended too early.
    TooShort {
        /// The real server.
        server: Endpoint,
        /// Bytes received.
        received: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// Sending failed.
    WriteError(Endpoint, String),
    /// The expected regular expression is not one.
    BadPattern(String),
    /// A program failed or could not be run.
    ExitedAbnormally,
    /// A program took too long.
    ProgramTimeout,
    /// A program gave nothing, and nothing was expected.
    ProgramBothMissing,
    /// A program gave nothing.
    ProgramSilent(Endpoint),
    /// A program gave something else than expected.
    ProgramUnexpected(Endpoint),
    /// A program gave something and nothing was expected.
    ProgramExpectMissing,
    /// The command of a program consists of blanks.
    NoCommand,
    /// The load command failed.
    LoadFailed,
    /// The load command's output has no load average.
    BadLoad(String),
    /// Forced up.
    ForcedUp,
    /// Forced down.
    ForcedDown,
    /// Checks again.
    Released,
    /// Debug: state after a check.
    Round {
        /// The check succeeded.
        available: bool,
        /// The server is available.
        active: bool,
        /// Successes in a row.
        count: u64,
    },
    /// Debug: the load of the server.
    Load(Ipv4Addr, f64),
    /// Debug: a weight follows from the load.
    NewWeight {
        /// The weight it has.
        last: u32,
        /// The weight it gets.
        new: u32,
        /// The load.
        load: f64,
    },
    /// Debug: the weight changes.
    Adjusting(Endpoint, u32),
    /// Debug: the length and text of an option, if it is given.
    Text(&'static str, Option<String>),
    /// Debug: a TCP connection is made.
    OpeningTcp(u16),
    /// Debug: a UDP socket is opened.
    OpeningUdp(u16),
    /// Debug: the connection failed at once or later.
    ConnectFailed(Endpoint, String),
    /// Debug: the connection is asked for.
    Connecting,
    /// Debug: nanny waits for the connection.
    AwaitingConnection,
    /// Debug: the send string goes out.
    Sending(String),
    /// Debug: nanny waits for the reply.
    AwaitingReply,
    /// Debug: so many bytes are expected.
    Reading(usize),
    /// Debug: so many bytes have come.
    Received(usize),
    /// Debug: what is expected.
    Expecting(String),
    /// Debug: the reply so far.
    Got(String),
    /// Debug: a program's command line has so many words.
    Arguments(usize),
    /// Debug: this program is started.
    Invoking(String),
    /// Debug: what a program printed.
    GotResult(String, Endpoint),
}

impl Message {
    /// Whether it is logged only if the user wants verbose messages.
    pub fn is_debug(&self) -> bool {
        matches!(
            self,
            Self::NoService { always: false }
                | Self::Round { .. }
                | Self::Load(..)
                | Self::NewWeight { .. }
                | Self::Adjusting(..)
                | Self::Text(..)
                | Self::OpeningTcp(_)
                | Self::OpeningUdp(_)
                | Self::ConnectFailed(..)
                | Self::Connecting
                | Self::AwaitingConnection
                | Self::Sending(_)
                | Self::AwaitingReply
                | Self::Reading(_)
                | Self::Received(_)
                | Self::Expecting(_)
                | Self::Got(_)
                | Self::Arguments(_)
                | Self::Invoking(_)
                | Self::GotResult(..)
        )
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { service, server } => {
                write!(f, "starting LVS client monitor for {service} -> {server}")
            }
            Self::FailoverStarted(server) => write!(f, "Failover service monitor for {server} started"),
            Self::Active(server) => write!(f, "[ active ] making {server} available"),
            Self::Inactive(server) => {
                write!(f, "[inactive] shutting down {server} due to connection failure")
            }
            Self::RemoteAvailable(server) => write!(f, "Remote service {server} is available"),
            Self::RemoteLost(server) => write!(f, "Exiting due to connection failure of {server}"),
            Self::RemoteTimeout => f.write_str("Timeout waiting for remote service -- triggering failover!"),
            Self::NoService { .. } => f.write_str("No service active & available..."),
            Self::Terminating(signal) => write!(f, "Terminating due to signal {signal}"),
            Self::KillingChild(pid) => write!(f, "Killing child {pid}"),
            Self::CommandFailed(program) => write!(f, "{program} command failed!"),
            Self::AssumingWeb => f.write_str("nanny: no monitor configured, assuming web service on port 80"),
            Self::IgnoringSend(program) => {
                write!(f, "External program use requested: ({program}), IGNORING send string option ((null))")
            }
            Self::CannotCheck(server, reason) => write!(f, "cannot check {server} now: {reason}"),
            Self::ConnectTimeout(server) => write!(f, "CONNECT to {server} timed out"),
            Self::ReadTimeout(server) => write!(f, "READ to {server} timed out"),
            Self::ReadError(number, text) => write!(f, "READ returned error {number}:{text}"),
            Self::TooShort { server, received, expected } => {
                write!(f, "READ from {server} was too short[{received}>={expected}]")
            }
            Self::WriteError(server, text) => {
                write!(f, "WRITE operation for {server} returned error: {text}")
            }
            Self::BadPattern(reason) => write!(f, "Error '{reason}' processing expected regular expression"),
            _ => self.fmt_rest(f),
        }
    }
}

impl Message {
    /// Programs, load, forced states and debug messages.
    fn fmt_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExitedAbnormally => f.write_str("The following exited abnormally:"),
            Self::ProgramTimeout => f.write_str("timeout running the following:"),
            Self::ProgramBothMissing => f.write_str(
                "Ran the external sending program. The result and expected response are both NULL! \
                 You may wish to revise your settings",
            ),
            Self::ProgramSilent(server) => {
                write!(f, "Ran the external sending program to ({server}) but didn't get anything back")
            }
            Self::ProgramUnexpected(server) => {
                write!(f, "Trouble. Received results are not what we expected from ({server})")
            }
            Self::ProgramExpectMissing => f.write_str(
                "Expect string is NULL, but the external sending program returned a non-NULL result",
            ),
            Self::NoCommand => f.write_str("No command to run"),
            Self::LoadFailed => f.write_str("failed to read remote load"),
            Self::BadLoad(text) => write!(f, "bad load average returned: {text}"),
            Self::ForcedUp => f.write_str("rose-colored glasses on"),
            Self::ForcedDown => f.write_str("opaque glasses on"),
            Self::Released => f.write_str("DEBUG -- removing glasses"),
            _ => self.fmt_debug(f),
        }
    }

    fn fmt_debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round { available, active, count } => {
                let (available, active) = (u8::from(*available), u8::from(*active));
                write!(f, "avail: {available} active: {active}: count: {count}")
            }
            Self::Load(server, load) => write!(f, "Loadavg of {server} is {load:.6}"),
            Self::NewWeight { last, new, load } => {
                write!(f, "Computing new weight {new} based on last weight {last} and load {load:.6}")
            }
            Self::Adjusting(server, weight) => write!(f, "Adjusting weight of {server} to {weight}"),
            Self::Text(name, Some(text)) => write!(f, "{name} len={}, text=\"{text}\"", text.len()),
            Self::Text(name, None) => write!(f, "{name} is NULL"),
            Self::OpeningTcp(port) => write!(f, "Opening TCP socket to remote service port {port}..."),
            Self::OpeningUdp(port) => write!(f, "Opening UDP socket to remote service port {port}..."),
            Self::ConnectFailed(server, text) => write!(f, "Failed to connect {server} ping socket: {text}"),
            Self::Connecting => f.write_str("Connecting socket to remote address..."),
            Self::AwaitingConnection => f.write_str("DEBUG -- Posting CONNECT poll()"),
            Self::Sending(text) => write!(f, "Sending len={}, text=\"{text}\"", text.len()),
            Self::AwaitingReply => f.write_str("DEBUG -- Posting READ poll()"),
            Self::Reading(length) => write!(f, "Posting READ I/O; expecting {length} character(s)..."),
            Self::Received(length) => write!(f, "DEBUG -- READ returned {length}"),
            Self::Expecting(text) => write!(f, "READ expected len={}, text=\"{text}\"", text.len()),
            Self::Got(text) => write!(f, "READ got len={}, text={text}", text.len()),
            Self::Arguments(count) => write!(f, "Found {count} argument(s)"),
            Self::Invoking(program) => write!(f, "Invoking:  {program}"),
            Self::GotResult(text, server) => {
                write!(f, "Got result ({text}) from command sent to ({server})")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_original() {
        let server = Endpoint { address: Ipv4Addr::new(10, 0, 0, 2), port: 8080 };
        let cases = [
            (
                Message::Started { service: "10.0.0.100:80".into(), server: "10.2:8080".into() },
                "starting LVS client monitor for 10.0.0.100:80 -> 10.2:8080",
            ),
            (Message::Active(server), "[ active ] making 10.0.0.2:8080 available"),
            (Message::Inactive(server), "[inactive] shutting down 10.0.0.2:8080 due to connection failure"),
            (Message::Terminating(15), "Terminating due to signal 15"),
            (Message::CommandFailed("/sbin/ipvsadm".into()), "/sbin/ipvsadm command failed!"),
            (Message::ConnectTimeout(server), "CONNECT to 10.0.0.2:8080 timed out"),
            (Message::ReadTimeout(server), "READ to 10.0.0.2:8080 timed out"),
            (
                Message::ReadError(104, "Connection reset by peer".into()),
                "READ returned error 104:Connection reset by peer",
            ),
            (
                Message::ProgramSilent(server),
                "Ran the external sending program to (10.0.0.2:8080) but didn't get anything back",
            ),
            (
                Message::ProgramBothMissing,
                "Ran the external sending program. The result and expected response are both NULL! You may wish to revise your settings",
            ),
            (Message::RemoteTimeout, "Timeout waiting for remote service -- triggering failover!"),
            (Message::Load(server.address, 0.5), "Loadavg of 10.0.0.2 is 0.500000"),
            (Message::Text("Send_string", None), "Send_string is NULL"),
        ];
        for (message, text) in cases {
            assert_eq!(message.to_string(), text);
        }
    }
}
