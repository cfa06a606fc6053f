//! Any bytes can be read, in every way the same.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keepalived_rs::conf::laws::reader(data).unwrap());
