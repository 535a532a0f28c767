//! Escape sequences in send and expect strings.

/// Replaces `\\`, `\r`, `\n`, `\t`, `\'` and `\"` by what they stand for. What comes out is not read again.
///
/// Any other escape, and a backslash at the end, stay as they are. (They sent the original into an endless
/// loop; so no working configuration has them, and a regular expression may now say `\.`.)
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'\\').then(|| tail.first().copied().and_then(meaning)).flatten();
        decoded.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[1..] } else { tail };
    }
    decoded
}

fn meaning(letter: u8) -> Option<u8> {
    match letter {
        b'r' => Some(b'\r'),
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'\\' | b'\'' | b'"' => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let cases: &[(&str, &[u8])] = &[
            ("", b""),
            (r"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"),
            (r"a\tb", b"a\tb"),
            (r#"\'\""#, b"'\""),
            (r"a\\\nb", b"a\\\nb"),
            (r"\\n", b"\\n"),
            (r"\\.", b"\\."),
            (r"a\q", b"a\\q"),
            (r"\.", b"\\."),
            (r"\\\q", b"\\\\q"),
            (r"ab\", b"ab\\"),
            (r"\", b"\\"),
            (r"\0\x41", b"\\0\\x41"),
        ];
        for (text, expected) in cases {
            assert_eq!(unescape(text.as_bytes()), *expected, "{text}");
        }
    }
}
