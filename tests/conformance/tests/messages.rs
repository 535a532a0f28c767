//! `data/messages.txt`: every message of the originals is logged by this suite, seen in a row, or explained.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test rig may panic")]

use conformance::rows::{read, Row, Whose};
use conformance::{differences, streams};
use std::collections::HashMap;

const TABLE: &str = include_str!("../data/messages.txt");

const CODE: [(&str, &str); 4] = [
    (
        "pulse",
        concat!(
            include_str!("../../../crates/heartbeat/src/message.rs"),
            include_str!("../../../crates/heartbeat/src/fos_message.rs")
        ),
    ),
    ("lvs", include_str!("../../../crates/lvs/src/message.rs")),
    ("nanny", include_str!("../../../crates/health/src/message.rs")),
    ("fos", include_str!("../../../crates/fos/src/message.rs")),
];

/// A template as a pattern of the rows.
fn pattern(template: &str) -> String {
    let escaped = template.replace("%s", "\0").replace("%d", "\0").replace("%f", "\0");
    escaped.replace('\0', "{*}")
}

/// Whether a row expects this message, or prints it.
fn shows(row: &Row, template: &str) -> bool {
    let pattern = pattern(template);
    // What a row leaves open stands for any text itself.
    let shown = |line: &str| streams::matches(&pattern, &line.replace("{*}", "*"));
    row.steps.iter().filter(|step| step.whose != Whose::Was).any(|step| match step.verb.as_str() {
        "log" | "early-log" => shown(&step.words),
        "out" => step.body.lines().any(|line| line.split_once(": ").is_some_and(|(_, text)| shown(text))),
        _ => false,
    })
}

/// Whether the longest piece without values is in the code. rustfmt breaks long texts there.
fn is_in(code: &str, template: &str) -> bool {
    let pieces = pattern(template);
    let longest = pieces.split("{*}").max_by_key(|piece| piece.len()).unwrap().replace('"', "\\\"");
    let code = code.replace("\\\n                 ", "");
    // Messages with variants share a format: `{partner} inactive: activating {}`.
    let words: Vec<_> = longest.split(' ').collect();
    let shared = |words: &[&str]| words.len() > 1 && code.contains(&format!("{} {{}}\"", words.join(" ")));
    code.contains(longest.trim()) || shared(&words[..words.len() - 1]) || shared(&words[1..words.len() - 1])
}

#[test]
fn every_message() {
    let rows: HashMap<_, _> = ["lvs", "pulse", "options"]
        .iter()
        .flat_map(|directory| read(directory))
        .map(|row| (row.id.clone(), row))
        .collect();
    let (mut code, mut failures) = ("", Vec::new());
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("= ") {
            code = CODE.iter().find(|(program, _)| *program == name).expect("a program").1;
            continue;
        }
        let (template, place) = line.rsplit_once(" | ").expect("a place");
        let (kind, rest) = place.split_once(' ').unwrap_or((place, ""));
        let good = match kind {
            "code" => is_in(code, template),
            "differs" => differences::all().contains(rest),
            "never" => !rest.is_empty(),
            id => rows.get(id).is_some_and(|row| shows(row, template)),
        };
        if !good {
            failures.push(line);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
