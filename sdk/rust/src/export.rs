//! The macro that makes a component of a type.

/// Exports types as the stages they implement: `export!(check: Mine);`, or several: `export!(check: A, notifier: B);`.
#[macro_export]
macro_rules! export {
    ($($stage:ident: $type:ty),+ $(,)?) => { $($crate::__export_stage!($stage, $type);)+ };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_stage {
    (analyzer, $type:ty) => {
        // Native builds, such as those of tests, have no use for a component's exports and cannot link their names.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            fn is_analyzer<T: $crate::Analyzer>() {}
            is_analyzer::<$type>();
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;
            impl $crate::bindings::analyzer::exports::autodevops::stages::analyzer::Guest for Component {
                type Session = $crate::adapter::Session<$type>;
            }
            $crate::bindings::analyzer::export!(Component with_types_in $crate::bindings::analyzer);
        };
    };
    (fix_generator, $type:ty) => { $crate::__export_stage!(@plain fix_generator, FixGenerator, $type); };
    (test_generator, $type:ty) => { $crate::__export_stage!(@plain test_generator, TestGenerator, $type); };
    (check, $type:ty) => { $crate::__export_stage!(@plain check, Check, $type); };
    (deploy_target, $type:ty) => { $crate::__export_stage!(@plain deploy_target, DeployTarget, $type); };
    (health_check, $type:ty) => { $crate::__export_stage!(@plain health_check, HealthCheck, $type); };
    (notifier, $type:ty) => { $crate::__export_stage!(@plain notifier, Notifier, $type); };
    (state_guard, $type:ty) => { $crate::__export_stage!(@plain state_guard, StateGuard, $type); };
    (@plain $module:ident, $adapter:ident, $type:ty) => {
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            fn is_stage<T: $crate::$adapter>() {}
            is_stage::<$type>();
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Component = $crate::adapter::$adapter<$type>;
            $crate::bindings::$module::export!(Component with_types_in $crate::bindings::$module);
        };
    };
}
