//! A loaded plugin: its component, compiled and linked, and the stages it implements.

use std::sync::Arc;

use autodevops_model::Stage;
use autodevops_policy::{Bytes, EffectiveGrant, Manifest, Span};
use wasmtime::component::{Component, InstancePre, types::ComponentItem};

use crate::{
    bindings::{
        analyzer::AnalyzerPluginPre, check::CheckPluginPre, deploy_target::DeployTargetPluginPre,
        fix_generator::FixGeneratorPluginPre, health_check::HealthCheckPluginPre, notifier::NotifierPluginPre,
        state_guard::StateGuardPluginPre, test_generator::TestGeneratorPluginPre,
    },
    call::Caller,
    command::OperatorCommands,
    compile::CompileFailure,
    credentials::CredentialSource,
    engine::{NotCompiled, Sandbox},
    engines::{Compiled, PARTS_PER_COMPONENT},
    guarded,
    guest::Guest,
    keyvalue::KeyValueStore,
    local::LocalTarget,
    mail::Mailer,
    permits::parts_of_call,
    replay::Header,
};

/// The contract's version that this host serves, without the patch.
const CONTRACT: &str = "0.1";

/// Unknown imports that an error names, and how much of each name: a component may have a hundred thousand.
const NAMED_IMPORTS: usize = 10;
const NAMED_CHARACTERS: usize = 100;

/// Why a component is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file holds something else.
    #[error("plugin `{plugin}`: this is not a WebAssembly component: {found}")]
    NotAComponent {
        /// The plugin.
        plugin: String,
        /// What the file seems to be, and what to do.
        found: String,
    },
    /// It was made for another version of the contract.
    #[error(
        "plugin `{plugin}` speaks {interface}, this host speaks {CONTRACT}.x; build it with the SDK of that version"
    )]
    ContractVersion {
        /// The plugin.
        plugin: String,
        /// The interface with its version.
        interface: String,
    },
    /// It imports what the host does not have.
    #[error("plugin `{plugin}` imports what this host does not offer: {}; it may import WASI 0.2 and autodevops:host", imports.join(", "))]
    UnknownImports {
        /// The plugin.
        plugin: String,
        /// The first of them, and how many more there are.
        imports: Vec<String>,
    },
    /// It implements no stage.
    #[error("plugin `{plugin}` exports no stage; export one, such as autodevops:stages/check@{CONTRACT}.0")]
    NoStage {
        /// The plugin.
        plugin: String,
    },
    /// It exports a stage with another shape than the contract's, or imports an interface of another shape.
    #[error("plugin `{plugin}` does not fit the contract: {reason}; build it with the SDK of version {CONTRACT}")]
    Shape {
        /// The plugin.
        plugin: String,
        /// Where it differs.
        reason: String,
    },
    /// Its manifest names other stages than it exports.
    #[error(
        "plugin `{plugin}`: its manifest names the stages {}, its component exports {}",
        names(manifest),
        names(exports)
    )]
    Stages {
        /// The plugin.
        plugin: String,
        /// As its manifest says.
        manifest: Vec<Stage>,
        /// As its component is.
        exports: Vec<Stage>,
    },
    /// It cannot be compiled.
    #[error("plugin `{plugin}` cannot be compiled: {reason}")]
    Compile {
        /// The plugin.
        plugin: String,
        /// Why.
        reason: String,
    },
    /// Its file ends before its component does.
    #[error(
        "plugin `{plugin}` cannot be compiled: its file, of {bytes}, is cut off or damaged ({reason}); build it again, or install its bundle again"
    )]
    CutOff {
        /// The plugin.
        plugin: String,
        /// What its file has.
        bytes: Bytes,
        /// What the compiler misses.
        reason: String,
    },
    /// It has more bytes than a component may have.
    #[error(
        "plugin `{plugin}` has {bytes}, a component may have {limit}; raise [sandbox] component-size if it is to be taken"
    )]
    TooLarge {
        /// The plugin.
        plugin: String,
        /// What it has.
        bytes: Bytes,
        /// What it may have.
        limit: Bytes,
    },
    /// Compiling it takes too long.
    #[error(
        "plugin `{plugin}` takes longer to compile than {limit}; raise [sandbox] compile-time if it is to be taken"
    )]
    CompileTime {
        /// The plugin.
        plugin: String,
        /// What it may take.
        limit: Span,
    },
    /// Compiling it takes too much memory.
    #[error(
        "plugin `{plugin}` takes more memory to compile than {limit}; raise [sandbox] compile-memory if it is to be taken"
    )]
    CompileMemory {
        /// The plugin.
        plugin: String,
        /// What it may take.
        limit: Bytes,
    },
    /// Its compiler was killed from outside.
    #[error(
        "plugin `{plugin}` was not compiled: the compiler was killed within its limits, most likely because the machine has less memory left than the {limit} that it may take; free some, or lower [sandbox] compile-memory to what there is"
    )]
    CompilerKilled {
        /// The plugin.
        plugin: String,
        /// The memory that it may take.
        limit: Bytes,
    },
    /// It compiles to too much machine code.
    #[error(
        "plugin `{plugin}` has more than {most} of machine code, which goes with components of {limit}; raise [sandbox] component-size if it is to be taken"
    )]
    MachineCode {
        /// The plugin.
        plugin: String,
        /// The machine code that is taken.
        most: Bytes,
        /// What a component may have.
        limit: Bytes,
    },
    /// It needs more core instances, memories or tables than one instance may have, or larger ones.
    #[error("plugin `{plugin}` is too large to be instantiated: {reason}; make it of fewer parts")]
    Parts {
        /// The plugin.
        plugin: String,
        /// Of what it has too much.
        reason: String,
    },
    /// The compiler could not be run. It is not the plugin's fault.
    #[error("plugin `{plugin}` cannot be compiled, since the compiler does not run: {reason}")]
    Compiler {
        /// The plugin.
        plugin: String,
        /// Why.
        reason: String,
    },
}

