//! What is no plugin is refused before anything of it runs, by a message that names it and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use autodevops_policy::{EffectiveGrant, Manifest};
use autodevops_product_tests::{plugin_folder, sandbox, target};
use autodevops_sandbox::{LoadError, Plugin, PluginSource, Sandbox, SandboxOptions};

fn load(sandbox: &Sandbox, component: &[u8], stages: &str) -> Result<Plugin, LoadError> {
    let text = format!("name = \"odd\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [{stages}]");
    let manifest = Manifest::parse(&text, "plugin.toml").unwrap();
    let grant = EffectiveGrant::default();
    Plugin::load(
        sandbox,
        PluginSource {
            manifest: &manifest,
            component,
            grant,
            config: vec![],
            keyvalue: None,
            local: None,
            commands: None,
            mail: None,
            credentials: None,
        },
    )
}

fn refusal(component: &[u8]) -> String {
    load(&sandbox(), component, "\"check\"").err().expect("it is to be refused").to_string()
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    assert!(refusal(b"").contains("the file is empty"));
    assert!(refusal(b"#!/bin/sh\n").contains("does not start as WebAssembly does"));
    assert!(refusal(b"(component)").contains("wasm-tools parse"));
    let whole = plugin_folder("probe").component;
    for length in [1_000, whole.len() / 2, whole.len() - 1] {
        let text = refusal(&whole[..length]);
        let part = "plugin `odd` cannot be compiled: its file, of ";
        assert!(text.contains(part) && text.contains("is cut off or damaged"), "{text}");
    }
}

#[test]
fn a_core_module_is_refused_with_the_remedy() {
    let text = refusal(&wat::parse_str("(module)").unwrap());
    assert!(text.contains("it is a core module; build it for wasm32-wasip2"), "{text}");
}

#[test]
fn an_unknown_import_is_refused_by_name() {
    let stage = "(instance $i) (export \"autodevops:stages/check@0.1.0\" (instance $i))";
    let text = refusal(
        &wat::parse_str(format!("(component (import \"evil:host/backdoor@1.0.0\" (instance)) {stage})")).unwrap(),
    );
    assert!(text.contains("imports what this host does not offer: evil:host/backdoor@1.0.0"), "{text}");
}

#[test]
fn a_component_for_another_version_of_the_contract_is_refused() {
    let component = "(component (instance $i) (export \"autodevops:stages/check@0.2.0\" (instance $i)))";
    let text = refusal(&wat::parse_str(component).unwrap());
    assert!(text.contains("speaks autodevops:stages/check@0.2.0, this host speaks 0.1.x"), "{text}");
    let component = "(component (import \"autodevops:host/log@2.0.0\" (instance)) (instance $i) \
                     (export \"autodevops:stages/check@0.1.0\" (instance $i)))";
    assert!(refusal(&wat::parse_str(component).unwrap()).contains("autodevops:host/log@2.0.0"));
}

#[test]
fn a_component_without_a_stage_or_with_another_shape_is_refused() {
    assert!(refusal(&wat::parse_str("(component)").unwrap()).contains("exports no stage"));
    let component = "(component (instance $i) (export \"autodevops:stages/check@0.1.0\" (instance $i)))";
    assert!(refusal(&wat::parse_str(component).unwrap()).contains("does not fit the contract"));
}

#[test]
fn a_manifest_that_names_other_stages_is_refused() {
    let component = plugin_folder("probe").component;
    let error = load(&sandbox(), &component, "\"notifier\"").err().unwrap().to_string();
    assert!(error.contains("its manifest names the stages notifier, its component exports check"), "{error}");
}

#[test]
fn a_compiled_component_that_was_altered_is_compiled_anew() {
    let cache = tempfile::tempdir_in(target()).unwrap();
    let options = SandboxOptions { cache: Some(cache.path().join("c")), ..SandboxOptions::default() };
    let component = plugin_folder("probe").component;
    load(&Sandbox::new(&options).unwrap(), &component, "\"check\"").unwrap();
    let compiled = || {
        let entries = std::fs::read_dir(cache.path().join("c")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|name| name == "cwasm")).collect::<Vec<_>>()
    };
    let [path] = &compiled()[..] else { panic!("one compiled component is to be there: {:?}", compiled()) };
    let good = std::fs::read(path).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(path, &bad).unwrap();
    load(&Sandbox::new(&options).unwrap(), &component, "\"check\"").unwrap();
    assert_ne!(std::fs::read(path).unwrap(), bad, "what was altered was not used");
    let written = std::fs::metadata(path).unwrap().modified().unwrap();
    load(&Sandbox::new(&options).unwrap(), &component, "\"check\"").unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().modified().unwrap(), written, "what is good is used");
}
