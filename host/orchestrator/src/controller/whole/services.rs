//! Taking back what was released of one service, beside another that went back.

use std::time::Duration;

use autodevops_model::Release;
use autodevops_pipeline::Timestamp;

use super::*;

const CART: &str = "production-cart";
const SHOP: &str = "production-shop";

fn ago(seconds: u64) -> Timestamp {
    now().before(Duration::from_secs(seconds))
}

/// Two services, of which releases came to serve one after the other: so many seconds ago, where, which, and of which commit, where that is
/// not the first.
fn served(all: &[(u64, &str, &str, &str)]) -> Scene {
    let scene = Scene::open_of_two(&[target(&[])], "");
    for (seconds, place, id, commit) in all {
        let first = scene.release(id);
        let commit = if commit.is_empty() { first.commit.clone() } else { commit.repeat(40) };
        let release = Release { commit, ..first };
        scene.serves(place, &release, ago(*seconds), Origin::Deploy("ada".into()));
    }
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_service_that_went_back_keeps_nobody_from_taking_back_what_came_to_another_since() {
    let scene = served(&[
        (900, CART, "cart-0", "a"),
        (900, SHOP, "shop-1", "a"),
        (800, CART, "cart-1", "b"),
        (600, CART, "cart-2", "c"),
        (300, CART, "cart-1", "b"),
        (120, SHOP, "shop-2", "d"),
    ]);
    let controller = controller(&scene);
    let back = controller.roll_back("production", None, true, "ada", "r").await.unwrap();
    let RolledBack::ByHand { made, .. } = back else { panic!("{back:?}") };
    let made: Vec<(&str, &str)> = made.iter().map(|live| (live.place.as_str(), live.release.id.as_str())).collect();
    assert_eq!(made, [(SHOP, "shop-1")]);
    let error = controller.roll_back("production", None, true, "ada", "r").await.unwrap_err().to_string();
    assert!(error.starts_with("every other release that was live in production-shop was gone back from"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_a_run_took_back_a_part_of_one_service_last_another_goes_back_only_to_a_release_that_is_named() {
    let scene = served(&[(900, CART, "old", ""), (900, SHOP, "shop-1", ""), (120, SHOP, "shop-2", "b")]);
    let services = vec!["cart".to_owned(), "mail".to_owned()];
    let story = Story { services, candidate_errors: 200, ..Story::default() };
    let back = Run::replay(&story.events()).unwrap().back_since().unwrap();
    let begun = Timestamp(story.at.0 + ago(60).0 - back.0);
    let run = scene.run(&Story { at: begun, ..story }, over);
    assert!(run.took_back(CART).is_some_and(|back| back > ago(100)), "{:?}", run.took_back(CART));
    let controller = controller(&scene);
    let error = controller.roll_back("production", None, true, "ada", "r").await.unwrap_err();
    assert!(error.is::<Declined>(), "{error:#}");
    let error = error.to_string();
    let way = "to take back what serves production-shop as well, name the release: `autodevops rollback production --to shop-1`";
    assert!(error.starts_with("production-cart went back to old ") && error.ends_with(way), "{error}");
    let named = controller.roll_back("production", Some("shop-1"), true, "ada", "r").await.unwrap();
    assert!(matches!(&named, RolledBack::ByHand { made, .. } if made.len() == 1), "{named:?}");
}
