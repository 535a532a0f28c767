//! How a keyword's values are read into the model and out of it.

use crate::error::ErrorKind;
use crate::lexer::Word;
use crate::model::Host;
use crate::number::{inet_aton, parse_int};
use crate::resolver::Resolver;
use crate::text::Text;
use crate::value::Value;
use std::net::Ipv4Addr;

/// Access to one field of a block.
pub(crate) struct Lens<T, V> {
    pub get: fn(&T) -> &V,
    pub get_mut: fn(&mut T) -> &mut V,
}

/// Access to an enumerated field, by the index of its word.
pub(crate) struct WordLens<T> {
    pub words: &'static [&'static str],
    pub get: fn(&T) -> Option<&'static str>,
    pub set: fn(&mut T, usize),
}

/// A keyword's type together with the field it sets.
pub(crate) enum Field<T> {
    /// An integer, cut to 32 bits.
    Int(Lens<T, i32>),
    /// An integer taken as unsigned.
    Mark(Lens<T, u32>),
    /// An integer that must be 0 or 1.
    Flag(Lens<T, bool>),
    /// An integer or the name of a TCP service.
    Port(Lens<T, i32>),
    /// A director: a host that keeps its name; 0.0.0.0 is refused.
    Director(Lens<T, Host>),
    /// A director that may be 0.0.0.0.
    OptionalDirector(Lens<T, Host>),
    /// A host name or address.
    Host(Lens<T, Ipv4Addr>),
    /// A host name or address, and the device that carries it.
    HostOn(Lens<T, Ipv4Addr>, Lens<T, Option<Text>>),
    /// An address in numbers, or else this error.
    Address(Lens<T, Ipv4Addr>, ErrorKind),
    /// A persistence mask: what is no address is ignored, all ones means none.
    PersistenceMask(Lens<T, Ipv4Addr>),
    /// A string.
    Text(Lens<T, Text>),
    /// A string that has no default.
    OptionalText(Lens<T, Option<Text>>),
    /// A string that keeps its quotes.
    Quoted(Lens<T, Option<Text>>),
    /// A word from a list.
    Word(WordLens<T>),
    /// `[ item item ... ]`.
    List(Lens<T, Option<Vec<Text>>>),
}

/// The words of a statement.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub source: &'a [u8],
    pub words: &'a [Word],
}

impl<'a> Words<'a> {
    pub fn value(&self, index: usize) -> Option<&'a [u8]> {
        self.words.get(index).map(|word| word.value(self.source))
    }
}

/// Why a statement is refused, and which of its words is to blame (one past the last for a missing one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub kind: ErrorKind,
    pub word: usize,
}

impl Refusal {
    pub fn new(kind: ErrorKind, word: usize) -> Self {
        Refusal { kind, word }
    }
}

/// Values start after `keyword =`.
const FIRST: usize = 2;

impl<T> Field<T> {
    /// Reads the values of `keyword = values` into the block.
    ///
    /// The number of values is checked before the values themselves, as in the original.
    pub fn assign(&self, block: &mut T, words: Words, resolver: &dyn Resolver) -> Result<(), Refusal> {
        if let Field::List(lens) = self {
            *(lens.get_mut)(block) = Some(list(words)?);
            return Ok(());
        }
        let arity = self.arity();
        match words.words.len() - FIRST {
            given if given < arity => return Err(Refusal::new(ErrorKind::MissingArgs, words.words.len())),
            given if given > arity => return Err(Refusal::new(ErrorKind::ExtraArgs, FIRST + arity)),
            _ => {}
        }
        self.assign_values(block, words, resolver).map_err(|kind| Refusal::new(kind, FIRST))
    }

    /// How many values the keyword takes; lists take any number.
    fn arity(&self) -> usize {
        match self {
            Field::HostOn(..) => 2,
            _ => 1,
        }
    }

