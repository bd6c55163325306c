//! The contract can be read by any WIT tool, and by people: it resolves, and every item of it says what it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use wit_parser::{Docs, PackageId, Resolve, Type, TypeDefKind, WorldItem};

/// Packages of the project's own, all of one version.
const PACKAGES: [&str; 3] = ["autodevops:host@0.1.0", "autodevops:stages@0.1.0", "autodevops:types@0.1.0"];

const WORLDS: [&str; 9] = [
    "analyzer-plugin",
    "check-plugin",
    "deploy-target-plugin",
    "fix-generator-plugin",
    "health-check-plugin",
    "imports",
    "notifier-plugin",
    "state-guard-plugin",
    "test-generator-plugin",
];

fn contract() -> (Resolve, PackageId) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).expect("the contract resolves");
    (resolve, package)
}

fn own(resolve: &Resolve) -> Vec<(PackageId, String)> {
    let all = resolve.packages.iter().map(|(id, package)| (id, package.name.to_string()));
    all.filter(|(_, name)| name.starts_with("autodevops:")).collect()
}

#[test]
fn the_packages_and_worlds_are_these_in_this_version() {
    let (resolve, package) = contract();
    let mut names: Vec<String> = own(&resolve).into_iter().map(|(_, name)| name).collect();
    names.sort();
    assert_eq!(names, PACKAGES);
    let mut worlds: Vec<&str> = resolve.packages[package].worlds.keys().map(String::as_str).collect();
    worlds.sort_unstable();
    assert_eq!(worlds, WORLDS);
}

#[test]
fn every_item_says_what_it_is() {
    let (resolve, _) = contract();
    let mut silent = Vec::new();
    let mut see = |name: String, docs: &Docs| {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            silent.push(name);
        }
    };
    for (id, package) in own(&resolve) {
        let package_docs = &resolve.packages[id].docs;
        see(package.clone(), package_docs);
        for (name, interface) in &resolve.packages[id].interfaces {
            let interface = &resolve.interfaces[*interface];
            see(format!("{package} {name}"), &interface.docs);
            for (function_name, function) in &interface.functions {
                see(format!("{package} {name} {function_name}"), &function.docs);
            }
            for (type_name, ty) in &interface.types {
                let ty = &resolve.types[*ty];
                let name = format!("{package} {name} {type_name}");
                let members: Vec<(&String, &Docs)> = match &ty.kind {
                    // Taken from another interface by `use`.
                    TypeDefKind::Type(Type::Id(_)) => continue,
                    TypeDefKind::Record(record) => {
                        record.fields.iter().map(|field| (&field.name, &field.docs)).collect()
                    }
                    TypeDefKind::Variant(variant) => {
                        variant.cases.iter().map(|case| (&case.name, &case.docs)).collect()
                    }
                    TypeDefKind::Enum(names) => names.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
                    TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (&flag.name, &flag.docs)).collect(),
                    _ => Vec::new(),
                };
                for (member, docs) in members {
                    see(format!("{name} {member}"), docs);
                }
                see(name, &ty.docs);
            }
        }
        for (name, world) in &resolve.packages[id].worlds {
            see(format!("{package} {name}"), &resolve.worlds[*world].docs);
        }
    }
    assert!(silent.is_empty(), "without a doc comment: {silent:#?}");
}

#[test]
fn no_type_is_declared_inside_a_world() {
    let (resolve, _) = contract();
    for (id, package) in own(&resolve) {
        for (name, world) in &resolve.packages[id].worlds {
            let world = &resolve.worlds[*world];
            for (key, item) in world.imports.iter().chain(&world.exports) {
                assert!(!matches!(item, WorldItem::Type { .. }), "{package} {name} declares {key:?}");
            }
        }
    }
}
