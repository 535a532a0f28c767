//! Backends for the IPVS table: the kernel itself, and the ipvsadm program.

mod call;
mod kernel;
mod program;

pub use call::Call;
pub use kernel::Kernel;
pub use program::Program;

use std::ffi::OsStr;
use std::io;

use ipvs::Backend;

/// Where `ipvsadm =` points unless lvs.cf says otherwise.
pub const STANDARD_PROGRAM: &str = "/sbin/ipvsadm";

/// Whether lvs.cf's `ipvsadm` key asks for the kernel itself, and not for a program.
pub fn is_kernel(program: &OsStr) -> bool {
    program == STANDARD_PROGRAM
}

/// The backend that lvs.cf's `ipvsadm` key asks for: the kernel itself for the standard path, else that program.
///
/// # Errors
/// Those of [`Kernel::open`].
pub fn backend(program: &OsStr) -> io::Result<Box<dyn Backend>> {
    if is_kernel(program) {
        Ok(Box::new(Kernel::open()?))
    } else {
        Ok(Box::new(Program::new(program)))
    }
}
