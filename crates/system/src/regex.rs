//! POSIX extended regular expressions, by the C library.
//!
//! Sites wrote their `expect` patterns for regcomp(3), whose language differs from that of Rust's regex
//! crates in many details (`a{,3}`, `[\d]`, `[[.a.]]`, back references); and it costs no memory.

use std::ffi::CString;
use std::fmt;
use std::mem::MaybeUninit;

/// A compiled pattern: POSIX extended syntax, case-sensitive, `.` matches a newline, `^` and `$` match
/// only at the ends of the text. Bytes are bytes (C locale).
pub struct Regex(Box<libc::regex_t>);

/// The pattern is not a regular expression; displays the C library's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern(String);

impl Regex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// [`BadPattern`] with the text of regerror(3), or when the pattern contains a NUL byte.
    pub fn new(pattern: &[u8]) -> Result<Self, BadPattern> {
        let pattern = CString::new(pattern).map_err(|_| BadPattern("NUL byte in pattern".to_owned()))?;
        let mut compiled = Box::new(MaybeUninit::<libc::regex_t>::zeroed());
        // SAFETY: `compiled` is writable memory of the right type, `pattern` is NUL-terminated.
        let code = unsafe {
            libc::regcomp(compiled.as_mut_ptr(), pattern.as_ptr(), libc::REG_EXTENDED | libc::REG_NOSUB)
        };
        // SAFETY: regcomp fills the structure on success; on failure it is still all zeroes or more, and
        // a regex_t has no invalid bit patterns.
        let compiled = unsafe { compiled.assume_init() };
        match code {
            0 => Ok(Regex(compiled)),
            code => Err(BadPattern(reason(code, &compiled))),
        }
    }

    /// Whether the pattern occurs in `text`. A NUL byte ends the text, as it does for regexec(3).
    pub fn is_match(&self, text: &[u8]) -> bool {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        let Ok(text) = CString::new(&text[..end]) else { return false };
        // SAFETY: the pattern was compiled with REG_NOSUB, so the match array may be empty; `text` is
        // NUL-terminated.
        unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, std::ptr::null_mut(), 0) == 0 }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: the structure was filled by a successful regcomp and is freed once.
        unsafe { libc::regfree(&mut *self.0) }
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Regex")
    }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPattern {}

fn reason(code: i32, compiled: &libc::regex_t) -> String {
    let mut text = [0u8; 128];
    // SAFETY: the buffer is valid for its length, and regerror always terminates what it writes.
    let length = unsafe { libc::regerror(code, compiled, text.as_mut_ptr().cast(), text.len()) };
    let end = length.saturating_sub(1).min(text.len() - 1);
    String::from_utf8_lossy(&text[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_what_regcomp_matches() {
        let cases: &[(&str, &[u8], bool)] = &[
            ("^220 (hello|bye)", b"220 hello\n", true),
            ("HELLO", b"220 hello\n", false),
            ("hello$", b"220 hello\n", false),
            ("hello.$", b"220 hello\n", true),
            ("a{,3}b", b"aab", true),
            (r"(a)\1", b"aa", true),
            ("a)b", b"a)b", true),
            ("^x.$", b"x\xff", true),
            ("after", b"before\0after", false),
            ("", b"", true),
        ];
        for (pattern, text, expected) in cases {
            let regex = Regex::new(pattern.as_bytes()).unwrap();
            assert_eq!(regex.is_match(text), *expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn a_bad_pattern_has_a_reason() {
        for pattern in ["(x", "*", "[a", "a\0b"] {
            let reason = Regex::new(pattern.as_bytes()).unwrap_err().to_string();
            assert!(!reason.is_empty(), "{pattern}");
        }
    }
}
