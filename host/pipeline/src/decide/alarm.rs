//! People are asked again, and further people with them, until someone answers or says that they have it in hand.

use super::{Draft, Link, Refused};
use crate::EventKind;

impl Draft {
    /// Tells the people of the level whose time has come.
    pub(super) fn escalate(&mut self) -> bool {
        let Some((level, due)) = self.run.next_level() else { return false };
        if due > self.at {
            return false;
        }
        let reason = self.run.alarm().map(|alarm| alarm.reason.clone()).unwrap_or_default();
        self.push(EventKind::Escalated { level, reason });
        true
    }

    /// Tells the people of every level that is left: the run ends because nobody answered, and there is no later.
    pub(crate) fn escalate_all(&mut self, reason: &str) {
        self.escalate_from(self.run.alarm().map_or(0, |alarm| alarm.told), reason);
    }

    /// Tells the people of every level but for so many.
    pub(crate) fn escalate_from(&mut self, told: u32, reason: &str) {
        let levels = u32::try_from(self.run.plan().escalation.len()).unwrap_or(u32::MAX);
        for level in told + 1..=levels {
            self.push(EventKind::Escalated { level, reason: reason.to_owned() });
        }
    }

    /// Someone has it in hand. It answers nothing; it only keeps further people from being told.
    pub(super) fn acknowledge(&mut self, by: String, reason: String, link: Option<Link>) -> Result<(), Refused> {
        let Some(alarm) = self.run.alarm() else {
            return Err(Refused::NothingToAcknowledge { run: self.run.id().to_owned() });
        };
        if let Some(by) = &alarm.acknowledged {
            return Err(Refused::AlreadyAcknowledged { by: by.clone() });
        }
        // Whoever was asked something beside it since then read of it there, too.
        let number = link.as_ref().map_or(0, |link| link.asked).max(alarm.number);
        let link = self.by_link(link, number)?;
        self.push(EventKind::Acknowledged { by, reason, link });
        Ok(())
    }

    /// The link's nonce, where it answers this question and was not used before.
    pub(super) fn by_link(&self, link: Option<Link>, asked: u32) -> Result<Option<String>, Refused> {
        let Some(link) = link else { return Ok(None) };
        let run = self.run.id().to_owned();
        if self.run.link_used(&link.nonce) {
            return Err(Refused::LinkUsed { run });
        }
        if link.asked != asked {
            return Err(Refused::LinkOfAnother { run });
        }
        Ok(Some(link.nonce))
    }
}
