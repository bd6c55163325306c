#![no_main]

use autodevops_policy::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::origins(bytes));
