//! A synchronous netlink socket: requests with their acknowledgements, and dumps.

use std::io;
use std::time::Duration;

use netlink_packet_core::{
    ErrorBuffer, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
    NLMSG_DONE, NLMSG_ERROR, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

/// Requests sent before their answers are read. Each answer takes up to 1 KiB of the receive buffer, whose
/// default is 208 KiB; if all are refused, there is one for each.
const BATCH: usize = 128;

/// Room for the largest piece of a dump: the kernel makes them 32 KiB at most.
pub(crate) const BUFFER: usize = 64 * 1024;

/// Attempts at a dump that changes keep interrupting.
const DUMP_ATTEMPTS: u32 = 10;

/// The kernel answers within the send call, so an answer that is not there yet was lost.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// The answer to a request: the kernel's error numbers are in `raw_os_error`.
pub(crate) type Answer = io::Result<()>;

/// A netlink socket of one protocol, bound to a port of its own; close-on-exec.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// A message as it came, its netlink header taken off; it can be sent again as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message type of the netlink header.
    pub kind: u16,
    /// What follows the netlink header.
    pub payload: Vec<u8>,
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Part {
    /// Something that was asked for.
    Message(Message),
    /// The end: the request was carried out, or why not.
    End(io::Result<()>),
}

impl Part {
    fn of(message: &NetlinkBuffer<&[u8]>) -> Part {
        match message.message_type() {
            NLMSG_DONE => Part::End(done(message.payload())),
            NLMSG_ERROR => Part::End(acknowledgement(message.payload())),
            kind => Part::Message(Message { kind, payload: message.payload().to_vec() }),
        }
    }
}

/// The pieces of answers in a datagram; the first message that breaks the protocol is the last.
pub fn parts(datagram: &[u8]) -> impl Iterator<Item = io::Result<Part>> + '_ {
    Messages(datagram).map(|message| message.map(|message| Part::of(&message)))
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.payload.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..self.payload.len()].copy_from_slice(&self.payload);
    }
}

impl Netlink {
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        // Acknowledgements without a copy of the request; kernels before 4.3 cannot and need not.
        let _ = socket.set_cap_ack(true);
        let patience = TimeVal::new(ANSWER_TIME.as_secs() as _, 0);
        setsockopt(&socket, sockopt::ReceiveTimeout, &patience)?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Sends all requests, each with its flags beside `NLM_F_REQUEST`, and returns an answer for each. A refused
    /// request does not keep the following ones from being carried out.
    pub(crate) fn execute<I: NetlinkSerializable>(&mut self, requests: Vec<(u16, I)>) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            answers.extend(self.execute_batch(requests.by_ref().take(BATCH)));
        }
        answers
    }

    fn execute_batch<I: NetlinkSerializable>(
        &mut self,
        requests: impl Iterator<Item = (u16, I)>,
    ) -> Vec<Answer> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        let mut answers: Vec<Option<Answer>> = Vec::new();
        let mut requests = requests.peekable();
        while let Some((flags, request)) = requests.next() {
            // Refusals come unasked. To read a thousand acknowledgements takes longer than to carry out the requests.
            let acknowledge = if requests.peek().is_none() { NLM_F_ACK } else { 0 };
            self.append(&mut bytes, flags | acknowledge, request);
            answers.push(None);
        }
        let failure = self.send(&bytes).and_then(|()| self.collect(first, &mut answers)).err();
        let lost = || failure.as_ref().map_or_else(|| io::ErrorKind::TimedOut.into(), same_error);
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(lost()))).collect()
    }

    /// Reads answers to the requests from sequence number `first` on until the last one has its own. The kernel
    /// answers in order: requests that it has not refused by then are carried out.
    fn collect(&mut self, first: u32, answers: &mut [Option<Answer>]) -> io::Result<()> {
        while answers.last().is_some_and(Option::is_none) {
            for message in self.receive()? {
                let message = message?;
                let index = message.sequence_number().wrapping_sub(first) as usize;
                if message.message_type() == NLMSG_ERROR && index < answers.len() && answers[index].is_none()
                {
                    answers[index] = Some(acknowledgement(message.payload()));
                }
            }
        }
        for answer in answers.iter_mut() {
            answer.get_or_insert(Ok(()));
        }
        Ok(())
    }

    /// Asks for one thing and returns the messages that answer.
    pub(crate) fn query<I: NetlinkSerializable>(&mut self, request: I) -> io::Result<Vec<Message>> {
        self.gather(NLM_F_ACK, request).map(|(messages, _)| messages)
    }

    /// Asks for a dump and returns its messages; starts over while changes interrupt it, for then entries may be
    /// missing or doubled.
    pub(crate) fn dump<I: NetlinkSerializable + Clone>(&mut self, request: &I) -> io::Result<Vec<Message>> {
        for _ in 0..DUMP_ATTEMPTS {
            if let (messages, false) = self.gather(NLM_F_DUMP, request.clone())? {
                return Ok(messages);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "the kernel's table changes faster than it can be read",
        ))
    }

    /// Sends a request and returns the messages up to the one that ends the answer, and whether changes
    /// interrupted it.
    fn gather<I: NetlinkSerializable>(&mut self, flags: u16, request: I) -> io::Result<(Vec<Message>, bool)> {
        let mut bytes = Vec::new();
        self.append(&mut bytes, flags, request);
        self.send(&bytes)?;
        let sequence = self.sequence;
        let (mut messages, mut interrupted) = (Vec::new(), false);
        loop {
            for message in self.receive()? {
                let message = message?;
                if message.sequence_number() != sequence {
                    continue;
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match Part::of(&message) {
                    Part::Message(message) => messages.push(message),
                    Part::End(answer) => return answer.map(|()| (messages, interrupted)),
                }
            }
        }
    }

    /// Adds a request with the next sequence number to the bytes to be sent.
    fn append<I: NetlinkSerializable>(&mut self, bytes: &mut Vec<u8>, flags: u16, request: I) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(0, 0);
        retry(|| self.socket.send_to(bytes, &kernel, 0)).map(drop)
    }

    /// Receives one datagram and returns the messages in it.
    fn receive(&mut self) -> io::Result<Messages<'_>> {
        receive(&self.socket, &mut self.buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer from the kernel"),
            _ => error,
        })
    }
}

