//! From lines to a [`Config`].

use crate::error::{Error, ErrorKind, Span};
use crate::field::{Refusal, Words};
use crate::keyword::{Entry, Keyed, Keyword, Scope};
use crate::lexer::{split, LineKind, Lines, RawLine, Rest, Word};
use crate::model::{Config, Server, Virtual};
use crate::outline::{opener, BadQuote, Outline};
use crate::resolver::Resolver;
use crate::suggest;
use crate::text::Text;
use crate::tree::BlockKind;

/// Reads a file.
///
/// What is accepted, what it means, and the line and kind of the first error are the original's, with two
/// deliberate differences: CRLF and a lone CR end a line like LF, and a NUL anywhere ends the file.
///
/// # Errors
/// The first error in the file; later lines are not looked at.
pub fn parse(source: &[u8], resolver: &dyn Resolver) -> Result<Config, Error> {
    if source.is_empty() {
        return Err(Error::whole_file(ErrorKind::EmptyConfig));
    }
    let mut parser = Parser::new(source, resolver, ());
    for line in Lines::new(source) {
        parser.line(line)?;
    }
    Ok(parser.finish().0)
}

/// Watches the parser at work; the analysis gathers its warnings and places this way.
pub(crate) trait Observer {
    /// A block opens; `line` is its first line and `name` the place of its name.
    fn opened(&mut self, _kind: BlockKind, _line: RawLine, _name: Span) {}
    /// A block ends, at its brace or, without one, at the end of the file or by accident.
    fn closed(&mut self, _closing: Closing) {}
    /// A key has been set.
    fn assigned(&mut self, _line: RawLine, _keyword: &'static Keyword, _words: Words) {}
    /// The rest of a line has no effect.
    fn dropped(&mut self, _line: RawLine, _rest: Rest) {}
}

/// How a block ends.
pub(crate) enum Closing<'a> {
    /// By a line that begins with `}`.
    Brace(RawLine, Words<'a>),
    /// By a bad quotation at the start of a line.
    BadQuote,
    /// By the end of the file, or because the analysis recovers from an error.
    Missing,
}

impl Observer for () {}

pub(crate) struct Parser<'a, O> {
    source: &'a [u8],
    resolver: &'a dyn Resolver,
    observer: O,
    outline: Outline,
    config: Config,
    service: Option<(BlockKind, Virtual)>,
    server: Option<Server>,
    /// Blocks opened at top level so far.
    blocks: usize,
    /// Buffer for the words of a line.
    words: Vec<Word>,
}

impl<'a, O: Observer> Parser<'a, O> {
    pub fn new(source: &'a [u8], resolver: &'a dyn Resolver, observer: O) -> Self {
        Parser {
            source,
            resolver,
            observer,
            outline: Outline::new(),
            config: Config::default(),
            service: None,
            server: None,
            blocks: 0,
            words: Vec::new(),
        }
    }

    /// Takes in one line.
    pub fn line(&mut self, line: RawLine) -> Result<(), Error> {
        if line.kind(self.source) != LineKind::Statement {
            return Ok(());
        }
        let mut words = std::mem::take(&mut self.words);
        let rest = split(self.source, line, &mut words);
        let result = self.statement(line, rest, Words { source: self.source, words: &words });
        self.words = words;
        result
    }

    fn statement(&mut self, line: RawLine, rest: Rest, words: Words) -> Result<(), Error> {
        let bad_quote = self.outline.statement();
        match rest {
            Rest::Nothing => {}
            Rest::BadQuote(at) if bad_quote == BadQuote::Refuse => {
                let help = suggest::quoting(&self.source[at..line.end]);
                return Err(self.error(line, Span::new(at, line.end), ErrorKind::BadQuoting, help));
            }
            Rest::BadQuote(_) | Rest::TooMany(_) => self.observer.dropped(line, rest),
        }
        let Some(first) = words.value(0) else {
            // A bad quotation that the block overlooks: an empty statement, which ends the block.
            self.close(Closing::BadQuote);
            return Ok(());
        };
        let scope = self.outline.scope();
        if scope != Scope::Global && first == b"}" {
            self.close(Closing::Brace(line, words));
            return Ok(());
        }
        match opener(scope, first) {
            Some(kind) => self.open(kind, line, words),
            None => self.assign(line, words),
        }
        .map_err(|refusal| self.refuse(line, words, refusal))
    }

