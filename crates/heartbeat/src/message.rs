//! Every line that pulse logs, word for word as the original wrote it.

use crate::{ChildEnd, FosMessage, Mode, Path, Role};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// How loud a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Always shown; syslog priority info.
    Info,
    /// Shown with `-v` only.
    Debug,
}

/// A line for the operator. Its text is given by [`fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first line of a run.
    Starting(Role),
    /// `backup_active = 1` without a `backup` address.
    UndefinedBackup,
    /// This is the backup and `backup_active = 0`.
    BackupNotWanted,
    /// A heartbeat address cannot be bound; the reason follows.
    BindFailed(String),
    /// `--forceactive`.
    ForcedActive(Mode),
    /// The partner said STOPPED to a standby of this role.
    PartnerInactive(Role, Mode),
    /// Nothing was heard for deadtime.
    PartnerDead(Mode),
    /// RUNNING came to an active MASTER.
    PartnerActiveResending,
    /// RUNNING came to an active BACKUP.
    PartnerActiveYielding(Mode),
    /// A link went down under an active node.
    LinkFailureDeactivating(Mode),
    /// The link under this path lost its carrier.
    LinkDown(Path),
    /// A watched link is down, so this node does not serve.
    LinksFailed,
    /// All watched links are up.
    LinksRestored,
    /// lvs ended by itself.
    ChildEnded(i32, ChildEnd),
    /// A hook or another child ended.
    UnknownChild(i32),
    /// All rounds of gratuitous ARP are out.
    ArpsFinished(Mode),
    /// The process was asked to end by this signal.
    Terminating(i32),
    /// Waiting for events failed; the reason follows.
    PollFailed(String),
    /// Reading a heartbeat socket failed; the reason follows.
    ReceiveFailed(String),
    /// The partner sent fewer than four bytes.
    BadHeartbeat,
    /// The partner sent a word that this mode does not know.
    Incompatible,
    /// A datagram came from an address that is not the partner's.
    Unexpected(IpAddr),
    /// A heartbeat was accepted.
    Received,
    /// A heartbeat goes out.
    Sending,
    /// A heartbeat could not be sent on this path; the reason follows.
    SendFailed(Path, String),
    /// The partner is heard on the other path only. Not in the original.
    PathSilent(Path),
    /// The partner is heard on this path again. Not in the original.
    PathRestored(Path),
    /// lvs ended here and nobody else serves: it will be tried again after this time. Not in the original, which
    /// stayed down for ever.
    RetryAfter(Duration),
    /// This process was not run for this long: what it believed of the partner is checked anew. Not in the original.
    Late(Duration),
    /// What only failover services have to say.
    Fos(FosMessage),
}

