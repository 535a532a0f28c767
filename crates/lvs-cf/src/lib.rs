//! The lvs.cf language: lexer, lossless syntax tree, typed model, diagnostics, lint and writer.
#![forbid(unsafe_code)]
