use std::collections::VecDeque;

use autodevops_bundle::ask::asks;
use autodevops_policy::{Limit, Limits, Manifest, check_grant, effective};

use super::*;

/// A person whose answers are known beforehand.
struct Script {
    answers: VecDeque<&'static str>,
    seen: String,
}

impl Person for Script {
    fn say(&mut self, text: &str) -> Result<()> {
        self.seen.push_str(text);
        Ok(())
    }

    fn answer(&mut self, question: &str) -> Result<Option<String>> {
        self.seen.push_str(question);
        Ok(self.answers.pop_front().map(|answer| format!("{answer}\n")))
    }
}

/// The plugin of the tests of grants, which asks for one of each.
const MANIFEST: &str = include_str!("../../../../policy/src/testing/asks.toml");

fn manifest() -> Manifest {
    Manifest::parse(MANIFEST, "plugin.toml").unwrap()
}

/// Asks for everything in the manifest; what is granted, and what was seen.
fn answered(before: Option<&Grant>, answers: &[&'static str]) -> (Result<Grant>, String) {
    let mut person = Script { answers: answers.iter().copied().collect(), seen: String::new() };
    let mut grant = Grant::default();
    let result = asks(&manifest()).iter().try_for_each(|ask| one("a", ask, before, &mut grant, &mut person));
    assert!(result.is_err() || person.answers.is_empty(), "not all was asked:\n{}", person.seen);
    (result.map(|()| grant), person.seen)
}

#[test]
fn silence_grants_nothing_and_caps_what_is_asked_beyond_the_usual() {
    let (grant, seen) = answered(None, &[""; 7]);
    let effective = effective(&manifest(), &grant.unwrap());
    assert_eq!((effective.files.len(), effective.http.len(), effective.clocks), (0, 0, false));
    assert!(effective.credentials.is_empty());
    assert_eq!(effective.limits.amount(Limit::Memory), Limits::default().amount(Limit::Memory));
    for words in [
        "read the folder /repo\n  The files are read.",
        "use the credential `token` for https://api.example.com:443/ (sent as `authorization: Bearer …`, never seen by the plugin)",
        "do not start with this plugin. Say where with\n    autodevops plugin grant a\n",
        "use up to 1 GiB of memory (usual: 256 MiB)\n  This opens nothing. Without it the usual limit holds",
    ] {
        assert!(seen.contains(words), "`{words}` is missing:\n{seen}");
    }
}

#[test]
fn each_thing_is_granted_by_itself_and_what_cannot_be_meant_is_asked_again() {
    let (grant, seen) = answered(
        None,
        &[
            "yes",
            "/nowhere/at/all",
            "/proc/self/status",
            "/tmp",
            "maybe",
            "y",
            "n",
            "https://other.example http://127.0.0.1:9100",
            "http://*",
            "http://127.0.0.1:9100 http://127.0.0.1:9200/metrics",
            "n",
            "from my head",
            "google-service-account /key.json",
            "env API_TOKEN",
            "y",
        ],
    );
    let grant = grant.unwrap();
    assert_eq!(check_grant(&manifest(), &grant), Ok(()));
    assert_eq!(grant.files["/repo"].host, None);
    let data = &grant.files["/data"];
    assert_eq!((data.host.as_deref(), data.access), (Some(Path::new("/tmp")), Access::ReadWrite));
    let http: Vec<String> = grant.http.iter().map(ToString::to_string).collect();
    assert_eq!(http.len(), 2, "{http:?}");
    assert!(http[0].starts_with("requests to http://127.0.0.1:9100/"), "{http:?}");
    assert!(!grant.clocks);
    assert_eq!(grant.credentials["token"].env.as_deref(), Some("API_TOKEN"));
    assert_eq!(grant.limits, autodevops_policy::Ceilings::default());
    for words in [
        "/nowhere/at/all: No such file",
        "/proc/self/status is no folder",
        "answer y or n",
        "the plugin does not ask to send requests to https://other.example",
        "http://* names no host",
        "write for example `env API_TOKEN`",
        "needs `scopes`",
    ] {
        assert!(seen.contains(words), "`{words}` is missing:\n{seen}");
    }
}

#[test]
fn what_was_granted_before_is_granted_again_by_an_empty_line() {
    let before: Grant = toml_grant();
    let (grant, _) = answered(Some(&before), &[""; 7]);
    let (again, then) = (effective(&manifest(), &grant.unwrap()), effective(&manifest(), &before));
    assert_eq!(again, then);
}

fn toml_grant() -> Grant {
    serde_json::from_value(serde_json::json!({
        "clocks": true,
        "files": { "/repo": {}, "/data": { "host": "/tmp", "access": "read-write" } },
        "http": ["http://127.0.0.1:9100"],
        "credentials": { "token": { "env": "API_TOKEN" } },
    }))
    .unwrap()
}

#[test]
fn nobody_who_went_away_has_granted_anything() {
    let (grant, _) = answered(None, &["y", "/tmp"]);
    assert!(grant.unwrap_err().to_string().contains("nobody answers any more"));
}

#[test]
fn mail_is_granted_to_people_who_are_named_and_a_credential_that_is_optional_may_stay_unbound() {
    let text = "name = \"m\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"notifier\"]\n\
                [[permissions]]\nask = \"mail\"\nreason = \"News.\"\n\
                [[credentials]]\nname = \"api\"\norigins = [\"https://a.example\"]\noptional = true\nreason = \"Another way.\"";
    let manifest = Manifest::parse(text, "plugin.toml").unwrap();
    let mut person =
        Script { answers: ["ops", "*@ops.example ada@example.com", ""].into_iter().collect(), seen: String::new() };
    let mut grant = Grant::default();
    for ask in &asks(&manifest) {
        one("m", ask, None, &mut grant, &mut person).unwrap();
    }
    let to: Vec<String> = grant.mail.iter().map(ToString::to_string).collect();
    assert_eq!(to, ["*@ops.example", "ada@example.com"]);
    assert!(person.seen.contains("\"ops\" is nobody to grant mail to"), "{}", person.seen);
    assert!(person.seen.contains("The plugin does without it."), "{}", person.seen);
    assert!(autodevops_policy::missing(&manifest, &grant).is_empty());
}
