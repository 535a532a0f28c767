//! The table for the terminal and for documents, and the files in `docs/`.

use std::fmt::Write;
use std::{fs, io};

use crate::chart;
use crate::figure::{number, Figure, Series};

const JSON: &str = "docs/benchmarks.json";
const CHART: &str = "docs/benchmarks.svg";
const PAGE: &str = "docs/benchmarks.md";
/// Between these lines of the page is the table.
const BEGIN: &str = "<!-- table: written by make bench SAVE=1 -->\n";
const END: &str = "<!-- end of table -->\n";

/// A table in Markdown, with columns that line up in a terminal too.
pub fn table(figures: &[Figure]) -> String {
    let head = ["#", "measure", "ours", "peer", "ours / peer", "goal", "reached"].map(str::to_owned);
    let mut rows = vec![head];
    for figure in figures {
        rows.extend(lines(figure));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        }
    }
    text
}

/// One line for each peer, the figure's own cells in the first alone.
fn lines(figure: &Figure) -> Vec<[String; 7]> {
    let peers = figure.peers.iter().map(|peer| {
        (format!("{} {}", peer.name, outcome(&peer.series, &figure.unit)), number(figure.ratio(peer)))
    });
    let mut peers: Vec<(String, String)> = peers.collect();
    if peers.is_empty() {
        peers.push(("-".into(), "-".into()));
    }
    let verdict = match (figure.goal().is_empty(), figure.reached()) {
        (true, _) => "-",
        (_, true) => "yes",
        (_, false) => "NO",
    };
    let own = [figure.row.to_string(), figure.what.clone(), outcome(&figure.ours, &figure.unit)];
    let line = |(index, (peer, ratio)): (usize, (String, String))| {
        let [row, what, ours] = if index == 0 { own.clone() } else { Default::default() };
        let (goal, verdict) = if index == 0 { (figure.goal(), verdict) } else { (String::new(), "") };
        [row, what, ours, peer, ratio, goal, verdict.to_owned()]
    };
    peers.into_iter().enumerate().map(line).collect()
}

/// The median, and the range of several runs.
fn outcome(series: &Series, unit: &str) -> String {
    let (least, most) = series.range();
    match series.runs() {
        0 | 1 => format!("{} {unit}", number(series.median())),
        _ => format!("{} {unit} ({}..{})", number(series.median()), number(least), number(most)),
    }
}

/// Writes JSON, chart and the table in the page; rows that were not measured now stay as they are in the file.
pub fn save(mut figures: Vec<Figure>) -> io::Result<()> {
    let earlier: Vec<Figure> =
        fs::read_to_string(JSON).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let measured: Vec<u8> = figures.iter().map(|figure| figure.row).collect();
    figures.extend(earlier.into_iter().filter(|figure| !measured.contains(&figure.row)));
    figures.sort_by_key(|figure| figure.row);
    fs::write(JSON, serde_json::to_string_pretty(&figures)? + "\n")?;
    fs::write(CHART, chart::svg(&figures))?;
    fs::write(PAGE, with_table(&fs::read_to_string(PAGE)?, &table(&figures)))
}

/// The page with another table; a page without the place for one stays as it is.
fn with_table(page: &str, table: &str) -> String {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    parts.map_or(page.to_owned(), |(before, after)| format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_the_one_before() {
        let page = |table: &str| format!("above\n{BEGIN}{table}{END}below\n");
        assert_eq!(with_table(&page("| old |\n"), "| new |\n"), page("| new |\n"));
        assert_eq!(with_table("no place\n", "| new |\n"), "no place\n");
    }

    #[test]
    fn every_peer_has_a_line() {
        let figure = Figure::new(2, "outage", "ms", Series::new(vec![5.0, 10.0, 5.0]))
            .bounded(20.0)
            .beside("keepalived", Series::once(610.0))
            .beside("another", Series::once(4.0));
        assert_eq!(
            table(&[figure]),
            "| # | measure | ours                | peer              | ours / peer | goal              | reached |\n\
             |---|---------|---------------------|-------------------|-------------|-------------------|---------|\n\
             | 2 | outage  | 5.00 ms (5.00..10.0) | keepalived 610 ms | 0.008       | ≤ 20.0 ms, ≤ peer | NO      |\n\
             |   |         |                     | another 4.00 ms   | 1.25        |                   |         |\n"
                .replace("ours                |", "ours                 |")
                .replace("|---------------------|", "|----------------------|")
                .replace("|                     |", "|                      |")
        );
    }
}
