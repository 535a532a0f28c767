//! Finding the load average in what rup, uptime and ruptime print.

/// The load average of the last minute: the first number after `load`, which may be followed by ` average`,
/// ` averages` and a colon. Nothing if there is no such number, or it does not end in a comma, a blank or
/// the end of the text.
///
/// Known forms: `… load average: 0.10, 0.20, 0.30` (uptime, rup), `… load 0.10, 0.20, 0.30` (ruptime, which
/// the original could not read).
pub fn load_average(output: &str) -> Option<f64> {
    let mut after_load = output.match_indices("load").map(|(at, word)| &output[at + word.len()..]);
    after_load.clone().find_map(directly).or_else(|| after_load.next().and_then(behind_colon))
}

fn directly(text: &str) -> Option<f64> {
    let text = text.strip_prefix(" average").map_or(text, |text| text.strip_prefix('s').unwrap_or(text));
    let text = text.strip_prefix(':').unwrap_or(text);
    number(text.strip_prefix(' ')?.trim_start_matches(' '))
}

/// The original's rule: the number is two characters behind the next colon; here, of the same line.
fn behind_colon(text: &str) -> Option<f64> {
    let line = text.lines().next()?;
    number(line.split_once(':')?.1.get(1..)?)
}

fn number(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let ends_well = rest.is_empty() || rest.starts_with([',', ' ', '\r', '\n']);
    let load: f64 = digits.parse().ok()?;
    (ends_well && load.is_finite()).then_some(load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_the_known_programs() {
        let cases = [
            (" 10:12:01 up 3 days, 2:01,  1 user,  load average: 0.10, 0.20, 0.30\n", Some(0.1)),
            ("      rs1    up  10 days,  3:45,    load average: 3.00, 1.0, 0.9", Some(3.0)),
            ("rs1           up  3+04:05,     2 users,  load 0.50, 0.20, 0.30\n", Some(0.5)),
            ("rs1 up 3+04:05, load 0.50, 0.2, 0.3\nrs2 up 1+02:03, load 9.0, 9, 9", Some(0.5)),
            ("download1 up 3:01, load average: 9, 1, 1", Some(9.0)),
            ("10:12 up 1 day, load averages: 1.25 1.5 1.5", Some(1.25)),
            ("load average: 0.75", Some(0.75)),
            ("load on rs1: 2.50, 1, 1", Some(2.5)),
            ("load average: 0.10;", None),
            ("load average: .", None),
            ("load average: 1.2.3, 4", None),
            ("load average: -1, 4", None),
            ("load average: lots", None),
            ("rs1 down 1:02", None),
            ("", None),
            ("load", None),
        ];
        for (output, expected) in cases {
            assert_eq!(load_average(output), expected, "{output:?}");
        }
    }
}
