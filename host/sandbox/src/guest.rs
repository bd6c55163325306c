//! What belongs to one instance: its WASI context, its budget, its deadline and what it may do.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Instant};

use autodevops_model::Stage;
use autodevops_policy::{Access, EffectiveGrant, Limit};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, filesystem::FsPerms};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::{
    activations::Activations,
    authority::Authority,
    budget::MemoryBudget,
    clock::GuestClock,
    command::OperatorCommands,
    http::HttpGate,
    keyvalue::Overlay,
    local::LocalTarget,
    logging::LogQuota,
    mail::Mailer,
    quota::{Held, Quota},
    replay::Tape,
    stderr::Tail,
};

/// A folder of the host that the run gives to a call, at a path that the manifest asked for and the operator granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedFolder {
    /// The path as the plugin sees it: `/repo`, `/before`, `/after` or `/maps`.
    pub guest: String,
    /// The folder.
    pub host: PathBuf,
}

/// Who is being called, for logs and errors.
#[derive(Clone, Debug)]
pub struct Labels {
    pub plugin: Arc<str>,
    pub run: Arc<str>,
    pub stage: Option<Stage>,
}

/// The store's data.
pub struct Guest {
    pub labels: Labels,
    pub wasi: WasiCtx,
    pub table: ResourceTable,
    /// The listings of folders that are held, by their handles, with what they count as.
    pub listings: HashMap<u32, Held>,
    pub http: WasiHttpCtx,
    pub gate: HttpGate,
    pub budget: MemoryBudget,
    pub config: Arc<[(String, String)]>,
    pub log: LogQuota,
    pub keyvalue: Overlay,
    pub local: Option<Arc<dyn LocalTarget>>,
    pub commands: Option<Arc<dyn OperatorCommands>>,
    pub mail: Option<Arc<dyn Mailer>>,
    pub clock: GuestClock,
    pub activations: Activations,
    /// Tokens of a language model that the call used by its own word; none before it told of any.
    pub tokens: Option<u64>,
    pub deadline: Instant,
    pub output: Tail,
    pub tape: Tape,
}

impl Guest {
    pub const fn authority(&mut self) -> &mut Authority {
        &mut self.gate.authority
    }
}

/// A table that holds at most so many handles.
pub fn resource_table(resources: u32) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(resources as usize);
    table
}

/// A WASI context with the folders that are granted: the operator's own, and those of the run.
///
/// # Errors
/// The path and the reason of a folder that cannot be opened.
pub fn wasi_context(
    grant: &EffectiveGrant,
    mounts: &[MountedFolder],
    output: &Tail,
    quota: &Arc<Quota>,
) -> Result<WasiCtx, String> {
    let mut builder = WasiCtx::builder();
    builder.stdout(output.stream(quota, Limit::Stdout)).stderr(output.stream(quota, Limit::Stderr));
    // Local files are faster than a change of threads; what could block for long is never opened, see `guarded`.
    builder.allow_blocking_current_thread(true);
    for (guest, preopen) in &grant.files {
        let mounted = mounts.iter().find(|mount| mount.guest == *guest).map(|mount| &mount.host);
        // A folder that only runs have, outside of a run: the plugin does not see it.
        let Some(host) = preopen.host.as_ref().or(mounted) else { continue };
        let permissions = match preopen.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        builder.preopened_dir(host, guest, permissions).map_err(|error| {
            format!("the folder {} (granted as {guest}) cannot be opened: {error:#}", host.display())
        })?;
    }
    Ok(builder.build())
}

impl IoView for Guest {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.gate, table: &mut self.table, ctx: &mut self.http }
    }
}
