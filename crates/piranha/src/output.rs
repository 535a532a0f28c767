//! What is common to all subcommands: exit status, and the messages about a file.

use lvs_cf::{Colour, Diagnostic, ErrorKind};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use system::config::LoadError;

/// The outcome, as exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to report.
    Clean = 0,
    /// The file loads, with warnings.
    Warnings = 1,
    /// The file is refused, or something could not be withdrawn.
    Errors = 2,
    /// The file cannot be opened or read, or the result cannot be printed.
    Unreadable = 3,
    /// Wrong command line.
    Usage = 64,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        ExitCode::from(verdict as u8)
    }
}

/// Reports a file that gives no configuration. The first line is what pulse prints when it refuses to start.
pub fn refuse(error: &LoadError) -> io::Result<Verdict> {
    let mut text = format!("pulse: {error}\n");
    let verdict = match error {
        LoadError::Open { error, .. } => {
            text += &format!("piranha: {error}\n");
            Verdict::Unreadable
        }
        LoadError::Parse { error, .. } if error.kind == ErrorKind::ReadError => Verdict::Unreadable,
        LoadError::Parse { .. } => Verdict::Errors,
    };
    io::stderr().write_all(text.as_bytes())?;
    Ok(verdict)
}

/// Prints diagnostics to the standard error, in colour if that is a terminal and `NO_COLOR` is not set.
pub fn diagnostics(file: &Path, source: &[u8], diagnostics: &[Diagnostic]) -> io::Result<()> {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if io::stderr().is_terminal() && !plain { Colour::Always } else { Colour::Never };
    let file = file.display().to_string();
    let mut err = io::BufWriter::new(io::stderr().lock());
    for diagnostic in diagnostics {
        err.write_all(diagnostic.render(&file, source, colour).as_bytes())?;
    }
    err.flush()
}

/// Reports that the output cannot be written. A reader that has gone away is no reason for a message.
pub fn failed(error: &io::Error) -> Verdict {
    if error.kind() != io::ErrorKind::BrokenPipe {
        // There is nobody left to tell if this cannot be printed either.
        let _ = writeln!(io::stderr(), "piranha: cannot write: {error}");
    }
    Verdict::Unreadable
}
