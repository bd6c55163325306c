use proptest::prelude::*;

use super::*;
use crate::{effective, missing, testing};

fn check(grant: &str) -> Result<(), String> {
    let manifest = testing::asks();
    check_grant(&manifest, &toml::from_str(grant).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_grant_of_what_was_not_asked_for_is_refused_by_name() {
    for (grant, text) in [
        (
            "random = true",
            "plugin `a` does not ask for what [plugins.a.grant] random = true grants; it asks for `files`, `http`, \
             `credentials` and `clocks`; remove it",
        ),
        ("keyvalue = true", "[plugins.a.grant] keyvalue = true"),
        ("local-target = true", "[plugins.a.grant] local-target = true"),
        ("mail = [\"ada@example.com\"]", "[plugins.a.grant] mail = [\"ada@example.com\"] grants"),
        (
            "files.\"/other\" = {}",
            "[plugins.a.grant] files.\"/other\" grants; it asks for /data to read and write and /repo to read; remove it",
        ),
        (
            "files.\"/repo\" = { host = \"/d\", access = \"read-write\" }",
            "files.\"/repo\" = { access = \"read-write\" } grants; it asks for /data to read and write and /repo to read",
        ),
        (
            "http = [\"https://evil.example\"]",
            "http = [\"https://evil.example:443/\"] grants; it asks for requests to any http host that you name and \
             GET requests to https://api.example.com:443/v1/; remove it",
        ),
        (
            "http = [{ origin = \"https://api.example.com\", methods = [\"GET\", \"POST\"] }]",
            "http = [{ origin = \"https://api.example.com:443/\", methods = [\"POST\"] }] grants",
        ),
        (
            "http = [\"http://*\"]",
            "leaves the host to the operator, and [plugins.a.grant] http = [\"http://*/\"] names none",
        ),
        ("commands = [\"dump\"]", "[plugins.a.grant] commands = [\"dump\"] grants; it asks for `files`, `http`"),
        ("credentials.tokn = { env = \"A\" }", "credentials.tokn grants; it asks for the credential `token`"),
        ("credentials.key = { env = \"A\" }", "credentials.key grants; it asks for the credentials `token`"),
        ("credentials.token = {}", "the credential `token` is bound to nothing"),
        (
            "credentials.token = { env = \"A\", origins = [\"https://evil.example\"] }",
            "credentials.token.origins = [\"https://evil.example:443/\"] grants; it asks for it to be sent to \
             https://api.example.com:443/",
        ),
    ] {
        let error = check(grant).unwrap_err();
        assert!(error.contains(text), "{error}\nlacks: {text}");
    }
    let nothing = "name = \"b\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]";
    let manifest = Manifest::parse(nothing, "plugin.toml").unwrap();
    let grant: Grant = toml::from_str("credentials.key = { env = \"A\" }").unwrap();
    let error = check_grant(&manifest, &grant).unwrap_err().to_string();
    assert!(error.contains("it asks for no credential; remove it"), "{error}");
}

#[test]
fn what_was_asked_for_may_be_granted_in_whole_and_in_part() {
    for grant in [
        "",
        "http = [\"https://api.example.com\", \"http://127.0.0.1:9180\", \"http://*.example.com\", \"https://*\"]",
        "http = [{ origin = \"https://*.example.com\", methods = [\"GET\"] }]",
        "http = [{ origin = \"http://a.example\", methods = [\"DELETE\"] }]",
        "files.\"/data\" = { host = \"/d\" }\nclocks = true\nlimits.memory = \"1 TiB\"",
        "credentials.token = { env = \"A\", origins = [\"https://api.example.com/v1\", \"https://*.example.com\"] }",
    ] {
        assert_eq!(check(&grant.replace("1 TiB", "1024 GiB")), Ok(()), "{grant}");
    }
}

#[test]
fn credentials_that_are_not_bound_are_told() {
    let manifest = testing::asks();
    let names = |grant: &str| {
        missing(&manifest, &toml::from_str(grant).unwrap()).iter().map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["token"]);
    assert_eq!(names("credentials.token = { env = \"A\" }"), Vec::<String>::new());
}

proptest! {
    #[test]
    fn what_passes_has_an_effect_in_each_of_its_parts(manifest in testing::manifest(), grant in testing::grant()) {
        if check_grant(&manifest, &grant).is_ok() {
            let effective = effective(&manifest, &grant);
            prop_assert_eq!(
                [effective.clocks, effective.random, effective.keyvalue, effective.local_target],
                [grant.clocks, grant.random, grant.keyvalue, grant.local_target]
            );
            prop_assert_eq!(&effective.mail, &grant.mail);
            prop_assert_eq!(&effective.files, &grant.files);
            for granted in &grant.http {
                prop_assert!(effective.http.iter().any(|held| granted.intersection(held).is_some()), "{}", granted);
            }
            prop_assert_eq!(effective.credentials.len(), grant.credentials.len());
            prop_assert!(effective.credentials.iter().all(|credential| !credential.origins.is_empty()));
        }
    }
}
