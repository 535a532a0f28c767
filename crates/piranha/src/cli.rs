//! The command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Check and show the configuration of a Linux Virtual Server director.
#[derive(Debug, Parser)]
#[command(name = "piranha", version, arg_required_else_help = true, after_help = AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Exit status: 0 clean or done, 1 warnings, 2 errors, 3 the file cannot be read, 64 wrong usage.
See piranha(8) and lvs.cf(5).";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Report what is wrong or suspicious in a configuration file.
    Check {
        /// The file; `-` is the standard input.
        #[arg(default_value = system::config::DEFAULT_PATH)]
        file: PathBuf,
    },
    /// Print the configuration as the daemons understand it, defaults included.
    Show {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The file; `-` is the standard input.
        #[arg(default_value = system::config::DEFAULT_PATH)]
        file: PathBuf,
    },
    /// Take the virtual addresses and IPVS services of the file off this node, after pulse and lvs have died.
    Withdraw {
        /// Even while pulse runs.
        #[arg(long)]
        force: bool,
        /// The file.
        #[arg(default_value = system::config::DEFAULT_PATH)]
        file: PathBuf,
    },
}
