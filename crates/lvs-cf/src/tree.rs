//! The lossless syntax tree: every byte of the file, and edits that leave the rest alone.

use crate::keyword::{Keyed, Kind, Scope};
use crate::lexer::{split, LineKind, Lines, RawLine, Rest, Word};
use crate::model::{Config, Server, Virtual};
use crate::outline::{opener, BadQuote, Outline};
use crate::quoting::{spell, verbatim, Place, Unwritable};
use crate::text::Text;

/// The three kinds of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// `virtual NAME {`
    Virtual,
    /// `failover NAME {`
    Failover,
    /// `server NAME {`
    Server,
}

impl BlockKind {
    /// The word that opens it.
    pub fn as_str(self) -> &'static str {
        match self {
            BlockKind::Virtual => "virtual",
            BlockKind::Failover => "failover",
            BlockKind::Server => "server",
        }
    }

    /// Indentation of its keys in generated text.
    fn indent(self) -> &'static [u8] {
        match self {
            BlockKind::Virtual | BlockKind::Failover => b"     ",
            BlockKind::Server => b"         ",
        }
    }
}

/// A file as it is written. Any bytes have a tree, also those that [`crate::parse`] refuses.
///
/// ```
/// use lvs_cf::Tree;
/// let mut tree = Tree::parse(b"# ours\nkeepalive   =  6\n");
/// tree.root_mut().set("keepalive", &["9"]).unwrap();
/// assert_eq!(tree.to_bytes(), b"# ours\nkeepalive   =  9\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    root: Block,
    /// What follows a NUL.
    unread: Box<[u8]>,
}

/// The file itself, or a block in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    kind: Option<BlockKind>,
    open: Option<Line>,
    items: Vec<Item>,
    close: Option<Line>,
}

/// What a block consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A blank line, a comment or a statement.
    Line(Line),
    /// A block.
    Block(Block),
}

/// A line with its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(Box<[u8]>);

impl Line {
    /// The line as it stands in the file, with its line end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn whole(&self) -> RawLine {
        let end = self.0.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.0.len());
        RawLine { number: 1, start: 0, end, next: self.0.len() }
    }

    /// The line end; empty for a last line that has none.
    fn ending(&self) -> &[u8] {
        &self.0[self.whole().end..]
    }

    fn indent(&self) -> &[u8] {
        let blanks = self.0.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        &self.0[..blanks]
    }

    fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        if self.whole().kind(&self.0) == LineKind::Statement {
            split(&self.0, self.whole(), &mut words);
        }
        words
    }

    /// The words if this is `keyword = ...`.
    fn assignment(&self, keyword: &str) -> Option<Vec<Word>> {
        let words = self.words();
        match words.as_slice() {
            [name, equal, ..]
                if name.value(&self.0) == keyword.as_bytes() && equal.value(&self.0) == b"=" =>
            {
                Some(words)
            }
            _ => None,
        }
    }

    fn is_assignment(&self) -> bool {
        self.words().get(1).is_some_and(|word| word.value(&self.0) == b"=")
    }
}

impl Tree {
    /// Reads a file. [`Tree::to_bytes`] gives the very same bytes back.
    pub fn parse(source: &[u8]) -> Self {
        let mut stack = vec![Block::new(None, None)];
        let mut outline = Outline::new();
        let mut words = Vec::new();
        let mut lines = Lines::new(source);
        for raw in lines.by_ref() {
            let line = Line(source[raw.start..raw.next].into());
            match turn(source, raw, &mut outline, &mut words) {
                Turn::Stay => stack_top(&mut stack).items.push(Item::Line(line)),
                Turn::Open(kind) => {
                    outline.open();
                    stack.push(Block::new(Some(kind), Some(line)));
                }
                Turn::Close => {
                    outline.close();
                    close(&mut stack, Some(line));
                }
            }
        }
        while stack.len() > 1 {
            close(&mut stack, None);
        }
        let root = stack.pop().unwrap_or_else(|| Block::new(None, None));
        Tree { root, unread: source[lines.offset()..].into() }
    }

    /// The file as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.root.print(&mut out);
        out.extend_from_slice(&self.unread);
        out
    }

    /// The top level.
    pub fn root(&self) -> &Block {
        &self.root
    }

    /// The top level, to be changed.
    pub fn root_mut(&mut self) -> &mut Block {
        &mut self.root
    }
}

/// What a line does to the nest of blocks.
enum Turn {
    Stay,
    Open(BlockKind),
    Close,
}

