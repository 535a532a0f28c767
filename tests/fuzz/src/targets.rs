//! The targets but for heartbeats, which have a file of their own.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use health::{load_average, loaded_weight, split_command, unescape, Expectation, Judgement, REPLY_LIMIT};
use ipvs::wire::{self, Listed};
use ipvs::{diff, Backend, Recorder, Table};
use lvs_cf::{analyse, parse, write, Colour, Config, NoNames, Style, Text, Tree};
use system::netlink::{parts, Part};
use system::options::{Opt, Options};

/// Any lvs.cf: a lossless tree also after an edit, one verdict, and a written file that means the same.
pub fn lvs_cf(source: &[u8]) {
    let analysis = analyse(source, &NoNames);
    assert_eq!(analysis.tree.to_bytes(), source);
    assert_eq!(analysis.config, parse(source, &NoNames));
    for diagnostic in &analysis.diagnostics {
        diagnostic.render("lvs.cf", source, Colour::Always);
    }
    edit(source);
    let Ok(config) = analysis.config else { return };
    for style in [Style::Tool, Style::Full] {
        let text = write(&config, style).expect("what was read can be written");
        let again = parse(&text, &NoNames).expect("what was written can be read");
        assert_eq!(without_index(again), without_index(config.clone()));
    }
}

/// What was set is there when the text is read again; to set it again changes nothing.
fn edit(source: &[u8]) {
    let mut tree = Tree::parse(source);
    let set = set_values(&mut tree);
    let text = tree.to_bytes();
    let mut again = Tree::parse(&text);
    assert_eq!(again.to_bytes(), text);
    let found = again.root().get("keepalive").filter(|_| set[0]).into_iter();
    let ports = again.root().blocks().zip(&set[1..]).filter(|(_, set)| **set);
    let ports = ports.map(|(block, _)| block.get("port").unwrap_or_default());
    for (values, wanted) in found.map(|found| (found, "7")).chain(ports.map(|found| (found, "81"))) {
        assert_eq!(values.iter().map(Text::as_bytes).collect::<Vec<_>>(), [wanted.as_bytes()]);
    }
    assert_eq!(set_values(&mut again), set, "the same blocks");
    assert_eq!(again.to_bytes(), text);
}

/// Sets a key of the whole and one of each block; says of each whether it was possible.
fn set_values(tree: &mut Tree) -> Vec<bool> {
    let whole = tree.root_mut().set("keepalive", &["7"]).is_ok();
    let blocks = tree.root_mut().blocks_mut().map(|block| block.set("port", &["81"]).is_ok());
    [whole].into_iter().chain(blocks).collect()
}

/// The writer sorts blocks by kind, which renumbers them.
fn without_index(mut config: Config) -> Config {
    for service in config.virtuals.iter_mut().chain(&mut config.failovers) {
        service.index = 0;
    }
    config
}

/// Any answers to dumps: a table, from which a plan leads to an empty one and back. The first byte of an answer
/// says whether it is a service or a destination, two more how long it is.
pub fn ipvs_dump(bytes: &[u8]) {
    let mut table = Table::new();
    let mut key = None;
    let mut rest = bytes;
    while let [kind, low, high, tail @ ..] = rest {
        let (attributes, tail) =
            tail.split_at(usize::from(u16::from_le_bytes([*low, *high])).min(tail.len()));
        rest = tail;
        let message = wire::Message { command: *kind, attributes: attributes.to_vec() };
        match (kind & 1, key) {
            (1, Some(key)) => drop(wire::read_destination(&message, &key, &mut table)),
            _ => match wire::read_service(&message, &mut table) {
                Ok(Listed::Service(listed)) => key = Some(listed),
                Ok(Listed::Foreign) => {}
                Err(error) => drop(format!("{error:?}")),
            },
        }
    }
    leads(&table, &Table::new());
    let ours = without_foreign(&table);
    leads(&Table::new(), &ours);
    leads(&table, &ours);
}

/// What the model can express of it.
fn without_foreign(table: &Table) -> Table {
    let mut ours = Table::new();
    for entry in table.services() {
        ours.insert(entry.service.clone());
        for destination in entry.destinations.values() {
            ours.insert_destination(&entry.service.key, *destination);
        }
    }
    ours
}

