//! The lines that a nanny writes into its status pipe.
//!
//! ```text
//!  up WEIGHT      the server answers; it gets this weight
//!  weight WEIGHT  it still answers; it gets this weight now
//!  down           it does not answer
//!  quiesce        it does not answer; it stays in the table, if it is there, with weight 0
//! ```

use crate::supervisor::Report;

/// No line is longer: what is, was not written by a nanny.
const LONGEST: usize = 64;

/// Collects what arrives in pieces into reports.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes bytes in and hands each report on. Lines that make no sense are dropped.
    pub fn feed(&mut self, bytes: &[u8], mut hand: impl FnMut(Report)) {
        for &byte in bytes {
            if byte == b'\n' {
                if let Some(report) = parse(&self.partial) {
                    hand(report);
                }
                self.partial.clear();
            } else if self.partial.len() < LONGEST {
                self.partial.push(byte);
            }
        }
    }
}

/// What a nanny logs that knows no status pipe: the original, or a site's own program in its place.
const UP: &[u8] = b"[ active ]";
const DOWN: &[u8] = b"[inactive]";

/// Finds the two marks in a nanny's output.
#[derive(Debug, Default)]
pub struct Tokens {
    /// What may be the beginning of a mark.
    tail: Vec<u8>,
    stopped: bool,
}

impl Tokens {
    /// Takes bytes in and hands on whether the server is said to be up, for each mark.
    pub fn feed(&mut self, bytes: &[u8], mut hand: impl FnMut(bool)) {
        if self.stopped {
            return;
        }
        for &byte in bytes {
            if self.tail.len() == UP.len() {
                self.tail.remove(0);
            }
            self.tail.push(byte);
            match self.tail.as_slice() {
                UP => hand(true),
                DOWN => hand(false),
                _ => {}
            }
        }
    }

    /// From now on nothing is found.
    pub fn stop(&mut self) {
        self.stopped = true;
    }
}

fn parse(line: &[u8]) -> Option<Report> {
    let line = std::str::from_utf8(line).ok()?;
    match line.split_once(' ') {
        Some(("up" | "weight", weight)) => weight.parse().ok().map(Report::Up),
        None if line == "down" => Some(Report::Down),
        None if line == "quiesce" => Some(Report::Quiesced),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_arrive_in_any_pieces_and_nonsense_is_dropped() {
        let text = b"up 1\nweight 12\nquiesce\ndown\nup\nup -1\nup 99999999999\nsideways\n\n\xff\nup 3\n";
        let expected = [Report::Up(1), Report::Up(12), Report::Quiesced, Report::Down, Report::Up(3)];
        for size in [1, 2, 3, 7, text.len()] {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            text.chunks(size).for_each(|piece| lines.feed(piece, |report| seen.push(report)));
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn marks_are_found_in_any_pieces() {
        let text = b"nanny: starting [ act\nnanny: [ active ] making x[inactive][ active ]\n";
        for size in [1, 7, 80] {
            let (mut tokens, mut seen) = (Tokens::default(), Vec::new());
            text.chunks(size).for_each(|piece| tokens.feed(piece, |up| seen.push(up)));
            assert_eq!(seen, [true, false, true], "pieces of {size}");
        }
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut lines = Lines::default();
        lines.feed(&[b'x'; 100_000], |_| panic!("no report in there"));
        assert!(lines.partial.len() <= LONGEST);
    }
}
