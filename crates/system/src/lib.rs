//! Everything that touches the operating system, and the only home of unsafe code.

pub mod child;
pub mod clock;
pub mod command_limit;
pub mod config;
pub mod daemon;
pub mod errno;
pub mod gateway;
pub mod ipvs;
pub mod limits;
pub mod logging;
pub mod net_check;
mod netlink;
pub mod options;
pub mod orphan;
pub mod packet;
pub mod pair;
pub mod poll;
pub mod record;
pub mod regex;
pub mod resolver;
pub mod route;
pub mod semaphore;
pub mod services;
pub mod sibling;
pub mod signals;
pub mod udp;
pub mod vip;
