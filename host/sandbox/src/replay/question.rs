//! What a guest asks the host, as a digest: the function's arguments, a handle by what it stands for and not by its number.

use std::collections::HashMap;

use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};

/// What each handle stands for: the digest of the host call that made it.
pub type Identities = HashMap<u32, u64>;

/// Longest text about a host call that is kept for people, in bytes.
const MAX_ABOUT_BYTES: usize = 120;

/// The arguments of one host call, as they are taken in.
pub struct Question<'a> {
    hasher: blake3::Hasher,
    identities: &'a Identities,
    about: String,
}

impl<'a> Question<'a> {
    /// Of a host function.
    pub fn new(function: &str, identities: &'a Identities) -> Self {
        let mut question = Self { hasher: blake3::Hasher::new(), identities, about: String::new() };
        question.bytes(function.as_bytes());
        question
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // With its length, so that two arguments never run together.
        self.hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    /// Takes a text in, that people may see.
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        if self.about.len() + text.len() < MAX_ABOUT_BYTES {
            if !self.about.is_empty() {
                self.about.push(' ');
            }
            self.about.push_str(text);
        }
    }

    /// The digest, and what it is about.
    pub fn done(self) -> (u64, String) {
        let mut first = [0; 8];
        self.hasher.finalize_xof().fill(&mut first);
        (u64::from_le_bytes(first), self.about)
    }
}

/// An argument of a host function.
pub trait Argument {
    /// Takes the argument into the question.
    fn ask(&self, question: &mut Question<'_>);
}

impl<T> Argument for Resource<T> {
    fn ask(&self, question: &mut Question<'_>) {
        let identity = question.identities.get(&self.rep()).copied().unwrap_or_default();
        identity.ask(question);
    }
}

impl Argument for u64 {
    fn ask(&self, question: &mut Question<'_>) {
        question.hasher.update(&self.to_le_bytes());
    }
}

impl Argument for String {
    fn ask(&self, question: &mut Question<'_>) {
        question.text(self);
    }
}

impl Argument for Vec<u8> {
    fn ask(&self, question: &mut Question<'_>) {
        question.bytes(self);
    }
}

impl<T: Argument> Argument for Vec<T> {
    fn ask(&self, question: &mut Question<'_>) {
        (self.len() as u64).ask(question);
        self.iter().for_each(|value| value.ask(question));
    }
}

impl<A: Argument, B: Argument> Argument for (A, B) {
    fn ask(&self, question: &mut Question<'_>) {
        self.0.ask(question);
        self.1.ask(question);
    }
}

impl<T: Argument, E: std::fmt::Debug> Argument for Result<T, E> {
    fn ask(&self, question: &mut Question<'_>) {
        u64::from(self.is_ok()).ask(question);
        match self {
            Ok(value) => value.ask(question),
            Err(error) => Shown(error).ask(question),
        }
    }
}

impl Argument for u16 {
    fn ask(&self, question: &mut Question<'_>) {
        u64::from(*self).ask(question);
    }
}

impl Argument for Method {
    fn ask(&self, question: &mut Question<'_>) {
        Shown(self).ask(question);
    }
}

impl Argument for Scheme {
    fn ask(&self, question: &mut Question<'_>) {
        Shown(self).ask(question);
    }
}

impl<T: Argument> Argument for Option<T> {
    fn ask(&self, question: &mut Question<'_>) {
        u64::from(self.is_some()).ask(question);
        self.iter().for_each(|value| value.ask(question));
    }
}

impl<T: Argument + ?Sized> Argument for &T {
    fn ask(&self, question: &mut Question<'_>) {
        (**self).ask(question);
    }
}

/// An argument that is taken in as it is shown: flags, records, variants.
pub struct Shown<'a, T>(pub &'a T);

impl<T: std::fmt::Debug> Argument for Shown<'_, T> {
    fn ask(&self, question: &mut Question<'_>) {
        question.bytes(format!("{:?}", self.0).as_bytes());
    }
}

/// What the handle stands for that a host call made, the first or a later one of several.
pub const fn identity(question: u64, index: usize) -> u64 {
    // The finalizer of SplitMix64, so that neighbours differ in all bits.
    let mut mixed = question.wrapping_add((index as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(identities: &Identities, arguments: &[&dyn Argument]) -> u64 {
        let mut question = Question::new("f", identities);
        arguments.iter().for_each(|argument| argument.ask(&mut question));
        question.done().0
    }

    #[test]
    fn a_handle_is_what_it_stands_for_and_not_its_number() {
        let known: Identities = [(1, 7), (2, 7), (3, 8)].into();
        let handle = |number| Resource::<u8>::new_borrow(number);
        assert_eq!(digest(&known, &[&handle(1)]), digest(&known, &[&handle(2)]));
        assert_ne!(digest(&known, &[&handle(1)]), digest(&known, &[&handle(3)]));
    }

    #[test]
    fn arguments_do_not_run_together() {
        let text = |text: &str| text.to_owned();
        let none = Identities::new();
        assert_ne!(digest(&none, &[&text("ab"), &text("c")]), digest(&none, &[&text("a"), &text("bc")]));
        assert_ne!(digest(&none, &[&vec![text("a")]]), digest(&none, &[&vec![text("a"), text("")]]));
        assert_ne!(digest(&none, &[&Some(0u64)]), digest(&none, &[&None::<u64>]));
    }

    #[test]
    fn what_is_made_by_one_host_call_is_told_apart() {
        assert_ne!(identity(5, 0), identity(5, 1));
        assert_ne!(identity(5, 0), identity(6, 0));
    }
}
