//! What a service must answer.

/// How many bytes of a reply are looked at, at most.
pub const REPLY_LIMIT: usize = 254;

/// What a service must answer to be up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing: over TCP a connection is enough, over UDP any reply.
    Nothing,
    /// Anything at all (`*`): at least one byte over TCP, a datagram over UDP.
    Anything,
    /// A reply that begins with these bytes, of which [`REPLY_LIMIT`] count. Empty: data or end of file.
    Prefix(Vec<u8>),
    /// A reply of which the first [`REPLY_LIMIT`] bytes match a regular expression.
    Pattern,
}

/// What can be said of the bytes received so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// They are what is expected.
    Match,
    /// They are not, and no more bytes will change that.
    Mismatch,
    /// The reply ended, or differs, before the expected length was reached.
    TooShort,
    /// Undecided: read on.
    More,
}

impl Expectation {
    /// The expectation that an `expect` string stands for.
    pub fn new(expect: Option<&[u8]>, regex: bool) -> Self {
        match expect {
            None => Self::Nothing,
            Some(_) if regex => Self::Pattern,
            Some(b"*") => Self::Anything,
            Some(text) => Self::Prefix(text[..text.len().min(REPLY_LIMIT)].to_vec()),
        }
    }

    /// The number of bytes after which the reply can be judged for good.
    pub fn length(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Anything => 1,
            Self::Prefix(text) => text.len(),
            Self::Pattern => REPLY_LIMIT,
        }
    }

    /// Judges what has been received. `ended`: nothing more will come (end of file, or a whole datagram).
    /// `matches` applies the regular expression of a [`Expectation::Pattern`].
    ///
    /// A reply may come in pieces: the original looked at the first only, and refused good ones.
    pub fn judge(&self, received: &[u8], ended: bool, matches: impl FnOnce(&[u8]) -> bool) -> Judgement {
        match self {
            Self::Nothing => Judgement::Match,
            Self::Anything if !received.is_empty() => Judgement::Match,
            Self::Anything => too_short_if(ended),
            Self::Prefix(text) if received.starts_with(text) => Judgement::Match,
            Self::Prefix(text) if received.len() >= text.len() => Judgement::Mismatch,
            Self::Prefix(text) => too_short_if(ended || !text.starts_with(received)),
            Self::Pattern => {
                let received = &received[..received.len().min(REPLY_LIMIT)];
                match (matches(received), ended || received.len() == REPLY_LIMIT) {
                    (true, _) => Judgement::Match,
                    (false, true) => Judgement::Mismatch,
                    (false, false) => Judgement::More,
                }
            }
        }
    }
}

fn too_short_if(ended: bool) -> Judgement {
    if ended {
        Judgement::TooShort
    } else {
        Judgement::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::*;

    fn judge(expect: &str, regex: bool, received: &str, ended: bool) -> Judgement {
        let contains_ello = |bytes: &[u8]| bytes.windows(4).any(|window| window == b"ello");
        Expectation::new(Some(expect.as_bytes()), regex).judge(received.as_bytes(), ended, contains_ello)
    }

    #[test]
    fn judgements() {
        let cases = [
            ("HTTP", false, "HTTP/1.0 200", false, Match),
            ("HTTP", false, "HTTP", true, Match),
            ("HTTP", false, "HT", false, More),
            ("HTTP", false, "HT", true, TooShort),
            ("HTTP", false, "", true, TooShort),
            ("HTTP", false, "xx", false, TooShort),
            ("HTTP", false, "xxHT", false, Mismatch),
            ("HTTP", false, "http", false, Mismatch),
            ("*", false, "", true, TooShort),
            ("*", false, "", false, More),
            ("*", false, "x", false, Match),
            ("", false, "", true, Match),
            ("", false, "data", false, Match),
            ("pattern", true, "hello", false, Match),
            ("pattern", true, "hel", false, More),
            ("pattern", true, "hel", true, Mismatch),
            ("*", true, "x", true, Mismatch),
        ];
        for (expect, regex, received, ended, expected) in cases {
            assert_eq!(judge(expect, regex, received, ended), expected, "{expect:?} on {received:?}");
        }
    }

    #[test]
    fn only_the_first_bytes_count() {
        let long = "x".repeat(300);
        assert_eq!(judge(&format!("{}yyy", &long[..254]), false, &long, false), Match);
        assert_eq!(judge("pattern", true, &format!("{}ello", &long[..254]), false), Mismatch);
        assert_eq!(judge("pattern", true, &format!("{}ello", &long[..250]), false), Match);
        assert_eq!(Expectation::new(Some(long.as_bytes()), false).length(), REPLY_LIMIT);
    }
}
