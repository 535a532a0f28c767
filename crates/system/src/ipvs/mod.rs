//! Backends for the IPVS table: the kernel itself, and the ipvsadm program.

mod kernel;
mod program;

pub use kernel::Kernel;
pub use program::Program;
