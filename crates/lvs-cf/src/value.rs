//! A key's value, whatever its type.

use crate::model::Host;
use crate::text::Text;
use std::net::Ipv4Addr;

/// The value of one key in a [`crate::Config`], borrowed: what the writer, the dump and the lints work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer; firewall marks are unsigned, everything else is signed 32 bit.
    Int(i64),
    /// 0 or 1.
    Flag(bool),
    /// An address; 0.0.0.0 when not set.
    Address(Ipv4Addr),
    /// An address with the text it was written as.
    Host(&'a Host),
    /// An address and the device that carries it.
    AddressOn(Ipv4Addr, Option<&'a Text>),
    /// A string; `None` when not set.
    Text(Option<&'a Text>),
    /// A string that keeps its quotes; `None` when not set.
    Quoted(Option<&'a Text>),
    /// A word from the key's list; `None` when not set.
    Word(Option<&'static str>),
    /// A list of strings; `None` when not set.
    List(Option<&'a [Text]>),
}