impl Message {
    /// How loud it is.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Unexpected(_) | Self::Received | Self::Sending | Self::SendFailed(..) => Level::Debug,
            _ => Level::Info,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting(Role::Master) => "STARTING PULSE AS MASTER",
            Self::Starting(Role::Backup) => "STARTING PULSE AS BACKUP",
            Self::UndefinedBackup => "Undefined backup node marked as active? -- clearing that!",
            Self::BackupNotWanted => "We are backup node and backup is marked inactive -- exiting pulse",
            Self::BindFailed(why) => return write!(f, "failed to bind to heartbeat address: {why}"),
            Self::ForcedActive(mode) => {
                return write!(f, "Forced active on startup: activating {}", name(*mode))
            }
            Self::PartnerInactive(role, mode) => {
                let partner = if *role == Role::Master { "backup" } else { "primary" };
                return write!(f, "{partner} inactive: activating {}", name(*mode));
            }
            Self::PartnerDead(Mode::Lvs) => "partner dead: activating lvs",
            Self::PartnerDead(Mode::Fos) => "partner dead: activating failover services",
            Self::PartnerActiveResending => "partner active: resending arps",
            Self::PartnerActiveYielding(Mode::Lvs) => "partner active: deactivating LVS",
            Self::PartnerActiveYielding(Mode::Fos) => "partner active: deactivating FOS",
            Self::LinkFailureDeactivating(Mode::Lvs) => "local link failure: deactivating LVS",
            Self::LinkFailureDeactivating(Mode::Fos) => "local link failure: deactivating FOS",
            Self::LinkDown(Path::Public) => "Primary NIC: link down",
            Self::LinkDown(Path::Private) => "Private NIC: link down",
            Self::LinksFailed => "Local NIC link failure: Pulse disabled",
            Self::LinksRestored => "Local NIC link(s) restored: Pulse enabled",
            Self::ChildEnded(pid, ChildEnd::Exited(status)) => {
                return write!(f, "Child process {pid} exited with status {status}");
            }
            Self::ChildEnded(pid, ChildEnd::Signalled(signal)) => {
                return write!(f, "Child process {pid} terminated with signal {signal}");
            }
            Self::UnknownChild(pid) => return write!(f, "Skipping death of unknown child {pid}"),
            Self::ArpsFinished(mode) => return write!(f, "gratuitous {} arps finished", name(*mode)),
            Self::Terminating(signal) => return write!(f, "Terminating due to signal {signal}"),
            Self::PollFailed(why) => return write!(f, "select() failed: {why}"),
            Self::ReceiveFailed(why) => return write!(f, "recvfrom() failed: {why}"),
            Self::BadHeartbeat => "bad heartbeat packet",
            Self::Incompatible => {
                "Incompatible heartbeat received -- other system not using identical services"
            }
            Self::Unexpected(source) => return write!(f, "Unexpected heartbeat from {source}"),
            Self::Received => "DEBUG -- Received Heartbeat from partner",
            Self::Sending => "DEBUG -- Sending heartbeat...",
            Self::SendFailed(path, why) => {
                let path = if *path == Path::Public { "public" } else { "private" };
                return write!(f, "Warning -- failed to send heartbeat ({path} if): {why}");
            }
            Self::PathSilent(Path::Public) => "no heartbeats on the public path, only on the private one",
            Self::PathSilent(Path::Private) => "no heartbeats on the private path, only on the public one",
            Self::PathRestored(Path::Public) => "heartbeats on the public path again",
            Self::PathRestored(Path::Private) => "heartbeats on the private path again",
            Self::RetryAfter(delay) => {
                return write!(f, "lvs ended and nobody serves: trying again in {} s", delay.as_secs());
            }
            Self::Late(delay) => {
                return write!(f, "was not running for {:.1} s: listening first", delay.as_secs_f32());
            }
            Self::Fos(message) => return message.fmt(f),
        })
    }
}

const fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Lvs => "lvs",
        Mode::Fos => "fos",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts that no election vector shows.
    #[test]
    fn texts_are_the_originals() {
        let why = || "Address already in use".to_owned();
        for (message, text) in [
            (Message::Starting(Role::Master), "STARTING PULSE AS MASTER"),
            (Message::Starting(Role::Backup), "STARTING PULSE AS BACKUP"),
            (Message::UndefinedBackup, "Undefined backup node marked as active? -- clearing that!"),
            (Message::BackupNotWanted, "We are backup node and backup is marked inactive -- exiting pulse"),
            (Message::BindFailed(why()), "failed to bind to heartbeat address: Address already in use"),
            (Message::UnknownChild(7), "Skipping death of unknown child 7"),
            (Message::ArpsFinished(Mode::Lvs), "gratuitous lvs arps finished"),
            (Message::ArpsFinished(Mode::Fos), "gratuitous fos arps finished"),
            (Message::PollFailed(why()), "select() failed: Address already in use"),
            (Message::ReceiveFailed(why()), "recvfrom() failed: Address already in use"),
            (Message::Unexpected([10, 0, 0, 9].into()), "Unexpected heartbeat from 10.0.0.9"),
            (Message::Received, "DEBUG -- Received Heartbeat from partner"),
            (Message::Sending, "DEBUG -- Sending heartbeat..."),
            (
                Message::SendFailed(Path::Public, why()),
                "Warning -- failed to send heartbeat (public if): Address already in use",
            ),
            (
                Message::SendFailed(Path::Private, why()),
                "Warning -- failed to send heartbeat (private if): Address already in use",
            ),
        ] {
            assert_eq!(message.to_string(), text);
        }
    }

    #[test]
    fn what_the_original_said_with_v_only_is_debug() {
        assert_eq!(Message::Sending.level(), Level::Debug);
        assert_eq!(Message::SendFailed(Path::Public, String::new()).level(), Level::Debug);
        assert_eq!(Message::PartnerDead(Mode::Lvs).level(), Level::Info);
    }
}
