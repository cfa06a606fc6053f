//! Every entry rule of the grammar takes any text.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| keepalived_rs::conf::laws::grammar(data).unwrap());
