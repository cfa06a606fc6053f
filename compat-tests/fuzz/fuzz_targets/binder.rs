//! Any bytes come to one configuration and findings that can be shown.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keepalived_rs::conf::laws::binder(data).unwrap());
