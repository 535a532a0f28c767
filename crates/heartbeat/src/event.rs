//! What goes into the election and what comes out of it.
//!
//! ```text
//!  Datagram, Stranger ............ heartbeat sockets     Send ............... all heartbeat paths
//!  Deadline ...................... poll timeout          Activate/Deactivate  VIPs, lvs, sync daemon, hooks
//!  LinksDown, LinksUp ............ link monitor          Announce ........... gratuitous ARP, 5 rounds
//!  ChildEnded .................... lvs, fos reaped       RunActiveCommand ... active_cmd
//!  Activated, Deactivated ........ the runtime itself    StartMonitors/Services  fos
//!  GatewayAnswered ............... ICMP echo             CheckGateway ....... ICMP echo
//!  Terminate ..................... SIGTERM, SIGINT       Log ................ syslog or stdout
//!                                                        Exit ............... end of the process
//! ```

use crate::wire::{Datagram, Note, Word};
use crate::{Message, Path};
use std::net::IpAddr;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A datagram whose source is one of the partner's addresses. The source port does not matter.
    Datagram {
        /// The socket on which it came.
        path: Path,
        /// Its bytes, unchecked.
        payload: &'a [u8],
    },
    /// A datagram from any other address: it changes nothing.
    Stranger(IpAddr),
    /// [`crate::Election::next_deadline`] has come and all sockets are drained.
    Deadline,
    /// A watched link of this node has no carrier. Feed the whole picture at each change.
    LinksDown {
        /// The link that carries the public path is down.
        public: bool,
        /// The link that carries the private path is down.
        private: bool,
    },
    /// All watched links are up again.
    LinksUp,
    /// The lvs process, or with `service = fos` the fos process, ended although nobody asked it to, or could not be
    /// started at all.
    ChildEnded {
        /// Its process id.
        pid: i32,
        /// How it ended.
        end: ChildEnd,
    },
    /// The answer to [`Output::CheckGateway`]: whether there is a default gateway and it answers.
    GatewayAnswered(bool),
    /// The runtime has carried out [`Output::Activate`]: the virtual addresses are up.
    Activated,
    /// The runtime has carried out [`Output::Deactivate`]: the virtual addresses are down.
    Deactivated,
    /// The lvs of [`Output::Prepare`] has filled the table.
    Prepared,
    /// The process was asked to end.
    Terminate {
        /// The number of the signal.
        signal: i32,
    },
}

/// The status with which the fos of this suite tells its pulse that a monitored service has not answered once. As in
/// the original, all other ends are status 0 when one did answer.
pub const NEVER_ANSWERED: u8 = 2;

/// How a child process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// It exited with this status.
    Exited(i32),
    /// This signal killed it.
    Signalled(i32),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this heartbeat to the partner on every configured path, public first.
    Send {
        /// What it says.
        word: Word,
        /// What stands behind the word, for a partner of the same kind.
        note: Option<Note>,
        /// The bytes, in the partner's byte order.
        datagram: Datagram,
    },
    /// Bring up everything that makes this node the active director, then feed [`Input::Activated`].
    Activate(ActivateReason),
    /// Start lvs and let it fill the table, with no virtual address up yet; then feed [`Input::Prepared`]. An
    /// [`Output::Activate`] may come before or after that, and takes over the lvs that runs.
    Prepare,
    /// End the lvs of [`Output::Prepare`]: it is not needed.
    Unprepare,
    /// Take it down, if it is up, and run what a node runs on leaving; then feed [`Input::Deactivated`].
    Deactivate(DeactivateReason),
    /// Announce all virtual addresses, from the first of five rounds, whatever round was due.
    Announce,
    /// Run `active_cmd` once more: the partner was active at the same time.
    RunActiveCommand,
    /// `service = fos`: take virtual addresses down that may still be there, and let fos monitor the partner's
    /// services. Also comes when an earlier fos has ended.
    StartMonitors,
    /// `service = fos`: fos ended on the active node, start it again.
    StartServices,
    /// `service = fos`: ask the default gateway whether the network is there, then feed
    /// [`Input::GatewayAnswered`]; in a few seconds at most.
    CheckGateway,
    /// Tell the operator.
    Log(Message),
    /// All is down and said; end.
    Exit(Ending),
}

/// Why a node leaves the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The process was asked to end: status 0.
    Asked,
    /// This is the backup, and the configuration no longer wants one: the status of a start that is refused for that.
    NotWanted,
}

/// Why a node becomes active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivateReason {
    /// `--forceactive`.
    Forced,
    /// The partner said that it is not active.
    PartnerInactive,
    /// Nothing was heard from the partner for deadtime.
    PartnerDead,
    /// lvs had ended here, the partner does not serve, and the back-off is over.
    Retry,
    /// `service = fos`: the partner's services do not answer, but the gateway does.
    RemoteFailure,
}

/// Why a node stops being active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeactivateReason {
    /// This BACKUP heard that the partner is active.
    PartnerActive,
    /// A watched link lost its carrier.
    LinkFailure,
    /// lvs ended.
    ChildEnded,
    /// The process was asked to end. Also given to a node that is not active.
    Terminating,
}
