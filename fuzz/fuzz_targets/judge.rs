//! libFuzzer's way into [`sip_fw_fuzz::judge`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sip_fw_fuzz::judge::check(bytes));
