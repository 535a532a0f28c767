//! Plays the rows of `data/options`: a command line, and what is printed where, with which exit status.

use crate::program::{original, Program};
use crate::rows::{Row, Step};
use crate::sandbox::Sandbox;
use crate::streams::{matches, PATIENCE};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// Plays one row.
///
/// # Errors
/// What was not as expected.
pub fn play(row: &Row) -> Result<(), String> {
    let sandbox = Sandbox::enter();
    let mut seen = Seen::default();
    for step in row.steps_for(original()) {
        seen.step(step, &sandbox.directory).map_err(|text| format!("line {}: {text}", step.line))?;
    }
    // A daemon tells the command that started it of its failure, and ends then.
    sandbox.wait_until_empty()?;
    seen.end()
}

/// What the last program did and no step has spoken of.
#[derive(Default)]
struct Seen {
    out: String,
    err: String,
    status: Option<i32>,
}

impl Seen {
    fn step(&mut self, step: &Step, directory: &Path) -> Result<(), String> {
        let file = directory.join("lvs.cf").display().to_string();
        let fill = |text: &str| text.replace("{CF}", &file);
        match step.verb.as_str() {
            "file" => fs::write(&file, &step.body).unwrap(),
            "run" => {
                std::mem::take(self).end()?;
                *self = run(&fill(&step.words), directory);
            }
            "out" => compare(&fill(&step.body), &std::mem::take(&mut self.out))?,
            "err" => compare(&fill(&step.body), &std::mem::take(&mut self.err))?,
            "exit" if self.status.map(|status| status.to_string()).as_deref() == Some(&step.words) => {
                self.status = None;
            }
            "exit" => return Err(format!("exit {:?} instead of {}", self.status, step.words)),
            verb => panic!("line {}: no such step: {verb}", step.line),
        }
        Ok(())
    }

    fn end(self) -> Result<(), String> {
        match (self.out.as_str(), self.err.as_str(), self.status) {
            ("", "", None) => Ok(()),
            (out, err, status) => Err(format!("nobody expected {status:?}\n{out}{err}")),
        }
    }
}

/// Runs `PROGRAM WORD...`; `''` is an empty word.
fn run(line: &str, directory: &Path) -> Seen {
    let mut words = line.split_whitespace().map(|word| if word == "''" { "" } else { word });
    let name = words.next().unwrap();
    let (_, program) =
        Program::ALL.into_iter().find(|(known, _)| *known == name).expect("a program of the suite");
    let create = |name: &str| File::create(directory.join(name)).unwrap();
    let mut command = Command::new(program.path());
    command.arg0(name).args(words).env_remove("RUST_LOG").current_dir(directory);
    command.stdin(Stdio::null()).stdout(create("out")).stderr(create("err"));
    let status = wait(&mut command);
    let read = |name: &str| String::from_utf8_lossy(&fs::read(directory.join(name)).unwrap()).into_owned();
    Seen { out: read("out"), err: read("err"), status: status.map(|status| status.code().unwrap_or(-1)) }
}

/// No status if it does not end.
fn wait(command: &mut Command) -> Option<ExitStatus> {
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn compare(expected: &str, seen: &str) -> Result<(), String> {
    let (wanted, lines): (Vec<_>, Vec<_>) = (expected.split('\n').collect(), seen.split('\n').collect());
    let same = wanted.len() == lines.len()
        && wanted.iter().zip(&lines).all(|(pattern, line)| matches(pattern, line));
    same.then_some(()).ok_or_else(|| format!("printed\n{seen}instead of\n{expected}"))
}
