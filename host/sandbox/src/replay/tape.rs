//! Between a host function and its answer: in a live call nothing but a branch, in a recorded call the answer is kept, in a
//! replay it comes from the recording.

use std::sync::{Arc, Mutex, PoisonError};

use autodevops_policy::{Denial, Limit};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wasmtime::component::Resource;

use super::{
    kept::{DenialForm, Dummy, Handles, Kept},
    player::Player,
    question::{Question, identity},
    recorder::Recorder,
};
use crate::{guarded::Guarded, guest::Guest};

/// A player that its call and whoever started it share.
pub type SharedPlayer = Arc<Mutex<Player>>;

/// A recording that answers a call's host calls. Only [`Recording::replay`](super::Recording::replay) makes one.
#[derive(Clone)]
pub struct Replayed(SharedPlayer);

impl Replayed {
    pub(super) fn new(player: SharedPlayer) -> Self {
        Self(player)
    }

    pub(crate) fn player(&self) -> SharedPlayer {
        Arc::clone(&self.0)
    }
}

/// What becomes of a call's host calls.
#[derive(Default)]
pub enum Tape {
    /// They are made, and forgotten.
    #[default]
    Live,
    /// They are made, and their answers kept.
    Record(Box<Recorder>),
    /// They are answered from a recording.
    Replay(SharedPlayer),
}

impl Tape {
    /// Whether nothing is kept and nothing replayed.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }

    /// The player, in a replay.
    pub const fn player(&self) -> Option<&SharedPlayer> {
        match self {
            Self::Replay(player) => Some(player),
            _ => None,
        }
    }

    /// The recorder, in a call that is recorded.
    pub fn recorder(&mut self) -> Option<&mut Recorder> {
        match self {
            Self::Record(recorder) => Some(recorder),
            _ => None,
        }
    }
}

/// Locks a player.
pub fn lock(player: &SharedPlayer) -> std::sync::MutexGuard<'_, Player> {
    player.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A host call under way.
pub struct Asked {
    function: &'static str,
    question: u64,
    about: String,
    before: Refusals,
}

/// What the call was refused so far.
#[derive(PartialEq, Eq)]
struct Refusals {
    exceeded: Option<Limit>,
    denied: Option<Denial>,
}

impl Refusals {
    fn of(guest: &mut Guest) -> Self {
        let authority = guest.authority();
        let exceeded = authority.quota().exceeded().map(|over| over.limit);
        Self { exceeded, denied: authority.last_denial().cloned() }
    }
}

/// An answer with what else the host call did: it may have been refused something that its answer does not tell.
#[derive(Serialize, Deserialize)]
struct Told<T> {
    exceeded: Option<Limit>,
    denied: Option<DenialForm>,
    form: T,
}

/// What is known of a host call's answer.
pub enum Recall<T> {
    /// Nothing: the call is to be made.
    Real,
    /// The recorded answer.
    Answer(T),
    /// The recording has none.
    Missing,
}

