//! Help for those who get an error: near misses and known traps.

use crate::error::ErrorKind;
use crate::field::{Refusal, Words};
use crate::keyword::{self, Keyed, Keyword, Kind, Scope};
use crate::model::{Config, Server, Virtual};
use crate::outline::opener;

/// Words that look like keywords, and what was meant.
const ALIASES: &[(&str, &str)] = &[
    ("active_command", "active_cmd"),
    ("debug", "debug_level"),
    ("inactive_command", "inactive_cmd"),
    ("nmask", "vip_nmask"),
    ("sync_iface", "syncd_iface"),
    ("vsadm", "ipvsadm"),
];

/// Help for a statement that is refused.
pub(crate) fn refusal(scope: Scope, words: Words, refusal: Refusal) -> Option<String> {
    let first = words.value(0).unwrap_or_default();
    let blamed = words.value(refusal.word).unwrap_or_default();
    if refusal.kind == ErrorKind::UnknownCommand {
        return unknown(scope, first);
    }
    if opener(scope, first).is_some() {
        return Some(block_opener(blamed));
    }
    let (keyword, kind, list) = facts(scope, first)?;
    let help = match refusal.kind {
        ErrorKind::EqualExpected => "write `keyword = value`, with blanks around `=`",
        ErrorKind::ExtraArgs if blamed.starts_with(b"#") => "a comment must stand on a line of its own",
        ErrorKind::ExtraArgs if blamed == b"}" => "`}` must stand on a line of its own",
        ErrorKind::ExtraArgs if matches!(kind, Kind::Str | Kind::QuotedStr) => {
            "put double quotes around a value that has blanks"
        }
        ErrorKind::MissingArgs if kind == Kind::HostDevice => {
            "give an address and a device, for example `10.0.0.1 eth0:1`"
        }
        ErrorKind::MissingArgs => "a value must follow; no blank may stand after its closing quote",
        ErrorKind::BadArgument if kind == Kind::Enum => return Some(one_of(list, blamed)),
        ErrorKind::BadArgument if kind == Kind::Port => "give a number or the name of a TCP service",
        ErrorKind::BadArgument => "the name does not resolve to an IPv4 address",
        ErrorKind::BadHostname if first == b"sorry_server" => "give an IPv4 address, not a name",
        ErrorKind::BadHostname => "0.0.0.0 is not the address of a director",
        ErrorKind::IntExpected if first == b"port" => "give a number; service names are not known here",
        ErrorKind::BoolExpected => "give 0 or 1",
        ErrorKind::IntExpected if kind == Kind::Bool => "give 0 or 1",
        ErrorKind::ListExpected => "write `[ item item ]` on one line, with blanks around the brackets",
        ErrorKind::BadNetmask => "write the mask like an address, for example `255.255.255.0`",
        _ => return Some(format!("`{}`: {}", keyword.name, keyword.help)),
    };
    Some(help.into())
}

/// Help for a quotation that is not closed; `text` is what is left of the line.
pub(crate) fn quoting(text: &[u8]) -> Option<String> {
    let quote = text.first().copied()?;
    let closed_early = text.len() > 1 && text[1..].contains(&quote);
    Some(if closed_early {
        "no text or blank may follow the closing quote of a word that has no blank in it".into()
    } else {
        format!("close the quotation with {}", char::from(quote))
    })
}

fn block_opener(blamed: &[u8]) -> String {
    match blamed {
        b"}" => "`}` must stand on a line of its own".into(),
        [b'#', ..] => "a comment must stand on a line of its own".into(),
        _ => "a block opens with exactly `NAME {` on the same line".into(),
    }
}

fn one_of(words: &[&str], given: &[u8]) -> String {
    match nearest(given, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("one of: {}", words.join(", ")),
    }
}

