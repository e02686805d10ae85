//! The whole server, by long-polling.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tidings_fuzz::polling::check(input));