fn names(stages: &[Stage]) -> String {
    stages.iter().map(|stage| stage.name()).collect::<Vec<_>>().join(", ")
}

/// What a plugin is made from.
#[derive(Clone)]
pub struct PluginSource<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// The component.
    pub component: &'a [u8],
    /// What it may do.
    pub grant: EffectiveGrant,
    /// Its configuration, as the manifest completed it.
    pub config: Vec<(String, String)>,
    /// Where its keys and values are kept; none, and it has no store.
    pub keyvalue: Option<Arc<dyn KeyValueStore>>,
    /// The local target; none, and there is none.
    pub local: Option<Arc<dyn LocalTarget>>,
    /// The operator's commands; none, and there are none.
    pub commands: Option<Arc<dyn OperatorCommands>>,
    /// The operator's mail; none, and none is sent.
    pub mail: Option<Arc<dyn Mailer>>,
    /// Where the secrets of its credentials come from; none, and it has no credentials.
    pub credentials: Option<Arc<dyn CredentialSource>>,
}

/// A plugin that can be called. Cheap to clone; every call has an instance of its own.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub caller: Caller,
    pub stages: Vec<Stage>,
    pub instance: InstancePre<Guest>,
    pub exports: Exports,
}

/// The exports of each stage, looked up once.
#[derive(Default)]
pub(crate) struct Exports {
    pub analyzer: Option<AnalyzerPluginPre<Guest>>,
    pub fix_generator: Option<FixGeneratorPluginPre<Guest>>,
    pub test_generator: Option<TestGeneratorPluginPre<Guest>>,
    pub check: Option<CheckPluginPre<Guest>>,
    pub deploy_target: Option<DeployTargetPluginPre<Guest>>,
    pub health_check: Option<HealthCheckPluginPre<Guest>>,
    pub notifier: Option<NotifierPluginPre<Guest>>,
    pub state_guard: Option<StateGuardPluginPre<Guest>>,
}

impl Exports {
    fn look_up(stages: &[Stage], instance: &InstancePre<Guest>) -> wasmtime::Result<Self> {
        let mut exports = Self::default();
        for stage in stages {
            let pre = instance.clone();
            match stage {
                Stage::Analyzer => exports.analyzer = Some(AnalyzerPluginPre::new(pre)?),
                Stage::FixGenerator => exports.fix_generator = Some(FixGeneratorPluginPre::new(pre)?),
                Stage::TestGenerator => exports.test_generator = Some(TestGeneratorPluginPre::new(pre)?),
                Stage::Check => exports.check = Some(CheckPluginPre::new(pre)?),
                Stage::DeployTarget => exports.deploy_target = Some(DeployTargetPluginPre::new(pre)?),
                Stage::HealthCheck => exports.health_check = Some(HealthCheckPluginPre::new(pre)?),
                Stage::Notifier => exports.notifier = Some(NotifierPluginPre::new(pre)?),
                Stage::StateGuard => exports.state_guard = Some(StateGuardPluginPre::new(pre)?),
            }
        }
        Ok(exports)
    }
}

/// What a plugin may reach of the host; a recording reaches nothing.
#[derive(Default)]
struct Services {
    keyvalue: Option<Arc<dyn KeyValueStore>>,
    local: Option<Arc<dyn LocalTarget>>,
    commands: Option<Arc<dyn OperatorCommands>>,
    mail: Option<Arc<dyn Mailer>>,
    credentials: Option<Arc<dyn CredentialSource>>,
}

