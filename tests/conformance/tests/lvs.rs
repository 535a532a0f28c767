//! lvs as it was seen, row by row: `data/lvs`.

use conformance::{differences, lvs, rows, run_all};

#[test]
fn every_row() {
    let rows = rows::read("lvs");
    differences::check(&rows);
    run_all(&rows, |row| format!("{} {}", row.id, row.title), lvs::play);
}
