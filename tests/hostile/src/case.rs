//! A case: a guest, what it is allowed, how it must fail, and what becomes of it when the one thing is allowed to it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use autodevops_model::CheckInput;
use autodevops_policy::{Access, Bytes, EffectiveGrant, Limit, Limits, Preopen, Span};
use autodevops_sandbox::{
    CallError, CallFailure, CallReport, KeyValueStore, LoadError, Mailer, OperatorCommands, SandboxOptions,
};

use crate::{
    call::{Function, check_input},
    component::Wat,
};

/// What an attempt is made with.
pub struct Terms {
    /// What the guest may do, and how much of it.
    pub grant: EffectiveGrant,
    /// The guest's configuration.
    pub config: BTreeMap<String, String>,
    /// What a check is given.
    pub input: CheckInput,
    /// Where its keys and values are kept.
    pub keyvalue: Option<Arc<dyn KeyValueStore>>,
    /// The operator's commands.
    pub commands: Option<Arc<dyn OperatorCommands>>,
    /// Who takes its mail.
    pub mail: Option<Arc<dyn Mailer>>,
    /// The engine's own settings; those of all, where there are none.
    pub engine: Option<SandboxOptions>,
    /// A folder of its own for what the attempt needs on the host: `data`, `other` and, outside of what is ever granted, `secret`.
    pub folder: PathBuf,
}

impl Terms {
    /// Nothing granted, and a call that is small: ten seconds, 64 MiB.
    pub fn new(folder: PathBuf) -> Self {
        let limits = Limits {
            wall_time: Span(Duration::from_secs(10)),
            guest_time: Span(Duration::from_secs(10)),
            memory: Bytes(64 << 20),
            ..Limits::default()
        };
        let grant = EffectiveGrant { limits, ..EffectiveGrant::default() };
        Self {
            grant,
            config: BTreeMap::new(),
            input: check_input(),
            keyvalue: None,
            commands: None,
            mail: None,
            engine: None,
            folder,
        }
    }

    /// Its limits.
    pub const fn limits(&mut self) -> &mut Limits {
        &mut self.grant.limits
    }

    /// Grants the folder `data` as `/data`, or `other` as `/other`.
    pub fn grant_folder(&mut self, guest: &str, access: Access) {
        let host = self.folder.join(guest.trim_start_matches('/'));
        self.grant.files.insert(guest.to_owned(), Preopen { host: Some(host), access });
    }

    /// Grants an origin.
    pub fn grant_origin(&mut self, origin: &str) {
        self.grant.http.push(origin.parse().unwrap_or_else(|error| panic!("{origin}: {error}")));
    }
}

/// What stands in errors of any reason: how the intruder starts each, and the host each of a kind. A part of these tells nothing.
const OF_ANY_REASON: [&str; 5] = [
    "no: ",
    "no header: ",
    "cannot be compiled: failed to parse WebAssembly module: ",
    "failed to compile: ",
    "does not fit the contract: ",
];

