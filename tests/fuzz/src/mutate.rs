//! Mutations of a corpus, the same for the same seed.

/// Longer inputs are cut.
const LONGEST: usize = 16 * 1024;

/// Bytes at the edges of ranges.
const EDGES: [u8; 10] = [0, 1, 2, 4, 8, 0x7f, 0x80, 0xfe, 0xff, b'\n'];

/// Makes inputs.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
    words: &'static [&'static str],
}

impl Mutator {
    /// A mutator that may insert these words.
    #[must_use]
    pub fn new(seed: u64, words: &'static [&'static str]) -> Mutator {
        Mutator { state: seed, words }
    }

    /// A member of the corpus after one to eight mutations.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            self.mutate(&mut input, corpus);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(16)).min(input.len()).max(at);
        match self.below(9) {
            0 => self.change(input, |random, byte| byte ^ (1 << (random % 8))),
            1 => self.change(input, |random, _| random as u8),
            2 => self.change(input, |random, _| EDGES[random as usize % EDGES.len()]),
            3 => self.change(input, |random, byte| byte.wrapping_add(random as u8 % 35).wrapping_sub(17)),
            4 => drop(input.drain(at..end)),
            5 => {
                let copy = input[at..end].to_vec();
                let to = self.below(input.len() + 1);
                drop(input.splice(to..to, copy));
            }
            6 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied()).for_each(drop);
            }
            7 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())];
                input.splice(at..at, word.bytes()).for_each(drop);
            }
            _ => input.truncate(at),
        }
    }

    fn change(&mut self, input: &mut [u8], new: impl FnOnce(u64, u8) -> u8) {
        let at = self.below(input.len());
        let random = self.random();
        if let Some(byte) = input.get_mut(at) {
            *byte = new(random, *byte);
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random() % (limit as u64).max(1)) as usize
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
