//! From values to words of the file: the inverse of the lexer.

use crate::lexer::is_blank;
use std::fmt;

/// A value that no spelling in lvs.cf can express, because the language has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable(pub String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no spelling in lvs.cf for {}", self.0)
    }
}

impl std::error::Error for Unwritable {}

/// Where a word stands on its line: only the last one may be quoted without having a blank in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Inner,
    Last,
}

/// Spells a value as the last word of a line, with quotes if it needs them.
///
/// # Errors
/// [`Unwritable`] for line ends and NUL, and for some mixtures of blanks and both kinds of quotes.
pub fn quote(value: &[u8]) -> Result<Vec<u8>, Unwritable> {
    spell(value, Place::Last)
}

pub(crate) fn spell(value: &[u8], place: Place) -> Result<Vec<u8>, Unwritable> {
    let refused = || Unwritable(format!("\"{}\"", value.escape_ascii()));
    if value.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        return Err(refused());
    }
    let blank = value.iter().position(|byte| is_blank(*byte));
    if blank.is_none() && !matches!(value.first(), None | Some(b'"' | b'\'')) {
        return Ok(value.to_vec());
    }
    let quote = match (blank, place) {
        // The closing quote is sought from the first blank on.
        (Some(blank), _) => [b'"', b'\''].into_iter().find(|quote| !value[blank..].contains(quote)),
        (None, Place::Last) => Some(b'"'),
        (None, Place::Inner) => None,
    };
    let quote = quote.ok_or_else(refused)?;
    Ok([&[quote], value, &[quote]].concat())
}

/// Checks that text is exactly one word as it stands, quotes included, at the end of a line.
pub(crate) fn verbatim(raw: &[u8]) -> Result<(), Unwritable> {
    let inner = match raw {
        [quote @ (b'"' | b'\''), inner @ .., last] if quote == last => (*quote, inner),
        [] | [b'"' | b'\'', ..] => return refuse(raw),
        _ if raw.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0)) => return refuse(raw),
        _ => return Ok(()),
    };
    let (quote, inner) = inner;
    let blank = inner.iter().position(|byte| is_blank(*byte)).unwrap_or(inner.len());
    let broken =
        inner.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) || inner[blank..].contains(&quote);
    if broken {
        return refuse(raw);
    }
    Ok(())
}

fn refuse(raw: &[u8]) -> Result<(), Unwritable> {
    Err(Unwritable(raw.escape_ascii().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_only_where_needed() {
        let table: &[(&str, Place, Option<&str>)] = &[
            ("plain", Place::Inner, Some("plain")),
            ("a\"b", Place::Inner, Some("a\"b")),
            ("", Place::Last, Some("\"\"")),
            ("", Place::Inner, None),
            ("two words", Place::Inner, Some("\"two words\"")),
            ("say \"hi\"", Place::Last, Some("'say \"hi\"'")),
            ("a\"b c", Place::Last, Some("\"a\"b c\"")),
            ("\"x\"", Place::Last, Some("\"\"x\"\"")),
            ("both \" and '", Place::Last, None),
            ("line\nend", Place::Last, None),
        ];
        for (value, place, want) in table {
            let spelled = spell(value.as_bytes(), *place).ok();
            assert_eq!(spelled.as_deref(), want.map(str::as_bytes), "{value:?} {place:?}");
        }
    }
}