/// How an attempt must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By this limit, which the error names.
    Over(Limit),
    /// By the stack, which the error says how to raise.
    OverStack,
    /// With a trap whose text holds this.
    Traps(&'static str),
    /// With a result that the host does not take, for a reason that holds this.
    BadOutput(&'static str),
    /// With a denial that names this.
    Denied(&'static str),
    /// It is refused before anything of it runs, by an error that holds this.
    NotLoaded(&'static str),
    /// By its own word, which holds this: the host said no, and it gave up.
    Refuses(&'static str),
    /// It comes to its end and says exactly this.
    Says(String),
    /// It comes to its end and says how often it did something: at least once.
    Counts,
    /// It comes to its end, whatever it says.
    Ends,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was not loaded.
    NotLoaded(LoadError),
    /// Its call failed.
    Failed(CallError),
    /// It gave a result: what it says.
    Answered(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotLoaded(error) => write!(f, "{error}"),
            Self::Failed(error) => write!(f, "{error}"),
            Self::Answered(text) if text.len() > 200 => write!(f, "answered with {} bytes", text.len()),
            Self::Answered(text) => write!(f, "answered: {text}"),
        }
    }
}

impl Ending {
    /// Whether it is one of any reason: a text that stands in every error.
    pub fn is_vague(&self) -> bool {
        match self {
            Self::Traps(part)
            | Self::BadOutput(part)
            | Self::Denied(part)
            | Self::NotLoaded(part)
            | Self::Refuses(part) => OF_ANY_REASON.iter().any(|text| text.contains(part)),
            Self::Over(_) | Self::OverStack | Self::Says(_) | Self::Counts | Self::Ends => false,
        }
    }

    /// Whether it ended so.
    pub fn fits(&self, ended: &Ended) -> bool {
        match (self, ended) {
            (Self::NotLoaded(part), Ended::NotLoaded(error)) => error.to_string().contains(part),
            (Self::Ends, Ended::Answered(_)) => true,
            (Self::Says(text), Ended::Answered(said)) => text == said,
            (Self::Counts, Ended::Answered(said)) => said.parse().is_ok_and(|times: u64| times > 0),
            (Self::Over(limit), Ended::Failed(error)) => {
                // The failure's own text alone: what the guest wrote last cannot be taken for it.
                !matches!(error.failure, CallFailure::Refused(_))
                    && error.failure.to_string().contains(&format!("raise `limits.{limit}` if it needs more"))
            }
            (Self::OverStack, Ended::Failed(error)) => error.failure.to_string().contains("`stack`"),
            (Self::Traps(part), Ended::Failed(CallError { failure: CallFailure::Trap(text), .. }))
            | (Self::BadOutput(part), Ended::Failed(CallError { failure: CallFailure::BadOutput(text), .. })) => {
                text.contains(part)
            }
            (Self::Denied(part), Ended::Failed(CallError { failure: CallFailure::Denied(denial), .. })) => {
                denial.to_string().contains(part)
            }
            (Self::Refuses(part), Ended::Failed(CallError { failure: CallFailure::Refused(error), .. })) => {
                error.to_string().contains(part)
            }
            _ => false,
        }
    }
}

/// All that is known of an attempt when it is over.
pub struct Attempt {
    /// What it was made with.
    pub terms: Terms,
    /// How it ended.
    pub ended: Ended,
    /// The plugin's name, which no other attempt has.
    pub plugin: String,
    /// What the host told its observer of each call.
    pub reports: Vec<CallReport>,
    /// The host's log so far, of all attempts.
    pub log: String,
}

impl Attempt {
    /// The lines of the host's log that are of this attempt.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let mark = format!("plugin=\"{}\"", self.plugin);
        self.log.lines().filter(move |line| line.contains(&mark))
    }
}

type Set = Arc<dyn Fn(&mut Terms) + Send + Sync>;
/// Looks at an attempt afterwards: what is wrong there.
type Look = Arc<dyn Fn(&Attempt) -> Result<(), String> + Send + Sync>;

/// What a guest is made of.
#[derive(Clone)]
pub enum Guest {
    /// A component.
    Component(Arc<[u8]>),
    /// A built plugin of the tests, by its name.
    Built(&'static str),
}

impl From<Wat> for Guest {
    fn from(text: Wat) -> Self {
        Self::Component(text.build().into())
    }
}

impl From<Vec<u8>> for Guest {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Component(bytes.into())
    }
}

impl From<&'static str> for Guest {
    fn from(name: &'static str) -> Self {
        Self::Built(name)
    }
}

/// A hostile guest, how it must fail, and how it must not fail once its one limit is raised.
#[derive(Clone)]
pub struct Case {
    /// What it does, as a sentence.
    pub name: String,
    /// Which of the promises it proves.
    pub promise: &'static str,
    /// The guest.
    pub guest: Guest,
    /// The same without its one fault, where no limit and no grant can make that right.
    pub mended: Option<Guest>,
    /// What of it is called.
    pub function: Function,
    /// How many such guests there are at once, each a plugin of its own.
    pub crowd: usize,
    given: Vec<Set>,
    held: Option<Set>,
    raised: Option<Set>,
    /// How it must end.
    pub fails: Ending,
    /// How it must end when the one limit is raised, or the one thing granted.
    pub then: Ending,
    look: Option<Look>,
    look_raised: Option<Look>,
}

impl Case {
    /// A check that must come to a certain end.
    pub fn new(name: impl Into<String>, promise: &'static str, guest: impl Into<Guest>, fails: Ending) -> Self {
        Self {
            name: name.into(),
            promise,
            guest: guest.into(),
            mended: None,
            function: Function::Check,
            crowd: 1,
            given: Vec::new(),
            held: None,
            raised: None,
            fails,
            then: Ending::Ends,
            look: None,
            look_raised: None,
        }
    }

    /// Another function than a check's is called.
    #[must_use]
    pub const fn calling(mut self, function: Function) -> Self {
        self.function = function;
        self
    }

    /// So many such guests at once, each of which must end so.
    #[must_use]
    pub const fn crowd(mut self, guests: usize) -> Self {
        self.crowd = guests;
        self
    }

    /// What both attempts are made with.
    #[must_use]
    pub fn given(mut self, set: impl Fn(&mut Terms) + Send + Sync + 'static) -> Self {
        self.given.push(Arc::new(set));
        self
    }

    /// What only the first attempt is made with: its one limit.
    #[must_use]
    pub fn held(mut self, set: impl Fn(&mut Terms) + Send + Sync + 'static) -> Self {
        self.held = Some(Arc::new(set));
        self
    }

    /// What only the second attempt is made with, the one limit raised or the one thing granted, and how it then ends.
    #[must_use]
    pub fn raised(mut self, set: impl Fn(&mut Terms) + Send + Sync + 'static, then: Ending) -> Self {
        self.raised = Some(Arc::new(set));
        self.then = then;
        self
    }

    /// The same guest without its one fault, for the second attempt: it comes to its end.
    #[must_use]
    pub fn mended(mut self, guest: impl Into<Guest>) -> Self {
        self.mended = Some(guest.into());
        self
    }

    /// What must also be so after the first attempt.
    #[must_use]
    pub fn and(mut self, look: impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.look = Some(Arc::new(look));
        self
    }

    /// What must also be so after the second attempt: what was held back in the first one comes through.
    #[must_use]
    pub fn and_raised(mut self, look: impl Fn(&Attempt) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.look_raised = Some(Arc::new(look));
        self
    }

    /// What an attempt is made with.
    pub fn terms(&self, folder: PathBuf, raised: bool) -> Terms {
        let mut terms = Terms::new(folder);
        let own = if raised { &self.raised } else { &self.held };
        for set in self.given.iter().chain(own) {
            set(&mut terms);
        }
        terms
    }

    /// Whether the first attempt ended as it must.
    ///
    /// # Errors
    /// What was wrong.
    pub fn judge(&self, attempt: &Attempt) -> Result<(), String> {
        if !self.fails.fits(&attempt.ended) {
            return Err(format!("was to end as {:?}, but: {}", self.fails, attempt.ended));
        }
        self.look.as_ref().map_or(Ok(()), |look| look(attempt))
    }

    /// Whether the second attempt ended as it must, and not as the first one: what holds of both is none of the limit's doing.
    ///
    /// # Errors
    /// What was wrong.
    pub fn judge_raised(&self, attempt: &Attempt) -> Result<(), String> {
        if !self.then.fits(&attempt.ended) {
            return Err(format!("raised, was to end as {:?}, but: {}", self.then, attempt.ended));
        }
        if let Some(look) = &self.look_raised {
            look(attempt).map_err(|wrong| format!("raised: {wrong}"))?;
        }
        if self.judge(attempt).is_ok() {
            return Err(format!("raised, all is as it was before, so that it proves nothing: {}", attempt.ended));
        }
        Ok(())
    }
}

/// So many milliseconds.
pub const fn ms(milliseconds: u64) -> Span {
    Span(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use autodevops_model::{ErrorInfo, ErrorKind, Stage, StageError};
    use autodevops_policy::OverLimit;

    use super::*;
    use crate::component::Wat;

    fn attempt(ended: Ended) -> Attempt {
        Attempt {
            terms: Terms::new(PathBuf::new()),
            ended,
            plugin: "hostile-1".into(),
            reports: Vec::new(),
            log: String::new(),
        }
    }

    fn failed(failure: CallFailure) -> Ended {
        Ended::Failed(CallError {
            plugin: "hostile-1".into(),
            stage: Some(Stage::Check),
            failure,
            stderr: String::new(),
        })
    }

    fn over_limit(limit: Limit) -> OverLimit {
        OverLimit { plugin: "hostile-1".into(), limit, allowed: "1".into() }
    }

    fn over(limit: Limit) -> Ended {
        failed(CallFailure::OverLimit(over_limit(limit)))
    }

    fn trap() -> Ended {
        failed(CallFailure::Trap("wasm `unreachable` instruction executed".into()))
    }

    fn said() -> Ended {
        Ended::Answered("done".into())
    }

    fn case(fails: Ending) -> Case {
        Case::new("a case", "limits/files", Wat::check("(call $passed)"), fails)
    }

    #[test]
    fn an_honest_case_fails_by_its_limit_and_not_when_that_is_raised() {
        let case = case(Ending::Over(Limit::Files)).raised(|_| {}, Ending::Says("done".into()));
        assert_eq!(case.judge(&attempt(over(Limit::Files))), Ok(()));
        assert_eq!(case.judge_raised(&attempt(said())), Ok(()));
    }

    #[test]
    fn a_case_that_fails_for_another_reason_is_found() {
        let case = case(Ending::Over(Limit::Files)).raised(|_| {}, Ending::Says("done".into()));
        for other in [trap(), over(Limit::FileBytes), said()] {
            assert!(case.judge(&attempt(other.clone())).is_err(), "{other}");
        }
        // And what still fails when the limit is raised, by it or by anything else.
        for other in [trap(), over(Limit::Files), over(Limit::FileBytes), Ended::Answered("another".into())] {
            assert!(case.judge_raised(&attempt(other.clone())).is_err(), "{other}");
        }
    }

    #[test]
    fn a_guests_own_words_are_not_taken_for_a_limit() {
        let message = over_limit(Limit::Files).to_string();
        let info = ErrorInfo { message, details: Vec::new() };
        let words = failed(CallFailure::Refused(StageError { kind: ErrorKind::Failed, info }));
        assert!(case(Ending::Over(Limit::Files)).judge(&attempt(words)).is_err());
    }

    #[test]
    fn a_case_of_which_the_same_holds_with_its_limit_raised_is_found() {
        // By its ending, whatever it looks at in the second attempt.
        let same =
            case(Ending::Traps("unreachable")).raised(|_| {}, Ending::Traps("unreachable")).and_raised(|_| Ok(()));
        assert_eq!(same.judge(&attempt(trap())), Ok(()));
        assert!(same.judge_raised(&attempt(trap())).unwrap_err().contains("proves nothing"));
        // By what it looks at: nothing that would differ.
        let blind = case(Ending::Says("done".into())).and(|_| Ok(())).raised(|_| {}, Ending::Says("done".into()));
        assert_eq!(blind.judge(&attempt(said())), Ok(()));
        assert!(blind.judge_raised(&attempt(said())).is_err());
        let vague = case(Ending::Ends).and_raised(|_| Ok(()));
        assert!(vague.judge_raised(&attempt(said())).is_err());
    }

    #[test]
    fn a_case_that_ends_alike_and_leaves_something_else_behind_is_honest() {
        let written = |attempt: &Attempt| if attempt.log.is_empty() { Err("nothing".to_owned()) } else { Ok(()) };
        let dropped =
            move |attempt: &Attempt| if written(attempt).is_ok() { Err("something".to_owned()) } else { Ok(()) };
        let case = case(Ending::Says("done".into()))
            .and(dropped)
            .raised(|_| {}, Ending::Says("done".into()))
            .and_raised(written);
        assert_eq!(case.judge(&attempt(said())), Ok(()));
        assert_eq!(case.judge_raised(&Attempt { log: "a line".into(), ..attempt(said()) }), Ok(()));
        assert!(case.judge_raised(&attempt(said())).is_err());
    }

    #[test]
    fn an_ending_that_fits_any_text_is_vague() {
        assert!(Ending::Traps("").is_vague() && Ending::Refuses("").is_vague() && Ending::NotLoaded("").is_vague());
        for part in ["no", "no: ", "no header: "] {
            assert!(Ending::Refuses(part).is_vague(), "{part:?}");
        }
        assert!(Ending::NotLoaded("cannot be compiled").is_vague());
        assert!(!Ending::Refuses("no path").is_vague() && !Ending::NotLoaded("type mismatch").is_vague());
        assert!(!Ending::Traps("unreachable").is_vague() && !Ending::Over(Limit::Files).is_vague());
    }
}
