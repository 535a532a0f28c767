//! Everything that touches the operating system, and the only home of unsafe code.

pub mod child;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod errno;
pub mod gateway;
pub mod ipvs;
pub mod logging;
pub mod net_check;
mod netlink;
pub mod options;
pub mod packet;
pub mod poll;
pub mod regex;
pub mod resolver;
pub mod route;
pub mod signals;
pub mod udp;