impl Plugin {
    /// Compiles (or takes from the cache), checks and links a component.
    ///
    /// # Errors
    /// [`LoadError`], which names the plugin and what is wrong with it. Nothing of it ran.
    pub fn load(sandbox: &Sandbox, source: PluginSource<'_>) -> Result<Self, LoadError> {
        let mut declared = source.manifest.stages.clone();
        declared.sort_unstable();
        declared.dedup();
        let name = source.manifest.name.clone();
        let PluginSource { component, grant, config, keyvalue, local, commands, mail, credentials, .. } = source;
        let services = Services { keyvalue, local, commands, mail, credentials };
        Self::build(sandbox, name, Some(declared), component, grant, config, services)
    }

    /// For a recording: the plugin as it was, with nothing to reach.
    pub(crate) fn load_recorded(sandbox: &Sandbox, header: &Header, component: &[u8]) -> Result<Self, LoadError> {
        let (name, grant, config) = (header.plugin.clone(), header.grant.clone(), header.config.clone());
        Self::build(sandbox, name, None, component, grant, config, Services::default())
    }

    fn build(
        sandbox: &Sandbox,
        name: String,
        declared: Option<Vec<Stage>>,
        bytes: &[u8],
        grant: EffectiveGrant,
        config: Vec<(String, String)>,
        Services { keyvalue, local, commands, mail, credentials }: Services,
    ) -> Result<Self, LoadError> {
        let Compiled { component, on } = compile(sandbox, &name, bytes)?;
        let parts = parts(&name, &component)?;
        let stages = read_stages(&name, &component)?;
        check_imports(&name, &component)?;
        if let Some(manifest) = declared.filter(|declared| *declared != stages) {
            return Err(LoadError::Stages { plugin: name, manifest, exports: stages });
        }
        let shape = |error: wasmtime::Error| LoadError::Shape { plugin: name.clone(), reason: format!("{error:#}") };
        let instance = on.linker.instantiate_pre(&component).map_err(shape)?;
        crate::shape::check(&stages, &instance).map_err(shape)?;
        let exports = Exports::look_up(&stages, &instance).map_err(shape)?;
        let caller = Caller {
            sandbox: sandbox.clone(),
            on,
            name: name.as_str().into(),
            digest: digest_of(bytes),
            grant: Arc::new(grant),
            config: config.into(),
            keyvalue,
            local,
            commands,
            mail,
            parts,
            credentials,
        };
        let shared = Shared { caller, stages, instance, exports };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.caller.name
    }

    /// The stages that it implements, read off its exports, in the contract's order.
    pub fn stages(&self) -> &[Stage] {
        &self.shared.stages
    }

    /// Digest of its component, `blake3:` and 64 hex digits.
    pub fn digest(&self) -> &str {
        &self.shared.caller.digest
    }

    /// What it may do.
    pub fn grant(&self) -> &EffectiveGrant {
        &self.shared.caller.grant
    }
}

/// Parts of the pool that a call takes. The pool refuses what has too many; this does where there is none.
pub(crate) fn parts(plugin: &str, component: &Component) -> Result<u32, LoadError> {
    let Some(required) = component.resources_required() else {
        let reason = "it imports a core module; put the module inside".to_owned();
        return Err(LoadError::Shape { plugin: plugin.to_owned(), reason });
    };
    for (count, what) in [(required.num_memories, "memories"), (required.num_tables, "tables")] {
        if count > PARTS_PER_COMPONENT {
            let reason = format!("it has {count} {what}, and may have {PARTS_PER_COMPONENT}");
            return Err(LoadError::Parts { plugin: plugin.to_owned(), reason });
        }
    }
    Ok(parts_of_call(required.num_memories, required.num_tables))
}

/// What a component imports and exports, before it is loaded: for people who look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interfaces {
    /// Names of imported interfaces.
    pub imports: Vec<String>,
    /// Names of exported interfaces.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Names of the interfaces that a component may import, without their versions.
    pub const OFFERED: &[&str] = guarded::KNOWN;

    /// Reads the names off a component.
    ///
    /// # Errors
    /// When it is none, or does not compile.
    pub fn of(sandbox: &Sandbox, name: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        let Compiled { component, on } = compile(sandbox, name, bytes)?;
        let ty = component.component_type();
        Ok(Self {
            imports: ty.imports(&on.engine).map(|(name, _)| name.to_owned()).collect(),
            exports: ty.exports(&on.engine).map(|(name, _)| name.to_owned()).collect(),
        })
    }
}

/// Digest of a component: `blake3:` and 64 hex digits.
pub(crate) fn digest_of(component: &[u8]) -> Arc<str> {
    format!("blake3:{}", blake3::hash(component).to_hex()).into()
}

