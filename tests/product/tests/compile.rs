//! Components are compiled in a process of their own, and no plugin takes all the calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, path::Path, time::Duration};

use autodevops_model::CheckInput;
use autodevops_policy::{Bytes, EffectiveGrant, Limits, Manifest, Span};
use autodevops_product_tests::{plugin_folder, target};
use autodevops_sandbox::{
    CallContext, CallFailure, Compiler, LoadError, Plugin, PluginSource, Sandbox, SandboxOptions,
};

/// The program, which compiles by a hidden verb.
fn child() -> Compiler {
    Compiler::Child { program: target().join("debug/autodevops"), arguments: vec!["compile-component".into()] }
}

/// The probe under another name, told what to do.
fn probe(sandbox: &Sandbox, name: &str, act: &str, wall_time: Duration) -> Result<Plugin, LoadError> {
    let folder = plugin_folder("probe");
    let manifest = Manifest { name: name.to_owned(), ..folder.manifest.clone() };
    let config: BTreeMap<_, _> = [("act".to_owned(), act.into()), ("argument".to_owned(), "".into())].into();
    let limits = Limits { wall_time: Span(wall_time), ..Limits::default() };
    let source = PluginSource {
        manifest: &manifest,
        component: &folder.component,
        grant: EffectiveGrant { clocks: true, random: true, limits, ..EffectiveGrant::default() },
        config: folder.manifest.configure(&config).unwrap(),
        keyvalue: None,
        credentials: None,
        local: None,
        commands: None,
        mail: None,
    };
    Plugin::load(sandbox, source)
}

fn input() -> CheckInput {
    CheckInput { changed: vec!["a".into(), "b".into()], tests: vec![], fix: None, issue: None, url: None }
}

/// The one compiled component of a cache.
fn compiled(cache: &Path) -> Vec<u8> {
    let mut entries = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    std::fs::read(entries.find(|path| path.extension().is_some_and(|name| name == "cwasm")).unwrap()).unwrap()
}

#[tokio::test]
async fn what_the_child_compiles_is_what_the_host_would_and_runs() {
    let folder = tempfile::tempdir_in(target()).unwrap();
    let mut entries = Vec::new();
    // The child first: its cache's key is then the other's too, and equal entries have equal hashes.
    for (name, compiler) in [("child", child()), ("host", Compiler::InProcess)] {
        let cache = folder.path().join(name);
        let options = SandboxOptions { cache: Some(cache.clone()), compiler, ..SandboxOptions::default() };
        if name == "host" {
            std::fs::DirBuilder::new().create(&cache).unwrap();
            std::fs::set_permissions(&cache, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            std::fs::copy(folder.path().join("child/key"), cache.join("key")).unwrap();
        }
        let plugin = probe(&Sandbox::new(&options).unwrap(), "probe", "answer", Duration::from_secs(30)).unwrap();
        assert_eq!(plugin.check(&CallContext::default(), input()).await.unwrap().summary, "2 files");
        entries.push(compiled(&cache));
    }
    assert!(entries[0] == entries[1]);
}

#[test]
fn each_limit_on_compiling_is_named_by_its_key_and_bites_no_more_once_it_is_raised() {
    type Change = fn(&mut SandboxOptions);
    let cases: [(&str, Change); 3] = [
        ("component-size", |options| options.component_size = Bytes(10_000)),
        ("compile-memory", |options| options.compile_memory = Bytes(110 << 20)),
        ("compile-time", |options| options.compile_time = Span(Duration::from_millis(1))),
    ];
    for (key, change) in cases {
        let mut options = SandboxOptions { compiler: child(), ..SandboxOptions::default() };
        change(&mut options);
        // Where time is short, it is short on the clock: within a few milliseconds no process compiles anything.
        let error = probe(&Sandbox::new(&options).unwrap(), "odd", "answer", Duration::from_secs(30)).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("plugin `odd`") && text.contains(&format!("raise [sandbox] {key}")), "{key}: {text}");
    }
    let options = SandboxOptions { compiler: child(), ..SandboxOptions::default() };
    probe(&Sandbox::new(&options).unwrap(), "odd", "answer", Duration::from_secs(30)).unwrap();
}

#[test]
fn a_program_that_is_no_compiler_is_no_fault_of_the_plugins() {
    let compiler = Compiler::Child { program: "/bin/true".into(), arguments: vec![] };
    let sandbox = Sandbox::new(&SandboxOptions { compiler, ..SandboxOptions::default() }).unwrap();
    let error = probe(&sandbox, "odd", "answer", Duration::from_secs(30)).err().unwrap();
    assert!(matches!(error, LoadError::Compiler { .. }), "{error}");
}

/// How long each call of the flood goes on.
const FLOOD: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_endless_calls_of_one_plugin_keeps_no_other_from_starting() {
    let cache = Some(target().join("test-cache/autodevops"));
    let sandbox = Sandbox::new(&SandboxOptions { cache, concurrent_calls: 4, ..SandboxOptions::default() }).unwrap();
    let flood = probe(&sandbox, "flood", "loop", FLOOD).unwrap();
    let other = probe(&sandbox, "other", "answer", Duration::from_secs(30)).unwrap();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let flood = flood.clone();
            tokio::spawn(async move { flood.check(&CallContext::default(), input()).await })
        })
        .collect();
    // By then the flood has all that it gets: two places of four, while its other calls wait for them as long as a call may take.
    tokio::time::sleep(FLOOD / 10).await;
    let flooded = || !calls.iter().any(tokio::task::JoinHandle::is_finished);
    let mut meanwhile = 0;
    while flooded() && meanwhile < 20 {
        assert_eq!(other.check(&CallContext::default(), input()).await.unwrap().summary, "2 files");
        meanwhile += usize::from(flooded());
    }
    // However slow the machine is: had the flood all places, no answer would come before it ends.
    assert!(meanwhile > 0, "no call of the other was served while the flood went on");
    let mut waited = 0;
    for call in calls {
        match call.await.unwrap().unwrap_err().failure {
            CallFailure::Host(reason) => {
                assert!(reason.contains("one plugin may have 2 calls at once"), "{reason}");
                waited += 1;
            }
            failure => assert!(failure.to_string().contains("wall-time"), "{failure}"),
        }
    }
    assert!(waited >= 2, "those who waited as long as a call may take are told why");
}
