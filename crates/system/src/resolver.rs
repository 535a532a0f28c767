//! Names as the system knows them: the hosts and services that lvs.cf may speak of.

use lvs_cf::Resolver;
use std::ffi::{CString, OsStr};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

/// The system's resolver: `/etc/hosts`, DNS and whatever else nsswitch.conf names, and `/etc/services`.
///
/// A look-up may block for as long as the resolver waits for a name server.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    /// The first IPv4 address that `getaddrinfo` gives.
    fn host(&self, name: &[u8]) -> Option<Ipv4Addr> {
        let name = OsStr::from_bytes(name).to_str().filter(|name| !name.is_empty())?;
        (name, 0).to_socket_addrs().ok()?.find_map(|found| match found.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    fn tcp_port(&self, service: &[u8]) -> Option<u16> {
        let name = CString::new(service).ok()?;
        /// `getservbyname` answers in one static buffer; this keeps our own calls apart.
        static ANSWER: Mutex<()> = Mutex::new(());
        let _alone = ANSWER.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: both arguments are NUL-terminated strings that live across the call. The result is null
        // or points to a `servent` that stays valid until the next call, which the lock keeps away; only
        // its integer is read, here and now.
        let port = unsafe { libc::getservbyname(name.as_ptr(), c"tcp".as_ptr()).as_ref()?.s_port };
        // The port is 16 bits in network order in the low half of an int.
        Some(u16::from_be(port as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_host_has_a_name() {
        assert_eq!(SystemResolver.host(b"localhost"), Some(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn names_that_cannot_be() {
        for name in [&b""[..], b"\xff\xfe", b"no such host", b"nul\0byte"] {
            assert_eq!(SystemResolver.host(name), None, "{}", name.escape_ascii());
            assert_eq!(SystemResolver.tcp_port(name), None, "{}", name.escape_ascii());
        }
    }
}
