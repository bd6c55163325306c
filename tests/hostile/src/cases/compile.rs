//! Components that are too large, or cost a compiler too much: refused before anything of them runs.

use std::time::Duration;

use autodevops_policy::{Bytes, Span};
use autodevops_sandbox::SandboxOptions;

use crate::{
    bombs,
    case::{Case, Ending, Terms},
    component::Wat,
    run::{self, compiler},
};

const MIB: u64 = 1 << 20;

/// All of them.
pub fn cases() -> Vec<Case> {
    let honest = Wat::check("(call $passed)").build();
    let size = |terms: &mut Terms| set(terms, true, |options| options.component_size = Bytes(5 * MIB));
    let carrying = |module: Vec<u8>| bombs::carrying(&honest, &[module]);
    let mut cases = vec![
        Case::new(
            "a component of more bytes than one may have",
            "sandbox/component-size",
            bombs::padded(&honest, 6 << 20),
            Ending::NotLoaded("raise [sandbox] component-size"),
        )
        .held(size)
        .raised(|terms| set(terms, false, |_| {}), Ending::Says("done".into())),
        Case::new(
            "loops in loops that all join all locals",
            "sandbox/compile-time",
            carrying(bombs::many_joins(1700, 1700)),
            Ending::NotLoaded("raise [sandbox] compile-time"),
        )
        .held(|terms| set(terms, true, |options| options.compile_time = Span(Duration::from_secs(1))))
        .raised(|terms| set(terms, false, |_| {}), Ending::Says("done".into())),
    ];
    for (name, component) in [
        ("blocks in blocks, a hundred thousand deep", carrying(bombs::deep_nesting(100_000))),
        ("one function of two hundred thousand steps", carrying(bombs::huge_function(200_000))),
        ("fifty thousand functions", carrying(bombs::many_functions(50_000))),
        ("fifty thousand types of functions", carrying(bombs::many_types(50_000, 16))),
    ] {
        cases.push(
            Case::new(name, "sandbox/compile-memory", component, Ending::NotLoaded("raise [sandbox] compile-memory"))
                .held(|terms| set(terms, true, |options| options.compile_memory = Bytes(LITTLE)))
                .raised(
                    |terms| set(terms, false, |options| options.compile_memory = Bytes(8 << 30)),
                    Ending::Says("done".into()),
                ),
        );
    }
    // There is no machine for a trillion instances, and none that is patient enough for the table: with more memory it is the
    // time that ends them.
    for (name, component) in [
        ("components that each make two instances of the next, forty deep", bombs::doubling_instances(&honest, 40)),
        ("a table of four million references", carrying(bombs::many_elements(4_000_000))),
    ] {
        cases.push(
            Case::new(name, "sandbox/compile-memory", component, Ending::NotLoaded("raise [sandbox] compile-memory"))
                .held(|terms| set(terms, true, |options| options.compile_memory = Bytes(LITTLE)))
                .raised(
                    |terms| {
                        set(terms, true, |options| {
                            options.compile_memory = Bytes(8 << 30);
                            options.compile_time = Span(Duration::from_secs(1));
                        });
                    },
                    Ending::NotLoaded("raise [sandbox] compile-time"),
                ),
        );
    }
    cases
}

/// Memory in which an honest component of this size compiles and none of these does.
const LITTLE: u64 = 128 * MIB;

/// An engine of its own. What compiles is kept for this attempt only, so that the next run compiles it too; where nothing of the
/// guest is to be compiled, the honest plugin is taken from where it is kept for all.
fn set(terms: &mut Terms, with_cache_of_all: bool, change: impl FnOnce(&mut SandboxOptions)) {
    let mut options = SandboxOptions {
        cache: Some(terms.folder.join("cache")),
        compiler: compiler().expect("a program knows its folder"),
        concurrent_calls: 4,
        ..SandboxOptions::default()
    };
    if with_cache_of_all {
        options.cache = run::options().expect("a program knows its folder").cache;
    }
    change(&mut options);
    terms.engine = Some(options);
}
