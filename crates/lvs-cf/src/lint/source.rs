//! Warnings that only the text of the file can give rise to.

use super::{advise, warn, Notes};
use crate::analysis::Origin;
use crate::error::Span;
use crate::field::Words;
use crate::keyword::{Keyed, Keyword, Kind, Scope};
use crate::lexer::{RawLine, Rest, MAX_WORDS};
use crate::model::{Config, Server, Virtual};
use crate::number::{inet_aton, parse_int, parse_long};
use crate::parser::Closing;
use std::net::Ipv4Addr;

/// Line ends that the original takes differently, and a NUL; `read` is where reading stopped.
pub(crate) fn line_ends(source: &[u8], read: usize, notes: &mut Notes) {
    if let Some(at) = source[..read].iter().position(|byte| *byte == b'\r') {
        let crlf = source.get(at + 1) == Some(&b'\n');
        let name = if crlf { "CRLF" } else { "CR" };
        let message = format!("{name} line ends: the original Piranha reads such a file differently");
        advise(notes, "carriage-return", Span::new(at, at), message, "convert the file to LF line ends");
    }
    if read < source.len() {
        let message = format!("a NUL byte ends the file; {} bytes are not read", source.len() - read);
        warn(notes, "nul-byte", Span::new(read, read), message);
    }
}

/// The part of a line that the block does not see.
pub(crate) fn dropped(line: RawLine, rest: Rest, notes: &mut Notes) {
    match rest {
        Rest::BadQuote(at) => advise(
            notes,
            "text-lost",
            Span::new(at, line.end),
            "the rest of the line is lost: its quotation is not closed",
            "no text or blank may follow the closing quote of a word that has no blank in it",
        ),
        Rest::TooMany(at) => {
            let message = format!("the rest of the line is lost: a line has at most {MAX_WORDS} words");
            warn(notes, "text-lost", Span::new(at, line.end), message);
        }
        Rest::Nothing => {}
    }
}

/// How a block ends.
pub(crate) fn closing(block: &Origin, closing: &Closing, notes: &mut Notes) {
    match closing {
        Closing::Brace(line, words) => {
            if let [_, text, ..] = words.words {
                let span = Span::new(text.span.start, line.end);
                warn(notes, "text-after-brace", span, "text after `}` is ignored");
            }
        }
        Closing::Missing => {
            warn(notes, "missing-brace", block.name, "the closing `}` of this block is missing")
        }
        Closing::BadQuote => warn(notes, "missing-brace", block.name, "a bad quotation ends this block"),
    }
}

/// A key that is given again.
pub(crate) fn repeated(keyword: &Keyword, words: Words, notes: &mut Notes) {
    let message = format!("`{}` is given before; this line replaces it", keyword.name);
    warn(notes, "duplicate-key", words.words[0].span, message);
}

/// The spelling of the values.
pub(crate) fn assignment(source: &[u8], keyword: &Keyword, words: Words, notes: &mut Notes) {
    let Some(word) = words.words.get(2) else { return };
    let text = word.value(source);
    match kind(keyword) {
        Some(Kind::Int | Kind::Mark | Kind::Port | Kind::Bool) => number(keyword, text, word.span, notes),
        Some(Kind::Host | Kind::HostDevice | Kind::Address) => address(keyword, text, word.span, notes),
        Some(Kind::List) => list(words, notes),
        Some(Kind::Str | Kind::QuotedStr | Kind::Enum) | None => {}
    }
}

fn kind(keyword: &Keyword) -> Option<Kind> {
    let name = keyword.name.as_bytes();
    match keyword.scope {
        Scope::Global => Config::entry(name).map(|entry| entry.kind()),
        Scope::Virtual => Virtual::entry(name).map(|entry| entry.kind()),
        Scope::Server => Server::entry(name).map(|entry| entry.kind()),
    }
}

fn number(keyword: &Keyword, text: &[u8], span: Span, notes: &mut Notes) {
    let Some(value) = parse_int(text) else { return };
    let shown = String::from_utf8_lossy(text);
    let fits = match kind(keyword) {
        Some(Kind::Mark) => parse_long(text) == Some(i64::from(value as u32)),
        _ => parse_long(text) == Some(i64::from(value)),
    };
    if text.is_empty() {
        warn(notes, "empty-number", span, format!("an empty `{}` is 0", keyword.name));
    } else if !fits {
        warn(notes, "number-too-big", span, format!("{shown} does not fit 32 bits and is read as {value}"));
    } else if matches!(text, [b'0', b'0'..=b'7', ..]) && value > 7 {
        warn(notes, "octal-number", span, format!("{shown} is octal and means {value}"));
    }
}

fn address(keyword: &Keyword, text: &[u8], span: Span, notes: &mut Notes) {
    let shown = String::from_utf8_lossy(text);
    let Some(address) = inet_aton(text) else {
        if keyword.name == "pmask" {
            warn(notes, "ignored-value", span, format!("`{shown}` is not a mask and is ignored"));
        }
        return;
    };
    let is_mask = keyword.name.ends_with("mask");
    let all_ones = is_mask && address == Ipv4Addr::BROADCAST;
    let address_ends = text.iter().position(|byte| byte.is_ascii_whitespace() || *byte == 0x0b);
    if address_ends.is_some() {
        warn(notes, "text-lost", span, format!("text after the address {address} is ignored"));
    } else if text != address.to_string().as_bytes() && !all_ones {
        let help = if is_mask { "write the mask in four decimal parts" } else { "write four decimal parts" };
        advise(notes, "unusual-address", span, format!("{shown} means {address}"), help);
    }
}

fn list(words: Words, notes: &mut Notes) {
    let close = (0..words.words.len()).find(|index| words.value(*index) == Some(b"]"));
    if let Some(extra) = close.and_then(|index| words.words.get(index + 1)) {
        warn(notes, "text-after-bracket", extra.span, "text after `]` is ignored");
    }
}
