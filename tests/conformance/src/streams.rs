//! What a program does, as lines: read as they come, compared with what is expected.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an expected line may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A file that others append lines to.
struct Tail {
    path: PathBuf,
    /// The stream of all its lines, or none if each names its own.
    stream: Option<&'static str>,
    file: Option<File>,
    partial: Vec<u8>,
}

impl Tail {
    fn lines(&mut self) -> Vec<String> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return Vec::new() };
        file.read_to_end(&mut self.partial).unwrap();
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }
}

/// Named streams of lines.
#[derive(Default)]
pub struct Streams {
    tails: Vec<Tail>,
    syslog: Option<UnixDatagram>,
    seen: BTreeMap<String, VecDeque<String>>,
}

impl Streams {
    /// Streams that are fed by the syslog alone so far: `IDENT[123]: TEXT` becomes the line `TEXT` of the
    /// stream `IDENT`.
    #[must_use]
    pub fn new(syslog: &UnixDatagram) -> Self {
        Self { syslog: Some(syslog.try_clone().unwrap()), ..Self::default() }
    }

    /// Adds a file whose lines read `STREAM: TEXT`; others belong to the stream `other`.
    pub fn follow(&mut self, path: &Path) {
        self.tails.push(Tail { path: path.to_owned(), stream: None, file: None, partial: Vec::new() });
    }

    /// Adds a file whose lines are the stream of this name.
    pub fn follow_as(&mut self, stream: &'static str, path: &Path) {
        self.tails.push(Tail {
            path: path.to_owned(),
            stream: Some(stream),
            file: None,
            partial: Vec::new(),
        });
    }

    fn poll(&mut self) {
        let lines =
            |tail: &mut Tail| tail.lines().into_iter().map(|line| (tail.stream, line)).collect::<Vec<_>>();
        let lines: Vec<_> = self.tails.iter_mut().flat_map(lines).collect();
        for (stream, line) in &lines {
            let (stream, text) = match (stream, line.split_once(": ")) {
                (Some(stream), _) => (*stream, line.as_str()),
                (None, Some((stream, text))) if !stream.contains(' ') => (stream, text),
                (None, _) => ("other", line.as_str()),
            };
            self.add(stream, text);
        }
        let Some(syslog) = self.syslog.take() else { return };
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length) = syslog.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let (ident, text) = parse_syslog(&text);
            self.add(ident, text);
        }
        self.syslog = Some(syslog);
    }

    fn add(&mut self, stream: &str, text: &str) {
        self.seen.entry(stream.to_owned()).or_default().push_back(text.to_owned());
    }

    /// Takes the next lines of a stream: they must be these, in any order.
    ///
    /// # Errors
    /// What came instead, or that nothing came.
    pub fn expect(&mut self, stream: &str, lines: &[String]) -> Result<(), String> {
        let mut wanted = lines.to_vec();
        while !wanted.is_empty() {
            let line =
                self.next(stream).ok_or_else(|| format!("no `{stream} {}`", wanted.join("`, no `")))?;
            let at = wanted.iter().position(|wanted| matches(wanted, &line));
            match at {
                Some(at) => drop(wanted.remove(at)),
                None => {
                    return Err(format!(
                        "`{stream} {line}`\n  instead of `{stream} {}`",
                        wanted.join("` or `")
                    ))
                }
            }
        }
        Ok(())
    }

    /// The next line of a stream, if it comes in time.
    pub fn next(&mut self, stream: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.poll();
            if let Some(line) = self.seen.get_mut(stream).and_then(VecDeque::pop_front) {
                return Some(line);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What has come and was not taken, of these streams.
    pub fn rest(&mut self, streams: &[&str]) -> Vec<String> {
        self.poll();
        let lines = |stream: &&str| {
            let lines = self.seen.get(*stream).into_iter().flatten();
            lines.map(|line| format!("{stream} {line}")).collect::<Vec<_>>()
        };
        streams.iter().flat_map(lines).collect()
    }
}

/// `<30>Nov 25 12:00:00 IDENT[123]: TEXT`, with or without the pid.
fn parse_syslog(text: &str) -> (&str, &str) {
    const HEADER: usize = "Nov 25 12:00:00 ".len();
    let text = text.split_once('>').map_or(text, |(_, text)| text);
    let (tag, text) = text.get(HEADER..).and_then(|text| text.split_once(": ")).unwrap_or(("other", text));
    (tag.split('[').next().unwrap_or(tag), text)
}

/// `{*}` stands for any text.
#[must_use]
pub fn matches(pattern: &str, line: &str) -> bool {
    let mut pieces = pattern.split("{*}");
    let Some(mut rest) = pieces.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
