//! The product as a whole, in one program: a link for each of these files would take minutes, and one that waits for a rollout keeps no
//! processor from the next. `cargo test -p autodevops-product-tests services::` runs those of one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod after;
mod audit;
mod bad_input;
mod bad_project;
mod baseline;
mod compile;
mod contract;
mod data;
mod egress;
mod exit_codes;
mod explain;
mod false_target;
mod feedback;
mod full_disk;
mod grants;
mod heal;
mod inputs;
mod js_checks;
mod keyvalue;
mod kill;
mod loading;
mod lock;
mod log_analyzer;
mod notify;
mod people;
mod record;
mod redaction;
mod replay;
mod replay_run;
mod rollback;
mod sandbox;
mod serve;
mod services;
mod source_maps;
mod state_guards;
mod targets;
mod tokens;
mod upgrade;
mod way_back;
mod wild_fixes;

#[test]
fn every_file_beside_this_one_is_part_of_it() {
    let listed = include_str!("main.rs");
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else { continue };
        assert!(listed.contains(&format!("\nmod {module};\n")), "tests/{name} is not listed in tests/main.rs");
    }
}
