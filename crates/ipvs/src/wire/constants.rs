//! The numbers of Linux's `include/uapi/linux/ip_vs.h`.

pub const FAMILY_NAME: &str = "IPVS";
pub const FAMILY_VERSION: u8 = 1;

/// Commands.
pub mod command {
    pub const NEW_SERVICE: u8 = 1;
    pub const SET_SERVICE: u8 = 2;
    pub const DEL_SERVICE: u8 = 3;
    pub const GET_SERVICE: u8 = 4;
    pub const NEW_DEST: u8 = 5;
    pub const SET_DEST: u8 = 6;
    pub const DEL_DEST: u8 = 7;
    pub const GET_DEST: u8 = 8;
    pub const NEW_DAEMON: u8 = 9;
    pub const DEL_DAEMON: u8 = 10;
    pub const SET_CONFIG: u8 = 12;
    pub const FLUSH: u8 = 17;
}

/// Attributes of a command.
pub mod top {
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;
    pub const DAEMON: u16 = 3;
    pub const TIMEOUT_TCP: u16 = 4;
    pub const TIMEOUT_TCP_FIN: u16 = 5;
    pub const TIMEOUT_UDP: u16 = 6;
}

/// Attributes of a service.
pub mod service {
    pub const FAMILY: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const ADDRESS: u16 = 3;
    pub const PORT: u16 = 4;
    pub const FWMARK: u16 = 5;
    pub const SCHEDULER: u16 = 6;
    pub const FLAGS: u16 = 7;
    pub const TIMEOUT: u16 = 8;
    pub const NETMASK: u16 = 9;
    pub const PERSISTENCE_ENGINE: u16 = 11;

    /// Flag: clients stick to a real server.
    pub const PERSISTENT: u32 = 0x1;
    /// Flag: the kernel's own mark on every service in its table.
    pub const HASHED: u32 = 0x2;
}

/// Attributes of a destination.
pub mod destination {
    pub const ADDRESS: u16 = 1;
    pub const PORT: u16 = 2;
    pub const FORWARDING: u16 = 3;
    pub const WEIGHT: u16 = 4;
    pub const UPPER_THRESHOLD: u16 = 5;
    pub const LOWER_THRESHOLD: u16 = 6;
    pub const FAMILY: u16 = 11;
    pub const TUNNEL_TYPE: u16 = 13;

    /// The bits of the connection flags that say how packets are forwarded.
    pub const FORWARDING_MASK: u32 = 0x7;
    pub const MASQUERADE: u32 = 0;
    pub const TUNNEL: u32 = 2;
    pub const DIRECT: u32 = 3;
}

/// Attributes of a synchronisation daemon.
pub mod daemon {
    pub const STATE: u16 = 1;
    pub const INTERFACE: u16 = 2;
    pub const SYNC_ID: u16 = 3;

    pub const MASTER: u32 = 0x1;
    pub const BACKUP: u32 = 0x2;
}

pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
pub const IPPROTO_TCP: u16 = 6;
pub const IPPROTO_UDP: u16 = 17;
