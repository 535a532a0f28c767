//! Reading the words of a command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{help, Kind, Opt, Options, Stop, Value, Values};

type Words<'a> = &'a mut dyn Iterator<Item = OsString>;

/// The parser at work on one line.
struct Parser<'a> {
    options: &'a Options<'a>,
    /// Basename of `argv[0]`.
    command: String,
    values: Values,
}

/// An option as written in the table, or one that every program has.
enum Found {
    Option(&'static str, Kind),
    Help,
    Usage,
}

pub(super) fn parse(options: &Options<'_>, words: Words<'_>) -> Result<Values, Stop> {
    let command = words.next().unwrap_or_default();
    let command = command.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let command = String::from_utf8_lossy(command).into_owned();
    let mut parser = Parser { options, command, values: Values::default() };
    let mut left_over = false;
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--" => {
                left_over |= words.next().is_some();
                break;
            }
            [b'-', b'-', name @ ..] => parser.long(&word, name, words)?,
            [b'-', letters @ ..] if !letters.is_empty() => parser.bundle(&word, letters, words)?,
            _ => left_over = true,
        }
    }
    match left_over {
        true => Err(Stop::error(format!("{}: unexpected arguments", options.program))),
        false => Ok(parser.values),
    }
}

impl Parser<'_> {
    fn long(&mut self, word: &OsStr, name: &[u8], words: Words<'_>) -> Result<(), Stop> {
        let (name, attached) = match name.iter().position(|&byte| byte == b'=') {
            Some(at) => (&name[..at], Some(&name[at + 1..])),
            None => (name, None),
        };
        let found = self.find_long(name).ok_or_else(|| self.bad(word, "unknown option"))?;
        self.take(word, &found, attached, words)
    }

    /// `-n`, `-nv`, `-t5`, `-t=5`, `-nt 5`
    fn bundle(&mut self, word: &OsStr, mut letters: &[u8], words: Words<'_>) -> Result<(), Stop> {
        while let [letter, rest @ ..] = letters {
            let found = self.find_short(*letter).ok_or_else(|| self.bad(word, "unknown option"))?;
            if matches!(found, Found::Option(_, Kind::Text | Kind::Integer | Kind::Word)) {
                let attached = (!rest.is_empty()).then(|| rest.strip_prefix(b"=").unwrap_or(rest));
                return self.take(word, &found, attached, words);
            }
            let attached = rest.strip_prefix(b"=");
            self.take(word, &found, attached, words)?;
            letters = rest;
        }
        Ok(())
    }

    fn take(
        &mut self,
        word: &OsStr,
        found: &Found,
        attached: Option<&[u8]>,
        words: Words<'_>,
    ) -> Result<(), Stop> {
        let (name, kind) = match found {
            Found::Help => return Err(help::help(self.options, &self.command)),
            Found::Usage => return Err(help::usage(self.options, &self.command)),
            Found::Option(name, kind) => (*name, *kind),
        };
        if kind == Kind::Flag {
            return match attached {
                Some(_) => Err(self.bad(word, "option does not take an argument")),
                None => {
                    self.values.set(name, Value::Set);
                    Ok(())
                }
            };
        }
        // The word to blame for a bad value is the last one that was read.
        let (blamed, value) = match attached {
            Some(value) => (word.to_owned(), OsString::from_vec(value.to_vec())),
            None => {
                let value = words.next().ok_or_else(|| self.bad(word, "missing argument"))?;
                (value.clone(), value)
            }
        };
        let number =
            |highest: i64| integer(value.as_bytes(), highest).map_err(|reason| self.bad(&blamed, reason));
        let value = match kind {
            Kind::Integer => Value::Integer(number(i32::MAX.into())?),
            Kind::Word => Value::Integer(number(u32::MAX.into())?),
            Kind::Text | Kind::Flag | Kind::Alias(_) => Value::Text(value),
        };
        self.values.set(name, value);
        Ok(())
    }

    fn find_long(&self, name: &[u8]) -> Option<Found> {
        match name {
            b"help" => Some(Found::Help),
            b"usage" => Some(Found::Usage),
            _ => self.resolve(|option| option.long.as_bytes() == name),
        }
    }

    fn find_short(&self, letter: u8) -> Option<Found> {
        match letter {
            b'?' => Some(Found::Help),
            _ => self.resolve(|option| option.short == Some(letter)),
        }
    }

    fn resolve(&self, wanted: impl Fn(&Opt) -> bool) -> Option<Found> {
        let table = self.options.table;
        let option = table.iter().find(|option| wanted(option))?;
        let meant = match option.kind {
            Kind::Alias(target) => table.iter().find(|other| other.long == target)?,
            _ => option,
        };
        Some(Found::Option(meant.long, meant.kind))
    }

    fn bad(&self, word: &OsStr, reason: &str) -> Stop {
        let mut text = format!("{}: bad argument ", self.options.program).into_bytes();
        text.extend_from_slice(word.as_bytes());
        text.extend_from_slice(format!(": {reason}").as_bytes());
        Stop::error(text)
    }
}

/// Reads a number as strtoll(3) with base 0 does; an empty text is 0. From -2³¹ to `highest`.
fn integer(text: &[u8], highest: i64) -> Result<i64, &'static str> {
    const INVALID: &str = "invalid numeric value";
    const RANGE: &str = "number too large or too small";
    if text.is_empty() {
        return Ok(0);
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !is_space(byte)).ok_or(INVALID)?;
    let (negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', digits @ ..] if !digits.is_empty() => (8, digits),
        digits => (10, digits),
    };
    if digits.is_empty() || !digits.iter().all(|&digit| char::from(digit).is_digit(radix)) {
        return Err(INVALID);
    }
    let magnitude = digits.iter().try_fold(0i64, |value, &digit| {
        let digit = char::from(digit).to_digit(radix)?;
        value.checked_mul(radix.into())?.checked_add(digit.into())
    });
    let value = magnitude.map(|value| if negative { -value } else { value });
    value.filter(|value| (i32::MIN.into()..=highest).contains(value)).ok_or(RANGE)
}