impl Guarded<'_> {
    /// Whether host calls are only made.
    pub fn is_live(&mut self) -> bool {
        self.guest().tape.is_live()
    }

    /// Whether host calls are answered from a recording.
    pub fn is_replay(&mut self) -> bool {
        self.guest().tape.player().is_some()
    }

    /// Puts a host call's arguments together.
    pub fn asked(&mut self, function: &'static str, ask: impl FnOnce(&mut Question<'_>)) -> Asked {
        let guest = self.guest();
        let before = Refusals::of(guest);
        let digest = |identities: &_| {
            let mut question = Question::new(function, identities);
            ask(&mut question);
            question.done()
        };
        let (question, about) = match &guest.tape {
            Tape::Live => (0, String::new()),
            Tape::Record(recorder) => digest(&recorder.identities),
            Tape::Replay(player) => digest(&lock(player).identities),
        };
        Asked { function, question, about, before }
    }

    /// The recorded answer, in a replay.
    ///
    /// # Errors
    /// When the guest went another way, or the recording does not fit.
    pub fn recalled<T: Kept>(&mut self, asked: &Asked) -> wasmtime::Result<Recall<T>> {
        let Some(player) = self.guest().tape.player().cloned() else { return Ok(Recall::Real) };
        let told: Told<T::Form> = {
            let mut player = lock(&player);
            match player.answer(asked.function, asked.question, &asked.about)? {
                None => return Ok(Recall::Missing),
                Some(answer) => match decode(answer) {
                    Ok(told) => told,
                    Err(reason) => {
                        return Err(
                            player.part(format!("an answer that does not fit ({reason})"), asked.function.into())
                        );
                    }
                },
            }
        };
        let guest = self.guest();
        if let Some(limit) = told.exceeded {
            guest.authority().quota().exceed(limit);
        }
        if let Some(denied) = told.denied {
            let denial = denied.denial(guest);
            guest.authority().note_denial(denial);
        }
        let answer = T::give(told.form, self)?;
        self.name(asked, &answer);
        Ok(Recall::Answer(answer))
    }

    /// Keeps the answer of a host call that was made.
    pub fn keep<T: Kept>(&mut self, asked: Asked, answer: T) -> T {
        let guest = self.guest();
        let after = Refusals::of(guest);
        let exceeded = after.exceeded.filter(|_| after.exceeded != asked.before.exceeded);
        let denied = after.denied.as_ref().filter(|_| after.denied != asked.before.denied).map(DenialForm::of);
        let told = Told { exceeded, denied, form: answer.form(&guest.table) };
        self.name(&asked, &answer);
        if let Some(recorder) = self.guest().tape.recorder() {
            // The forms have nothing in them that cannot be written.
            let bytes = postcard::to_stdvec(&told).unwrap_or_default();
            recorder.host_call(asked.function, asked.question, asked.about, bytes);
        }
        answer
    }

    /// Notes a host call whose answer follows from what was passed and answered before.
    ///
    /// # Errors
    /// When, in a replay, the guest went another way.
    pub fn note(&mut self, asked: &Asked) -> wasmtime::Result<()> {
        match &mut self.guest().tape {
            Tape::Live => Ok(()),
            Tape::Record(recorder) => {
                recorder.host_call(asked.function, asked.question, asked.about.clone(), Vec::new());
                Ok(())
            }
            Tape::Replay(player) => lock(player).note(asked.function, asked.question, &asked.about),
        }
    }

    /// The error of a host call that the recording does not have.
    pub fn missing(&mut self, asked: &Asked) -> wasmtime::Error {
        match self.guest().tape.player() {
            Some(player) => lock(player).missing(asked.function, &asked.about),
            None => wasmtime::Error::msg("there is no recording"),
        }
    }

    /// Notes what the handles in an answer stand for.
    pub fn name(&mut self, asked: &Asked, answer: &impl Handles) {
        let mut made = Vec::new();
        answer.handles(&mut made);
        for (index, handle) in made.into_iter().enumerate() {
            self.stands_for(handle, Some(identity(asked.question, index)));
        }
    }

    /// The handle is gone.
    pub fn forget<T>(&mut self, handle: &Resource<T>) {
        self.stands_for(handle.rep(), None);
    }

    fn stands_for(&mut self, handle: u32, what: Option<u64>) {
        let note = |identities: &mut super::question::Identities| match what {
            Some(what) => identities.insert(handle, what),
            None => identities.remove(&handle),
        };
        match &mut self.guest().tape {
            Tape::Live => None,
            Tape::Record(recorder) => note(&mut recorder.identities),
            Tape::Replay(player) => note(&mut lock(player).identities),
        };
    }

    /// A handle of what the replay does not have.
    ///
    /// # Errors
    /// When the table is full.
    pub fn dummy<T: 'static>(&mut self) -> wasmtime::Result<Resource<T>> {
        let dummy = self.guest().table.push(Dummy)?;
        Ok(Resource::new_own(dummy.rep()))
    }

    /// A handle where the recording has none: of a timer, which is ready at once.
    ///
    /// # Errors
    /// When the table is full.
    pub fn stand_in<T: 'static>(&mut self, asked: &Asked) -> wasmtime::Result<Resource<T>> {
        let handle = self.dummy()?;
        self.name(asked, &handle);
        Ok(handle)
    }

    /// Drops what only stands for something; whether it was that.
    pub fn drop_dummy<T>(&mut self, handle: &Resource<T>) -> bool {
        if !self.is_replay() {
            return false;
        }
        let table = &mut self.guest().table;
        let is_dummy = table.get_any_mut(handle.rep()).is_ok_and(|entry| entry.is::<Dummy>());
        is_dummy && table.delete(Resource::<Dummy>::new_own(handle.rep())).is_ok()
    }

    /// Whether a stream is a real one in a replay: one of the plugin's own output.
    pub fn is_real_in_replay<T>(&mut self, handle: &Resource<T>) -> bool {
        self.is_replay() && self.guest().table.get_any_mut(handle.rep()).is_ok_and(|entry| !entry.is::<Dummy>())
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

/// Makes a host call whose answer is the world's: kept when the call is recorded, and taken from the recording in a replay. Where a
/// changed component asks what the recording does not have, `otherwise` is the answer, or the end of the call.
macro_rules! through {
    ($guarded:ident, $function:expr, ($($argument:expr),*), $real:expr) => {
        through!($guarded, $function, ($($argument),*), $real, otherwise |asked| {
            let error = $guarded.missing(&asked);
            $crate::guarded::refuse::Answer::ended(error)
        })
    };
    ($guarded:ident, $function:expr, ($($argument:expr),*), $real:expr, otherwise |$asked:ident| $otherwise:expr) => {
        if $guarded.is_live() {
            let answer = $real;
            $guarded.tell(answer)
        } else {
            #[allow(unused_variables, reason = "some functions have no arguments")]
            let $asked = $guarded.asked($function, |question| {
                $($crate::replay::Argument::ask(&$argument, question);)*
            });
            match $guarded.recalled(&$asked) {
                Err(error) => $crate::guarded::refuse::Answer::ended(error),
                Ok($crate::replay::Recall::Answer(answer)) => answer,
                Ok($crate::replay::Recall::Missing) => $otherwise,
                Ok($crate::replay::Recall::Real) => {
                    let answer = $real;
                    let answer = $guarded.tell(answer);
                    $guarded.keep($asked, answer)
                }
            }
        }
    };
}
pub(crate) use through;

/// Makes a host call whose answer follows from what was passed and answered before, in a replay too.
macro_rules! noted {
    ($guarded:ident, $function:expr, ($($argument:expr),*), $real:expr) => {
        if $guarded.is_live() {
            let answer = $real;
            $guarded.tell(answer)
        } else {
            #[allow(unused_variables, reason = "some functions have no arguments")]
            let asked = $guarded.asked($function, |question| {
                $($crate::replay::Argument::ask(&$argument, question);)*
            });
            match $guarded.note(&asked) {
                Err(error) => $crate::guarded::refuse::Answer::ended(error),
                Ok(()) => {
                    let answer = $real;
                    let answer = $guarded.tell(answer);
                    $guarded.name(&asked, &answer);
                    answer
                }
            }
        }
    };
}
pub(crate) use noted;

/// Drops a handle: what stands in a replay for something has nothing else to drop.
macro_rules! dropped {
    ($guarded:ident, $function:expr, $handle:ident, $real:expr) => {
        if $guarded.is_live() {
            $real
        } else {
            let asked = $guarded.asked($function, |question| $crate::replay::Argument::ask(&$handle, question));
            match $guarded.note(&asked) {
                Err(error) => Err(error),
                Ok(()) => {
                    $guarded.forget(&$handle);
                    if $guarded.drop_dummy(&$handle) { Ok(()) } else { $real }
                }
            }
        }
    };
}
pub(crate) use dropped;