    fn assign_values(&self, block: &mut T, words: Words, resolver: &dyn Resolver) -> Result<(), ErrorKind> {
        let word = words.words[FIRST];
        let text = word.value(words.source);
        match self {
            Field::Int(lens) => *(lens.get_mut)(block) = int(text)?,
            Field::Mark(lens) => *(lens.get_mut)(block) = int(text)? as u32,
            Field::Flag(lens) => *(lens.get_mut)(block) = flag(text)?,
            Field::Port(lens) => *(lens.get_mut)(block) = port(text, resolver)?,
            Field::Director(lens) => {
                let address = host(text, resolver)?;
                if address.is_unspecified() {
                    return Err(ErrorKind::BadHostname);
                }
                *(lens.get_mut)(block) = Host { address, name: Some(text.into()) };
            }
            Field::OptionalDirector(lens) => {
                *(lens.get_mut)(block) = Host { address: host(text, resolver)?, name: Some(text.into()) };
            }
            Field::Host(lens) => *(lens.get_mut)(block) = host(text, resolver)?,
            Field::HostOn(address, device) => {
                *(address.get_mut)(block) = host(text, resolver)?;
                *(device.get_mut)(block) = words.value(FIRST + 1).map(Text::from);
            }
            Field::Address(lens, error) => *(lens.get_mut)(block) = inet_aton(text).ok_or(*error)?,
            Field::PersistenceMask(lens) => {
                if let Some(mask) = persistence_mask(text) {
                    *(lens.get_mut)(block) = mask;
                }
            }
            Field::Text(lens) => *(lens.get_mut)(block) = text.into(),
            Field::OptionalText(lens) => *(lens.get_mut)(block) = Some(text.into()),
            Field::Quoted(lens) => *(lens.get_mut)(block) = Some(word.raw(words.source).into()),
            Field::Word(lens) => {
                let index = lens.words.iter().position(|word| word.as_bytes() == text);
                (lens.set)(block, index.ok_or(ErrorKind::BadArgument)?);
            }
            Field::List(_) => {}
        }
        Ok(())
    }

    /// The current value.
    pub fn value<'b>(&self, block: &'b T) -> Value<'b> {
        match self {
            Field::Int(lens) | Field::Port(lens) => Value::Int((*(lens.get)(block)).into()),
            Field::Mark(lens) => Value::Int((*(lens.get)(block)).into()),
            Field::Flag(lens) => Value::Flag(*(lens.get)(block)),
            Field::Director(lens) | Field::OptionalDirector(lens) => Value::Host((lens.get)(block)),
            Field::Host(lens) | Field::Address(lens, _) | Field::PersistenceMask(lens) => {
                Value::Address(*(lens.get)(block))
            }
            Field::HostOn(address, device) => {
                Value::AddressOn(*(address.get)(block), (device.get)(block).as_ref())
            }
            Field::Text(lens) => Value::Text(Some((lens.get)(block))),
            Field::OptionalText(lens) => Value::Text((lens.get)(block).as_ref()),
            Field::Quoted(lens) => Value::Quoted((lens.get)(block).as_ref()),
            Field::Word(lens) => Value::Word((lens.get)(block)),
            Field::List(lens) => Value::List((lens.get)(block).as_deref()),
        }
    }
}

fn int(text: &[u8]) -> Result<i32, ErrorKind> {
    parse_int(text).ok_or(ErrorKind::IntExpected)
}

fn flag(text: &[u8]) -> Result<bool, ErrorKind> {
    match int(text)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(ErrorKind::BoolExpected),
    }
}

fn port(text: &[u8], resolver: &dyn Resolver) -> Result<i32, ErrorKind> {
    parse_int(text).or_else(|| resolver.tcp_port(text).map(i32::from)).ok_or(ErrorKind::BadArgument)
}

fn host(text: &[u8], resolver: &dyn Resolver) -> Result<Ipv4Addr, ErrorKind> {
    inet_aton(text).or_else(|| resolver.host(text)).ok_or(ErrorKind::BadArgument)
}

/// Only the very text `255.255.255.255` means "none"; `0xffffffff` stays a mask, as in the original.
fn persistence_mask(text: &[u8]) -> Option<Ipv4Addr> {
    if text == b"255.255.255.255" {
        return Some(Ipv4Addr::UNSPECIFIED);
    }
    inet_aton(text)
}

/// The items of `[ item item ... ]`; the first `]` ends the list and what follows is ignored.
fn list(words: Words) -> Result<Vec<Text>, Refusal> {
    if words.value(FIRST) != Some(b"[") {
        return Err(Refusal::new(ErrorKind::ListExpected, FIRST));
    }
    let items = words.words[FIRST + 1..].iter().map(|word| word.value(words.source));
    let close = items.clone().position(|item| item == b"]");
    let close = close.ok_or(Refusal::new(ErrorKind::ListExpected, words.words.len()))?;
    Ok(items.take(close).map(Text::from).collect())
}
