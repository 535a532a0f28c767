//! Lines and words.

use crate::error::Span;

/// A line takes part with this many words; what follows is dropped.
pub(crate) const MAX_WORDS: usize = 99;

/// One line of the file, by its place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawLine {
    /// Number from 1.
    pub number: u32,
    /// First byte.
    pub start: usize,
    /// End of the text: the first byte of the line end, or a NUL, or the end of the file.
    pub end: usize,
    /// Start of the next line.
    pub next: usize,
}

/// What a line is before its words are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Blank,
    Comment,
    Statement,
}

impl RawLine {
    pub fn text<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        &source[self.start..self.end]
    }

    pub fn kind(&self, source: &[u8]) -> LineKind {
        match self.text(source).iter().find(|byte| !is_blank(**byte)) {
            None => LineKind::Blank,
            Some(b'#') => LineKind::Comment,
            Some(_) => LineKind::Statement,
        }
    }
}

/// The lines of a file.
///
/// LF, CRLF and a lone CR end a line. (The original looks for a CR in the rest of the file first, so that it
/// reads no more than one line of a CRLF file.) A NUL ends the file, as it does in the original at the start
/// of a line; elsewhere the original crashes.
pub(crate) struct Lines<'a> {
    source: &'a [u8],
    at: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    pub fn new(source: &'a [u8]) -> Self {
        Lines { source, at: 0, number: 0 }
    }

    /// Where reading has stopped: bytes from here on are not part of any line.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl Iterator for Lines<'_> {
    type Item = RawLine;

    fn next(&mut self) -> Option<RawLine> {
        let rest = &self.source[self.at..];
        if matches!(rest.first(), None | Some(0)) {
            return None;
        }
        self.number += 1;
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0)).unwrap_or(rest.len());
        let ending = match rest[length..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        let start = self.at;
        self.at += length + ending;
        Some(RawLine { number: self.number, start, end: start + length, next: self.at })
    }
}

/// Blank and tab separate words; nothing else does.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A word, by its place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// With the quotes, if any.
    pub span: Span,
    /// The quotes are there.
    pub quoted: bool,
}

impl Word {
    /// The word as written.
    pub fn raw<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        &source[self.span.start..self.span.end]
    }

    /// The word without its quotes.
    pub fn value<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        let raw = self.raw(source);
        if self.quoted {
            &raw[1..raw.len() - 1]
        } else {
            raw
        }
    }
}

/// How the words of a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// All read.
    Nothing,
    /// A quotation that starts here is not closed.
    BadQuote(usize),
    /// More than [`MAX_WORDS`] words; dropped from here on.
    TooMany(usize),
}

/// Cuts the text `start..end` into words. `words` is a buffer that is emptied first.
pub(crate) fn split(source: &[u8], line: RawLine, words: &mut Vec<Word>) -> Rest {
    words.clear();
    let mut at = line.start;
    loop {
        at = skip(source, at, line.end, is_blank);
        if at == line.end {
            return Rest::Nothing;
        }
        if words.len() == MAX_WORDS {
            return Rest::TooMany(at);
        }
        let Some(word) = word_at(source, at, line.end) else { return Rest::BadQuote(at) };
        words.push(word);
        at = word.span.end;
    }
}

/// The word that starts at `at`; `None` for a quotation that is not closed.
///
/// The closing quote is looked for from the first blank on, not from the opening quote: `"ab" x"` is one
/// word, and `"ab"` followed by a blank is not closed.
fn word_at(source: &[u8], at: usize, end: usize) -> Option<Word> {
    let quote = source[at];
    let blank = skip(source, at, end, |byte| !is_blank(byte));
    if !matches!(quote, b'"' | b'\'') {
        return Some(Word { span: Span::new(at, blank), quoted: false });
    }
    let closing = skip(source, blank, end, |byte| byte != quote);
    let close = if closing < end { closing } else { end - 1 };
    (close > at && source[close] == quote).then(|| Word { span: Span::new(at, close + 1), quoted: true })
}

/// The first place from `at` on where `pass` is false, or `end`.
fn skip(source: &[u8], at: usize, end: usize, pass: impl Fn(u8) -> bool) -> usize {
    source[at..end].iter().position(|byte| !pass(*byte)).map_or(end, |offset| at + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the words, and whether a bad quotation follows.
    fn words(text: &str) -> (Vec<&str>, bool) {
        let source = text.as_bytes();
        let line = RawLine { number: 1, start: 0, end: source.len(), next: source.len() };
        let mut buffer = Vec::new();
        let rest = split(source, line, &mut buffer);
        let values = buffer.iter().map(|word| std::str::from_utf8(word.value(source)).unwrap()).collect();
        (values, matches!(rest, Rest::BadQuote(_)))
    }

    #[test]
    fn the_closing_quote_is_sought_from_the_first_blank() {
        let table: &[(&str, &[&str], bool)] = &[
            (r#""ab""#, &["ab"], false),
            (r#""ab cd""#, &["ab cd"], false),
            (r#""ab cd"  "#, &["ab cd"], false),
            (r#""ab" "#, &[], true),
            (r#""ab" x""#, &[r#"ab" x"#], false),
            (r#""ab" "cd""#, &[r#"ab" "#, r#"cd""#], false),
            (r#""ab"cd""#, &[r#"ab"cd"#], false),
            (r#""ab"cd"#, &[], true),
            (r#""ab c"d"#, &["ab c", "d"], false),
            (r#""""#, &[""], false),
            (r#""" "#, &[], true),
            (r#"""#, &[], true),
            (r#"x ""#, &["x"], true),
            (r#"" ""#, &[" "], false),
            (r#""" ""#, &[r#"" "#], false),
            (r#"'say "hi" now'"#, &[r#"say "hi" now"#], false),
            (r#""it's fine""#, &["it's fine"], false),
            (r#"a"b c""#, &[r#"a"b"#, r#"c""#], false),
            (r#""a\"b""#, &[r#"a\"b"#], false),
            (r#""a \"b\" c""#, &[r#"a \"#, r#"b\""#, r#"c""#], false),
            ("a\u{b}b \u{a0}", &["a\u{b}b", "\u{a0}"], false),
        ];
        for (text, want, bad) in table {
            assert_eq!(words(text), (want.to_vec(), *bad), "{text}");
        }
    }

    #[test]
    fn a_line_has_no_more_than_99_words() {
        let text = "w ".repeat(99);
        assert_eq!(words(&text).0.len(), 99);
        let text = text + "w \"dropped";
        let (values, bad) = words(&text);
        assert_eq!((values.len(), bad), (99, false));
    }

    #[test]
    fn lf_crlf_and_cr_end_a_line_and_nul_ends_the_file() {
        let source = b"a\nb\r\nc\rd\n\re\0f\ng";
        let texts: Vec<_> = Lines::new(source).map(|line| line.text(source).to_vec()).collect();
        assert_eq!(texts, [&b"a"[..], b"b", b"c", b"d", b"", b"e"]);
        assert_eq!(Lines::new(source).last().unwrap().number, 6);
        assert_eq!(Lines::new(b"a\n\0b\n").count(), 1);
    }
}
