use autodevops_model::Edit;
use autodevops_pipeline::{EventKind, Outcome, Timestamp};
use autodevops_record::testing::Story;
use serde_json::Value;

use super::*;
use crate::{
    live::Origin,
    testing::{Answer, Scene, answer_to, serves, target},
};

fn all(place: &str, release: &str) -> Answer {
    serves(place, &[(release, 100)], Some(release))
}

async fn told(scene: &Scene) -> Result<Serving, String> {
    let plan = scene.project.config.plan();
    serving(&scene.project, "r", &plan).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_begins_of_what_the_target_and_the_record_agree_to_serve() {
    let scene = Scene::open(&[target(&[all("production", "old"), answer_to("live", "staging", Value::Null)])], "");
    scene.served("production", &[scene.release("older"), scene.release("old")]);
    let serving = told(&scene).await.unwrap();
    assert_eq!(serving.base, scene.base);
    assert_eq!(serving.live, [Serves { staging: None, production: Some(scene.release("old")) }]);
    scene.serves("production", &scene.release("newer"), Timestamp(9), Origin::Deploy("ada".into()));
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("production serves old, and not newer, which this host made live last"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_nobody_here_put_there_is_no_beginning() {
    let scene = Scene::open(&[target(&[all("production", "old")])], "");
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("production serves old, which this host did not put there"), "{error}");
    let scene = Scene::open(&[target(&[])], "");
    scene.served("production", &[scene.release("old")]);
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("nothing was deployed to production yet"), "{error}");
}

#[test]
fn of_a_service_that_another_run_has_to_itself_it_is_what_served_before_that_run() {
    let services = vec!["cart".to_owned(), "shop".to_owned()];
    let events = Story { services, ..Story::default() }.events();
    let claimed = events.iter().position(|event| matches!(event.event, EventKind::ServicesClaimed { .. })).unwrap();
    let [before_it, after] = [claimed, claimed + 1].map(|count| Run::replay(&events[..count]).unwrap());
    assert_eq!(before(&before_it, "shop"), None);
    let old = Some(crate::testing::release("old"));
    let has: Vec<String> = after.claimed_services();
    assert!(!has.is_empty());
    for service in ["cart", "shop", "mail"] {
        let expected =
            has.iter().any(|one| one == service).then(|| Serves { staging: old.clone(), production: old.clone() });
        assert_eq!(before(&after, service), expected, "{service} of {has:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_another_run_has_to_itself_is_not_looked_at_and_what_a_run_has_itself_is() {
    let scene = Scene::open(&[target(&[all("production", "by-hand")])], "");
    scene.served("production", &[scene.release("old")]);
    let error = told(&scene).await.err().unwrap();
    assert!(error.starts_with("production serves by-hand, and not old"), "{error}");
    let run = scene.run(&Story::default(), |run| !run.claimed_services().is_empty());
    let serving = told(&scene).await.unwrap();
    assert_eq!(serving.live[0].production, Some(scene.release("old")));
    let plan = scene.project.config.plan();
    let own = super::serving(&scene.project, run.id(), &plan).await.err().unwrap().to_string();
    assert_eq!(own, error);
}

#[test]
fn a_run_has_only_the_services_that_it_claimed_to_itself_each_with_what_served_of_it() {
    let services = vec!["cart".to_owned(), "shop".to_owned()];
    let mut events = Story { services, ..Story::default() }.events();
    let EventKind::Started { live, .. } = &mut events[0].event else { panic!() };
    live[0].production = Some(crate::testing::release("cart-1"));
    live[1].production = Some(crate::testing::release("shop-1"));
    let served = live.clone();
    let claimed = events.iter().position(|event| matches!(event.event, EventKind::ServicesClaimed { .. })).unwrap();
    let mut claims = |changed: &[&str]| {
        for event in &mut events {
            if let EventKind::FixProposed { fix, .. } = &mut event.event {
                let edit = fix.edits[0].clone();
                let of = |service: &&str| Edit { path: format!("services/{service}/index.js"), ..edit.clone() };
                fix.edits = changed.iter().map(of).collect();
            }
        }
        let run = Run::replay(&events[..=claimed]).unwrap();
        ["cart", "shop", "mail"].map(|service| before(&run, service))
    };
    let [cart, shop] = [0, 1].map(|index: usize| Some(served[index].clone()));
    assert_eq!(claims(&["cart"]), [cart.clone(), None, None]);
    assert_eq!(claims(&["shop"]), [None, shop.clone(), None]);
    assert_eq!(claims(&["cart", "shop"]), [cart, shop, None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn beside_a_run_that_only_tells_people_that_it_healed_another_begins_of_its_release() {
    let scene = Scene::open(&[target(&[all("production", "new"), all("staging", "new")])], "");
    let run = scene.run(&Story::default(), |run| run.ending() == Some(&Outcome::Healed));
    assert!(run.outcome().is_none() && run.only_tells(), "people are to be told still");
    let healed = run.members().next().unwrap().release().unwrap().clone();
    for place in ["staging", "production"] {
        scene.served(place, &[scene.release("old"), healed.clone()]);
    }
    let serving = told(&scene).await.unwrap();
    assert_eq!(serving.live, [Serves { staging: Some(healed.clone()), production: Some(healed) }]);
}
