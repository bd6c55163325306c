use proptest::prelude::*;

use super::*;
use crate::{Method, testing};

fn check(ceilings: &str, grant: &str) -> Result<(), String> {
    let ceilings: PermissionCeilings = toml::from_str(ceilings).unwrap();
    let grant: EffectiveGrant = toml::from_str(grant).unwrap();
    ceilings.check("a", &grant).map_err(|error| error.to_string())
}

#[test]
fn what_goes_beyond_a_ceiling_is_refused_by_its_key() {
    let credential = "[[credentials]]\nname = \"key\"\norigins = []\nheader = \"cookie\"\nprefix = \"\"";
    for (ceilings, grant, excess) in [
        ("clocks = false", "clocks = true", "[ceilings] clocks is false"),
        ("random = false", "random = true", "[ceilings] random is false"),
        ("keyvalue = false", "keyvalue = true", "[ceilings] keyvalue is false"),
        ("local-target = false", "local-target = true", "[ceilings] local-target is false"),
        ("commands = false", "commands = [\"dump\"]", "[ceilings] commands is false, and it has `dump`"),
        ("mail = []", "mail = [\"ada@a.example\"]", "[ceilings] mail does not include ada@a.example"),
        ("mail = [\"ada@a.example\"]", "mail = [\"*@a.example\"]", "[ceilings] mail does not include *@a.example"),
        ("credentials = false", credential, "[ceilings] credentials is false, and it has `key`"),
        (
            "http = []",
            "http = [\"https://a.example\"]",
            "[ceilings] http does not include requests to https://a.example:443/",
        ),
        (
            "http = [\"https://*\"]",
            "http = [\"http://a.example\"]",
            "[ceilings] http does not include requests to http://a.example:80/",
        ),
        (
            "http = [{ origin = \"https://*\", methods = [\"GET\"] }]",
            "http = [{ origin = \"https://a.example\", methods = [\"GET\", \"POST\"] }]",
            "[ceilings] http does not include POST requests to https://a.example:443/",
        ),
        (
            "files = [\"/srv\"]",
            "files.\"/data\" = { host = \"/srv2\" }",
            "[ceilings] files does not include /srv2, which it sees as /data",
        ),
        (
            "files = [\"/srv\"]",
            "files.\"/data\" = { host = \"/srv/../etc\" }",
            "[ceilings] files does not include /srv/../etc, which it sees as /data",
        ),
        (
            "read-write = [\"/srv/a\"]",
            "files.\"/data\" = { host = \"/srv\", access = \"read-write\" }",
            "[ceilings] read-write does not include /srv, which it sees as /data",
        ),
        (
            "read-write = []",
            "files.\"/repo\" = { access = \"read-write\" }",
            "[ceilings] read-write does not include the run's own /repo",
        ),
    ] {
        let error = check(ceilings, grant).unwrap_err();
        let expected = format!(
            "plugin `a` is granted more than the operator's ceilings allow: {excess}; narrow its grant, or raise the ceiling"
        );
        assert_eq!(error, expected);
        assert_eq!(check("", grant), Ok(()), "without a ceiling: {grant}");
    }
}

#[test]
fn what_keeps_to_the_ceilings_is_allowed() {
    for (ceilings, grant) in [
        ("http = [\"https://*\"]", "http = [\"https://a.example/v1\", \"https://*.b.example\"]"),
        (
            "http = [{ origin = \"https://a.example\", methods = [\"GET\"] }, { origin = \"https://*\", methods = [\"PUT\"] }]",
            "http = [{ origin = \"https://a.example\", methods = [\"GET\", \"PUT\"] }]",
        ),
        ("files = [\"/srv\"]\nread-write = []", "files.\"/repo\" = {}\nfiles.\"/data\" = { host = \"/srv/data\" }"),
        ("read-write = [\"/srv\"]", "files.\"/data\" = { host = \"/srv\", access = \"read-write\" }"),
        ("read-write = []", "files.\"/etc\" = { host = \"/etc\" }"),
        ("clocks = false\nhttp = []\nfiles = []\ncredentials = false", "random = true"),
    ] {
        assert_eq!(check(ceilings, grant), Ok(()), "{ceilings}: {grant}");
    }
}

proptest! {
    #[test]
    fn no_request_leads_beyond_a_ceiling_that_was_kept_to(
        http in prop::collection::vec(testing::destination(), 0..4), grant in testing::effective_grant(),
        method in testing::method(), url in testing::url()
    ) {
        let ceilings = PermissionCeilings { http: Some(http.clone()), ..PermissionCeilings::default() };
        let by_the_ceiling = |method: Method| {
            http.iter().any(|most| most.methods.contains(method) && testing::means(&most.origin, &url))
        };
        if ceilings.check("a", &grant).is_ok() && grant.http.iter().any(|one| one.allows_request(method, &url)) {
            prop_assert!(by_the_ceiling(method));
        }
        prop_assert_eq!(PermissionCeilings::default().check("a", &grant), Ok(()));
    }

    #[test]
    fn a_ceiling_as_high_as_the_grant_is_kept_to(grant in testing::effective_grant()) {
        let hosts: Vec<PathBuf> = grant.files.values().filter_map(|preopen| preopen.host.clone()).collect();
        prop_assume!(!hosts.iter().any(|host| host.ends_with("etc")));
        let ceilings = PermissionCeilings { http: Some(grant.http.clone()), files: Some(hosts), ..PermissionCeilings::default() };
        prop_assert_eq!(ceilings.check("a", &grant), Ok(()));
    }
}
