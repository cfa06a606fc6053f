//! What is understood without a complaint is printed and read again.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keepalived_rs::conf::laws::printer(data).unwrap());
