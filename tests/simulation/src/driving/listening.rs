//! A host that writes down what a driver tells it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use autodevops_driver::parts::{Account, Later, Observer, Parts, World as Outside};
use autodevops_pipeline::{Command, Event, Glance, Input, Run, Sample};

use crate::host::Host;

/// What a driver told, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    TakenOver,
    Recorded { version: u64, ended: Option<&'static str> },
    LetGo { version: u64 },
    Event(&'static str),
    Doing(String),
    Notice(String),
    Renews,
    Cleaned,
}

/// How long the world takes for what it is asked, beyond what it always takes.
#[derive(Clone, Copy)]
pub(super) struct Takes {
    pub(super) work: fn(&Command) -> Duration,
    pub(super) effect: fn(&Command) -> Duration,
    pub(super) renewal: Duration,
}

/// It takes no longer than always.
pub(super) const QUICK: Takes = Takes { work: |_| Duration::ZERO, effect: |_| Duration::ZERO, renewal: Duration::ZERO };

/// A host that writes down what it is told, and when it is to renew and to glance, in seconds.
pub(super) struct Listening {
    pub(super) host: Host,
    takes: Takes,
    pub(super) told: Mutex<Vec<Told>>,
    /// The keys of the effects that it was asked for.
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) renewed: Mutex<Vec<f64>>,
    /// Whether it is renewing now.
    pub(super) renews: AtomicBool,
    pub(super) glanced: Mutex<Vec<f64>>,
}

impl Listening {
    pub(super) fn new(host: &Host, takes: Takes) -> Arc<Self> {
        let (told, asked, renewed, renews, glanced) = Default::default();
        Arc::new(Self { host: host.clone(), takes, told, asked, renewed, renews, glanced })
    }

    async fn takes(&self, span: Duration) {
        if !span.is_zero() {
            self.host.world.sleep(self.host.number, span).await;
        }
    }

    pub(super) fn parts(self: &Arc<Self>) -> Parts {
        Parts { world: self.clone(), account: self.clone(), observer: self.clone(), ..self.host.parts() }
    }

    fn hear(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }

    pub(super) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(super) fn count(&self, wanted: impl Fn(&Told) -> bool) -> usize {
        self.told().iter().filter(|told| wanted(told)).count()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.host.world.lock().now() as f64 / 1e9
    }
}

impl Outside for Listening {
    fn perform<'a>(&'a self, run: &'a Run, command: &'a Command) -> Later<'a, Input> {
        Box::pin(async move {
            self.takes((self.takes.work)(command)).await;
            self.host.perform(run, command).await
        })
    }

    fn effect<'a>(&'a self, run: &'a Run, command: &'a Command, again: bool) -> Later<'a, Input> {
        self.asked.lock().unwrap().push(command.key().unwrap_or_default().to_owned());
        Box::pin(async move {
            self.takes((self.takes.effect)(command)).await;
            self.host.effect(run, command, again).await
        })
    }

    fn renew<'a>(&'a self, run: &'a Run) -> Later<'a, Vec<String>> {
        self.renewed.lock().unwrap().push(self.seconds());
        self.hear(Told::Renews);
        Box::pin(async move {
            self.renews.store(true, Ordering::Relaxed);
            self.takes(self.takes.renewal).await;
            self.renews.store(false, Ordering::Relaxed);
            self.host.renew(run).await
        })
    }

    fn glance<'a>(&'a self, run: &'a Run, glance: &'a Glance) -> Later<'a, Vec<Sample>> {
        self.glanced.lock().unwrap().push(self.seconds());
        self.host.glance(run, glance)
    }

    fn renewal(&self) -> Duration {
        self.host.renewal()
    }

    fn free(&self, run: &Run) {
        self.host.free(run);
    }

    fn clean(&self, _: &Run) {
        self.hear(Told::Cleaned);
    }
}

impl Account for Listening {
    fn take_over(&self, _: &Run) {
        self.hear(Told::TakenOver);
    }

    fn recorded(&self, _: &Run, version: u64, ended: Option<&'static str>) {
        self.hear(Told::Recorded { version, ended });
    }

    fn let_go(&self, _: &Run, version: u64) {
        self.hear(Told::LetGo { version });
    }
}

impl Observer for Listening {
    fn event(&self, _: &Run, event: &Event) {
        self.hear(Told::Event(event.event.name()));
    }

    fn doing(&self, _: &Run, command: &Command) {
        self.hear(Told::Doing(command.key().unwrap_or_default().to_owned()));
    }

    fn notice(&self, text: &str) {
        self.hear(Told::Notice(text.to_owned()));
    }
}
