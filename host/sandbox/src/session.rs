//! An analyzer's session: one instance that reads a log part by part.

use autodevops_model::{Grouped, Issue, LineGroup, Stage};
use wasmtime::{Store, component::ResourceAny};

use crate::{
    bindings::analyzer::AnalyzerPlugin,
    call::{Call, CallContext, Site, json},
    failure::CallError,
    guest::Guest,
    measure::{Size, measure},
    plugin::Plugin,
    stages::not_implemented,
};

/// A session of an analyzer. Each of its calls has the time of the plugin's limits; memory is that of the session. After a
/// failed call it is of no further use: go on from the last checkpoint.
pub struct AnalyzerSession {
    plugin: Plugin,
    call: Call,
    bindings: AnalyzerPlugin,
    session: ResourceAny,
}

impl Plugin {
    /// Opens a session, new or from a checkpoint of the same plugin.
    ///
    /// # Errors
    /// [`CallError`] when the instance does not come up. A checkpoint that cannot be read is the error of the first call.
    pub async fn analyze(
        &self,
        context: &CallContext,
        checkpoint: Option<&[u8]>,
    ) -> Result<AnalyzerSession, CallError> {
        let Some(pre) = &self.shared.exports.analyzer else { return Err(not_implemented(self, Stage::Analyzer)) };
        let mut call = Call::begin(&self.shared.caller, Some(Stage::Analyzer), "session", context).await?;
        call.called("session", || json(&(checkpoint.is_some(),)), checkpoint.unwrap_or_default());
        let open = async |store: &mut Store<Guest>| {
            let bindings = pre.instantiate_async(&mut *store).await?;
            let analyzer = bindings.autodevops_stages_analyzer().session();
            let session = analyzer.call_constructor(&mut *store, checkpoint).await?;
            Ok(Ok((bindings, session)))
        };
        let site = site("session", checkpoint.map_or(0, <[u8]>::len));
        let (bindings, session) =
            call.run(&self.shared.caller, site, open, |made| made, |_| Size::default(), |_| json(&())).await?;
        Ok(AnalyzerSession { plugin: self.clone(), call, bindings, session })
    }
}

impl AnalyzerSession {
    /// Adds bytes of a source. Parts may end anywhere.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn push(&mut self, source: &str, bytes: &[u8]) -> Result<(), CallError> {
        let (session, bindings) = (self.session, &self.bindings);
        let push = async |store: &mut Store<Guest>| {
            let analyzer = bindings.autodevops_stages_analyzer().session();
            analyzer.call_push(store, session, source, bytes).await
        };
        self.call.called("push", || json(&(source,)), bytes);
        let site = site("push", source.len().saturating_add(bytes.len()));
        self.call.run(&self.plugin.shared.caller, site, push, |()| (), |()| Size::default(), json).await
    }

    /// Adds bytes of a source, and tells the group of each line that they finish.
    ///
    /// # Errors
    /// [`CallError`]; of an analyzer that tells no groups `unsupported`.
    pub async fn push_grouped(&mut self, source: &str, bytes: &[u8]) -> Result<Grouped, CallError> {
        let (session, bindings) = (self.session, &self.bindings);
        let push = async |store: &mut Store<Guest>| {
            let analyzer = bindings.autodevops_stages_analyzer().session();
            analyzer.call_push_grouped(store, session, source, bytes).await
        };
        self.call.called("push-grouped", || json(&(source,)), bytes);
        let site = site("push-grouped", source.len().saturating_add(bytes.len()));
        self.call.run(&self.plugin.shared.caller, site, push, Into::into, measure, json).await
    }

    /// What all numbers of groups stand for that are still in use.
    ///
    /// # Errors
    /// [`CallError`]; of an analyzer that tells no groups `unsupported`.
    pub async fn groups(&mut self) -> Result<Vec<LineGroup>, CallError> {
        let (session, bindings) = (self.session, &self.bindings);
        let groups = async |store: &mut Store<Guest>| {
            let analyzer = bindings.autodevops_stages_analyzer().session();
            analyzer.call_groups(store, session).await
        };
        let convert = |groups: Vec<_>| groups.into_iter().map(Into::into).collect::<Vec<LineGroup>>();
        self.call.called("groups", || json(&()), &[]);
        self.call.run(&self.plugin.shared.caller, site("groups", 0), groups, convert, measure, json).await
    }

    /// The issues so far.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn issues(&mut self) -> Result<Vec<Issue>, CallError> {
        let (session, bindings) = (self.session, &self.bindings);
        let issues = async |store: &mut Store<Guest>| {
            let analyzer = bindings.autodevops_stages_analyzer().session();
            analyzer.call_issues(store, session).await
        };
        let convert = |issues: Vec<_>| issues.into_iter().map(Into::into).collect::<Vec<Issue>>();
        self.call.called("issues", || json(&()), &[]);
        self.call.run(&self.plugin.shared.caller, site("issues", 0), issues, convert, measure, json).await
    }

    /// All that is needed to go on later.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn checkpoint(&mut self) -> Result<Vec<u8>, CallError> {
        let (session, bindings) = (self.session, &self.bindings);
        let checkpoint = async |store: &mut Store<Guest>| {
            let analyzer = bindings.autodevops_stages_analyzer().session();
            analyzer.call_checkpoint(store, session).await
        };
        // Bytes are one text, not a list of numbers.
        let size = |bytes: &Vec<u8>| Size { bytes: bytes.len() as u64, ..Size::default() };
        self.call.called("checkpoint", || json(&()), &[]);
        let caller = &self.plugin.shared.caller;
        self.call
            .run(caller, site("checkpoint", 0), checkpoint, |bytes| bytes, size, |bytes| checkpoint_digest(bytes))
            .await
    }

    /// Takes in what another session of the same plugin made of other sources, by its checkpoint.
    ///
    /// # Errors
    /// [`CallError`]; of an analyzer that cannot `unsupported`.
    pub async fn join(&mut self, checkpoint: &[u8]) -> Result<(), CallError> {
        let (session, bindings) = (self.session, &self.bindings);
        let join = async |store: &mut Store<Guest>| {
            let analyzer = bindings.autodevops_stages_analyzer().session();
            analyzer.call_join(store, session, checkpoint).await
        };
        self.call.called("join", || json(&()), checkpoint);
        let site = site("join", checkpoint.len());
        self.call.run(&self.plugin.shared.caller, site, join, |()| (), |()| Size::default(), json).await
    }
}

/// What it was recorded as is whole with its end.
impl Drop for AnalyzerSession {
    fn drop(&mut self) {
        self.call.close(&self.plugin.shared.caller);
    }
}

/// A checkpoint as it is recorded: what is in it is the analyzer's own.
pub(crate) fn checkpoint_digest(checkpoint: &[u8]) -> String {
    json(&blake3::hash(checkpoint).to_hex().as_str())
}

fn site(function: &'static str, bytes: usize) -> Site {
    Site { stage: Some(Stage::Analyzer), function, input: Size { bytes: bytes as u64, ..Size::default() } }
}
