//! piranha: the operator's command to check and show lvs.cf, and to withdraw what it put on a node.

mod check;
mod cli;
mod input;
mod json;
mod output;
mod show;
mod withdraw;

use clap::error::ErrorKind;
use clap::Parser;
use cli::{Cli, Command};
use output::Verdict;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let verdict = match cli.command {
        Command::Check { file } => check::run(&file),
        Command::Show { json, file } => show::run(&file, json),
        Command::Withdraw { force, file } => withdraw::run(&file, force),
    };
    verdict.unwrap_or_else(|error| output::failed(&error)).into()
}

/// Prints help, the version, or what is wrong with the command line.
///
/// A wrong command line exits with [`Verdict::Usage`] rather than with clap's 2, which means "errors in the
/// file" here.
fn usage(error: &clap::Error) -> ExitCode {
    let verdict = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Verdict::Clean,
        _ => Verdict::Usage,
    };
    // There is nobody left to tell if this cannot be printed.
    let _ = error.print();
    verdict.into()
}