fn leads(from: &Table, to: &Table) {
    let plan = diff(from, to);
    for operation in &plan {
        drop((wire::request(operation), operation.arguments(), operation.to_string()));
    }
    let mut kernel = Recorder::with(from.clone());
    for result in kernel.apply(&plan) {
        result.expect("a plan can be carried out");
    }
    assert_eq!(&kernel.table, to);
}

/// Any datagram of netlink messages: none is longer than what came, and nothing follows one that is broken.
pub fn netlink(datagram: &[u8]) {
    let (mut rest, mut broken) = (datagram.len(), false);
    for part in parts(datagram) {
        assert!(!broken);
        rest = match &part {
            Ok(Part::Message(message)) => rest.checked_sub(16 + message.payload.len()),
            Ok(Part::End(answer)) => {
                drop(answer.as_ref().map_err(ToString::to_string));
                rest.checked_sub(16)
            }
            Err(_) => Some(rest),
        }
        .expect("no more bytes than there are");
        broken = part.is_err();
    }
}

/// Any payload of a link or an address message.
pub fn route(payload: &[u8]) {
    if let Ok(link) = system::route::attributes::link(payload) {
        assert!(link.name.len() <= payload.len() * 3, "lossy text grows threefold at most");
    }
    if let Ok(address) = system::route::attributes::address(payload) {
        assert!(address.label.len() <= payload.len() * 3);
    }
}

const TABLE: &[Opt] = &[
    Opt::text("configfile").short('c').help("Configuration file"),
    Opt::flag("nodaemon").short('n').help("Don't run as a daemon"),
    Opt::flag("verbose").short('v').help("Verbose output"),
    Opt::integer("timeout").short('t').help("Seconds"),
    Opt::word("fwmark").short('f').help("Mark"),
    Opt::text("vip").short('V').help("Address"),
    Opt::alias("lvs", "vip"),
];

/// Any command line, words separated by NUL: values of the right kinds, or a text and a status.
pub fn options(line: &[u8]) {
    let words: Vec<OsString> =
        line.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).into()).collect();
    match Options::new("pulse", TABLE).parse(words) {
        Ok(values) => {
            let longest = values.text("configfile").map_or(0, OsStr::len);
            assert!(longest <= line.len());
        }
        Err(stop) => assert!(stop.status <= 1 && stop.text.ends_with(b"\n")),
    }
}

/// Any send and expect strings, commands and replies: the first line is the string, the rest the reply.
pub fn check_text(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (text, reply) = bytes.split_at(at);
    let plain = unescape(text);
    assert!(plain.len() <= text.len());
    assert!(text.contains(&b'\\') || plain == text, "only a backslash changes anything");
    for word in split_command(text, "10.0.0.1", 80) {
        assert!(word.len() <= text.len() * 16);
    }
    for regex in [false, true] {
        let expectation = Expectation::new(Some(&plain), regex);
        assert!(expectation.length() <= REPLY_LIMIT);
        settles(&expectation, reply);
    }
}

/// A verdict, once there, does not depend on what comes later; at the end there is one.
fn settles(expectation: &Expectation, reply: &[u8]) {
    let judge =
        |count: usize, ended| expectation.judge(&reply[..count], ended, |received| received.contains(&b'a'));
    let decided = (0..=reply.len().min(300)).map(|count| judge(count, false)).find(|j| *j != Judgement::More);
    let last = judge(reply.len(), true);
    assert_ne!(last, Judgement::More);
    if decided == Some(Judgement::Match) {
        assert_eq!(last, Judgement::Match);
    }
}

/// Any output of a load monitor.
pub fn load(output: &[u8]) {
    let text = String::from_utf8_lossy(output);
    let Some(load) = load_average(&text) else { return };
    assert!(load.is_finite() && load >= 0.0, "{load}");
    for (current, configured, scale) in [(1, 1, 1), (100, 50, 4), (u32::MAX, u32::MAX, u32::MAX), (0, 0, 0)] {
        let _ = loaded_weight(current, configured, load, scale);
    }
}
