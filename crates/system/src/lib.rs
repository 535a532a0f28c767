//! Everything that touches the operating system, and the only home of unsafe code.

pub mod ipvs;
mod netlink;
pub mod packet;
pub mod route;
pub mod udp;
