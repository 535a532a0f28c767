//! Why a file is refused.

use std::fmt;

/// A range of bytes in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte; equal to `start` for a place between bytes.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to but without `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }
}

/// The first reason why a file is refused. `Display` gives the original's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The reason.
    pub kind: ErrorKind,
    /// Line number from 1; 0 when no line is to blame ([`ErrorKind::EmptyConfig`], [`ErrorKind::ReadError`]).
    pub line: u32,
    /// Column from 1, in characters; 0 when `line` is.
    pub column: u32,
    /// The offending bytes.
    pub span: Span,
    /// What to do about it, in one sentence, where that is known.
    pub help: Option<String>,
}

impl Error {
    /// An error that concerns the file as a whole; reported as line 0.
    pub fn whole_file(kind: ErrorKind) -> Self {
        Error { kind, line: 0, column: 0, span: Span::default(), help: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())
    }
}

impl std::error::Error for Error {}

/// The original's error codes, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The file has no bytes.
    EmptyConfig,
    /// The file could not be read as a whole.
    ReadError,
    /// A quotation is not closed at the end of a word.
    BadQuoting,
    /// Too many values, or text after the opening brace.
    ExtraArgs,
    /// The second word is not `=`.
    EqualExpected,
    /// Too few values, or a block opener without `NAME {`.
    MissingArgs,
    /// An address of 0.0.0.0 where one is needed; `sorry_server` that is not an address.
    BadHostname,
    /// A name that does not resolve, or a word that is not in the list.
    BadArgument,
    /// Not an integer.
    IntExpected,
    /// An integer other than 0 or 1.
    BoolExpected,
    /// Not a keyword of this block.
    UnknownCommand,
    /// `dirs` without `[` or `]`.
    ListExpected,
    /// A netmask that is not in address form.
    BadNetmask,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [ErrorKind; 13] = [
        ErrorKind::EmptyConfig,
        ErrorKind::ReadError,
        ErrorKind::BadQuoting,
        ErrorKind::ExtraArgs,
        ErrorKind::EqualExpected,
        ErrorKind::MissingArgs,
        ErrorKind::BadHostname,
        ErrorKind::BadArgument,
        ErrorKind::IntExpected,
        ErrorKind::BoolExpected,
        ErrorKind::UnknownCommand,
        ErrorKind::ListExpected,
        ErrorKind::BadNetmask,
    ];

    /// A stable identifier, for example `unknown_command`.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// The original's numeric code.
    pub fn code(self) -> u32 {
        self.facts().1
    }

    /// The original's text, word for word.
    pub fn text(self) -> &'static str {
        self.facts().2
    }

    fn facts(self) -> (&'static str, u32, &'static str) {
        match self {
            ErrorKind::EmptyConfig => ("empty_config", 0x4000_0001, "Empty configuration"),
            ErrorKind::ReadError => ("read_error", 0x4000_0002, "I/O error while reading configuration"),
            ErrorKind::BadQuoting => ("bad_quoting", 0x4000_0003, "quotation mismatch"),
            ErrorKind::ExtraArgs => ("extra_args", 5, "unexpected arguments"),
            ErrorKind::EqualExpected => ("equal_expected", 6, "equal (=) expected after command"),
            ErrorKind::MissingArgs => ("missing_args", 7, "missing arguments"),
            ErrorKind::BadHostname => ("bad_hostname", 8, "invalid host name or ip address"),
            ErrorKind::BadArgument => ("bad_argument", 9, "invalid argument"),
            ErrorKind::IntExpected => ("int_expected", 10, "integer expected"),
            ErrorKind::BoolExpected => ("bool_expected", 11, "boolean expected"),
            ErrorKind::UnknownCommand => ("unknown_command", 12, "unknown command"),
            ErrorKind::ListExpected => ("list_expected", 13, "list expected"),
            ErrorKind::BadNetmask => ("bad_netmask", 16, "Bad subnet mask specified"),
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
