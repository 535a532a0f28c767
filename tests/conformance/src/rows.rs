//! The files in `data/`: rows that begin with `== ID title`, each a list of steps.
//!
//! ```text
//! # a comment
//! == L16 TERM and INT
//! differs SECTION / WHAT       a row of docs/differences.md
//! step words of the step
//!   indented lines belong to the step above; `;` stands for a line end
//!   |  but after `|` every character, blanks too, stands for itself
//! was: step                    what the original does instead
//! now: step                    what this suite does instead
//! ```

/// One step of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Line in the file, for messages.
    pub line: usize,
    /// The first word.
    pub verb: String,
    /// The rest of the line.
    pub words: String,
    /// The indented lines below it.
    pub body: String,
    /// Whose step it is.
    pub whose: Whose,
}

/// Which programs a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Both.
    Both,
    /// The originals.
    Was,
    /// This suite.
    Now,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id, such as `L01`.
    pub id: String,
    /// The rest of its first line.
    pub title: String,
    /// The rows of docs/differences.md that it shows, as `SECTION / WHAT`.
    pub differs: Vec<String>,
    /// What happens and what is expected.
    pub steps: Vec<Step>,
}

impl Row {
    /// The steps for the programs under test.
    pub fn steps_for(&self, original: bool) -> impl Iterator<Item = &Step> {
        let skipped = if original { Whose::Now } else { Whose::Was };
        self.steps.iter().filter(move |step| step.whose != skipped)
    }
}

/// The rows of all files in a directory of `data/`.
///
/// # Panics
/// If they cannot be read.
#[must_use]
pub fn read(directory: &str) -> Vec<Row> {
    let directory = format!("{}/data/{directory}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let rows: Vec<_> = paths.iter().flat_map(|path| parse(&std::fs::read_to_string(path).unwrap())).collect();
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len(), "two rows of one id");
    rows
}

/// Reads the rows of a file.
///
/// # Panics
/// If the file is no such file, or has two rows of one id.
#[must_use]
pub fn parse(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(heading) = line.strip_prefix("== ") {
            let (id, title) = heading.split_once(' ').unwrap_or((heading, ""));
            assert!(rows.iter().all(|row| row.id != id), "two rows {id}");
            let (id, title) = (id.to_owned(), title.to_owned());
            rows.push(Row { id, title, differs: Vec::new(), steps: Vec::new() });
            continue;
        }
        let row = rows.last_mut().expect("a heading");
        if line.starts_with(' ') {
            let step = row.steps.last_mut().expect("a step");
            let line = line.trim_start();
            let lines = match line.strip_prefix('|') {
                Some(line) => vec![line],
                None => line.split(';').map(str::trim_end).collect(),
            };
            for line in lines {
                step.body.push_str(line);
                step.body.push('\n');
            }
        } else if let Some(difference) = line.strip_prefix("differs ") {
            row.differs.push(difference.to_owned());
        } else {
            row.steps.push(step(number + 1, line));
        }
    }
    rows
}

fn step(line: usize, text: &str) -> Step {
    let (whose, text) = match (text.strip_prefix("was: "), text.strip_prefix("now: ")) {
        (Some(text), _) => (Whose::Was, text),
        (_, Some(text)) => (Whose::Now, text),
        _ => (Whose::Both, text),
    };
    let (verb, words) = text.split_once(' ').unwrap_or((text, ""));
    Step { line, verb: verb.to_owned(), words: words.to_owned(), body: String::new(), whose }
}
