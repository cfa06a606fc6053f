//! No word makes a value that is out of its range.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| keepalived_rs::conf::laws::values(data).unwrap());
