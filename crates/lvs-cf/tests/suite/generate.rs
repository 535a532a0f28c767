//! Files for the property tests: noise, and files that are mostly right.

use lvs_cf::keyword::{self, Keyword, Scope};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Lines made of the language's own words and punctuation in any order.
pub fn noise() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        select(keyword::all().map(|keyword| keyword.name.as_bytes().to_vec()).collect::<Vec<_>>()),
        select(
            [
                "=", "{", "}", "[", "]", "#", "\"", "'", "\"a b\"", "\"a", "b\"", "'x y'", "virtual",
                "failover", "server", "0", "1", "10.0.0.1", "\0", "\\", "\u{fc}",
            ]
            .map(|word| word.as_bytes().to_vec())
            .to_vec()
        ),
        vec(any::<u8>(), 0..4),
    ];
    let blank = select(vec![&b" "[..], b" ", b"\t", b""]);
    let line = vec((word, blank), 0..7).prop_map(|words| {
        words.iter().flat_map(|(word, blank)| [&word[..], blank].concat()).collect::<Vec<u8>>()
    });
    let ending = select(vec![&b"\n"[..], b"\n", b"\r\n", b"\r", b""]);
    vec((line, ending), 0..12)
        .prop_map(|lines| lines.iter().flat_map(|(line, ending)| [&line[..], ending].concat()).collect())
}

/// Files that mostly load: known keys with likely values, in blocks, with comments and odd spacing.
pub fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let server = block("server", vec(statement(Scope::Server), 0..5));
    let inner = prop_oneof![4 => statement(Scope::Virtual), 1 => server];
    let service =
        prop_oneof![block("virtual", vec(inner.clone(), 0..8)), block("failover", vec(inner, 0..8))];
    let file = vec(prop_oneof![3 => statement(Scope::Global), 1 => service], 1..12);
    let newline = select(vec!["\n", "\n", "\r\n", "\r"]);
    (file, newline, any::<bool>()).prop_map(|(lines, newline, ended)| {
        let mut text = lines.concat().replace('\n', newline);
        if !ended {
            text = text.trim_end_matches(['\r', '\n', ' ']).to_owned() + " ";
        }
        text.into_bytes()
    })
}

fn block(
    opener: &'static str,
    lines: impl Strategy<Value = Vec<String>> + 'static,
) -> impl Strategy<Value = String> + Clone {
    let lines = lines.boxed();
    let name = select(vec!["a", "b", "\"two words\"", "'x y'", "[unnamed]", "{", "="]);
    (name, lines).prop_map(move |(name, lines)| format!("{opener} {name} {{\n{}}}\n", lines.concat()))
}

fn statement(scope: Scope) -> impl Strategy<Value = String> + Clone {
    let keywords: Vec<_> = keyword::all().filter(|keyword| keyword.scope == scope).collect();
    let key = select(keywords).prop_flat_map(assignment).boxed();
    let other = select(vec!["\n", "# a comment\n", "   \t\n"]).prop_map(str::to_owned);
    prop_oneof![6 => key, 1 => other]
}

fn assignment(keyword: &'static Keyword) -> impl Strategy<Value = String> {
    let values: Vec<&'static str> = match keyword.name {
        "service" => vec!["lvs", "fos"],
        "network" => vec!["nat", "direct", "tunnel"],
        "protocol" => vec!["tcp", "udp"],
        "scheduler" => vec!["wlc", "rr", "lblcr", "sh"],
        "reservation_conflict_action" => vec!["nothing", "preempt"],
        "dirs" => vec!["[ ]", "[ /a:/b /c ]", "[ \"a b\" c ] junk", "[ 'x y'z ]"],
        "address" if keyword.scope == Scope::Virtual => {
            vec!["10.0.0.1 eth0:1", "localhost \"\"", "0.0.0.0 lo", "\"10.1 x\" 'a b'"]
        }
        "nat_router" => vec!["10.0.0.1 eth1:1", "localhost x"],
        "pmask" => vec!["255.255.255.0", "255.255.255.255", "0xffffffff", "garbage", "\"\""],
        name if name.ends_with("mask") => vec!["255.255.255.0", "24", "0xffffff00"],
        "sorry_server" => vec!["10.0.0.9", "0"],
        "primary" | "primary_private" | "backup" | "backup_private" | "master" | "address" => {
            vec!["10.0.0.1", "localhost", "\"10.0.0.2 and more\"", "010.1"]
        }
        "active" | "backup_active" | "heartbeat" | "sync" | "syncdaemon" | "hard_shutdown" | "use_regex"
        | "quiesce_server" => vec!["0", "1", "\"\"", "4294967297"],
        _ if keyword.range.is_some() || keyword.name == "serial_no" => {
            vec!["0", "7", "-3", "0x1F", "4294967295", "\" 8\""]
        }
        _ => vec![
            "word",
            "\"two words\"",
            "'single \" quoted'",
            "\"\"",
            "\"q\"q\"",
            "a\"b",
            "\"a\\\"b\"",
            "\" \"",
        ],
    };
    let spacing = select(vec![" = ", "\t=\t", "  =  "]);
    let name = keyword.name;
    (select(values), spacing).prop_map(move |(value, spacing)| format!("  {name}{spacing}{value}\n"))
}
