//! What `wit-bindgen` makes of the contract. Hidden: authors see [`crate::types`] and the stages' traits.

#![allow(missing_docs, clippy::all)]

/// Types and logging, which every stage shares.
pub mod base {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "imports",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

/// The plugin's configuration.
pub mod config {
    wit_bindgen::generate!({
        inline: "
            package autodevops:sdk;
            world config { import wasi:config/store@0.2.0-rc.1; }
        ",
        path: "../../wit",
        generate_all,
    });
}

/// Outgoing HTTP.
pub mod http {
    wit_bindgen::generate!({
        inline: "
            package autodevops:sdk;
            world http { import wasi:http/outgoing-handler@0.2.12; }
        ",
        path: "../../wit",
        generate_all,
    });
}

/// The plugin's store of keys and values.
pub mod keyvalue {
    wit_bindgen::generate!({
        inline: "
            package autodevops:sdk;
            world keyvalue { import wasi:keyvalue/store@0.2.0-draft; }
        ",
        path: "../../wit",
        generate_all,
    });
}

macro_rules! stage {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                additional_derives: [PartialEq],
                with: {
                    "autodevops:types/types@0.1.0": crate::bindings::base::autodevops::types::types,
                    "autodevops:host/log@0.1.0": crate::bindings::base::autodevops::host::log,
                    "autodevops:host/usage@0.1.0": crate::bindings::base::autodevops::host::usage,
                },
            });
        }
    };
}

stage!(analyzer, "analyzer-plugin");
stage!(fix_generator, "fix-generator-plugin");
stage!(test_generator, "test-generator-plugin");
stage!(check, "check-plugin");
stage!(health_check, "health-check-plugin");

/// A stage with imports of its own.
macro_rules! stage_with_imports {
    ($module:ident, $world:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                generate_all,
                additional_derives: [PartialEq],
                with: {
                    "autodevops:types/types@0.1.0": crate::bindings::base::autodevops::types::types,
                    "autodevops:host/log@0.1.0": crate::bindings::base::autodevops::host::log,
                    "autodevops:host/usage@0.1.0": crate::bindings::base::autodevops::host::usage,
                },
            });
        }
    };
}

stage_with_imports!(notifier, "notifier-plugin");
stage_with_imports!(deploy_target, "deploy-target-plugin");
stage_with_imports!(state_guard, "state-guard-plugin");
