//! Between the generated traits and the SDK's: what the export macro names.

use std::{cell::RefCell, marker::PhantomData};

use crate::{
    Error, Result, bindings, logging,
    types::{
        Capabilities, CheckInput, Deployment, Event, Fix, Grouped, Issue, LineGroup, LiveState, Measurement, Proposal,
        Release, Report, SnapshotInfo, Split, TestFile, Window,
    },
};

/// An analyzer's session; what went wrong in its constructor is the error of every call.
pub struct Session<T>(RefCell<Result<T>>);

impl<T: crate::Analyzer> Session<T> {
    fn with<R>(&self, call: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        match &mut *self.0.borrow_mut() {
            Ok(analyzer) => call(analyzer),
            Err(error) => Err::<R, Error>(error.clone()),
        }
    }
}

impl<T: crate::Analyzer> bindings::analyzer::exports::autodevops::stages::analyzer::GuestSession for Session<T> {
    fn new(checkpoint: Option<Vec<u8>>) -> Self {
        logging::start();
        Self(RefCell::new(match checkpoint {
            Some(bytes) => T::restore(&bytes),
            None => Ok(T::default()),
        }))
    }

    fn push(&self, source: String, bytes: Vec<u8>) -> Result<()> {
        self.with(|analyzer| analyzer.push(&source, &bytes))
    }

    fn push_grouped(&self, source: String, bytes: Vec<u8>) -> Result<Grouped> {
        self.with(|analyzer| analyzer.push_grouped(&source, &bytes))
    }

    fn groups(&self) -> Result<Vec<LineGroup>> {
        self.with(T::groups)
    }

    fn issues(&self) -> Result<Vec<Issue>> {
        self.with(T::issues)
    }

    fn checkpoint(&self) -> Result<Vec<u8>> {
        self.with(T::checkpoint)
    }

    fn join(&self, checkpoint: Vec<u8>) -> Result<()> {
        self.with(|analyzer| analyzer.join(&checkpoint))
    }
}

/// A type that is a fix generator, as the generated trait wants it.
pub struct FixGenerator<T>(PhantomData<T>);

impl<T: crate::FixGenerator> bindings::fix_generator::exports::autodevops::stages::fix_generator::Guest
    for FixGenerator<T>
{
    fn propose(issue: Issue) -> Result<Proposal> {
        logging::start();
        T::propose(issue)
    }
}

/// A type that is a test generator, as the generated trait wants it.
pub struct TestGenerator<T>(PhantomData<T>);

impl<T: crate::TestGenerator> bindings::test_generator::exports::autodevops::stages::test_generator::Guest
    for TestGenerator<T>
{
    fn generate(issue: Issue, fix: Fix) -> Result<Vec<TestFile>> {
        logging::start();
        T::generate(issue, fix)
    }
}

/// A type that is a check, as the generated trait wants it.
pub struct Check<T>(PhantomData<T>);

impl<T: crate::Check> bindings::check::exports::autodevops::stages::check::Guest for Check<T> {
    fn run(input: CheckInput) -> Result<Report> {
        logging::start();
        T::run(input)
    }
}

/// A type that is a deploy target, as the generated trait wants it.
pub struct DeployTarget<T>(PhantomData<T>);

impl<T: crate::DeployTarget> bindings::deploy_target::exports::autodevops::stages::deploy_target::Guest
    for DeployTarget<T>
{
    fn describe() -> Result<Capabilities> {
        logging::start();
        T::describe()
    }

    fn deploy(environment: String, key: String, fence: u64, release: Release) -> Result<Deployment> {
        logging::start();
        T::deploy(environment, key, fence, release)
    }

    fn set_traffic(environment: String, key: String, fence: u64, splits: Vec<Split>) -> Result<()> {
        logging::start();
        T::set_traffic(environment, key, fence, splits)
    }

    fn live(environment: String) -> Result<Option<LiveState>> {
        logging::start();
        T::live(environment)
    }

    fn find(environment: String, key: String) -> Result<Option<Deployment>> {
        logging::start();
        T::find(environment, key)
    }
}

/// A type that is a health check, as the generated trait wants it.
pub struct HealthCheck<T>(PhantomData<T>);

impl<T: crate::HealthCheck> bindings::health_check::exports::autodevops::stages::health_check::Guest
    for HealthCheck<T>
{
    fn measure(candidate: String, baseline: Option<String>, window: Window) -> Result<Vec<Measurement>> {
        logging::start();
        T::measure(candidate, baseline, window)
    }
}

/// A type that is a notifier, as the generated trait wants it.
pub struct Notifier<T>(PhantomData<T>);

impl<T: crate::Notifier> bindings::notifier::exports::autodevops::stages::notifier::Guest for Notifier<T> {
    fn notify(key: String, event: Event) -> Result<()> {
        logging::start();
        T::notify(key, event)
    }
}

/// A type that is a state guard, as the generated trait wants it.
pub struct StateGuard<T>(PhantomData<T>);

impl<T: crate::StateGuard> bindings::state_guard::exports::autodevops::stages::state_guard::Guest for StateGuard<T> {
    fn snapshot(environment: String, key: String) -> Result<SnapshotInfo> {
        logging::start();
        T::snapshot(environment, key)
    }

    fn verify(environment: String, id: String) -> Result<Option<String>> {
        logging::start();
        T::verify(environment, id)
    }

    fn changed(environment: String, id: String) -> Result<Option<String>> {
        logging::start();
        T::changed(environment, id)
    }

    fn restore(environment: String, key: String, fence: u64, id: String) -> Result<()> {
        logging::start();
        T::restore(environment, key, fence, id)
    }

    fn list(environment: String) -> Result<Vec<SnapshotInfo>> {
        logging::start();
        T::list(environment)
    }

    fn forget(environment: String, id: String) -> Result<()> {
        logging::start();
        T::forget(environment, id)
    }
}
