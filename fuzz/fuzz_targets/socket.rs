//! Socket.IO's packets.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tidings_fuzz::socket::check(input));
