//! What a body may be.

use super::*;

#[tokio::test]
async fn a_list_is_taken_neither_for_a_word_nor_for_a_complaint() {
    let place = Place::new().await;
    place.runs.apply(EventKind::HoldRequested { by: "eve".into(), reason: String::new() });
    let told = place.events();
    for path in [
        "/runs/62e23fd1-1/approve",
        "/runs/62e23fd1-1/resume",
        "/runs/62e23fd1-1/abort",
        "/rollback/production",
        "/feedback",
    ] {
        for body in [json!([]), json!(["looks right", false]), json!([null, true, "x"]), json!(null), json!("x")] {
            let (status, answer) = place.post(path, body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}: {answer}");
            let text = answer["error"].as_str().unwrap();
            assert!(
                text.starts_with("the body is not what is expected: it is no JSON object; send for example {"),
                "{text}"
            );
        }
    }
    let (status, _) = place
        .ask(Method::POST, "/runs/62e23fd1-1/abort", Some(place.token.text()), r#"{"reason":"a","reason":"b"}"#)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "nor is one said twice");
    assert_eq!(place.events(), told, "nothing was said");
    let (status, _) = place.ask(Method::POST, "/runs/62e23fd1-1/resume", Some(place.token.text()), " \n{ }").await;
    assert_eq!(status, StatusCode::OK);
}

#[test]
fn a_word_that_lacks_something_is_told_apart_from_one_that_comes_at_the_wrong_time() {
    for refused in
        [Refused::SkipWithoutReason, Refused::RollForwardWithoutReason, Refused::NoSpan, Refused::BypassWithoutReason]
    {
        assert_eq!(Unheard::Refused(refused.clone()).status(), StatusCode::BAD_REQUEST, "{refused}");
    }
    assert_eq!(Unheard::Refused(Refused::NotOnHold { run: RUN.into() }).status(), StatusCode::CONFLICT);
}
