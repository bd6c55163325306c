//! People are answered within a second, whatever the world is at: each of its calls takes a minute here, and somebody speaks all the while.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use autodevops_driver::{
    driver::{Driver, End, Word},
    parts::{Later, World as Outside},
};
use autodevops_pipeline::{Command, EffectOutcome, Glance, Input, Outcome, Refused, Run, Sample};
use tokio::sync::{mpsc, oneshot};

use crate::{
    calm,
    host::{Host, do_effect},
    stock::{APPROVERS, SECOND},
};

/// How long each call of the world takes.
const SLOW: Duration = Duration::from_secs(60);

/// Within what people are answered.
const SOON: Duration = Duration::from_secs(1);

/// How often somebody looks whether there is an answer, and how often they speak.
const LOOK: Duration = Duration::from_millis(250);
const SPEAK: Duration = Duration::from_secs(7);

/// For how long they say nothing when all was said.
const QUIET: Duration = Duration::from_secs(150);

/// What the world is at now.
#[derive(Clone, Default)]
struct UnderWay(Arc<Mutex<Vec<String>>>);

struct Until<'a>(&'a UnderWay, String);

impl UnderWay {
    fn begin(&self, what: String) -> Until<'_> {
        self.0.lock().unwrap().push(what.clone());
        Until(self, what)
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Drop for Until<'_> {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap();
        let place = all.iter().position(|what| *what == self.1).unwrap();
        all.remove(place);
    }
}

/// A host whose world is slow and does all that it is asked.
struct Slow {
    host: Host,
    under_way: UnderWay,
}

impl Slow {
    async fn takes(&self) {
        self.host.world.sleep(self.host.number, SLOW).await;
    }
}

fn name(command: &Command) -> String {
    let text = format!("{command:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

impl Outside for Slow {
    fn perform<'a>(&'a self, run: &'a Run, command: &'a Command) -> Later<'a, Input> {
        Box::pin(async move {
            let _at = self.under_way.begin(name(command));
            self.takes().await;
            self.host.answer(run, command)
        })
    }

    fn effect<'a>(&'a self, _: &'a Run, command: &'a Command, again: bool) -> Later<'a, Input> {
        Box::pin(async move {
            let _at = self.under_way.begin(name(command));
            self.takes().await;
            let done = do_effect(&mut self.host.world.lock(), 0, command, again);
            let outcome = done.unwrap_or_else(EffectOutcome::Failed);
            Input::Effect { key: command.key().unwrap_or_default().to_owned(), outcome }
        })
    }

    fn renew<'a>(&'a self, _: &'a Run) -> Later<'a, Vec<String>> {
        Box::pin(async move {
            let _at = self.under_way.begin("renewal".to_owned());
            self.takes().await;
            Vec::new()
        })
    }

    fn glance<'a>(&'a self, _: &'a Run, _: &'a Glance) -> Later<'a, Vec<Sample>> {
        Box::pin(async move {
            let _at = self.under_way.begin("glance".to_owned());
            self.takes().await;
            Vec::new()
        })
    }

    fn renewal(&self) -> Duration {
        15 * SECOND
    }

    fn free(&self, run: &Run) {
        self.host.free(run);
    }

    fn clean(&self, _: &Run) {}
}

/// What somebody said, when, and where the answer comes.
struct Said {
    at: i64,
    words: String,
    answer: oneshot::Receiver<Result<Box<Run>, Refused>>,
}

/// Whether it is dropped when nobody wants it any more: what changes something outside is seen to its end.
fn drops(what: &str) -> bool {
    !["Deploy", "SetTraffic", "Notify", "renewal", "glance"].contains(&what)
}

