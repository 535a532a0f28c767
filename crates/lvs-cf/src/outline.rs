//! Which block the reader is in.

use crate::keyword::Scope;

/// What to make of a quotation that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadQuote {
    /// Refuse the file.
    Refuse,
    /// Take the line as if it ended before the bad word.
    Drop,
}

/// The position in the nest of blocks, as far as the rules of reading depend on it.
pub(crate) struct Outline {
    scope: Scope,
    /// The next statement is the first one of its `virtual` or `failover` block.
    first: bool,
}

impl Outline {
    pub fn new() -> Self {
        Outline { scope: Scope::Global, first: false }
    }

    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// A block has been opened. Opening where that block cannot stand does nothing.
    pub fn open(&mut self) {
        (self.scope, self.first) = match self.scope {
            Scope::Global => (Scope::Virtual, true),
            Scope::Virtual | Scope::Server => (Scope::Server, false),
        };
    }

    /// The current block has been closed.
    pub fn close(&mut self) {
        self.first = false;
        self.scope = match self.scope {
            Scope::Server => Scope::Virtual,
            Scope::Virtual | Scope::Global => Scope::Global,
        };
    }

    /// Takes note of a statement, and says what a bad quotation in it would mean.
    ///
    /// Directly inside a `virtual` or `failover` block the original overlooks the quoting error in every
    /// statement but the first.
    pub fn statement(&mut self) -> BadQuote {
        let first = std::mem::replace(&mut self.first, false);
        match self.scope {
            Scope::Virtual if !first => BadQuote::Drop,
            _ => BadQuote::Refuse,
        }
    }
}

/// The block that a word opens in a scope.
pub(crate) fn opener(scope: Scope, word: &[u8]) -> Option<crate::tree::BlockKind> {
    use crate::tree::BlockKind;
    match (scope, word) {
        (Scope::Global, b"virtual") => Some(BlockKind::Virtual),
        (Scope::Global, b"failover") => Some(BlockKind::Failover),
        (Scope::Virtual, b"server") => Some(BlockKind::Server),
        _ => None,
    }
}
