//! The words on the wire: four bytes in the sender's own byte order, anything after them ignored.

use std::fmt;

/// What a heartbeat says.
///
/// No word is the byte swap of another, so a receiver that tries both byte orders is never in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// `service = lvs`, the sender does not hold the virtual addresses.
    Stopped,
    /// `service = lvs`, the sender holds the virtual addresses.
    Running,
    /// `service = fos`, the sender does not run the services.
    FosStopped,
    /// `service = fos`, the sender runs the services.
    FosRunning,
    /// `service = fos`: the sender takes the services and wants the partner to leave them.
    StopMe,
    /// Accepted for the sake of old peers; never sent.
    Hold,
    /// Accepted for the sake of old peers; never sent.
    Held,
}

impl Word {
    /// Every word, in no particular order.
    pub const ALL: [Self; 7] = [
        Self::Stopped,
        Self::Running,
        Self::FosStopped,
        Self::FosRunning,
        Self::StopMe,
        Self::Hold,
        Self::Held,
    ];

    /// The integer that goes on the wire in the sender's byte order.
    #[must_use]
    pub const fn value(self) -> u32 {
        match self {
            Self::Stopped => 0xadbd_dabd,
            Self::Running => 0xbdad_dbda,
            Self::FosStopped => 0xdead_beef,
            Self::FosRunning => 0xbeef_babe,
            Self::StopMe => 0xdead_dada,
            Self::Hold => 0xdeaf_babe,
            Self::Held => 0xdeaf_dada,
        }
    }

    fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.value() == value)
    }
}

/// The byte order of a sender's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first, as on x86.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of the machine this was built for: what an original on the same hardware would send.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// Why a datagram from the partner is not a heartbeat. The dead timer is not re-armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer than four bytes.
    Short,
    /// Four bytes that are none of the words in either byte order.
    Unknown(u32),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("fewer than four bytes"),
            Self::Unknown(value) => write!(f, "unknown word {value:#010x}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Reads a heartbeat and tells in which byte order it came. Bytes after the fourth are ignored.
///
/// # Errors
/// The datagram is too short, or no word in either order.
pub fn decode(datagram: &[u8]) -> Result<(Word, ByteOrder), DecodeError> {
    let bytes = *datagram.first_chunk::<4>().ok_or(DecodeError::Short)?;
    let little = u32::from_le_bytes(bytes);
    if let Some(word) = Word::from_value(little) {
        return Ok((word, ByteOrder::Little));
    }
    Word::from_value(u32::from_be_bytes(bytes))
        .map(|word| (word, ByteOrder::Big))
        .ok_or(DecodeError::Unknown(little))
}

/// The four bytes of a heartbeat.
#[must_use]
pub const fn encode(word: Word, order: ByteOrder) -> [u8; 4] {
    match order {
        ByteOrder::Little => word.value().to_le_bytes(),
        ByteOrder::Big => word.value().to_be_bytes(),
    }
}

/// What may stand behind the four bytes, where originals do not look: how two directors of this suite hand over
/// without a gap. A four-byte mark, then one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// Behind RUNNING: this node will leave as soon as its partner is ready.
    Leaving,
    /// Behind STOPPED: this node fills its table.
    Preparing,
    /// Behind STOPPED: its table is filled.
    Ready,
}

impl Note {
    const MARK: [u8; 4] = *b"LVSn";
    const ALL: [Self; 3] = [Self::Leaving, Self::Preparing, Self::Ready];

    const fn byte(self) -> u8 {
        match self {
            Self::Leaving => b'L',
            Self::Preparing => b'P',
            Self::Ready => b'R',
        }
    }

    /// The note in a datagram, if there is one. Anything else behind the word is ignored.
    #[must_use]
    pub fn read(datagram: &[u8]) -> Option<Self> {
        let kind = datagram.get(4..)?.strip_prefix(&Self::MARK)?.first()?;
        Self::ALL.into_iter().find(|note| note.byte() == *kind)
    }
}

/// A heartbeat ready to be sent: four bytes, or nine with a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    bytes: [u8; 9],
    length: usize,
}

impl Datagram {
    /// Puts a heartbeat together.
    #[must_use]
    pub fn new(word: Word, order: ByteOrder, note: Option<Note>) -> Self {
        let mut bytes = [0; 9];
        bytes[..4].copy_from_slice(&encode(word, order));
        bytes[4..8].copy_from_slice(&Note::MARK);
        bytes[8] = note.map_or(0, Note::byte);
        Self { bytes, length: if note.is_some() { 9 } else { 4 } }
    }

    /// What goes over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured on x86 and computed for a big-endian sender.
    const GOLDEN: [(Word, [u8; 4], [u8; 4]); 7] = [
        (Word::Stopped, [0xbd, 0xda, 0xbd, 0xad], [0xad, 0xbd, 0xda, 0xbd]),
        (Word::Running, [0xda, 0xdb, 0xad, 0xbd], [0xbd, 0xad, 0xdb, 0xda]),
        (Word::FosStopped, [0xef, 0xbe, 0xad, 0xde], [0xde, 0xad, 0xbe, 0xef]),
        (Word::FosRunning, [0xbe, 0xba, 0xef, 0xbe], [0xbe, 0xef, 0xba, 0xbe]),
        (Word::StopMe, [0xda, 0xda, 0xad, 0xde], [0xde, 0xad, 0xda, 0xda]),
        (Word::Hold, [0xbe, 0xba, 0xaf, 0xde], [0xde, 0xaf, 0xba, 0xbe]),
        (Word::Held, [0xda, 0xda, 0xaf, 0xde], [0xde, 0xaf, 0xda, 0xda]),
    ];

    #[test]
    fn words_are_the_captured_bytes_in_both_orders() {
        for (word, little, big) in GOLDEN {
            assert_eq!(encode(word, ByteOrder::Little), little, "{word:?}");
            assert_eq!(encode(word, ByteOrder::Big), big, "{word:?}");
            assert_eq!(decode(&little), Ok((word, ByteOrder::Little)));
            assert_eq!(decode(&big), Ok((word, ByteOrder::Big)));
        }
    }

    #[test]
    fn a_trailer_is_invisible_and_a_fragment_is_not_a_heartbeat() {
        assert_eq!(decode(&[0xda, 0xdb, 0xad, 0xbd, 1, 2, 3, 4]), Ok((Word::Running, ByteOrder::Little)));
        for short in [&[][..], &[0xda], &[0xda, 0xdb], &[0xda, 0xdb, 0xad]] {
            assert_eq!(decode(short), Err(DecodeError::Short));
        }
        assert_eq!(decode(&[1, 2, 3, 4]), Err(DecodeError::Unknown(0x0403_0201)));
    }

    #[test]
    fn no_word_is_the_swap_of_another() {
        for word in Word::ALL {
            assert_eq!(Word::from_value(word.value().swap_bytes()), None, "{word:?}");
        }
    }
}
