//! The configuration as JSON: every key under its name, in a fixed order.
//!
//! Addresses are what names resolved to; the text of the four directors stands beside them under
//! `KEY_name`. One member per line and no indentation, so that `diff` and `grep` are of use.

use lvs_cf::keyword::{Entry, Keyed};
use lvs_cf::{Config, Server, Text, Value, Virtual};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::{PrettyFormatter, Serializer as Writer};

/// The configuration as JSON text with a final line end.
///
/// # Errors
/// None in practice: the text is built in memory.
pub fn dump(config: &Config) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    File(config).serialize(&mut Writer::with_formatter(&mut out, PrettyFormatter::with_indent(b"")))?;
    out.push(b'\n');
    Ok(out)
}

struct File<'a>(&'a Config);

impl Serialize for File<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        keys(self.0, &mut map)?;
        map.serialize_entry("virtual", &Services(&self.0.virtuals))?;
        map.serialize_entry("failover", &Services(&self.0.failovers))?;
        map.end()
    }
}

struct Services<'a>(&'a [Virtual]);

impl Serialize for Services<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Service))
    }
}

struct Service<'a>(&'a Virtual);

impl Serialize for Service<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("index", &self.0.index)?;
        map.serialize_entry("name", &text(&self.0.name))?;
        keys(self.0, &mut map)?;
        map.serialize_entry("servers", &self.0.servers.iter().map(RealServer).collect::<Vec<_>>())?;
        map.end()
    }
}

struct RealServer<'a>(&'a Server);

impl Serialize for RealServer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &text(&self.0.name))?;
        keys(self.0, &mut map)?;
        map.end()
    }
}

/// The keys of a block, in the order of the keyword table.
fn keys<T: Keyed, M: SerializeMap>(block: &T, map: &mut M) -> Result<(), M::Error> {
    T::entries().iter().try_for_each(|entry| key(entry, block, map))
}

fn key<T, M: SerializeMap>(entry: &Entry<T>, block: &T, map: &mut M) -> Result<(), M::Error> {
    let name = entry.keyword.name;
    match entry.value(block) {
        Value::Int(value) => map.serialize_entry(name, &value),
        Value::Flag(value) => map.serialize_entry(name, &u8::from(value)),
        Value::Address(value) => map.serialize_entry(name, &value),
        Value::Host(host) => {
            map.serialize_entry(name, &host.address)?;
            map.serialize_entry(&format!("{name}_name"), &host.name.as_ref().map(text))
        }
        Value::AddressOn(address, device) => {
            map.serialize_entry(name, &address)?;
            let device_key = if name == "address" { "device".into() } else { format!("{name}_device") };
            map.serialize_entry(&device_key, &device.map(text))
        }
        Value::Text(value) | Value::Quoted(value) => map.serialize_entry(name, &value.map(text)),
        Value::Word(value) => map.serialize_entry(name, &value),
        Value::List(value) => {
            map.serialize_entry(name, &value.map(|items| items.iter().map(text).collect::<Vec<_>>()))
        }
    }
}

/// The text as characters: UTF-8 where it is valid, and every other byte as the character of that number
/// (ISO 8859-1), so that no byte is lost.
fn text(text: &Text) -> String {
    let mut out = String::new();
    for chunk in text.as_bytes().utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_become_characters_of_their_number() {
        assert_eq!(text(&"gr\u{fc}n".into()), "gr\u{fc}n");
        assert_eq!(text(&b"gr\xfcn\xff"[..].into()), "gr\u{fc}n\u{ff}");
    }
}
