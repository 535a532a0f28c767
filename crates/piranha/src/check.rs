//! `piranha check`: everything that is wrong or suspicious.

use crate::input;
use crate::output::{self, Verdict};
use lvs_cf::{analyse, Analysis, Severity};
use std::io::{self, Write};
use std::path::Path;
use system::config::LoadError;
use system::resolver::SystemResolver;

/// Checks a file. Diagnostics go to the standard error, one line with the verdict to the standard output.
///
/// # Errors
/// Those of printing.
pub fn run(file: &Path) -> io::Result<Verdict> {
    let (verdict, words) = match input::read(file) {
        Ok(source) => report(file, &source)?,
        Err(error) => (output::refuse(&error)?, "cannot be read".to_owned()),
    };
    writeln!(io::stdout(), "{}: {words}", file.display())?;
    Ok(verdict)
}

fn report(file: &Path, source: &[u8]) -> io::Result<(Verdict, String)> {
    let Analysis { config, diagnostics, .. } = analyse(source, &SystemResolver);
    if let Err(error) = config {
        output::refuse(&LoadError::Parse { path: file.to_owned(), error, source: Vec::new() })?;
    }
    output::diagnostics(file, source, &diagnostics)?;
    let count = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    Ok(sum_up(count(Severity::Error), count(Severity::Warning)))
}

fn sum_up(errors: usize, warnings: usize) -> (Verdict, String) {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let warned = format!("{warnings} warning{}", plural(warnings));
    match (errors, warnings) {
        (0, 0) => (Verdict::Clean, "clean".into()),
        (0, _) => (Verdict::Warnings, warned),
        (_, 0) => (Verdict::Errors, format!("{errors} error{}", plural(errors))),
        _ => (Verdict::Errors, format!("{errors} error{}, {warned}", plural(errors))),
    }
}