    fn open(&mut self, kind: BlockKind, line: RawLine, words: Words) -> Result<(), Refusal> {
        match words.words {
            [_, name, _] if words.value(2) == Some(b"{") => {
                self.enter(kind, line, name.span, name.value(self.source).into());
                Ok(())
            }
            [_, _, _] => Err(Refusal::new(ErrorKind::MissingArgs, 2)),
            [_, _, _, ..] => Err(Refusal::new(ErrorKind::ExtraArgs, 3)),
            _ => Err(Refusal::new(ErrorKind::MissingArgs, words.words.len())),
        }
    }

    fn enter(&mut self, kind: BlockKind, line: RawLine, name_span: Span, name: Text) {
        match (kind, &self.service) {
            (BlockKind::Server, Some((_, service))) => self.server = Some(Server::new(name, service.port)),
            _ => {
                let service = Virtual { index: self.blocks, ..Virtual::new(name) };
                self.service = Some((kind, service));
                self.blocks += 1;
            }
        }
        self.outline.open();
        self.observer.opened(kind, line, name_span);
    }

    fn close(&mut self, closing: Closing) {
        self.outline.close();
        self.observer.closed(closing);
        match (self.server.take(), self.service.take()) {
            (Some(server), Some((kind, mut service))) => {
                service.servers.push(server);
                self.service = Some((kind, service));
            }
            (_, Some((BlockKind::Failover, service))) => self.config.failovers.push(service),
            (_, Some((_, service))) => self.config.virtuals.push(service),
            (_, None) => {}
        }
    }

    fn assign(&mut self, line: RawLine, words: Words) -> Result<(), Refusal> {
        let keyword = match (&mut self.server, &mut self.service) {
            (Some(server), _) => assign(server, words, self.resolver)?,
            (None, Some((_, service))) => assign(service, words, self.resolver)?,
            (None, None) => assign(&mut self.config, words, self.resolver)?,
        };
        self.observer.assigned(line, keyword, words);
        Ok(())
    }

    fn refuse(&self, line: RawLine, words: Words, refusal: Refusal) -> Error {
        let nowhere = Span::new(line.end, line.end);
        let span = words.words.get(refusal.word).map_or(nowhere, |word| word.span);
        let help = suggest::refusal(self.outline.scope(), words, refusal);
        self.error(line, span, refusal.kind, help)
    }

    fn error(&self, line: RawLine, span: Span, kind: ErrorKind, help: Option<String>) -> Error {
        let column = column(self.source, line.start, span.start);
        Error { kind, line: line.number, column, span, help }
    }

    /// After an error on this line, guesses what the line was meant to open or close, so that one mistake
    /// gives one message.
    pub fn recover(&mut self, line: RawLine) {
        let mut words = Vec::new();
        split(self.source, line, &mut words);
        let words = Words { source: self.source, words: &words };
        if words.words.last().map(|word| word.value(self.source)) == Some(b"}") {
            return;
        }
        let kind = match words.value(0) {
            Some(b"virtual") => BlockKind::Virtual,
            Some(b"failover") => BlockKind::Failover,
            Some(b"server") if self.service.is_some() => BlockKind::Server,
            _ => return,
        };
        let outer = if kind == BlockKind::Server { Scope::Virtual } else { Scope::Global };
        while self.outline.scope() != outer {
            self.close(Closing::Missing);
        }
        let name = words.words.get(1).map_or(Span::new(line.start, line.end), |word| word.span);
        self.enter(kind, line, name, words.value(1).unwrap_or_default().into());
    }

    /// The end of the file closes all blocks.
    pub fn finish(mut self) -> (Config, O) {
        while self.outline.scope() != Scope::Global {
            self.close(Closing::Missing);
        }
        self.config.normalise();
        (self.config, self.observer)
    }
}

/// `keyword = values` in a block. The first check that fails decides: keyword, `=`, number of values, value.
fn assign<T: Keyed>(
    block: &mut T,
    words: Words,
    resolver: &dyn Resolver,
) -> Result<&'static Keyword, Refusal> {
    let name = words.value(0).unwrap_or_default();
    let entry: &Entry<T> = T::entry(name).ok_or(Refusal::new(ErrorKind::UnknownCommand, 0))?;
    if words.value(1) != Some(b"=") {
        return Err(Refusal::new(ErrorKind::EqualExpected, 1));
    }
    entry.field.assign(block, words, resolver)?;
    Ok(&entry.keyword)
}

/// The column of a byte, from 1, counted in characters.
pub(crate) fn column(source: &[u8], line_start: usize, at: usize) -> u32 {
    let before = String::from_utf8_lossy(&source[line_start..at]);
    u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX)
}
