//! Configurations that are wrong, each beside the exact text that says so: `tests/bad/NAME.toml` and `NAME.err`.
//!
//! After a change of the texts, `UPDATE_EXPECTED=1 cargo test -p autodevops-config --test bad` writes them anew, to be read.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path};

use autodevops_config::Config;

#[test]
fn what_is_wrong_is_told_with_its_place_and_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = Config::parse(&text, name).expect_err(name).to_string() + "\n";
        let expected = path.with_extension("err");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &error).unwrap();
        }
        assert_eq!(error, fs::read_to_string(&expected).unwrap_or_default(), "{name}");
        cases += 1;
    }
    assert!(cases >= 40, "{cases} cases were found in {}", folder.display());
}
