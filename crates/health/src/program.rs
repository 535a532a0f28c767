//! What the result of a `send_program` means.

use crate::{Endpoint, Message, Verdict};

/// How a program (or the load command) ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramResult {
    /// It exited with 0 and wrote this.
    Output(Vec<u8>),
    /// It could not be started for want of processes, descriptors or memory; the reason.
    NotStarted(String),
    /// It could not be started, exited with another status or was killed.
    Failed,
    /// It took too long and was killed.
    TimedOut,
}

impl ProgramResult {
    /// What to log if there is no output. The program ran, or should have, for `server`.
    pub fn message(&self, server: Endpoint) -> Option<Message> {
        match self {
            Self::Output(_) => None,
            Self::NotStarted(reason) => Some(Message::CannotCheck(server, reason.clone())),
            Self::Failed => Some(Message::ExitedAbnormally),
            Self::TimedOut => Some(Message::ProgramTimeout),
        }
    }
}

/// The verdict on `server`, and what to log.
///
/// Up means: exit status 0 and output equal to `expect`, with or without one newline behind it. Neither
/// regular expressions nor `*` apply. (To the original a failing or missing program was up, a hanging one kept
/// the last verdict, and the last byte of the output was dropped, newline or not.)
pub fn program_verdict(
    result: &ProgramResult,
    expect: Option<&[u8]>,
    server: Endpoint,
) -> (Verdict, Vec<Message>) {
    let problem = match (result, expect) {
        (ProgramResult::NotStarted(_), _) => {
            return (Verdict::Unknown, result.message(server).into_iter().collect());
        }
        (ProgramResult::Output(output), Some(expect)) if is_expected(output, expect) => {
            return (Verdict::Up, Vec::new());
        }
        (ProgramResult::Output(_), Some(_)) => Message::ProgramUnexpected(server),
        (ProgramResult::Output(_), None) => Message::ProgramExpectMissing,
        (_, Some(_)) => Message::ProgramSilent(server),
        (_, None) => Message::ProgramBothMissing,
    };
    (Verdict::Down, result.message(server).into_iter().chain([problem]).collect())
}

fn is_expected(output: &[u8], expect: &[u8]) -> bool {
    output == expect || output.strip_suffix(b"\n") == Some(expect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn verdicts() {
        let server = Endpoint { address: Ipv4Addr::new(10, 0, 0, 1), port: 80 };
        let output = |text: &str| ProgramResult::Output(text.into());
        let ok: Option<&[u8]> = Some(b"OK");
        let cases = [
            (output("OK\n"), ok, Verdict::Up, vec![]),
            (output("OK"), ok, Verdict::Up, vec![]),
            (output("OKX"), ok, Verdict::Down, vec![Message::ProgramUnexpected(server)]),
            (output("OK\n\n"), ok, Verdict::Down, vec![Message::ProgramUnexpected(server)]),
            (output(""), ok, Verdict::Down, vec![Message::ProgramUnexpected(server)]),
            (output(""), Some(b""), Verdict::Up, vec![]),
            (output("OK\n"), None, Verdict::Down, vec![Message::ProgramExpectMissing]),
            (
                ProgramResult::Failed,
                ok,
                Verdict::Down,
                vec![Message::ExitedAbnormally, Message::ProgramSilent(server)],
            ),
            (
                ProgramResult::NotStarted("full".into()),
                ok,
                Verdict::Unknown,
                vec![Message::CannotCheck(server, "full".into())],
            ),
            (
                ProgramResult::TimedOut,
                None,
                Verdict::Down,
                vec![Message::ProgramTimeout, Message::ProgramBothMissing],
            ),
        ];
        for (result, expect, verdict, messages) in cases {
            assert_eq!(program_verdict(&result, expect, server), (verdict, messages), "{result:?}");
        }
    }
}