/// Receives one datagram into `buffer` and returns the messages in it.
pub(crate) fn receive<'a>(socket: &Socket, buffer: &'a mut [u8]) -> io::Result<Messages<'a>> {
    let (length, sender) = retry(|| socket.recv_from(&mut &mut buffer[..], 0))?;
    // Another process may write to this socket's port; only the kernel has port 0.
    let length = if sender.port_number() == 0 { length.min(buffer.len()) } else { 0 };
    Ok(Messages(&buffer[..length]))
}

/// The netlink messages of a datagram.
pub(crate) struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = io::Result<NetlinkBuffer<&'a [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        if bytes.is_empty() {
            return None;
        }
        match NetlinkBuffer::new_checked(bytes) {
            Ok(message) => {
                let length = (message.length() as usize).next_multiple_of(4).min(bytes.len());
                self.0 = &bytes[length..];
                Some(Ok(message))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(malformed(error)))
            }
        }
    }
}

/// An answer that breaks the protocol.
pub(crate) fn malformed(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed netlink message: {error}"))
}

fn acknowledgement(payload: &[u8]) -> Answer {
    let error = ErrorBuffer::new_checked(payload).map_err(malformed)?;
    error.code().map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code.get().saturating_neg())))
}

/// The last message of a dump carries its result, in old kernels nothing.
fn done(payload: &[u8]) -> Answer {
    match payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code)) {
        code if code < 0 => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Ok(()),
    }
}

/// A signal that arrives within a system call is no failure.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A second copy of an error, which is not `Clone`.
fn same_error(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of `length` as its header has it, with this payload.
    fn message(length: u32, kind: u16, payload: &[u8]) -> Vec<u8> {
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], payload].concat()
    }

    #[test]
    fn a_datagram_is_split_into_its_messages() {
        let datagram = [message(18, 7, &[1, 2, 0, 0]), message(16, 8, &[])].concat();
        let messages: Vec<_> = Messages(&datagram)
            .map(|message| {
                message.map(|message| (message.message_type(), message.payload().to_vec())).unwrap()
            })
            .collect();
        assert_eq!(messages, [(7, vec![1, 2]), (8, vec![])]);
    }

    #[test]
    fn a_broken_message_ends_the_datagram_with_an_error() {
        let too_long = message(17, 7, &[]);
        let too_short = message(15, 7, &[]);
        let endless = message(0, 7, &[]);
        let huge = message(u32::MAX, 7, &[0; 4]);
        for bytes in [&too_long, &too_short, &endless, &huge, &too_long[..5]] {
            let datagram = [message(16, 8, &[]), bytes.to_vec()].concat();
            let results: Vec<_> = Messages(&datagram).map(|message| message.map(drop)).collect();
            assert_eq!(results.len(), 2, "{bytes:?}");
            assert_eq!(results[1].as_ref().unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn answers_carry_the_kernels_error_numbers() {
        let errno = |answer: Answer| answer.err().map(|error| error.raw_os_error());
        assert_eq!(errno(acknowledgement(&0_i32.to_ne_bytes())), None);
        assert_eq!(errno(acknowledgement(&(-17_i32).to_ne_bytes())), Some(Some(17)));
        assert_eq!(errno(acknowledgement(&[0; 3])), Some(None));
        assert_eq!(errno(done(&[])), None);
        assert_eq!(errno(done(&0_i32.to_ne_bytes())), None);
        assert_eq!(errno(done(&(-3_i32).to_ne_bytes())), Some(Some(3)));
        assert_eq!(errno(done(&i32::MIN.to_ne_bytes())), Some(Some(i32::MAX)));
    }
}
