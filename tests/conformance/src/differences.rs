//! `docs/differences.md`: what is different on purpose.

use crate::rows::{Row, Whose};
use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../../docs/differences.md");

/// The rows of the document as `SECTION / WHAT`.
#[must_use]
pub fn all() -> BTreeSet<String> {
    let mut section = "";
    let mut rows = BTreeSet::new();
    for line in TEXT.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if let Some(cells) = line.strip_prefix("| ") {
            let what = cells.split(" | ").next().unwrap_or_default();
            rows.insert(format!("{section} / {what}"));
        }
    }
    rows
}

/// Checks that what is different in a row is explained in the document, and that nothing else claims to be.
///
/// # Panics
/// If not.
pub fn check(rows: &[Row]) {
    let known = all();
    for Row { id, differs, steps, .. } in rows {
        let marked = steps.iter().any(|step| step.whose != Whose::Both);
        assert_eq!(marked, !differs.is_empty(), "{id}: `was:` and `now:` go with `differs`");
        for difference in differs {
            assert!(known.contains(difference), "{id}: docs/differences.md has no row `{difference}`");
        }
    }
}
