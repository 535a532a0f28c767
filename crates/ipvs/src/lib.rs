//! The kernel's IPVS table as a model: services, destinations and the plan from one table to another.
//!
//! ```text
//!   wanted Table ─┐
//!                 ├─ diff ─→ [Operation] ─→ Backend ─→ the kernel (wire), ipvsadm (arguments) or a Recorder
//!   current Table ┘
//! ```
//!
//! Nothing here does I/O. [`wire`] turns operations into generic netlink messages and dumps into tables;
//! [`Operation::arguments`] turns them into the argument vectors that Piranha gave to ipvsadm. Whoever has a
//! socket or a program to run implements [`Backend`].
#![forbid(unsafe_code)]

mod backend;
mod error;
mod model;
mod operation;
mod plan;
mod table;
pub mod wire;

pub use backend::{Backend, Recorder};
pub use error::{Error, ErrorKind};
pub use model::{
    Destination, DestinationKey, Forwarding, Persistence, Protocol, Service, ServiceKey, SyncDaemon,
    SyncRole, Timeouts,
};
pub use operation::Operation;
pub use plan::diff;
pub use table::{Entry, Foreign, Table};
