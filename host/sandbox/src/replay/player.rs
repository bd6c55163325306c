//! Answers a guest's host calls from a recording.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{
    format::{FailureKind, Frame, Outcome},
    question::Identities,
};

/// How host calls are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One after the other, as they were recorded: the same component asks the same in the same order.
    Strict,
    /// By function and arguments, each answer in its turn: a changed component may ask in another order.
    Matching,
}

/// A guest asked for something else than what is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at host call {call} the recording has {expected}, and the plugin asked for {found}")]
pub struct Parted {
    /// Which host call, from 1.
    pub call: u64,
    /// What the recording has there.
    pub expected: String,
    /// What the guest asked for.
    pub found: String,
}

/// All host calls that were recorded before the call's time ran out are done.
#[derive(Debug, thiserror::Error)]
#[error("the recording ends here, as the call's time did")]
pub struct RecordedToHere;

/// A function that was called, and what came of it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its arguments: JSON.
    pub input: String,
    /// Its argument that is bytes.
    pub bytes: Vec<u8>,
    /// What came of it; none where the recording ends before.
    pub outcome: Option<Outcome>,
    /// How many host calls were made before it ended, from the beginning.
    pub until: u64,
}

/// A recording, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The functions that were called, in their order.
    pub functions: Vec<Function>,
    /// The host calls, in their order.
    pub calls: Vec<HostCall>,
    /// Growths of memory that the operating system denied.
    pub denied_growths: BTreeSet<u64>,
    /// Where it outgrew its bound: the bytes that there were, and that there might have been.
    pub outgrown: Option<(u64, u64)>,
}

/// A host call that was recorded.
#[derive(Clone, Debug)]
pub struct HostCall {
    function: usize,
    name: String,
    question: u64,
    about: String,
    answer: Vec<u8>,
}

impl HostCall {
    fn shown(&self) -> String {
        shown(&self.name, &self.about)
    }
}

fn shown(function: &str, about: &str) -> String {
    if about.is_empty() { format!("`{function}`") } else { format!("`{function}` of {about}") }
}

impl Contents {
    /// Takes the frames apart; says what does not fit.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn of(frames: Vec<Frame>) -> Result<Self, String> {
        let mut contents = Self::default();
        let mut names: Vec<String> = Vec::new();
        for frame in frames {
            match frame {
                Frame::Begin { function, input, bytes } => {
                    contents.functions.push(Function { name: function, input, bytes, outcome: None, until: 0 });
                }
                Frame::Name(name) => names.push(name),
                Frame::HostCall { function, question, about, answer } => {
                    let name = usize::try_from(function).ok().and_then(|number| names.get(number)).cloned();
                    let name = name.ok_or("a host call of a function without a name")?;
                    let function = contents.functions.len();
                    contents.calls.push(HostCall { function, name, question, about, answer });
                }
                Frame::GrowthDenied(number) => {
                    contents.denied_growths.insert(number);
                }
                Frame::End(outcome) => match contents.functions.last_mut() {
                    Some(last) => {
                        last.outcome = Some(outcome);
                        last.until = contents.calls.len() as u64;
                    }
                    // Of a recording that outgrew its bound only this is left.
                    None => contents.functions.push(Function {
                        name: String::new(),
                        input: String::new(),
                        bytes: Vec::new(),
                        outcome: Some(outcome),
                        until: 0,
                    }),
                },
                Frame::Outgrown { bytes, limit } => contents.outgrown = Some((bytes, limit)),
            }
        }
        if let Some(last) = contents.functions.last_mut().filter(|last| last.outcome.is_none()) {
            last.until = contents.calls.len() as u64;
        }
        Ok(contents)
    }
}

/// Plays a recording to one call.
pub struct Player {
    order: Order,
    functions: Vec<Function>,
    calls: Vec<HostCall>,
    /// In matching order, what is left for each question.
    left: HashMap<u64, VecDeque<usize>>,
    /// The host calls that were made.
    at: u64,
    /// Which function is under way, from 1.
    function: usize,
    parted: Option<Parted>,
    /// In matching order, where the guest first asked otherwise.
    strayed: Option<Parted>,
    denied_growths: BTreeSet<u64>,
    /// What each handle stands for.
    pub identities: Identities,
}

impl Player {
    /// From the beginning.
    pub fn new(contents: &Contents, order: Order) -> Self {
        let mut left: HashMap<u64, VecDeque<usize>> = HashMap::new();
        if order == Order::Matching {
            for (index, call) in contents.calls.iter().enumerate() {
                left.entry(call.question).or_default().push_back(index);
            }
        }
        Self {
            order,
            functions: contents.functions.clone(),
            calls: contents.calls.clone(),
            left,
            at: 0,
            function: 0,
            parted: None,
            strayed: None,
            denied_growths: contents.denied_growths.clone(),
            identities: HashMap::new(),
        }
    }

    /// The next of the functions is called.
    pub fn next_function(&mut self) {
        self.function += 1;
    }

    fn under_way(&self) -> Option<&Function> {
        self.function.checked_sub(1).and_then(|index| self.functions.get(index))
    }

    /// Growths of memory that were denied when the call was recorded.
    pub const fn denied_growths(&self) -> &BTreeSet<u64> {
        &self.denied_growths
    }

    /// How many host calls the guest made.
    pub const fn made(&self) -> u64 {
        self.at
    }

