//! Command lines as they were seen, row by row: `data/options`.

use conformance::{differences, options, rows, run_all};

#[test]
fn every_row() {
    let rows = rows::read("options");
    differences::check(&rows);
    run_all(&rows, |row| format!("{} {}", row.id, row.title), options::play);
}