/// Follows the parser's rules for lines that it accepts; a line that it refuses opens and closes nothing.
fn turn(source: &[u8], raw: RawLine, outline: &mut Outline, words: &mut Vec<Word>) -> Turn {
    if raw.kind(source) != LineKind::Statement {
        return Turn::Stay;
    }
    let rest = split(source, raw, words);
    let scope = outline.scope();
    let refused = outline.statement() == BadQuote::Refuse && matches!(rest, Rest::BadQuote(_));
    match words.as_slice() {
        _ if refused => Turn::Stay,
        [] => Turn::Close,
        [first, ..] if scope != Scope::Global && first.value(source) == b"}" => Turn::Close,
        [first, _, brace] if brace.value(source) == b"{" => {
            opener(scope, first.value(source)).map_or(Turn::Stay, Turn::Open)
        }
        _ => Turn::Stay,
    }
}

/// The innermost open block. The root is never popped while lines are read.
fn stack_top(stack: &mut [Block]) -> &mut Block {
    let top = stack.len() - 1;
    &mut stack[top]
}

fn close(stack: &mut Vec<Block>, line: Option<Line>) {
    if let Some(mut block) = stack.pop() {
        block.close = line;
        stack_top(stack).items.push(Item::Block(block));
    }
}

impl Block {
    fn new(kind: Option<BlockKind>, open: Option<Line>) -> Self {
        Block { kind, open, items: Vec::new(), close: None }
    }

    fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.open.as_ref().map_or(&[], |line| &line.0));
        for item in &self.items {
            match item {
                Item::Line(line) => out.extend_from_slice(&line.0),
                Item::Block(block) => block.print(out),
            }
        }
        out.extend_from_slice(self.close.as_ref().map_or(&[], |line| &line.0));
    }

    /// The block's kind; `None` for the top level.
    pub fn kind(&self) -> Option<BlockKind> {
        self.kind
    }

    /// The block's name; `None` for the top level.
    pub fn name(&self) -> Option<Text> {
        let line = self.open.as_ref()?;
        line.words().get(1).map(|word| word.value(&line.0).into())
    }

    /// Lines and blocks, in file order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The blocks directly inside, in file order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.items.iter().filter_map(|item| match item {
            Item::Block(block) => Some(block),
            Item::Line(_) => None,
        })
    }

    /// The blocks directly inside, to be changed.
    pub fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Block(block) => Some(block),
            Item::Line(_) => None,
        })
    }

    /// The values of a key, without quotes; `None` if the key is not here. The last one counts.
    pub fn get(&self, keyword: &str) -> Option<Vec<Text>> {
        let (index, words) = self.find(keyword)?;
        let Item::Line(line) = &self.items[index] else { return None };
        Some(words[2..].iter().map(|word| word.value(&line.0).into()).collect())
    }

    /// Sets a key. The values are given without quotes; those that need quotes get them.
    ///
    /// An existing line keeps its indentation and spacing; a new one follows the last assignment before the
    /// first inner block, because a server takes its default port from what stands above it.
    ///
    /// # Errors
    /// [`Unwritable`] for a keyword that cannot stand here, and for values that have no spelling.
    pub fn set<V: AsRef<[u8]>>(&mut self, keyword: &str, values: &[V]) -> Result<(), Unwritable> {
        let text = self.spell_values(keyword, values)?;
        match self.find(keyword) {
            Some((index, words)) => self.replace(index, &words, &text),
            None => self.insert(keyword, &text),
        }
        Ok(())
    }

    /// Removes every line that sets the key; returns how many there were.
    pub fn remove(&mut self, keyword: &str) -> usize {
        let before = self.items.len();
        self.items.retain(|item| match item {
            Item::Line(line) => line.assignment(keyword).is_none(),
            Item::Block(_) => true,
        });
        before - self.items.len()
    }

    /// Adds an empty block behind everything that is here, and returns it.
    ///
    /// # Errors
    /// [`Unwritable`] for a kind that cannot stand here, and for a name that has no spelling.
    pub fn add_block(&mut self, kind: BlockKind, name: &[u8]) -> Result<&mut Block, Unwritable> {
        if opener(self.scope(), kind.as_str().as_bytes()) != Some(kind) {
            return Err(Unwritable(format!("a `{}` block here", kind.as_str())));
        }
        let name = spell(name, Place::Inner)?;
        self.end_last_line();
        let (ending, indent) = (self.line_end(), self.kind.map_or(&b""[..], BlockKind::indent));
        let open = [indent, kind.as_str().as_bytes(), b" ", &name, b" {", &ending].concat();
        let mut block = Block::new(Some(kind), Some(Line(open.into())));
        block.close = Some(Line([indent, b"}", &ending].concat().into()));
        self.items.push(Item::Block(block));
        match self.items.last_mut() {
            Some(Item::Block(block)) => Ok(block),
            _ => Err(Unwritable("a block".into())),
        }
    }

    /// Keeps the inner blocks for which `keep` is true; lines stay.
    pub fn retain_blocks(&mut self, mut keep: impl FnMut(&Block) -> bool) {
        self.items.retain(|item| match item {
            Item::Line(_) => true,
            Item::Block(block) => keep(block),
        });
    }

    fn scope(&self) -> Scope {
        match self.kind {
            None => Scope::Global,
            Some(BlockKind::Server) => Scope::Server,
            Some(_) => Scope::Virtual,
        }
    }

    /// The last line that sets the key.
    fn find(&self, keyword: &str) -> Option<(usize, Vec<Word>)> {
        self.items.iter().enumerate().rev().find_map(|(index, item)| match item {
            Item::Line(line) => line.assignment(keyword).map(|words| (index, words)),
            Item::Block(_) => None,
        })
    }

    fn spell_values<V: AsRef<[u8]>>(&self, keyword: &str, values: &[V]) -> Result<Vec<u8>, Unwritable> {
        let name = keyword.as_bytes();
        let kind = match self.scope() {
            Scope::Global => Config::entry(name).map(|entry| entry.kind()),
            Scope::Virtual => Virtual::entry(name).map(|entry| entry.kind()),
            Scope::Server => Server::entry(name).map(|entry| entry.kind()),
        };
        let kind = kind.ok_or_else(|| Unwritable(format!("the keyword `{keyword}` here")))?;
        let mut words = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let place = if index + 1 == values.len() { Place::Last } else { Place::Inner };
            words.push(match kind {
                Kind::QuotedStr => double_quoted(value.as_ref())?,
                _ => spell(value.as_ref(), place)?,
            });
        }
        Ok(words.join(&b' '))
    }

    fn replace(&mut self, index: usize, words: &[Word], text: &[u8]) {
        let Item::Line(line) = &mut self.items[index] else { return };
        let kept = match words.get(2) {
            Some(value) => line.0[..value.span.start].to_vec(),
            None => [&line.0[..words[1].span.end], b" "].concat(),
        };
        line.0 = [&kept, text, line.ending()].concat().into();
    }

    fn insert(&mut self, keyword: &str, text: &[u8]) {
        let blocks_at = self.items.iter().position(|item| matches!(item, Item::Block(_)));
        let blocks_at = blocks_at.unwrap_or(self.items.len());
        let last = self.items[..blocks_at]
            .iter()
            .rposition(|item| matches!(item, Item::Line(line) if line.is_assignment()));
        let indent = match last.map(|index| &self.items[index]) {
            Some(Item::Line(line)) => line.indent().to_vec(),
            _ => self.kind.map_or(&b""[..], BlockKind::indent).to_vec(),
        };
        let at = last.map_or(blocks_at, |index| index + 1);
        let ending = self.line_end();
        self.end_line_before(at, &ending);
        let line = [&indent, keyword.as_bytes(), b" = ", text, &ending].concat();
        self.items.insert(at, Item::Line(Line(line.into())));
    }

    /// The line end in use here.
    fn line_end(&self) -> Vec<u8> {
        let first = self.open.as_ref().or(match self.items.first() {
            Some(Item::Line(line)) => Some(line),
            Some(Item::Block(block)) => block.open.as_ref(),
            None => None,
        });
        let ending = first.map_or(&b""[..], Line::ending);
        if ending.is_empty() { b"\n" } else { ending }.to_vec()
    }

    /// Gives the line in front of item `at` a line end if it has none.
    fn end_line_before(&mut self, at: usize, ending: &[u8]) {
        let line = match at.checked_sub(1).map(|index| &mut self.items[index]) {
            Some(Item::Line(line)) => line,
            Some(Item::Block(_)) => return,
            None => match &mut self.open {
                Some(line) => line,
                None => return,
            },
        };
        if line.ending().is_empty() {
            line.0 = [&*line.0, ending].concat().into();
        }
    }

    /// Makes sure that a line can be appended: ends the last line, and closes blocks that are still open.
    fn end_last_line(&mut self) {
        let ending = self.line_end();
        match self.items.last_mut() {
            Some(Item::Block(block)) => block.complete(&ending),
            _ => self.end_line_before(self.items.len(), &ending),
        }
    }

    fn complete(&mut self, ending: &[u8]) {
        match &mut self.close {
            Some(line) if line.ending().is_empty() => line.0 = [&*line.0, ending].concat().into(),
            Some(_) => {}
            None => {
                self.end_last_line();
                let indent = self.open.as_ref().map_or(&b""[..], Line::indent);
                self.close = Some(Line([indent, b"}", ending].concat().into()));
            }
        }
    }
}

/// Nanny's strings lose double quotes only, so they get these or none.
fn double_quoted(value: &[u8]) -> Result<Vec<u8>, Unwritable> {
    let raw = [b"\"", value, b"\""].concat();
    verbatim(&raw).map(|()| raw)
}