    /// Where it went another way.
    pub const fn parted(&self) -> Option<&Parted> {
        self.parted.as_ref()
    }

    /// In matching order, where the guest first asked otherwise than it was recorded.
    pub const fn strayed(&self) -> Option<&Parted> {
        self.strayed.as_ref()
    }

    /// Whether the call's time was out at this point of the recording.
    pub fn is_over(&self) -> bool {
        let by_circumstances = |function: &Function| {
            matches!(&function.outcome, None | Some(Outcome::Failure { kind: FailureKind::Circumstances, .. }))
        };
        self.order == Order::Strict
            && self.under_way().is_some_and(|function| self.at >= function.until && by_circumstances(function))
    }

    /// Host calls that the recording has and the function did not make, now that it has ended.
    pub fn ended(&mut self) {
        let until = self.under_way().map_or(0, |function| function.until);
        if self.at >= until {
            return;
        }
        let expected = usize::try_from(self.at).ok().and_then(|at| self.calls.get(at));
        let expected = expected.map(HostCall::shown).unwrap_or_default();
        let parted = Parted { call: self.at.saturating_add(1), expected, found: "nothing more".to_owned() };
        match self.order {
            Order::Strict => self.parted.get_or_insert(parted),
            Order::Matching => self.strayed.get_or_insert(parted),
        };
    }

    /// Looks whether the next host call is the one that was recorded here.
    fn compare(&self, function: &str, question: u64, about: &str) -> Result<usize, Parted> {
        let index = usize::try_from(self.at).unwrap_or(usize::MAX);
        let expected = self.calls.get(index).filter(|call| call.function == self.function);
        if expected.is_some_and(|call| call.name == function && call.question == question) {
            return Ok(index);
        }
        let found = shown(function, about);
        let expected = match expected {
            None => "the function's end".to_owned(),
            Some(call) if call.shown() == found => format!("{found} with other arguments"),
            Some(call) => call.shown(),
        };
        Err(Parted { call: self.at.saturating_add(1), expected, found })
    }

    /// In matching order: counts the host call, and notes the first that is another than was recorded here.
    fn stray(&mut self, function: &str, question: u64, about: &str) {
        if self.strayed.is_none() {
            self.strayed = self.compare(function, question, about).err();
        }
        self.at = self.at.saturating_add(1);
    }

    /// The recorded answer to the question; in matching order, none where there is none.
    ///
    /// # Errors
    /// [`Parted`] or [`RecordedToHere`].
    pub fn answer(&mut self, function: &str, question: u64, about: &str) -> wasmtime::Result<Option<&[u8]>> {
        if self.order == Order::Strict {
            return self.next(function, question, about).map(Some);
        }
        self.stray(function, question, about);
        let Some(left) = self.left.get_mut(&question) else { return Ok(None) };
        // What is asked again after the last time has the last answer again, where asking changes nothing.
        let index = if left.len() > 1 || !repeats(function) { left.pop_front() } else { left.front().copied() };
        Ok(index.and_then(|index| self.calls.get(index)).map(|call| call.answer.as_slice()))
    }

    /// A host call whose answer is not recorded, since it is the same every time.
    ///
    /// # Errors
    /// [`Parted`] or [`RecordedToHere`].
    pub fn note(&mut self, function: &str, question: u64, about: &str) -> wasmtime::Result<()> {
        if self.order == Order::Strict {
            return self.next(function, question, about).map(|_| ());
        }
        self.stray(function, question, about);
        Ok(())
    }

    fn next(&mut self, function: &str, question: u64, about: &str) -> wasmtime::Result<&[u8]> {
        if let Some(parted) = &self.parted {
            return Err(parted.clone().into());
        }
        if self.is_over() {
            return Err(RecordedToHere.into());
        }
        let index = match self.compare(function, question, about) {
            Ok(index) => index,
            Err(Parted { expected, found, .. }) => return Err(self.part(expected, found)),
        };
        self.at += 1;
        Ok(self.calls.get(index).map(|call| call.answer.as_slice()).unwrap_or_default())
    }

    /// Notes that the guest's next host call is not the recorded one.
    pub fn part(&mut self, expected: String, found: String) -> wasmtime::Error {
        let parted = Parted { call: self.at.saturating_add(1), expected, found };
        self.parted.get_or_insert(parted).clone().into()
    }

    /// Notes that the host call just made is not in the recording.
    pub fn missing(&mut self, function: &str, about: &str) -> wasmtime::Error {
        self.at = self.at.saturating_sub(1);
        let error = self.part("none like it".to_owned(), shown(function, about));
        self.at = self.at.saturating_add(1);
        error
    }
}

/// Whether a host function only looks: asked again, it answers the same.
fn repeats(function: &str) -> bool {
    const LOOKING: [&str; 12] = [
        "now",
        "get-directories",
        "[method]descriptor.open-at",
        "[method]descriptor.stat",
        "[method]descriptor.stat-at",
        "[method]descriptor.get-flags",
        "[method]descriptor.get-type",
        "[method]descriptor.read",
        "[method]descriptor.readlink-at",
        "[method]descriptor.metadata-hash",
        "[method]descriptor.metadata-hash-at",
        "resolution",
    ];
    function.split_once(' ').is_some_and(|(_, name)| LOOKING.contains(&name))
}
