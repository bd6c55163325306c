use proptest::prelude::*;

use super::*;
use crate::{Manifest, effective, testing, within};

fn asked(text: &str) -> Asked {
    toml::from_str(text).unwrap()
}

#[test]
fn what_is_new_widened_and_gone_is_said_in_words() {
    let before = asked(
        r#"
clocks = true
http = [{ origin = "https://a.example", methods = ["GET"] }, "https://b.example/v1", "https://c.example"]
files."/repo" = "read-only"
files."/old" = "read-write"
limits.memory = "1 GiB"
limits.http-requests = 5000
[credentials.key]
origins = ["https://a.example"]
header = "authorization"
prefix = "Bearer "
"#,
    );
    let now = asked(
        r#"
random = true
http = ["https://a.example", { origin = "https://b.example", methods = ["GET"] }, "https://d.example"]
files."/repo" = "read-write"
files."/new" = "read-only"
limits.memory = "2 GiB"
[credentials.key]
origins = ["https://a.example", "https://d.example"]
header = "x-key"
prefix = ""
[credentials.more]
origins = ["https://d.example"]
header = "authorization"
prefix = "Bearer "
"#,
    );
    let found = difference(&before, &now);
    assert_eq!(
        found.new,
        [
            "use randomness",
            "send requests to https://d.example:443/",
            "read the folder /new",
            "use the credential `more` for https://d.example:443/ (sent as `authorization: Bearer …`, never seen by the plugin)",
        ]
    );
    assert_eq!(
        found.widened,
        [
            "send requests to https://a.example:443/ (before: GET requests to https://a.example:443/)",
            "send GET requests to https://b.example:443/ (before: requests to https://b.example:443/v1/)",
            "read and write the folder /repo (before: only read)",
            "use the credential `key` for https://a.example:443/ and https://d.example:443/ (sent as `x-key: …`, never \
             seen by the plugin) (before: for https://a.example:443/)",
            "send the credential `key` as `x-key: …` (before: `authorization: Bearer …`)",
            "use up to 2 GiB of memory (before: 1 GiB)",
        ]
    );
    assert_eq!(
        found.gone,
        [
            "read the clocks",
            "send requests to https://b.example:443/v1/ (now: GET requests to https://b.example:443/)",
            "send requests to https://c.example:443/",
            "read and write the folder /old",
            "use up to 5000 requests (now: 1000)",
        ]
    );
    assert!(found.asks_for_more());
    let back = difference(&now, &before);
    assert_eq!((back.new.len(), back.widened.is_empty()), (3, false), "{back:?}");
}

proptest! {
    #[test]
    fn nothing_is_different_from_itself_also_when_it_was_stored(manifest in testing::manifest()) {
        let asked = Asked::of(&manifest);
        prop_assert!(difference(&asked, &asked).is_none());
        let text = toml::to_string(&asked).unwrap();
        prop_assert_eq!(toml::from_str::<Asked>(&text).unwrap(), asked, "{}", text);
    }

    #[test]
    fn everything_that_is_asked_for_is_new_at_first(manifest in testing::manifest()) {
        let asked = Asked::of(&manifest);
        let found = difference(&Asked::default(), &asked);
        prop_assert_eq!(found.asks_for_more(), !asked.is_nothing());
        prop_assert!(found.gone.is_empty());
        prop_assert_eq!(crate::words(&manifest).is_empty(), asked.is_nothing());
    }

    #[test]
    fn a_version_that_asks_for_no_more_may_do_no_more_by_any_grant(
        before in testing::manifest(), now in testing::manifest(), grant in testing::grant()
    ) {
        // Of limits below the usual ones nothing is asked.
        let now = Manifest { limits: before.limits, ..now };
        if !difference(&Asked::of(&before), &Asked::of(&now)).asks_for_more() {
            prop_assert_eq!(within(&effective(&now, &grant), &effective(&before, &grant)), Ok(()));
        }
    }

    #[test]
    fn one_permission_less_is_gone_and_one_more_is_not_passed_over(manifest in testing::manifest(), which in 0usize..10) {
        prop_assume!(!manifest.permissions.is_empty());
        let mut less = manifest.clone();
        less.permissions.remove(which % manifest.permissions.len());
        let (all, less) = (Asked::of(&manifest), Asked::of(&less));
        prop_assume!(all != less);
        prop_assert!(difference(&less, &all).asks_for_more());
        let narrower = difference(&all, &less);
        prop_assert!(!narrower.asks_for_more() && !narrower.gone.is_empty(), "{:?}", narrower);
    }
}
