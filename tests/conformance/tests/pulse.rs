//! pulse with a scripted partner, row by row: `data/pulse`.

use conformance::{differences, pulse, rows, run_all};

#[test]
fn every_row() {
    let rows = rows::read("pulse");
    differences::check(&rows);
    run_all(&rows, |row| format!("{} {}", row.id, row.title), pulse::play);
}
