//! What is asked for and what is granted, for people and for programs.

use autodevops_bundle::{ask::Ask, lock::LOCK};
use serde_json::{Value, json};

use super::question::{Given, Question, Word};
use crate::output::clean;

impl Question {
    /// The plugin and all that it asks for, before it is answered.
    pub(super) fn shown(&self) -> String {
        let mut text = format!(
            "\n{} {}\n  component {}\n  folder    {}\n",
            self.name(),
            self.version(),
            self.digest(),
            self.folder().display()
        );
        if let Some(answer) = &self.standing.answer {
            let same = if answer.digest == self.digest() { "the same component" } else { "another component" };
            text.push_str(&format!(
                "  answered  {} by {}, for {same}: {} {}\n",
                answer.answered,
                answer.by,
                answer.version,
                answer.digest.short()
            ));
        }
        text.push_str("It asks to\n");
        for ask in &self.asks {
            text.push_str(&format!("  {}\n", ask.words));
            if let Some(reason) = &ask.reason {
                text.push_str(&format!("    {reason}\n"));
            }
        }
        for (head, mark, list) in [
            ("NEW since then is that it asks to", '+', self.asked_anew().collect::<Vec<_>>()),
            ("It asks no longer to", '-', self.gone().collect()),
        ] {
            if !list.is_empty() {
                text.push_str(&format!("{head}\n"));
                list.iter().for_each(|what| text.push_str(&format!("  {mark} {what}\n")));
            }
        }
        if let Some(grant) = &self.standing.configured {
            let given = Given { grant: grant.clone(), word: Word::Configuration };
            text.push_str(&self.granted_text(&given));
        }
        text
    }

    /// What the plugin can do with what it is given, and what of its requests it is refused.
    pub(super) fn granted_text(&self, given: &Given) -> String {
        let head = match given.word {
            Word::Configuration => format!("by [plugins.{}.grant] of autodevops.toml it may", self.name()),
            Word::Yes => "granted as it asks, it may".to_owned(),
            Word::Person => "by this answer it may".to_owned(),
        };
        let effective = self.effective(given);
        let mut text = format!("{head}\n");
        let granted: Vec<String> =
            self.asks.iter().filter_map(|ask| ask.what.granted(&ask.words, &effective)).collect();
        if granted.is_empty() {
            text.push_str("  do nothing of what it asks to\n");
        }
        granted.iter().for_each(|what| text.push_str(&format!("  {what}\n")));
        let refused: Vec<&Ask> =
            self.asks.iter().filter(|ask| ask.what.granted(&ask.words, &effective).is_none()).collect();
        if !refused.is_empty() {
            text.push_str("but not\n");
            refused.iter().for_each(|ask| text.push_str(&format!("  {}\n", ask.words)));
        }
        text
    }

    /// What became of it; `given` is none where nothing was to be answered.
    pub fn told(&self, given: Option<&Given>) -> String {
        let (name, version) = (self.name(), self.version());
        let text = match given {
            _ if self.asks.is_empty() => format!("{name} {version} asks for nothing\n"),
            None => format!("{name} {version} is granted already, as this component\n"),
            Some(given) => {
                let granted = self.granted_text(given).replace('\n', "\n  ");
                format!("{name} {version} {}\n  {}\n", self.digest(), granted.trim_end())
            }
        };
        clean(&text)
    }

    /// In one line, what is asked for.
    pub fn summary(&self) -> String {
        let asks: Vec<&str> = self.asks.iter().map(|ask| ask.words.as_str()).collect();
        let mut text = format!("  {} {}: to {}", self.name(), self.version(), asks.join("; "));
        let new: Vec<&str> = self.asked_anew().map(String::as_str).collect();
        if !new.is_empty() {
            text.push_str(&format!("; NEW is: to {}", new.join("; ")));
        }
        text
    }

    /// For programs.
    pub fn json(&self, given: Option<&Given>) -> Value {
        let effective = given.map_or_else(|| self.standing.effective.clone(), |given| self.effective(given));
        let asked: Vec<Value> = self
            .asks
            .iter()
            .map(|ask| {
                json!({"what": ask.words, "reason": ask.reason, "granted": ask.what.granted(&ask.words, &effective)})
            })
            .collect();
        json!({"plugin": self.name(), "version": self.version(), "digest": self.digest(), "folder": self.folder(),
               "asked": asked, "new": self.asked_anew().collect::<Vec<_>>(), "gone": self.gone().collect::<Vec<_>>(),
               "granted": effective, "stored": given.is_some() && !self.asks.is_empty(), "lock": LOCK})
    }
}
