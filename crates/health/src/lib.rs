//! nanny's verdict on one real server, without any input or output of its own.
//!
//! ```text
//!            Timer ─┐                       ┌─ StartCheck, ReadLoad
//!  Checked, Load ───┤  Monitor / Failover   ├─ Change (of the server's entry)
//!  Force, Release ──┤                       ├─ Log
//!             Stop ─┘                       └─ Exit
//! ```
//!
//! The caller does what an [`Output`] says and reports back with an [`Input`]. Time is a [`Duration`] since
//! any fixed moment. Around the two state machines stand the pure parts of a check: what a reply must be
//! ([`Expectation`]), what a program's result means ([`program_verdict`]), how send and expect strings and
//! commands are written ([`unescape`], [`split_command`]).
//!
//! [`Duration`]: std::time::Duration

#![forbid(unsafe_code)]

mod command;
mod escape;
mod event;
mod failover;
mod load;
mod message;
mod monitor;
mod program;
mod reply;
mod weight;

pub use command::split_command;
pub use escape::unescape;
pub use event::{Change, Force, Input, Output, Verdict};
pub use failover::Failover;
pub use load::load_average;
pub use message::{Endpoint, Message};
pub use monitor::{Monitor, Settings};
pub use program::{program_verdict, ProgramResult};
pub use reply::{Expectation, Judgement, REPLY_LIMIT};
pub use weight::{loaded_weight, start_weight};
