//! What `bindgen!` makes of the contract, private to this room: `convert` turns it into the model's types.

#![allow(missing_docs)]

/// Types, and what the host offers beyond WASI.
pub mod base {
    wasmtime::component::bindgen!({
        inline: "
            package autodevops:sandbox;
            world host {
                import autodevops:types/types@0.1.0;
                import autodevops:host/log@0.1.0;
                import autodevops:host/usage@0.1.0;
                import autodevops:host/mail@0.1.0;
                import autodevops:host/traffic@0.1.0;
                import autodevops:host/runtime@0.1.0;
                import autodevops:host/command@0.1.0;
                import wasi:config/store@0.2.0-rc.1;
            }
        ",
        path: "../../wit",
        imports: {
            "autodevops:host/mail": async | trappable,
            "autodevops:host/traffic": async | trappable,
            "autodevops:host/runtime": async | trappable,
            "autodevops:host/command": async | trappable,
            default: trappable,
        },
    });
}

macro_rules! stage {
    ($module:ident, $world:literal $(, $interface:literal: $path:path)*) => {
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../../wit",
                world: $world,
                imports: { default: trappable },
                exports: { default: async },
                with: {
                    "autodevops:types/types": crate::bindings::base::autodevops::types::types,
                    "autodevops:host/log": crate::bindings::base::autodevops::host::log,
                    "autodevops:host/usage": crate::bindings::base::autodevops::host::usage,
                    $($interface: $path,)*
                },
            });
        }
    };
}

stage!(analyzer, "autodevops:stages/analyzer-plugin");
stage!(fix_generator, "autodevops:stages/fix-generator-plugin");
stage!(test_generator, "autodevops:stages/test-generator-plugin");
stage!(check, "autodevops:stages/check-plugin");
stage!(
    deploy_target,
    "autodevops:stages/deploy-target-plugin",
    "autodevops:host/traffic": crate::bindings::base::autodevops::host::traffic,
    "autodevops:host/runtime": crate::bindings::base::autodevops::host::runtime
);
stage!(health_check, "autodevops:stages/health-check-plugin");
stage!(
    state_guard,
    "autodevops:stages/state-guard-plugin",
    "autodevops:host/command": crate::bindings::base::autodevops::host::command
);
stage!(
    notifier,
    "autodevops:stages/notifier-plugin",
    "autodevops:host/mail": crate::bindings::base::autodevops::host::mail
);

/// Keys and values; its resource is the host's own type.
pub mod keyvalue {
    wasmtime::component::bindgen!({
        inline: "
            package autodevops:keyvalue;
            world keyvalue { import wasi:keyvalue/store@0.2.0-draft; }
        ",
        path: "../../wit",
        imports: { default: trappable },
        with: { "wasi:keyvalue/store.bucket": crate::guarded::Bucket },
    });
}