/// Drives a run in the slow world; somebody says one thing after the other, and the last one when the world is at `end_at` first. How the run
/// ended, and what was said while the world was at what.
fn talk(end_at: &str, last: impl Fn() -> Input) -> (Outcome, BTreeSet<String>) {
    let (host, logged) = calm::begin(|plan| {
        plan.approval.required = true;
        plan.notifiers = vec!["chat".into()];
    });
    let world = host.world.clone();
    let under_way = UnderWay::default();
    let slow = Arc::new(Slow { host: host.clone(), under_way: under_way.clone() });
    let parts = autodevops_driver::parts::Parts { world: slow, ..host.parts() };
    let (speaker, heard) = mpsc::channel(8);
    let mut driving = Box::pin(async move { Driver::new(parts, logged, heard, true).drive().await });
    let (by, reason) = (|| APPROVERS[0].to_owned(), || "because".to_owned());
    let usual: [&dyn Fn() -> Input; 8] = [
        &|| Input::Extend { by: by(), reason: reason(), span: None },
        &|| Input::Hold { by: by(), reason: reason() },
        &|| Input::Acknowledge { by: by(), reason: reason(), link: None },
        &|| Input::EndHold { by: by(), reason: reason() },
        &|| Input::Skip { by: by(), reason: reason() },
        &|| Input::Approve { by: by(), reason: reason(), bypass: false, link: None },
        &|| Input::EndHold { by: "mallory".to_owned(), reason: reason() },
        // They are no approver: it is refused, at once.
        &|| Input::Reject { by: "mallory".to_owned(), reason: reason(), link: None },
    ];
    let (mut said, mut seen, mut spoken, mut ends, mut answered) = (None::<Said>, BTreeSet::new(), 0, false, None);
    let mut next = i64::try_from(SPEAK.as_nanos()).unwrap();
    let soon = i64::try_from(SOON.as_nanos()).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..200_000 {
        if let Poll::Ready(ended) = driving.as_mut().poll(&mut context) {
            assert!(ends, "it ended before it was told to");
            let End::Finished(outcome) = ended.unwrap() else { panic!("it does not wait") };
            return (outcome, seen);
        }
        let now = world.lock().now();
        if let Some(since) = answered {
            let at = under_way.all();
            let is_at = |wanted: &str| at.iter().any(|what| what == wanted);
            // What comes round by itself is seen to its end before anything else is begun or dropped.
            let comes_round = is_at("renewal") || is_at("glance");
            answered = Some(if comes_round { now } else { since });
            let goes_on = drops(end_at) && is_at(end_at) && !comes_round;
            assert!(!goes_on || now - since <= soon, "nobody wants it any more, and {end_at} goes on: {at:?}");
        }
        if let Some(Said { at, words, answer }) = &mut said {
            match answer.try_recv() {
                Ok(_) => {
                    answered = ends.then_some(now);
                    said = None;
                }
                Err(error) => {
                    assert!(
                        now - *at <= soon,
                        "{words} has no answer ({error}); the world is at {:?}",
                        under_way.all()
                    );
                }
            }
        }
        let at = under_way.all();
        let is_there = at.iter().any(|what| what == end_at);
        if said.is_none() && !ends && (is_there || now >= next) {
            ends = is_there;
            let input = if ends { last() } else { usual[spoken % usual.len()]() };
            spoken += 1;
            seen.extend(at);
            let (answer, waiting) = oneshot::channel();
            said = Some(Said { at: now, words: format!("{input:?}"), answer: waiting });
            speaker.try_send(Word { input, answer }).unwrap();
            // Who holds a run again and again gets nowhere; now and then they let it work.
            let silence = if spoken % usual.len() == 0 { QUIET } else { SPEAK };
            next = now + i64::try_from(silence.as_nanos()).unwrap();
            // Heard before time passes.
            continue;
        }
        let mut look = std::pin::pin!(world.sleep(2, LOOK));
        let _ = look.as_mut().poll(&mut context);
        world.lock().pass();
    }
    panic!("the run is stuck; the world is at {:?}, and was at {seen:?}", under_way.all());
}

fn abort() -> Input {
    Input::Abort { by: APPROVERS[0].to_owned(), reason: "enough".to_owned() }
}

#[test]
fn whatever_the_world_is_at_people_are_answered_within_a_second_and_end_the_run() {
    let each = [
        "Propose",
        "Review",
        "RunChecks",
        "Commit",
        "Build",
        "Deploy",
        "AutomatedTests",
        "Measure",
        "Notify",
        "SetTraffic",
        "renewal",
        "glance",
    ];
    for end_at in each {
        let (outcome, seen) = talk(end_at, abort);
        assert!(seen.contains(end_at), "{end_at}: {seen:?}");
        assert!(matches!(outcome, Outcome::Aborted { .. } | Outcome::RolledBack { .. }), "{end_at}: {outcome:?}");
    }
}

#[test]
fn a_rollback_is_answered_in_the_midst_of_a_promotion() {
    let rollback = || Input::Rollback { by: APPROVERS[0].to_owned(), reason: "enough".to_owned() };
    let (outcome, _) = talk("SetTraffic", rollback);
    assert!(matches!(outcome, Outcome::Aborted { .. } | Outcome::RolledBack { .. }), "{outcome:?}");
}
