use proptest::prelude::*;

use super::*;
use crate::{Bytes, Destination, Limits, Operation, testing};

#[test]
fn each_excess_is_named() {
    let grant = |text: &str| toml::from_str::<EffectiveGrant>(text).unwrap();
    let answered = grant(
        r#"
http = [{ origin = "https://a.example", methods = ["GET"] }, { origin = "https://a.example", methods = ["HEAD"] }]
files."/data" = { host = "/srv/data" }
files."/repo" = {}
limits.memory = "64 MiB"
[[credentials]]
name = "key"
origins = ["https://a.example"]
header = "authorization"
prefix = "Bearer "
"#,
    );
    for (text, excesses) in [
        (
            "commands = [\"dump\"]\nlimits.memory = \"1 MiB\"",
            vec!["run your command `dump`, as [commands.dump] has it"],
        ),
        ("", vec!["use up to 256 MiB of memory (answered: 64 MiB)"]),
        ("limits.memory = \"1 MiB\"", vec![]),
        ("clocks = true\nrandom = true\nlimits.memory = \"1 MiB\"", vec!["read the clocks", "use randomness"]),
        (
            "http = [\"https://a.example/v1\"]\nlimits.memory = \"1 MiB\"",
            vec!["send POST, PUT, PATCH, DELETE and OPTIONS requests to https://a.example:443/v1/"],
        ),
        (
            "http = [{ origin = \"https://a.example\", methods = [\"GET\", \"HEAD\"] }]\nlimits.memory = \"1 MiB\"",
            vec![],
        ),
        (
            "http = [{ origin = \"https://*.a.example\", methods = [\"GET\"] }]\nlimits.memory = \"1 MiB\"",
            vec!["send GET requests to https://*.a.example:443/"],
        ),
        (
            "files.\"/data\" = { host = \"/srv/data/sub\", access = \"read-write\" }\nlimits.memory = \"1 MiB\"",
            vec!["read and write the folder /data, which is /srv/data/sub (answered: /srv/data, to read)"],
        ),
        ("files.\"/data\" = { host = \"/srv/data/sub\" }\nlimits.memory = \"1 MiB\"", vec![]),
        (
            "files.\"/data\" = { host = \"/srv/data/../etc\" }\nlimits.memory = \"1 MiB\"",
            vec!["read the folder /data, which is /srv/data/../etc (answered: /srv/data, to read)"],
        ),
        (
            "files.\"/data\" = { host = \"/srv/database\" }\nlimits.memory = \"1 MiB\"",
            vec!["read the folder /data, which is /srv/database (answered: /srv/data, to read)"],
        ),
        (
            "files.\"/repo\" = { host = \"/etc\" }\nfiles.\"/x\" = {}\nlimits.memory = \"1 MiB\"",
            vec!["read the folder /repo, which is /etc (answered: the run's own, to read)", "read the folder /x"],
        ),
    ] {
        let found = within(&grant(text), &answered).err().unwrap_or_default();
        assert_eq!(found, excesses, "{text}");
    }
    let credential = |origin: &str, header: &str| {
        let text = format!(
            "limits.memory = \"1 MiB\"\n[[credentials]]\nname = \"key\"\norigins = [\"{origin}\"]\nheader = \"{header}\"\n\
             prefix = \"Bearer \"\n"
        );
        within(&grant(&text), &answered).err().unwrap_or_default()
    };
    assert_eq!(credential("https://a.example/v1", "authorization"), Vec::<String>::new());
    assert_eq!(
        credential("https://b.example", "cookie"),
        [
            "use the credential `key` for https://b.example:443/",
            "send the credential `key` as `cookie: Bearer …` (answered: `authorization: Bearer …`)"
        ]
    );
}

proptest! {
    #[test]
    fn what_is_effective_is_always_within_itself_also_when_it_was_stored(grant in testing::effective_grant()) {
        prop_assert_eq!(within(&grant, &grant), Ok(()));
        let text = toml::to_string(&grant).unwrap();
        prop_assert_eq!(toml::from_str::<EffectiveGrant>(&text).unwrap(), grant, "{}", text);
    }

    #[test]
    fn what_is_within_may_do_nothing_that_was_not_answered(
        now in testing::effective_grant(), answered in testing::effective_grant(),
        method in testing::method(), url in testing::url()
    ) {
        match within(&now, &answered) {
            Ok(()) => {
                let http = Operation::Http { method: method.name().into(), url: url.to_string() };
                for operation in [
                    http,
                    Operation::Clock,
                    Operation::Random,
                    Operation::KeyValue("b".into()),
                    Operation::LocalTarget { function: "traffic.set", target: String::new() },
                    Operation::Command { name: "dump".into(), with: String::new() },
                ] {
                    let (now, answered) = (now.decide("a", &operation), answered.decide("a", &operation));
                    prop_assert!(now.is_err() || answered.is_ok(), "{:?}", operation);
                }
                for recipient in &now.mail {
                    prop_assert!(answered.mail.iter().any(|known| known.covers(recipient)), "{}", recipient);
                }
                for (guest, preopen) in &now.files {
                    prop_assert!(answered.files[guest].access >= preopen.access);
                }
                for credential in &now.credentials {
                    let known = answered.credentials.iter().find(|known| known.name == credential.name).unwrap();
                    prop_assert!(!credential.is_for(&url) || known.is_for(&url));
                    prop_assert_eq!(&credential.header, &known.header);
                }
                prop_assert_eq!(now.limits.at_most(&answered.limits.unusual()).memory, now.limits.memory);
            }
            Err(excesses) => prop_assert!(!excesses.is_empty() && excesses.iter().all(|excess| !excess.is_empty())),
        }
    }

    #[test]
    fn one_thing_more_is_one_excess_that_names_it(grant in testing::effective_grant(), which in 0usize..7) {
        let mut now = grant.clone();
        let named = match which {
            0 => { now.files.insert("/more".into(), Preopen { host: None, access: Access::ReadOnly }); "/more" }
            1 => {
                let more: Destination = "https://more.example".parse().unwrap();
                if grant.http.iter().any(|known| known.origin.covers(&more.origin)) {
                    // It is of any host.
                    return Ok(());
                }
                now.http.push(more);
                "https://more.example:443/"
            }
            2 => { now.limits = Limits { memory: Bytes(1 << 40), ..now.limits }; "1024 GiB of memory" }
            3 => {
                now.credentials.push(EffectiveCredential {
                    name: "more".into(), origins: Vec::new(), header: "cookie".into(), prefix: String::new(),
                });
                "`more`"
            }
            4 if !grant.clocks => { now.clocks = true; "clocks" }
            5 if !grant.local_target => { now.local_target = true; "releases" }
            6 => { now.mail.push("more@more.example".parse().unwrap()); "mail to more@more.example" }
            _ => return Ok(()),
        };
        let excesses = within(&now, &grant).unwrap_err();
        prop_assert!(excesses.len() == 1 && excesses[0].contains(named), "{:?}", excesses);
        prop_assert_eq!(within(&grant, &now), Ok(()));
    }
}
