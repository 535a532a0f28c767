//! Why an operation was refused.

use std::fmt;

use crate::Operation;

/// An operation, or the reading of the table, that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What was attempted, naming the service and destination.
    pub attempt: String,
    /// Why it failed.
    pub kind: ErrorKind,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// What should be added is there already.
    Exists,
    /// What should be edited or deleted is not there.
    Missing,
    /// The service that the destination belongs to is not there.
    NoService,
    /// The kernel has no scheduler of this name.
    NoScheduler(String),
    /// The kernel has no IPVS and could not load it.
    ModuleMissing,
    /// The process lacks CAP_NET_ADMIN.
    Permission,
    /// The backend cannot do this at all.
    Unsupported,
    /// The kernel's answer makes no sense; what is wrong with it.
    Malformed(String),
    /// The ipvsadm program failed; what it said, or how it ended.
    Program(String),
    /// Any other error number of the kernel.
    Other(i32),
}

/// The error numbers that IPVS gives a meaning of its own; the same on all of Linux's architectures.
mod errno {
    pub const EPERM: i32 = 1;
    pub const ENOENT: i32 = 2;
    pub const ESRCH: i32 = 3;
    pub const EACCES: i32 = 13;
    pub const EEXIST: i32 = 17;
}

impl Error {
    /// `operation` failed because of `kind`.
    #[must_use]
    pub fn new(operation: &Operation, kind: ErrorKind) -> Self {
        Self { attempt: operation.to_string(), kind }
    }

    /// The table could not be read because of `kind`.
    #[must_use]
    pub fn reading(kind: ErrorKind) -> Self {
        Self { attempt: "read the IPVS table".into(), kind }
    }

    /// What the kernel's positive error number means as the answer to `operation`.
    #[must_use]
    pub fn from_errno(operation: &Operation, errno: i32) -> Self {
        Self::new(operation, ErrorKind::from_errno(operation, errno))
    }

    /// Whether what was to be deleted or edited is not there (any more), be it for lack of its service.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.kind, ErrorKind::Missing | ErrorKind::NoService)
    }
}

impl ErrorKind {
    /// The kernel uses few numbers for much: an unknown service is ESRCH, but ENOENT is an unknown destination
    /// or, where a service is set up, an unknown scheduler.
    fn from_errno(operation: &Operation, errno: i32) -> Self {
        use Operation as Op;
        match (errno, operation) {
            (errno::EPERM | errno::EACCES, _) => Self::Permission,
            (errno::EEXIST, _) => Self::Exists,
            (errno::ENOENT, Op::AddService(service) | Op::EditService(service)) => {
                Self::NoScheduler(service.scheduler.clone())
            }
            (errno::ESRCH, Op::AddDestination(..) | Op::EditDestination(..) | Op::DeleteDestination(..)) => {
                Self::NoService
            }
            (errno::ENOENT, Op::EditDestination(..) | Op::DeleteDestination(..) | Op::DeleteForeign(_))
            | (
                errno::ESRCH,
                Op::EditService(_) | Op::DeleteService(_) | Op::DeleteForeign(_) | Op::StopSync(_),
            ) => Self::Missing,
            _ => Self::Other(errno),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.attempt, self.kind)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("it exists already"),
            Self::Missing => f.write_str("it does not exist"),
            Self::NoService => f.write_str("the service does not exist"),
            Self::NoScheduler(name) => write!(f, "the kernel has no scheduler {name} (module ip_vs_{name})"),
            Self::ModuleMissing => f.write_str("the kernel has no IPVS (module ip_vs)"),
            Self::Permission => f.write_str("permission denied (CAP_NET_ADMIN is needed)"),
            Self::Unsupported => f.write_str("not supported by this backend"),
            Self::Malformed(what) => write!(f, "malformed answer from the kernel: {what}"),
            Self::Program(what) => f.write_str(what),
            Self::Other(errno) => std::io::Error::from_raw_os_error(*errno).fmt(f),
        }
    }
}

impl std::error::Error for Error {}
