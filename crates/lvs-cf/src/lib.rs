//! The lvs.cf language: lexer, lossless syntax tree, typed model, diagnostics, lint and writer.
//!
//! ```
//! use lvs_cf::{parse, NoNames};
//!
//! let config = parse(b"primary = 10.0.0.1\nkeepalive = 3\n", &NoNames).unwrap();
//! assert_eq!(config.keepalive, 3);
//! // Without a link of its own, the heartbeat uses the public address.
//! assert_eq!(config.primary_private, config.primary);
//!
//! let error = parse(b"keepalve = 3\n", &NoNames).unwrap_err();
//! assert_eq!(error.to_string(), "unknown command");
//! assert_eq!(error.help.as_deref(), Some("did you mean `keepalive`?"));
//! ```
//!
//! How the parts fit: `lexer` cuts the bytes into lines and words, `outline` follows the
//! blocks, [`keyword`] is the one table of keys, `parser` fills a [`Config`] from it. [`Tree`] keeps
//! every byte for editing, [`write()`] makes a file from a `Config`, [`analyse`] adds the warnings.
#![forbid(unsafe_code)]

mod analysis;
mod diagnostic;
mod error;
mod field;
pub mod keyword;
mod lexer;
mod lint;
mod model;
mod number;
mod outline;
mod parser;
mod quoting;
mod resolver;
mod suggest;
mod text;
mod tree;
mod value;
mod words;
mod writer;

pub use analysis::{analyse, Analysis};
pub use diagnostic::{Colour, Diagnostic, Severity};
pub use error::{Error, ErrorKind, Span};
pub use lint::LINTS;
pub use model::{Config, Host, Server, Virtual};
pub use number::{inet_aton, parse_int};
pub use parser::parse;
pub use quoting::{quote, Unwritable};
pub use resolver::{NoNames, Resolver};
pub use text::Text;
pub use tree::{Block, BlockKind, Item, Line, Tree};
pub use value::Value;
pub use words::{ConflictAction, Forwarding, Protocol, Scheduler, ServiceKind};
pub use writer::{write, Style};
