//! The testbed of the end-to-end scenarios: hosts as network namespaces, switches between them, web
//! servers, clients that count what they lose, and readers of what the kernel says.
//!
//! Everything happens on a kernel with IPVS (`tests/lab/in-ipvs-kernel`) and as root. A scenario reads:
//!
//! ```no_run
//! use std::time::Duration;
//! use testbed::{Cluster, Forwarding, Probe};
//!
//! let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(2).build();
//! cluster.start_both();
//! let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
//! cluster.a.crash(&cluster.network);
//! cluster.wait_for_service(&clients);
//! println!("{}", clients.stop());
//! ```
//!
//! A testbed that cannot do what it was told has nothing useful left to do, so its functions panic with
//! the reason; the daemons under test never get this excuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod chaos;
mod client;
mod cluster;
mod config;
mod director;
mod forge;
mod host;
mod hostile;
mod journal;
mod network;
mod process;
mod rng;
mod server;
mod shortage;
mod truth;
mod usage;
mod wait;
mod watch;
mod wire;

pub use chaos::Chaos;
pub use client::{Conversation, Outcome, Probe, Prober, Report, Sample};
pub use cluster::{Cluster, ClusterBuilder, Forwarding, RealServer, CLIENT, NAT_ROUTER, VIP};
pub use config::{Config, Virtual};
pub use director::{daemon, Director};
pub use forge::{datagram, device, first_fragment, foreign_mac, Mac, EVERYBODY, FRAME};
pub use host::Host;
pub use hostile::{HostileServer, Manner};
pub use journal::{Journal, Line};
pub use network::Network;
pub use process::Process;
pub use server::Server;
pub use shortage::Room;
pub use truth::{addresses, ipvs, require_ipvs, Destination, Service, Table};
pub use usage::Usage;
pub use wait::{holds_for, wait_until};
pub use watch::{Holding, VipWatch};
pub use wire::{Advert, ArpFrame, Heartbeat, WireWatch};
