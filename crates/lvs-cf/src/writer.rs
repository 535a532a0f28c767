//! From a model to a file, in the layout of the Piranha Configuration Tool.

use crate::keyword::{Entry, Keyed};
use crate::model::{Config, Host, Server, Virtual};
use crate::quoting::{spell, verbatim, Place, Unwritable};
use crate::text::Text;
use crate::tree::BlockKind;
use crate::value::Value;
use std::borrow::Cow;
use std::net::Ipv4Addr;

/// How much to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// What the configuration tool writes, and every other key that differs from its default.
    Tool,
    /// Every key that has a value, defaults included.
    Full,
}

/// A key that the tool writes, in its order.
enum Key {
    /// Whenever it has a value.
    Always(&'static str),
    /// Only if it differs from the default: the tool knows no such key, or leaves it out unless it was set.
    Changed(&'static str),
}

use Key::{Always, Changed};

const GLOBAL: &[Key] = &[
    Always("serial_no"),
    Always("primary"),
    Always("primary_private"),
    Always("primary_shared"),
    Always("service"),
    Changed("rsh_command"),
    Always("backup_active"),
    Always("backup"),
    Always("backup_private"),
    Always("backup_shared"),
    Always("heartbeat"),
    Always("heartbeat_port"),
    Always("keepalive"),
    Always("deadtime"),
    Always("network"),
    Always("nat_router"),
    Changed("nat_nmask"),
    Always("reservation_conflict_action"),
    Always("debug_level"),
    Always("active_cmd"),
    Always("inactive_cmd"),
    Changed("monitor_links"),
    Changed("syncdaemon"),
    Changed("syncd_iface"),
    Changed("syncd_id"),
    Changed("tcp_timeout"),
    Changed("tcpfin_timeout"),
    Changed("udp_timeout"),
    Changed("hard_shutdown"),
    Changed("ipvsadm"),
    Changed("sync"),
];

const VIRTUAL: &[Key] = &[
    Always("active"),
    Always("address"),
    Changed("sorry_server"),
    Changed("vip_nmask"),
    Changed("fwmark"),
    Always("port"),
    Changed("persistent"),
    Changed("pmask"),
    Always("send"),
    Always("expect"),
    Changed("use_regex"),
    Always("send_program"),
    Always("load_monitor"),
    Always("scheduler"),
    Always("protocol"),
    Always("timeout"),
    Always("reentry"),
    Always("quiesce_server"),
    Changed("client_monitor"),
    Always("start_cmd"),
    Always("stop_cmd"),
    Changed("master"),
    Always("dirs"),
];

const FAILOVER: &[Key] = &[
    Always("address"),
    Changed("vip_nmask"),
    Always("active"),
    Always("port"),
    Always("timeout"),
    Always("send"),
    Always("expect"),
    Always("send_program"),
    Always("start_cmd"),
    Always("stop_cmd"),
    Changed("sorry_server"),
    Changed("fwmark"),
    Changed("persistent"),
    Changed("pmask"),
    Changed("use_regex"),
    Always("load_monitor"),
    Changed("scheduler"),
    Changed("protocol"),
    Changed("reentry"),
    Changed("quiesce_server"),
    Changed("client_monitor"),
    Changed("master"),
    Always("dirs"),
];

const SERVER: &[Key] = &[Always("address"), Always("active"), Changed("port"), Always("weight")];

/// Writes a configuration.
///
/// The layout is the tool's: globals, then `failover` blocks, then `virtual` blocks, five and nine blanks of
/// indentation, no blank lines. Unlike the tool this loses no key and cuts no line. Reading the result gives
/// the same configuration (but for [`Virtual::index`], where kinds were mixed) with the same resolver.
///
/// # Errors
/// [`Unwritable`] if a string has no spelling; none that the parser returned is like that.
pub fn write(config: &Config, style: Style) -> Result<Vec<u8>, Unwritable> {
    let mut out = Vec::new();
    let config = &*without_copies(config, style);
    keys(config, &Config::default(), GLOBAL, style, b"", &mut out)?;
    for service in &config.failovers {
        block(service, BlockKind::Failover, FAILOVER, style, &mut out)?;
    }
    for service in &config.virtuals {
        block(service, BlockKind::Virtual, VIRTUAL, style, &mut out)?;
    }
    Ok(out)
}

/// The configuration without the private addresses that the reader copies from the public ones.
///
/// The full style shows them, except for a backup of 0.0.0.0, which is allowed in `backup` only.
fn without_copies(config: &Config, style: Style) -> Cow<'_, Config> {
    let copied = config.primary.name.is_some()
        && config.primary_private == config.primary
        && config.backup_private == config.backup;
    let unwritable = config.backup.name.is_some() && !config.backup.is_set();
    if !copied || (style == Style::Full && !unwritable) {
        return Cow::Borrowed(config);
    }
    let mut config = config.clone();
    config.primary_private = Host::UNSET;
    config.backup_private = Host::UNSET;
    Cow::Owned(config)
}

fn block(
    service: &Virtual,
    kind: BlockKind,
    order: &[Key],
    style: Style,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    open(kind, &service.name, b"", out)?;
    keys(service, &Virtual::default(), order, style, b"     ", out)?;
    for server in &service.servers {
        open(BlockKind::Server, &server.name, b"     ", out)?;
        let default = Server::new(Text::default(), service.port);
        keys(server, &default, SERVER, style, b"         ", out)?;
        out.extend_from_slice(b"     }\n");
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn open(kind: BlockKind, name: &Text, indent: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let name = spell(name.as_bytes(), Place::Inner)?;
    for part in [indent, kind.as_str().as_bytes(), b" ", &name, b" {\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}

fn keys<T: Keyed>(
    block: &T,
    default: &T,
    order: &[Key],
    style: Style,
    indent: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    for key in order {
        let (Always(name) | Changed(name)) = key;
        let Some(entry) = T::entry(name.as_bytes()) else { continue };
        let as_default = || entry.value(block) == entry.value(default);
        if style == Style::Tool && matches!(key, Changed(_)) && as_default() {
            continue;
        }
        line(block, entry, indent, out)?;
    }
    Ok(())
}

fn line<T>(block: &T, entry: &Entry<T>, indent: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let name = entry.keyword.name;
    let value = match entry.value(block) {
        // All ones in the usual spelling would be read as "no mask".
        Value::Address(Ipv4Addr::BROADCAST) if name == "pmask" => Some(b"0xffffffff".to_vec()),
        value => spell_value(value)?,
    };
    if let Some(value) = value {
        for part in [indent, name.as_bytes(), b" = ", &value, b"\n"] {
            out.extend_from_slice(part);
        }
    }
    Ok(())
}

/// A value as it is written; `None` if there is nothing to write.
fn spell_value(value: Value) -> Result<Option<Vec<u8>>, Unwritable> {
    Ok(match value {
        Value::Host(host) => match &host.name {
            Some(name) => Some(spell(name.as_bytes(), Place::Last)?),
            None => host.is_set().then(|| host.address.to_string().into_bytes()),
        },
        Value::AddressOn(address, Some(device)) => {
            let device = spell(device.as_bytes(), Place::Last)?;
            Some([address.to_string().as_bytes(), b" ", &device].concat())
        }
        Value::AddressOn(..) => None,
        Value::Text(text) => text.map(|text| spell(text.as_bytes(), Place::Last)).transpose()?,
        Value::Quoted(Some(text)) => {
            verbatim(text.as_bytes())?;
            Some(text.as_bytes().to_vec())
        }
        Value::List(Some(items)) => Some(spell_list(items)?),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::Flag(flag) => Some(vec![b'0' + u8::from(flag)]),
        Value::Address(address) => Some(address.to_string().into_bytes()),
        Value::Word(word) => word.map(|word| word.as_bytes().to_vec()),
        Value::Quoted(None) | Value::List(None) => None,
    })
}

fn spell_list(items: &[Text]) -> Result<Vec<u8>, Unwritable> {
    /// `dirs`, `=` and the brackets take part in the count of words.
    const MOST: usize = crate::lexer::MAX_WORDS - 4;
    if items.len() > MOST || items.iter().any(|item| *item == "]") {
        return Err(Unwritable(format!("a list of {} items", items.len())));
    }
    let mut out = b"[ ".to_vec();
    for item in items {
        out.extend(spell(item.as_bytes(), Place::Inner)?);
        out.push(b' ');
    }
    out.push(b']');
    Ok(out)
}

/// A value as it is written, for tests of the keyword table.
#[cfg(test)]
pub(crate) fn show_value(value: Value) -> Option<Vec<u8>> {
    spell_value(value).expect("defaults can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(order: &[Key]) -> Vec<&'static str> {
        let mut names: Vec<_> = order.iter().map(|(Always(name) | Changed(name))| *name).collect();
        names.sort_unstable();
        names
    }

    fn table<T: Keyed>() -> Vec<&'static str> {
        let mut names: Vec<_> = T::entries().iter().map(|entry| entry.keyword.name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn no_key_is_lost() {
        assert_eq!(names(GLOBAL), table::<Config>());
        assert_eq!(names(VIRTUAL), table::<Virtual>());
        assert_eq!(names(FAILOVER), table::<Virtual>());
        assert_eq!(names(SERVER), table::<Server>());
    }
}
