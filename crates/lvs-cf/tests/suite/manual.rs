//! The manual pages against the keyword table, the error texts and the lints.

use lvs_cf::keyword::{Entry, Keyed, Kind, Scope, Status};
use lvs_cf::{Config, ErrorKind, Server, Virtual, LINTS};
use std::collections::BTreeSet;

const LVS_CF: &str = include_str!("../../../../man/lvs.cf.5");
const PIRANHA: &str = include_str!("../../../../man/piranha.8");

/// The entries of a section: their name and their text with macros and line ends taken out.
fn entries(scope: Scope) -> Vec<(String, String)> {
    let title = match scope {
        Scope::Global => "GLOBAL KEYS",
        Scope::Virtual => "KEYS IN VIRTUAL AND FAILOVER",
        Scope::Server => "KEYS IN SERVER",
    };
    let start = LVS_CF.find(&format!(".Sh {title}\n")).expect(title);
    let section = LVS_CF[start + 4..].split("\n.Sh ").next().unwrap();
    let entries = section.split("\n.It Ic ").skip(1);
    let entry = |text: &str| {
        let (name, body) = text.split_once('\n').unwrap();
        let lines = body.lines().map(|line| line.strip_prefix(".Cm ").unwrap_or(line));
        (name.to_owned(), lines.collect::<Vec<_>>().join(" "))
    };
    entries.map(entry).collect()
}

fn compare<T: Keyed>(scope: Scope) {
    let entries = entries(scope);
    let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let table: Vec<_> = T::entries().iter().map(|entry| entry.keyword.name).collect();
    assert_eq!(names, table);
    for (entry, (name, text)) in T::entries().iter().zip(&entries) {
        for fact in facts(entry) {
            assert!(text.contains(&fact), "{name}: `{fact}` is not in: {text}");
        }
    }
}

/// What the page must say about a keyword, word for word.
fn facts<T>(entry: &Entry<T>) -> Vec<String> {
    let keyword = &entry.keyword;
    let kind = match entry.kind() {
        Kind::Int => "Integer",
        Kind::Mark => "Unsigned integer",
        Kind::Bool => "0 or 1",
        Kind::Port => "Port",
        Kind::Host => "Host",
        Kind::HostDevice => "Host and device",
        Kind::Address => "Address",
        Kind::Str => "Text",
        Kind::QuotedStr => "Text, quotes kept",
        Kind::Enum => "One of",
        Kind::List => "List",
    };
    let mut facts = vec![kind.to_owned()];
    facts.extend(entry.words().iter().map(|word| word.to_string()));
    if !keyword.default.is_empty() {
        facts.push(format!("default {}", keyword.default));
    }
    match keyword.range {
        Some((least, most)) if most == i64::from(i32::MAX) => facts.push(format!("range {least} or more")),
        Some((least, most)) => facts.push(format!("range {least} to {most}")),
        None => {}
    }
    match keyword.status {
        Status::Used => {}
        Status::Ignored => facts.push("Without effect".into()),
        Status::FosOnly => facts.push("Failover services only".into()),
    }
    facts
}

#[test]
fn every_keyword_is_described() {
    compare::<Config>(Scope::Global);
    compare::<Virtual>(Scope::Virtual);
    compare::<Server>(Scope::Server);
}

#[test]
fn every_error_is_described() {
    for kind in ErrorKind::ALL {
        let item = format!("\n.It Dq {}\n", kind.text());
        assert!(LVS_CF.contains(&item), "{kind}");
    }
}

#[test]
fn every_warning_is_described() {
    let items = PIRANHA.split("\n.Sh WARNINGS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let items = items.lines().filter_map(|line| line.strip_prefix(".It "));
    let described: BTreeSet<_> = items.flat_map(|item| item.split(" , ")).collect();
    let used: BTreeSet<_> = LINTS.iter().copied().collect();
    assert_eq!(described, used);
}
