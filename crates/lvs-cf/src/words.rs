//! The enumerated values and their spellings.

use std::fmt;

/// An enumerated value: exact, case-sensitive words.
pub(crate) trait Word: Sized + Copy + 'static {
    const WORDS: &'static [&'static str];
    const ALL: &'static [Self];
}

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The word in lvs.cf.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl Word for $name {
            const WORDS: &'static [&'static str] = &[$($word,)*];
            const ALL: &'static [Self] = &[$($name::$variant,)*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

word_enum! {
    /// `service`: which kind of blocks pulse serves.
    ServiceKind {
        /// Load balancing: the `virtual` blocks, run by lvs.
        Lvs = "lvs",
        /// Failover of whole services: the `failover` blocks, run by fos.
        Fos = "fos",
    }
}

word_enum! {
    /// `network`: how the director hands packets to the real servers.
    Forwarding {
        /// Address translation (ipvsadm `-m`).
        Nat = "nat",
        /// Direct routing (ipvsadm `-g`).
        Direct = "direct",
        /// IP-in-IP tunnelling (ipvsadm `-i`).
        Tunnel = "tunnel",
    }
}

word_enum! {
    /// `protocol` of a virtual service.
    Protocol {
        /// TCP (ipvsadm `-t`).
        Tcp = "tcp",
        /// UDP (ipvsadm `-u`).
        Udp = "udp",
    }
}

word_enum! {
    /// `scheduler`: the kernel's choice of a real server for a new connection.
    Scheduler {
        /// Least connections.
        Lc = "lc",
        /// Round robin.
        Rr = "rr",
        /// Weighted least connections.
        Wlc = "wlc",
        /// Weighted round robin.
        Wrr = "wrr",
        /// Locality-based least connections.
        Lblc = "lblc",
        /// Locality-based least connections with replication.
        Lblcr = "lblcr",
        /// Destination hashing.
        Dh = "dh",
        /// Source hashing.
        Sh = "sh",
    }
}

word_enum! {
    /// `reservation_conflict_action`: what to do when the peer holds the shared SCSI disk.
    ConflictAction {
        /// Leave it.
        Nothing = "nothing",
        /// Take it.
        Preempt = "preempt",
    }
}
