//! The heartbeat protocol and pulse's election as a pure state machine.
//!
//! Two directors, a MASTER and a BACKUP, tell each other once per keepalive by a four-byte UDP datagram whether they
//! hold the virtual addresses. This crate has the words of that protocol ([`wire`]) and the rules by which a
//! director takes the service and gives it up ([`Election`]). It reads no clock and opens no socket: the runtime
//! feeds it [`Input`]s with the current time and carries out the [`Output`]s.
//!
//! ```text
//!   datagrams, deadlines, links,      +----------+   Send, Activate, Deactivate,
//!   child ended, Activated, ...  ---> | Election | ---> Announce, RunActiveCommand, Log, Exit
//!                                     +----------+
//! ```
//!
//! # What the runtime promises
//!
//! * `now` never goes back. It counts from any fixed point of a monotonic clock.
//! * [`Input::Deadline`] is fed when [`Election::next_deadline`] has come, and only after every datagram that waits
//!   in a socket and every known link change was fed. Decisions to become active are taken there and nowhere else,
//!   so a queue is always read to its end before its contents are believed.
//! * Each [`Output::Activate`] is answered by [`Input::Activated`] and each [`Output::Deactivate`] by
//!   [`Input::Deactivated`], in bounded time. A `Deactivate` may come while the activation is still under way; it
//!   overrides it.
//! * With `service = fos` each [`Output::CheckGateway`] is answered by [`Input::GatewayAnswered`], and the end of the fos
//!   of [`Output::StartMonitors`], [`Output::StartServices`] and [`Output::Activate`] is fed as [`Input::ChildEnded`]
//!   unless the runtime has ended it itself.
//!
//! ```
//! use heartbeat::{ActivateReason, Election, Input, Mode, Output, Role, Settings};
//! use std::time::Duration;
//!
//! let mut out = Vec::new();
//! let settings = Settings {
//!     role: Role::Master,
//!     mode: Mode::Lvs,
//!     keepalive: Duration::from_secs(2),
//!     deadtime: Duration::from_secs(5),
//!     backup_active: true,
//!     private_path: false,
//!     prepare: false,
//!     force_active: false,
//! };
//! let mut election = Election::new(settings, Duration::ZERO, &mut out);
//! while let Some(now) = election.next_deadline().filter(|due| *due <= Duration::from_secs(5)) {
//!     election.handle(now, Input::Deadline, &mut out);
//! }
//! assert!(election.is_active(), "nothing was heard for five seconds");
//! assert_eq!(out.last(), Some(&Output::Activate(ActivateReason::PartnerDead)));
//! ```
#![forbid(unsafe_code)]

mod backoff;
mod election;
mod event;
mod fos_message;
mod message;
mod settings;
pub mod wire;

pub use election::{Election, Partner, State};
pub use event::{ActivateReason, ChildEnd, DeactivateReason, Ending, Input, Output, NEVER_ANSWERED};
pub use fos_message::FosMessage;
pub use message::{Level, Message};
pub use settings::{Mode, Path, Role, Settings};
