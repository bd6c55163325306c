//! The operator's settings.

use autodevops_sdk::{Error, Result};
use serde::Deserialize;
use telling::Least;

/// The plugin's configuration; what each key means is in its manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Addresses, at least one.
    pub to: Vec<String>,
    /// How they are written to.
    pub via: Via,
    /// For [`Via::Http`]: the service.
    pub url: String,
    /// For [`Via::Http`]: what it is sent.
    pub template: String,
    /// What matters less is not told.
    pub min_severity: Least,
    /// For [`Via::Http`]: longest wait, in seconds.
    pub timeout_seconds: u32,
}

/// How people are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Through the host's mail server.
    Smtp,
    /// Through the HTTP API of a mail service.
    Http,
}

impl Settings {
    /// Whether the settings fit each other.
    pub fn check(&self) -> Result<()> {
        if self.to.is_empty() {
            return Err(Error::wrong_input("`to` names nobody; write for example [\"ada@example.com\"]"));
        }
        let http = [("url", &self.url), ("template", &self.template)];
        for (key, value) in http {
            match (self.via, value.is_empty()) {
                (Via::Http, true) => {
                    return Err(Error::wrong_input(format!(
                        "`via` is http, and `{key}` is empty; write it, or use smtp"
                    )));
                }
                (Via::Smtp, false) => {
                    return Err(Error::wrong_input(format!(
                        "`{key}` is for http, and `via` is smtp; remove one of them"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            to: vec!["ada@example.com".into()],
            via: Via::Smtp,
            url: String::new(),
            template: String::new(),
            min_severity: Least::Info,
            timeout_seconds: 20,
        }
    }

    #[test]
    fn each_way_has_its_own_settings() {
        assert_eq!(settings().check(), Ok(()));
        let http = Settings { via: Via::Http, url: "https://a.example".into(), template: "{}".into(), ..settings() };
        assert_eq!(http.check(), Ok(()));
    }

    #[test]
    fn settings_that_do_not_fit_each_other_are_told_by_their_keys() {
        for (odd, word) in [
            (Settings { to: Vec::new(), ..settings() }, "`to` names nobody"),
            (Settings { via: Via::Http, template: "{}".into(), ..settings() }, "`url` is empty"),
            (Settings { via: Via::Http, url: "https://a.example".into(), ..settings() }, "`template` is empty"),
            (Settings { url: "https://a.example".into(), ..settings() }, "`url` is for http"),
        ] {
            let Err(Error::InvalidInput(info)) = odd.check() else { panic!("{odd:?}") };
            assert!(info.message.contains(word), "{}", info.message);
        }
    }
}
