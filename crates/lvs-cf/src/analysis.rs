//! Everything there is to say about a file: verdict, tree, errors and warnings.

use crate::diagnostic::{Diagnostic, Severity};
use crate::error::{Error, ErrorKind, Span};
use crate::field::Words;
use crate::keyword::Keyword;
use crate::lexer::{Lines, RawLine, Rest};
use crate::lint;
use crate::model::Config;
use crate::parser::{column, Closing, Observer, Parser};
use crate::resolver::Resolver;
use crate::tree::{BlockKind, Tree};

/// What [`analyse`] finds.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The same verdict as [`crate::parse`].
    pub config: Result<Config, Error>,
    /// The file, for editing.
    pub tree: Tree,
    /// Errors and warnings, in file order. Unlike [`crate::parse`] the analysis goes on after an error; the
    /// error that decides is the one in `config`.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file like [`crate::parse`], and gathers everything that is wrong or suspicious in it.
pub fn analyse(source: &[u8], resolver: &dyn Resolver) -> Analysis {
    let tree = Tree::parse(source);
    if source.is_empty() {
        let error = Error::whole_file(ErrorKind::EmptyConfig);
        let diagnostics = vec![Diagnostic::from(&error)];
        return Analysis { config: Err(error), tree, diagnostics };
    }
    let mut parser = Parser::new(source, resolver, Recorder::new(source));
    let mut errors = Vec::new();
    let mut lines = Lines::new(source);
    let mut starts = Vec::new();
    for line in lines.by_ref() {
        starts.push(line.start);
        if let Err(error) = parser.line(line) {
            errors.push(error);
            parser.recover(line);
        }
    }
    let (config, recorder) = parser.finish();
    let mut notes = recorder.notes;
    lint::line_ends(source, lines.offset(), &mut notes);
    if errors.is_empty() {
        lint::config(&config, &recorder.stack[0], &mut notes);
    }
    let locate = |note: Note| note.locate(source, &starts);
    let mut diagnostics: Vec<_> =
        errors.iter().map(Diagnostic::from).chain(notes.into_iter().map(locate)).collect();
    diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    Analysis { config: errors.into_iter().next().map_or(Ok(config), Err), tree, diagnostics }
}

/// A warning that does not know its line yet.
#[derive(Debug)]
pub(crate) struct Note {
    pub code: &'static str,
    /// The place; `None` for the file as a whole.
    pub span: Option<Span>,
    pub message: String,
    pub help: Option<String>,
}

impl Note {
    fn locate(self, source: &[u8], starts: &[usize]) -> Diagnostic {
        let (line, column) = self.span.map_or((0, 0), |span| {
            let line = starts.partition_point(|start| *start <= span.start).max(1);
            let start = starts.get(line - 1).copied().unwrap_or(0);
            (u32::try_from(line).unwrap_or(u32::MAX), column(source, start, span.start))
        });
        Diagnostic {
            severity: Severity::Warning,
            code: self.code,
            message: self.message,
            line,
            column,
            span: self.span.unwrap_or_default(),
            help: self.help,
        }
    }
}

/// Where the parts of a block stand in the file; the same nest as the model, kinds mixed in file order.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    pub name: Span,
    pub keys: Vec<(&'static str, Span)>,
    pub blocks: Vec<Origin>,
}

impl Origin {
    /// The place of a key's values, if the key is given.
    pub fn key(&self, name: &str) -> Option<Span> {
        self.keys.iter().rev().find(|(key, _)| *key == name).map(|(_, span)| *span)
    }

    /// The place of a key's values, or of the block's name.
    pub fn place(&self, name: &str) -> Span {
        self.key(name).unwrap_or(self.name)
    }
}

/// Gathers places and the warnings that only the text shows.
struct Recorder<'a> {
    source: &'a [u8],
    /// The open blocks, the file itself first.
    stack: Vec<Origin>,
    notes: Vec<Note>,
}

impl<'a> Recorder<'a> {
    fn new(source: &'a [u8]) -> Self {
        Recorder { source, stack: vec![Origin::default()], notes: Vec::new() }
    }
}

impl Observer for Recorder<'_> {
    fn opened(&mut self, _: BlockKind, _: RawLine, name: Span) {
        self.stack.push(Origin { name, ..Origin::default() });
    }

    fn closed(&mut self, closing: Closing) {
        let Some(block) = self.stack.pop() else { return };
        lint::closing(&block, &closing, &mut self.notes);
        if let Some(outer) = self.stack.last_mut() {
            outer.blocks.push(block);
        }
    }

    fn assigned(&mut self, line: RawLine, keyword: &'static Keyword, words: Words) {
        lint::assignment(self.source, keyword, words, &mut self.notes);
        let Some(block) = self.stack.last_mut() else { return };
        if block.key(keyword.name).is_some() {
            lint::repeated(keyword, words, &mut self.notes);
        }
        let end = words.words.last().map_or(line.end, |word| word.span.end);
        let start = words.words.get(2).map_or(end, |word| word.span.start);
        block.keys.push((keyword.name, Span::new(start, end)));
    }

    fn dropped(&mut self, line: RawLine, rest: Rest) {
        lint::dropped(line, rest, &mut self.notes);
    }
}
