//! Messages that point at the place they speak of.

use crate::error::{Error, Span};
use std::fmt::Write;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The file loads, but surely does not do what is meant.
    Warning,
    /// The file is refused.
    Error,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Severity::Warning => "\x1b[1;33m",
            Severity::Error => "\x1b[1;31m",
        }
    }
}

/// Whether to use terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

/// A message about a place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// A stable identifier: the error's kind or the lint's name.
    pub code: &'static str,
    /// One sentence without a full stop.
    pub message: String,
    /// Line from 1; 0 if no line is meant.
    pub line: u32,
    /// Column from 1, in characters; 0 if no line is meant.
    pub column: u32,
    /// The bytes meant.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

impl From<&Error> for Diagnostic {
    fn from(error: &Error) -> Self {
        Diagnostic {
            severity: Severity::Error,
            code: error.kind.name(),
            message: error.kind.text().into(),
            line: error.line,
            column: error.column,
            span: error.span,
            help: error.help.clone(),
        }
    }
}

impl Diagnostic {
    /// The message with its place, the line and a caret below it; ends with a line end.
    ///
    /// `source` must be what the diagnostic was made from.
    pub fn render(&self, file: &str, source: &[u8], colour: Colour) -> String {
        let (bold, tint, dim, reset) = match colour {
            Colour::Never => ("", "", "", ""),
            Colour::Always => ("\x1b[1m", self.severity.colour(), "\x1b[34m", "\x1b[0m"),
        };
        let place = match self.line {
            0 => file.to_owned(),
            line => format!("{file}:{line}:{}", self.column),
        };
        let (severity, message) = (self.severity.word(), &self.message);
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "{bold}{place}: {tint}{severity}{reset}{bold}: {message}{reset} [{}]", self.code);
        if self.line > 0 {
            let (text, padding, carets) = excerpt(source, self.span);
            let _ = writeln!(out, "{dim}{:5} |{reset} {text}", self.line);
            let _ = writeln!(out, "{dim}      |{reset} {padding}{tint}{carets}{reset}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{dim}      ={reset} help: {help}");
        }
        out
    }
}

/// Longest excerpt, in characters: a broken file may be one endless line.
const WIDTH: usize = 160;

/// The line that holds the span, the blanks that lead to it, and the carets under it.
fn excerpt(source: &[u8], span: Span) -> (String, String, String) {
    let at = span.start.min(source.len());
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    let start = source[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = source[at..].iter().position(is_end).map_or(source.len(), |offset| at + offset);
    let before = printable(&source[start..at]);
    // Of a line that is too long, the end of what comes before matters most.
    let hidden = before.chars().count().saturating_sub(WIDTH / 2);
    let before: String = before.chars().skip(hidden).collect();
    let after: String = printable(&source[at..end]).chars().take(WIDTH / 2).collect();
    let meant = printable(&source[at..span.end.clamp(at, end)]).chars().count();
    let padding = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    (before + &after, padding, "^".repeat(meant.clamp(1, after.chars().count().max(1))))
}

/// Text that cannot drive the terminal: control characters other than tab become `?`.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, NoNames};

    fn rendered(source: &str) -> String {
        let error = parse(source.as_bytes(), &NoNames).unwrap_err();
        Diagnostic::from(&error).render("lvs.cf", source.as_bytes(), Colour::Never)
    }

    #[test]
    fn a_diagnostic_shows_place_line_caret_and_help() {
        let source = "serial_no = 1\nvirtual w {\n\tserver a {\n\t\twieght = 2\n";
        assert_eq!(
            rendered(source),
            "lvs.cf:4:3: error: unknown command [unknown_command]\n    4 | \t\twieght = 2\n      | \t\t^^^^^^\n      = help: did you mean `weight`?\n"
        );
    }

    #[test]
    fn a_missing_value_is_shown_behind_the_line() {
        let text = rendered("keepalive =\n");
        assert!(text.contains("    1 | keepalive =\n      |            ^\n"), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!rendered("\x1b[31mred = 1\n").contains('\x1b'));
    }

    #[test]
    fn an_endless_line_is_cut() {
        let text = rendered(&format!("{} = 1", "x".repeat(100_000)));
        assert!(text.len() < 1000, "{}", text.len());
    }
}