/// What `wasmparser` says where a file ends before what it began with: at its end, or where a part says that it is longer than the whole.
const UNEXPECTED_END: [&str; 2] = ["unexpected end-of-file", "is out of bounds (bound = "];

/// A component that is none, too large or not to be compiled is refused; else it is compiled, or taken from the cache.
pub(crate) fn compile(sandbox: &Sandbox, plugin: &str, bytes: &[u8]) -> Result<Compiled, LoadError> {
    check_header(plugin, bytes)?;
    let (limits, plugin) = (sandbox.compile_limits, plugin.to_owned());
    if bytes.len() as u64 > limits.component_size.0 {
        let bytes = Bytes(bytes.len() as u64);
        return Err(LoadError::TooLarge { plugin, bytes, limit: limits.component_size });
    }
    sandbox.compile(bytes).map_err(|failure| match failure {
        NotCompiled::DoesNotFit(reason) => LoadError::Parts { plugin, reason },
        NotCompiled::Failed(CompileFailure::Refused(reason))
            if UNEXPECTED_END.iter().any(|end| reason.contains(end)) =>
        {
            LoadError::CutOff { plugin, bytes: Bytes(bytes.len() as u64), reason }
        }
        NotCompiled::Failed(CompileFailure::Refused(reason)) => LoadError::Compile { plugin, reason },
        NotCompiled::Failed(CompileFailure::Broke(how)) => {
            LoadError::Compile { plugin, reason: format!("the compiler broke on it: {how}") }
        }
        NotCompiled::Failed(CompileFailure::Time) => LoadError::CompileTime { plugin, limit: limits.time },
        NotCompiled::Failed(CompileFailure::Memory) => LoadError::CompileMemory { plugin, limit: limits.memory },
        NotCompiled::Failed(CompileFailure::Killed) => LoadError::CompilerKilled { plugin, limit: limits.memory },
        NotCompiled::Failed(CompileFailure::MachineCode(most)) => {
            LoadError::MachineCode { plugin, most: Bytes(most), limit: limits.component_size }
        }
        NotCompiled::Failed(CompileFailure::Host(reason)) => LoadError::Compiler { plugin, reason },
    })
}

/// The first eight bytes tell a component from a core module and from anything else.
fn check_header(plugin: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let found = match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
        [] => "the file is empty".to_owned(),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            "it is a core module; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`".to_owned()
        }
        [0, b'a', b's', b'm', ..] => "it has a version of the binary format that is not known".to_owned(),
        [b'(', ..] => "it is WebAssembly text; make a binary of it with `wasm-tools parse`".to_owned(),
        _ => "it does not start as WebAssembly does; build it for wasm32-wasip2".to_owned(),
    };
    Err(LoadError::NotAComponent { plugin: plugin.to_owned(), found })
}

fn read_stages(plugin: &str, component: &Component) -> Result<Vec<Stage>, LoadError> {
    let mut stages = Vec::new();
    for (name, item) in component.component_type().exports(component.engine()) {
        let ComponentItem::ComponentInstance(_) = item.ty else { continue };
        let Some((stage, version)) = name.strip_prefix("autodevops:stages/").and_then(|rest| rest.split_once('@'))
        else {
            continue;
        };
        check_version(plugin, name, version)?;
        let Ok(stage) = stage.parse::<Stage>() else {
            let reason = format!("it exports {name}, which is no stage of the contract");
            return Err(LoadError::Shape { plugin: plugin.to_owned(), reason });
        };
        stages.push(stage);
    }
    if stages.is_empty() {
        return Err(LoadError::NoStage { plugin: plugin.to_owned() });
    }
    stages.sort_unstable();
    Ok(stages)
}

fn check_imports(plugin: &str, component: &Component) -> Result<(), LoadError> {
    let (mut unknown, mut further) = (Vec::new(), 0_usize);
    for (name, _) in component.component_type().imports(component.engine()) {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if !guarded::KNOWN.contains(&interface) {
            if unknown.len() == NAMED_IMPORTS {
                further += 1;
            } else {
                unknown.push(name.chars().take(NAMED_CHARACTERS).collect());
            }
        } else if interface.starts_with("autodevops:") {
            check_version(plugin, name, version)?;
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    if further > 0 {
        unknown.push(format!("and {further} more"));
    }
    Err(LoadError::UnknownImports { plugin: plugin.to_owned(), imports: unknown })
}

fn check_version(plugin: &str, interface: &str, version: &str) -> Result<(), LoadError> {
    let fits = version.strip_prefix(CONTRACT).is_some_and(|rest| rest.starts_with('.'));
    if fits {
        return Ok(());
    }
    Err(LoadError::ContractVersion { plugin: plugin.to_owned(), interface: interface.to_owned() })
}
