//! `piranha show`: the configuration as the daemons understand it.

use crate::output::{self, Verdict};
use crate::{input, json};
use lvs_cf::{parse, write, Config, Diagnostic, Style};
use std::io::{self, Write};
use std::path::Path;
use system::config::LoadError;
use system::resolver::SystemResolver;

/// Prints the configuration in a file, as lvs.cf or as JSON.
///
/// # Errors
/// Those of printing.
pub fn run(file: &Path, as_json: bool) -> io::Result<Verdict> {
    let source = match input::read(file) {
        Ok(source) => source,
        Err(error) => return output::refuse(&error),
    };
    match parse(&source, &SystemResolver) {
        Ok(config) => print(&config, as_json),
        Err(error) => {
            let diagnostic = Diagnostic::from(&error);
            let verdict =
                output::refuse(&LoadError::Parse { path: file.to_owned(), error, source: Vec::new() })?;
            output::diagnostics(file, &source, &[diagnostic])?;
            Ok(verdict)
        }
    }
}

fn print(config: &Config, as_json: bool) -> io::Result<Verdict> {
    let text = if as_json {
        json::dump(config)?
    } else {
        write(config, Style::Full).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
    };
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(Verdict::Clean)
}
