//! Command lines as popt(3) reads them: that is what the originals used, so scripts rely on its details.
//!
//! `-t5`, `-t 5`, `-t=5`, `--interval=5`, `--interval 5` and bundles such as `-nt5` are the same; names are
//! not abbreviated; the last of several wins; a word after an option that wants a value is its value, even
//! if it begins with `-`; numbers are in C notation. Alias files (/etc/popt, ~/.popt) are not read.

mod help;
mod parse;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

pub use help::version_block;

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Flag,
    /// Any text, also an empty one.
    Text,
    /// A number of C's `int`, in C notation: `16`, `0x10` and `020` are the same.
    Integer,
    /// A number of 32 bits, in C notation; a negative one means its two's complement.
    Word,
    /// Whatever the named option takes: another spelling of it, not shown in help.
    Alias(&'static str),
}

/// One option of a table.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    long: &'static str,
    short: Option<u8>,
    kind: Kind,
    help: &'static str,
}

impl Opt {
    const fn new(long: &'static str, kind: Kind) -> Self {
        Opt { long, short: None, kind, help: "" }
    }

    /// `--long`, without a value.
    pub const fn flag(long: &'static str) -> Self {
        Self::new(long, Kind::Flag)
    }

    /// `--long=STRING`
    pub const fn text(long: &'static str) -> Self {
        Self::new(long, Kind::Text)
    }

    /// `--long=INT`
    pub const fn integer(long: &'static str) -> Self {
        Self::new(long, Kind::Integer)
    }

    /// `--long=INT`, for firewall marks: unsigned, but the original wrote and read them as signed.
    pub const fn word(long: &'static str) -> Self {
        Self::new(long, Kind::Word)
    }

    /// `--long` as a hidden other spelling of `--target`, an option of the same table.
    pub const fn alias(long: &'static str, target: &'static str) -> Self {
        Self::new(long, Kind::Alias(target))
    }

    /// Adds a one-letter (ASCII) name.
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter as u8);
        self
    }

    /// Adds the text shown by `--help`.
    pub const fn help(mut self, text: &'static str) -> Self {
        self.help = text;
        self
    }
}

/// The command line of a program.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    program: &'static str,
    table: &'a [Opt],
}

/// Why a program does not run: a text to print and a status to exit with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What to print; ends in a newline.
    pub text: Vec<u8>,
    /// 0: print to standard output (help). Else: to standard error.
    pub status: u8,
}

impl Stop {
    /// An error text (a newline is added) with exit status 1.
    pub fn error(text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        text.push(b'\n');
        Stop { text, status: 1 }
    }

    /// Prints the text where it belongs. Returns the exit status.
    pub fn print(&self) -> u8 {
        // A terminal that is gone is no reason for another status.
        let _ = match self.status {
            0 => std::io::stdout().write_all(&self.text),
            _ => std::io::stderr().write_all(&self.text),
        };
        self.status
    }
}

/// The options that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<(&'static str, Value)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Set,
    Text(OsString),
    Integer(i64),
}

impl<'a> Options<'a> {
    /// The command line of `program` (its name in messages) with the options of `table`. `--help`, `-?` and
    /// `--usage` are added.
    pub const fn new(program: &'static str, table: &'a [Opt]) -> Self {
        Options { program, table }
    }

    /// Reads a command line, `argv[0]` first (it names the program in the help text).
    ///
    /// # Errors
    /// The help text with status 0, or an error text with status 1, whichever comes first in the line:
    /// `PROGRAM: bad argument WORD: REASON` or `PROGRAM: unexpected arguments`.
    pub fn parse(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<Values, Stop> {
        parse::parse(self, &mut arguments.into_iter())
    }
}

impl Values {
    fn find(&self, long: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| *name == long).map(|(_, value)| value)
    }

    fn set(&mut self, long: &'static str, value: Value) {
        self.0.retain(|(name, _)| *name != long);
        self.0.push((long, value));
    }

    /// Whether the option was given.
    pub fn flag(&self, long: &str) -> bool {
        self.find(long).is_some()
    }

    /// The value of a text option.
    pub fn text(&self, long: &str) -> Option<&OsStr> {
        match self.find(long) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a text option.
    pub fn bytes(&self, long: &str) -> Option<&[u8]> {
        self.text(long).map(OsStrExt::as_bytes)
    }

    /// The value of an [`Opt::integer`].
    pub fn integer(&self, long: &str) -> Option<i32> {
        self.number(long).and_then(|number| i32::try_from(number).ok())
    }

    /// The value of an [`Opt::word`].
    pub fn word(&self, long: &str) -> Option<u32> {
        // In range, so that truncation is the two's complement.
        self.number(long).map(|number| number as u32)
    }

    fn number(&self, long: &str) -> Option<i64> {
        match self.find(long) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
