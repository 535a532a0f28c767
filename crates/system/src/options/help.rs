//! The texts of `--help`, `--usage` and `--version`, in popt's layout.

use super::{Kind, Opt, Options, Stop};

/// Columns of a line.
const WIDTH: usize = 79;
/// Columns between the longest option and the help texts.
const GAP: usize = 5;

const AUTOMATIC: [Opt; 2] = [
    Opt::flag("help").short('?').help("Show this help message"),
    Opt::flag("usage").help("Display brief usage message"),
];

pub(super) fn help(options: &Options<'_>, command: &str) -> Stop {
    let shown: Vec<&Opt> = shown(options).collect();
    let longest = shown.iter().copied().chain(&AUTOMATIC).map(|option| left(option).len()).max();
    let column = longest.unwrap_or(0) + GAP;
    let mut text = format!("Usage: {command} [OPTION...]\n");
    for option in shown {
        text.push_str(&entry(option, column));
    }
    text.push_str("\nHelp options:\n");
    for option in &AUTOMATIC {
        text.push_str(&entry(option, column));
    }
    Stop { text: text.into_bytes(), status: 0 }
}

pub(super) fn usage(options: &Options<'_>, command: &str) -> Stop {
    let all = || shown(options).chain(&AUTOMATIC);
    let letters = all().filter(|option| option.kind == Kind::Flag).filter_map(|option| option.short);
    let letters: String = letters.map(char::from).collect();
    let mut text = format!("Usage: {command} [-{letters}]");
    let mut column = text.len();
    for item in all().map(bracketed) {
        if column + 1 + item.len() > WIDTH {
            text.push_str("\n       ");
            column = 7;
        }
        text.push(' ');
        text.push_str(&item);
        // popt counts one column too many for each.
        column += 2 + item.len();
    }
    text.push('\n');
    Stop { text: text.into_bytes(), status: 0 }
}

fn shown<'a>(options: &Options<'a>) -> impl Iterator<Item = &'a Opt> + use<'a> {
    options.table.iter().filter(|option| !matches!(option.kind, Kind::Alias(_)))
}

fn value(option: &Opt) -> &'static str {
    match option.kind {
        Kind::Text => "=STRING",
        Kind::Integer | Kind::Word => "=INT",
        Kind::Flag | Kind::Alias(_) => "",
    }
}

fn left(option: &Opt) -> String {
    let short = option.short.map_or("    ".to_owned(), |letter| format!("-{}, ", char::from(letter)));
    format!("  {short}--{}{}", option.long, value(option))
}

fn bracketed(option: &Opt) -> String {
    let short = option.short.map_or(String::new(), |letter| format!("-{}|", char::from(letter)));
    format!("[{short}--{}{}]", option.long, value(option))
}

fn entry(option: &Opt, column: usize) -> String {
    let mut text = left(option);
    let mut rest = option.help;
    let mut used = text.len();
    let room = WIDTH - column.min(WIDTH - 20);
    while !rest.is_empty() {
        let (line, remaining) = split(rest, room);
        text.push_str(&" ".repeat(column - used));
        text.push_str(line);
        rest = remaining;
        if !rest.is_empty() {
            text.push('\n');
            used = 0;
        }
    }
    text.push('\n');
    text
}

/// Breaks a text at the last space within `room` columns.
fn split(text: &str, room: usize) -> (&str, &str) {
    if text.len() <= room {
        return (text, "");
    }
    let head = text.get(..room).unwrap_or(text);
    match head.rfind(' ') {
        Some(at) => (&text[..at], text[at..].trim_start()),
        None => (text, ""),
    }
}

/// The three lines of `--version`: the program's version, when it was built and the package.
///
/// The date is that of `SOURCE_DATE_EPOCH` at compile time, so that builds can be repeated bit by bit, else
/// that of the release.
pub fn version_block(program_version: &str) -> String {
    let built = option_env!("SOURCE_DATE_EPOCH")
        .and_then(|seconds| seconds.parse().ok())
        .map_or(RELEASED.to_owned(), date);
    let package = env!("CARGO_PKG_VERSION");
    format!(
        "Program Version:\t{program_version}\nBuilt:\t\t\t{built}\nA component of:\t\tpiranha-{package}-1\n"
    )
}

/// Day of the release, for builds that do not say when they are made.
const RELEASED: &str = "22/Nov/2026";

/// `dd/Mon/yyyy` of a time in seconds since 1970 (UTC), by the civil-calendar arithmetic of 400-year eras.
pub(super) fn date(seconds: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    format!("{day:02}/{}/{year}", MONTHS[month as usize])
}
