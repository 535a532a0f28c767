//! Reads one byte behind the end of a heap block: `tests/sanitised/run` checks with it that such a thing is found and
//! reported. It is here because no other crate may have unsafe code.

fn main() {
    let block = vec![1_u8; std::env::args().count()].into_boxed_slice();
    // SAFETY: none, on purpose.
    let behind = unsafe { *std::hint::black_box(block.as_ptr()).add(block.len()) };
    std::process::exit(i32::from(std::hint::black_box(behind) & 1));
}
