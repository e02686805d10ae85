//! The request that a connection begins with.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tidings_fuzz::head::check(input));