/// A keyword of a scope with its type and words.
type Facts = (&'static Keyword, Kind, &'static [&'static str]);

fn facts(scope: Scope, name: &[u8]) -> Option<Facts> {
    fn of<T: Keyed>(name: &[u8]) -> Option<Facts> {
        T::entry(name).map(|entry| (&entry.keyword, entry.kind(), entry.words()))
    }
    match scope {
        Scope::Global => of::<Config>(name),
        Scope::Virtual => of::<Virtual>(name),
        Scope::Server => of::<Server>(name),
    }
}

fn unknown(scope: Scope, word: &[u8]) -> Option<String> {
    if word.starts_with(b"\xef\xbb\xbf") {
        return Some("remove the byte order mark from the start of the file".into());
    }
    if word.starts_with(b"}") {
        let at_top = "no block is open here".into();
        return Some(if word == b"}" { at_top } else { "`}` must stand alone".into() });
    }
    if word.len() > 1 && word.contains(&b'=') {
        return Some("put blanks around `=`".into());
    }
    misplaced(scope, word).or_else(|| {
        let known = keyword::all().filter(|keyword| keyword.scope == scope).map(|keyword| keyword.name);
        let alias = ALIASES.iter().find(|(alias, _)| alias.as_bytes() == word).map(|(_, meant)| *meant);
        let alias = alias.filter(|meant| known.clone().any(|name| name == *meant));
        let meant = alias.or_else(|| nearest(word, known.chain(openers(scope).iter().copied())))?;
        Some(format!("did you mean `{meant}`?"))
    })
}

fn openers(scope: Scope) -> &'static [&'static str] {
    match scope {
        Scope::Global => &["virtual", "failover"],
        Scope::Virtual => &["server"],
        Scope::Server => &[],
    }
}

/// Help for a keyword that is known elsewhere.
fn misplaced(scope: Scope, word: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(word).ok()?;
    if matches!(name, "virtual" | "failover" | "server") {
        return Some(match (scope, name) {
            (Scope::Global, _) => "`server` belongs inside a `virtual` block".into(),
            _ => "is the closing `}` of the block before missing?".into(),
        });
    }
    let home = keyword::all().find(|keyword| keyword.name == name)?.scope;
    Some(match (scope, home) {
        (_, Scope::Global) => format!("`{name}` stands outside all blocks; is a closing `}}` missing?"),
        (Scope::Server, _) => {
            format!("`{name}` belongs to the virtual; is the server's closing `}}` missing?")
        }
        (_, Scope::Virtual) => format!("`{name}` belongs inside a `virtual` or `failover` block"),
        (_, Scope::Server) => format!("`{name}` belongs inside a `server` block"),
    })
}

/// The candidate that is nearest to the word, if it is near enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(word: &[u8], candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let limit = if word.len() < 6 { 1 } else { 2 };
    candidates
        .map(|candidate| (distance(&word, candidate.as_bytes()), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, with a swap of neighbours counted as one edit.
fn distance(left: &[u8], right: &[u8]) -> usize {
    // Beyond any keyword's length the answer is "far", whatever the exact number.
    if left.len() > 2 * right.len() + 4 {
        return left.len();
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, l) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (col, r) in right.iter().enumerate() {
            let substitute = above[col] + usize::from(l != r);
            let mut best = substitute.min(above[col + 1] + 1).min(current[col] + 1);
            let swapped = row > 0 && col > 0 && left[row - 1] == *r && *l == right[col - 1];
            if swapped {
                best = best.min(before[col - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, want) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("wieght", "weight", 1),
            ("kitten", "sitting", 3),
            ("ab", "a", 1),
        ] {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), want, "{left} {right}");
        }
    }

    #[test]
    fn refused_values_get_the_help_that_fits() {
        let table = [
            ("keepalive = soon", "`keepalive`: seconds between heartbeats"),
            ("backup_active = yes", "give 0 or 1"),
            ("backup_active = 2", "give 0 or 1"),
            ("network = nta", "did you mean `nat`?"),
            ("network = bridge", "one of: nat, direct, tunnel"),
            ("primary = 0.0.0.0", "0.0.0.0 is not the address of a director"),
            ("primary = nowhere", "the name does not resolve to an IPv4 address"),
            ("nat_router = 10.0.0.1", "give an address and a device, for example `10.0.0.1 eth0:1`"),
            ("nat_nmask = /24", "write the mask like an address, for example `255.255.255.0`"),
            ("serial_no = 4 # four", "a comment must stand on a line of its own"),
            ("active_cmd = /opt/up now", "put double quotes around a value that has blanks"),
            (
                "active_cmd = \"/opt/up\" ",
                "no text or blank may follow the closing quote of a word that has no blank in it",
            ),
            ("active_cmd = \"/opt/up", "close the quotation with \""),
            ("virtual a { }", "`}` must stand on a line of its own"),
            ("virtual a", "a block opens with exactly `NAME {` on the same line"),
        ];
        for (source, want) in table {
            let error = crate::parse(source.as_bytes(), &crate::NoNames).unwrap_err();
            assert_eq!(error.help.as_deref(), Some(want), "{source}");
        }
    }

    #[test]
    fn unknown_words_get_the_help_that_fits() {
        let table = [
            (Scope::Server, "wieght", "did you mean `weight`?"),
            (Scope::Global, "KEEPALIVE", "did you mean `keepalive`?"),
            (Scope::Global, "debug", "did you mean `debug_level`?"),
            (Scope::Virtual, "nmask", "did you mean `vip_nmask`?"),
            (Scope::Global, "serial_no=4", "put blanks around `=`"),
            (Scope::Global, "}", "no block is open here"),
            (Scope::Virtual, "};", "`}` must stand alone"),
            (Scope::Virtual, "weight", "`weight` belongs inside a `server` block"),
            (Scope::Virtual, "virtual", "is the closing `}` of the block before missing?"),
            (Scope::Virtual, "keepalive", "`keepalive` stands outside all blocks; is a closing `}` missing?"),
            (Scope::Global, "virtul", "did you mean `virtual`?"),
        ];
        for (scope, word, want) in table {
            assert_eq!(unknown(scope, word.as_bytes()).as_deref(), Some(want), "{word}");
        }
        assert_eq!(unknown(Scope::Global, b"colour"), None);
    }
}
