//! A message as it goes on the wire. Headers are `lettre`'s to write: it encodes and folds them.

use autodevops_policy::MailAddress;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
};

use crate::MailError;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who sends it, and how they name it: the same again has the same `Message-ID`.
    pub key: (String, String),
    /// Whom it goes to: at least one.
    pub to: Vec<MailAddress>,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
}

/// Says that no person wrote it, so that no robot answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn no_message(error: impl ToString) -> MailError {
    MailError::Message(error.to_string())
}

/// An address as `lettre` knows it.
pub(crate) fn address(address: &MailAddress) -> Result<Address, MailError> {
    address.as_str().parse().map_err(no_message)
}

impl Letter {
    /// The message's bytes.
    pub(crate) fn message(&self, from: &MailAddress, from_name: &str) -> Result<Vec<u8>, MailError> {
        if self.subject.contains(char::is_control) || from_name.contains(char::is_control) {
            return Err(no_message("its subject is more than one line"));
        }
        let name = (!from_name.is_empty()).then(|| from_name.to_owned());
        let mut builder = Message::builder()
            .from(Mailbox::new(name, address(from)?))
            .message_id(Some(self.id(from)))
            .subject(self.subject.clone())
            .header(AutoSubmitted);
        for recipient in &self.to {
            builder = builder.to(Mailbox::new(None, address(recipient)?));
        }
        let message = match &self.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(self.text.clone(), html.clone())),
            None => builder.singlepart(SinglePart::plain(self.text.clone())),
        };
        Ok(message.map_err(no_message)?.formatted())
    }

    /// By who sends it and their key, so that the same that comes twice can be told from two.
    fn id(&self, from: &MailAddress) -> String {
        let (sender, key) = &self.key;
        let mut hasher = blake3::Hasher::new();
        for part in [sender, key] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let hash = hasher.finalize().to_hex();
        format!("<{}@{}>", hash.get(..32).unwrap_or_default(), from.domain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            key: ("notify".into(), "k".into()),
            to: vec!["ada@example.com".parse().unwrap(), "bob@ops.example".parse().unwrap()],
            subject: "shop: läuft nicht".into(),
            text: ".\r\n.hidden\nlast".into(),
            html: None,
        }
    }

    fn text(letter: &Letter) -> String {
        let from = "ops@example.com".parse().unwrap();
        String::from_utf8(letter.message(&from, "AutoDevOps").unwrap()).unwrap()
    }

    #[test]
    fn headers_are_those_of_the_operator_and_the_same_key_has_the_same_id() {
        let message = text(&letter());
        for part in [
            "From: AutoDevOps <ops@example.com>\r\n",
            "To: ada@example.com, bob@ops.example\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: shop: =?utf-8?",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let id = |message: &str| message.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
        assert!(id(&message).ends_with("@example.com>"), "{message}");
        assert_eq!(id(&text(&Letter { text: "other".into(), ..letter() })), id(&message));
        for key in [("notify", "k2"), ("other", "k"), ("notifyk", "")] {
            let other = Letter { key: (key.0.into(), key.1.into()), ..letter() };
            assert_ne!(id(&text(&other)), id(&message));
        }
    }

    #[test]
    fn a_subject_of_more_than_one_line_is_no_message() {
        let from = "ops@example.com".parse().unwrap();
        for subject in ["a\r\nBcc: eve@evil.example", "a\nb", "a\rb", "a\0b"] {
            let odd = Letter { subject: subject.into(), ..letter() };
            assert!(matches!(odd.message(&from, "x"), Err(MailError::Message(_))), "{subject:?}");
        }
        assert!(letter().message(&from, "x\r\nBcc: eve@evil.example").is_err());
    }

    #[test]
    fn both_forms_of_a_text_are_alternatives() {
        let message = text(&Letter { html: Some("<p>x</p>".into()), ..letter() });
        assert!(message.contains("multipart/alternative") && message.contains("text/html"), "{message}");
        assert!(message.lines().all(|line| line.len() <= 998));
    }
}
