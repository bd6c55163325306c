//! What the API answers, over real connections: who may speak, and what links do once, and once only.

use std::{collections::BTreeSet, sync::Mutex};

use autodevops_model::{Capabilities, Evidence, Issue, IssueKind, Release, Severity};
use autodevops_people::{Action, Claim, May, Token, TokenHash};
use autodevops_pipeline::{Event, EventKind, Gate, Input, Live, Plan, Run};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000_000);
const RUN: &str = "62e23fd1-1";

fn now() -> Timestamp {
    NOW
}

/// One run that waits for approval, in memory.
struct OneRun(Mutex<Logged>);

impl OneRun {
    fn waiting(plan: Plan) -> Self {
        let release = |id: &str| Release { id: id.into(), artifact: "sha256:0".into(), commit: "c".into() };
        let issue = Issue {
            message: "for jane@shop.example".into(),
            evidence: vec![Evidence { source: "log".into(), line: 1, text: "cart of jane@shop.example".into() }],
            ..Issue::new("62e23fd1", IssueKind::Exception, Severity::Error, "TypeError: <b>country</b> & co")
        };
        let live = Live { staging: None, production: Some(release("old")) };
        let capabilities = Capabilities {
            split_traffic: true,
            preview: true,
            instant_rollback: true,
            fenced: true,
            keeps_state: true,
            fresh_baseline: false,
        };
        let first = Run::started(RUN, issue, plan, "c", 1, vec![live], capabilities, Timestamp(0));
        let run = Run::start(&first).unwrap();
        let this = Self(Mutex::new(Logged { run, events: vec![first], version: 1 }));
        this.apply(EventKind::ApprovalAsked {
            gate: Gate::Production,
            until: NOW.after(Duration::from_secs(3600)),
            reason: "production requires approval".into(),
        });
        this
    }

    fn apply(&self, event: EventKind) {
        let mut logged = self.0.lock().unwrap();
        let event = Event { v: autodevops_pipeline::VERSION, at: Timestamp(1), event };
        logged.run.apply(&event);
        logged.events.push(event);
    }
}

impl Office for Arc<OneRun> {
    async fn all(&self) -> Result<Vec<Logged>, Unheard> {
        Ok(vec![self.0.lock().unwrap().clone()])
    }

    async fn find(&self, run: &str) -> Result<Logged, Unheard> {
        let logged = self.0.lock().unwrap().clone();
        let found = (run == logged.run.id()).then_some(logged);
        found.ok_or_else(|| Unheard::Absent(format!("there is no run `{run}`")))
    }

    async fn aftermath(&self) -> Result<Aftermath, Unheard> {
        Ok(undone::of(&self.0.lock().unwrap().run))
    }

    async fn metrics(&self) -> Result<String, Unheard> {
        let complaint = autodevops_record::Complaint { service: "shop".into(), at: Timestamp(1) };
        Ok(autodevops_record::exposition(&[], &[complaint]))
    }

    async fn say(&self, said: Said) -> Result<String, Unheard> {
        let mut logged = self.find(&said.run).await?;
        let words = format!("{:?} by {}", said.word, said.by);
        for event in logged.run.decide(said.into_input(), NOW)? {
            logged.run.apply(&event);
            logged.events.push(event);
        }
        *self.0.lock().unwrap() = logged;
        Ok(words)
    }

    async fn after(&self, by: String, run: String, sequel: Sequel, reason: String) -> Result<String, Unheard> {
        match self.find(&run).await?.run.outcome() {
            None => Err(Unheard::Declined(format!("run {run} is not over"))),
            Some(_) => Ok(format!("{sequel:?} of {run} by {by}: {reason}")),
        }
    }

    async fn roll_back(&self, by: String, environment: String, back: Back) -> Result<String, Unheard> {
        match back.to.as_deref() {
            Some("gone") => Err(Unheard::Declined("release gone is not known any more".into())),
            Some("slow") => std::future::pending().await,
            _ => Ok(format!("{environment} goes back, by {by}: {back:?}")),
        }
    }

    async fn complain(&self, complaint: Complaint, by: String) -> Result<String, Unheard> {
        if complaint.text.is_empty() {
            return Err(Unheard::Unfit("a complaint needs a text".into()));
        }
        Ok(format!("{} of {}, told by {by}", complaint.text, complaint.from.unwrap_or_default()))
    }
}

struct Place {
    runs: Arc<OneRun>,
    key: LinkKey,
    token: Token,
    open: HttpApi,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

impl Place {
    async fn new() -> Self {
        Self::within(CONNECTIONS, HEAD_PATIENCE).await
    }

    async fn within(connections: usize, head_patience: Duration) -> Self {
        let mut plan = Plan::defaults("shop");
        plan.approval.approvers = vec!["ada".into(), "ops".into()];
        let (runs, key, token) = (Arc::new(OneRun::waiting(plan)), LinkKey::new(&[1; 32]), Token::new().unwrap());
        let form = Speaker { hash: TokenHash::of("autodevops_forms"), may: BTreeSet::from([May::Feedback]) };
        let tokens = BTreeMap::from([
            ("ada".to_owned(), token.hash().into()),
            ("eve".to_owned(), TokenHash::of("autodevops_eves").into()),
            ("form".to_owned(), form),
        ]);
        let api =
            Api { office: Arc::clone(&runs), tokens, links: Some(key.clone()), redaction: Redaction::default(), now };
        let listen = "127.0.0.1:0".parse().unwrap();
        let open = HttpApi::open_within(listen, api, connections, head_patience).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { runs, key, token, open, client }
    }

    async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.open.address()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = self.client.request(request.body(Full::from(body.to_owned())).unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, body) = self.ask(Method::POST, path, Some(self.token.text()), &body.to_string()).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    fn link(&self, action: Action, asked: u32, until: i64) -> String {
        let nonce = "1/notify-webhook".to_owned();
        let claim = Claim { run: RUN.into(), asked, action, by: "ops".into(), until, nonce };
        format!("/answer/{}", self.key.sign(&claim))
    }

    async fn follow(&self, link: &str) -> (StatusCode, String) {
        self.ask(Method::GET, link, None, "").await
    }

    async fn press(&self, link: &str) -> (StatusCode, String) {
        self.ask(Method::POST, link, None, "reason=looks+right%21").await
    }

    fn events(&self) -> Vec<&'static str> {
        self.runs.0.lock().unwrap().events.iter().map(|event| event.event.name()).collect()
    }
}

const LATER: i64 = NOW.0 + 1_000;

#[tokio::test]
async fn a_stranger_is_told_nothing_and_changes_nothing() {
    let place = Place::new().await;
    for token in [None, Some("autodevops_guess"), Some("")] {
        for (method, path) in [
            (Method::GET, "/runs"),
            (Method::GET, "/runs/62e23fd1-1"),
            (Method::GET, "/metrics"),
            (Method::POST, "/runs/62e23fd1-1/abort"),
            (Method::POST, "/rollback/production"),
            (Method::POST, "/feedback"),
        ] {
            let (status, body) = place.ask(method, path, token, "").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
            assert!(body.contains("autodevops token") && !body.contains("62e23fd1"), "{body}");
        }
    }
    assert_eq!(place.events(), ["started", "approval-asked"]);
}

#[tokio::test]
async fn a_token_does_what_it_may_and_nothing_else() {
    let place = Place::new().await;
    let form = Some("autodevops_forms");
    let (status, body) = place.ask(Method::POST, "/feedback", form, r#"{"text":"the cart is empty"}"#).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    for (method, path, needed) in [
        (Method::GET, "/runs", "read"),
        (Method::GET, "/runs/62e23fd1-1", "read"),
        (Method::GET, "/metrics", "metrics"),
        (Method::POST, "/runs/62e23fd1-1/approve", "steer"),
        (Method::POST, "/runs/62e23fd1-1/abort", "steer"),
        (Method::POST, "/rollback/production", "steer"),
    ] {
        let (status, body) = place.ask(method, path, form, "").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {body}");
        assert!(body.contains(&format!("of `form` may `feedback` alone, and this is `{needed}`")), "{body}");
    }
    assert_eq!(place.events(), ["started", "approval-asked"]);
}

#[tokio::test]
async fn a_release_is_taken_back_by_its_run_and_an_environment_goes_back() {
    let place = Place::new().await;
    // The run moved nothing yet.
    let (status, body) = place.post("/runs/62e23fd1-1/rollback", json!({"reason": "odd orders"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert!(body["error"].as_str().unwrap().contains("there is nothing to take back"), "{body}");
    let (status, body) = place.post("/rollback/production", json!({"to": "r1", "now": true, "reason": "odd"})).await;
    let expected = r#"production goes back, by ada: Back { to: Some("r1"), now: true, reason: "odd" }"#;
    assert_eq!((status, &body["done"]), (StatusCode::OK, &json!(expected)));
    let (status, _) = place.ask(Method::POST, "/rollback/staging", Some(place.token.text()), "").await;
    assert_eq!(status, StatusCode::OK);
    for (body, expected) in [(json!({"to": "gone"}), 409), (json!({"too": "r1"}), 400)] {
        assert_eq!(place.post("/rollback/production", body).await.0.as_u16(), expected);
    }
    assert_eq!(place.ask(Method::GET, "/rollback/production", Some(place.token.text()), "").await.0.as_u16(), 405);
}

/// Whether it is OpenMetrics' text: each family is described before its samples, which are a name, labels in quotes and a number, and the
/// end is marked. <https://prometheus.io/docs/specs/om/open_metrics_spec/#abnf>
fn is_open_metrics(text: &str) -> Result<usize, String> {
    let name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let body = text.strip_suffix("# EOF\n").ok_or("the end is not marked")?;
    let (mut families, mut samples) = (Vec::new(), 0);
    for line in body.lines() {
        let wrong = || format!("{line:?}");
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.splitn(3, ' ');
            let (what, family) = (words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?);
            if !["HELP", "TYPE", "UNIT"].contains(&what) || !name(family) {
                return Err(wrong());
            }
            families.push(family.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or_else(wrong)?;
        let (sample, labels) = series.split_once('{').map_or((series, ""), |(sample, labels)| (sample, labels));
        let quoted = labels.matches('"').count() % 2 == 0 && (labels.is_empty() || labels.ends_with("\"}"));
        let known = families.iter().any(|family| sample.starts_with(family.as_str()));
        if !name(sample) || !quoted || !known || value.parse::<f64>().is_err() {
            return Err(wrong());
        }
        samples += 1;
    }
    Ok(samples)
}

#[tokio::test]
async fn the_record_is_told_to_prometheus_as_it_reads_it() {
    let place = Place::new().await;
    let url = format!("http://{}/metrics", place.open.address());
    let request = Request::get(url).header("authorization", format!("Bearer {}", place.token.text()));
    let answer = place.client.request(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(is_open_metrics(&text).unwrap() >= 1, "{text}");
    assert!(text.contains("autodevops_complaints_total{service=\"shop\"} 1"), "{text}");
    let (status, _) = place.ask(Method::POST, "/metrics", Some(place.token.text()), "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn complaints_are_taken_of_whoever_the_token_names_and_nonsense_is_not() {
    let place = Place::new().await;
    let (status, body) = place.post("/feedback", json!({ "text": "the cart is empty", "from": "amy" })).await;
    assert_eq!((status, &body["done"]), (StatusCode::OK, &json!("the cart is empty of amy, told by ada")));
    for (body, expected) in [
        (json!({ "text": "" }), "a complaint needs a text"),
        (json!({ "text": "x", "fron": "amy" }), "unknown field `fron`"),
        (json!([]), "send for example"),
    ] {
        let (status, body) = place.post("/feedback", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(body["error"].as_str().unwrap().contains(expected), "{body}");
    }
    let (status, _) = place.ask(Method::GET, "/feedback", Some(place.token.text()), "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn runs_are_told_and_spoken_to_by_whoever_the_token_names() {
    let place = Place::new().await;
    let (status, body) = place.ask(Method::GET, "/runs", Some(place.token.text()), "").await;
    let runs: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &runs[0]["run"]), (StatusCode::OK, &json!(RUN)));
    assert_eq!((&runs[0]["waits-for"], &runs[0]["question"]), (&json!("production requires approval"), &json!(1)));
    let (status, body) = place.post("/runs/62e23fd1-1/hold", json!({"reason": "let me look"})).await;
    assert_eq!((status, body), (StatusCode::OK, json!({"done": "Hold by ada"})));
    let (status, body) = place.post("/runs/62e23fd1-1/hold", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["error"].as_str().unwrap().contains("on hold by ada already"), "{body}");
    let (status, body) = place.ask(Method::POST, "/runs/62e23fd1-1/approve", Some("autodevops_eves"), "").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    let (status, body) = place.post("/runs/62e23fd1-1/approve", json!({"question": 1})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, body) = place.ask(Method::GET, "/runs/62e23fd1-1", Some(place.token.text()), "").await;
    let run: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&run["run"]["on-hold-by"], &run["events"][2]["event"]["type"]),
        (&json!("ada"), &json!("hold-requested"))
    );
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_a_word_of_what_can() {
    let place = Place::new().await;
    for (path, body, status, word) in [
        ("/runs/62e23fd1-1/aprove", json!({}), 404, "there are approve, reject"),
        ("/runs/other-1/approve", json!({}), 404, "there is no run `other-1`"),
        ("/runs/62e23fd1-1/approve", json!({"raeson": "x"}), 400, "unknown field `raeson`"),
        ("/runs/62e23fd1-1/hold", json!({"bypass": true}), 400, "`bypass` belongs to `approve`"),
        ("/runs/62e23fd1-1/approve", json!({"by": "1h"}), 400, "`by` belongs to `extend`"),
        ("/runs/62e23fd1-1/extend", json!({"by": "soon"}), 400, "soon"),
        ("/runs/62e23fd1-1/hold", json!({"question": 1}), 400, "`question` belongs to `approve` and `reject`"),
        ("/runs/62e23fd1-1/approve", json!({"question": 2}), 409, "that is question 1: production requires approval"),
        ("/runs/62e23fd1-1/reject", json!({"question": 0}), 409, "that is question 1"),
        ("/runs/62e23fd1-1/approve", json!({"bypass": true}), 409, "the emergency bypass is off"),
        ("/runs", json!({}), 405, "asked for by GET"),
        ("/elsewhere", json!({}), 404, "there is nothing here"),
        ("/runs/62e23fd1-1/abort", json!({"reason": "x".repeat(70_000)}), 413, "at most 65536 bytes"),
    ] {
        let (got, answer) = place.post(path, body).await;
        assert_eq!(got.as_u16(), status, "{path}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(word), "{answer}");
    }
    assert_eq!(place.events(), ["started", "approval-asked"]);
}

#[tokio::test]
async fn a_run_is_tried_again_by_a_persons_word_with_a_reason_once_it_is_over() {
    let place = Place::new().await;
    let path = "/runs/62e23fd1-1/retry";
    let (status, body) = place.post(path, json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let (status, body) = place.post(path, json!({"reason": "the network was down"})).await;
    assert_eq!((status, body["error"].as_str()), (StatusCode::CONFLICT, Some("run 62e23fd1-1 is not over")));
    place.runs.apply(EventKind::Finished { outcome: autodevops_pipeline::Outcome::Aborted { reason: "late".into() } });
    let (status, body) = place.post(path, json!({"reason": "the network was down"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["done"], "Retry of 62e23fd1-1 by ada: the network was down");
    let (status, _) = place.ask(Method::POST, path, None, "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn neither_a_links_page_nor_what_is_told_of_a_run_has_personal_data_of_its_evidence() {
    let place = Place::new().await;
    let (gate, until) = (Gate::Held, NOW.after(Duration::from_secs(3600)));
    place.runs.apply(EventKind::ApprovalAsked {
        gate,
        until,
        reason: "a new critical error: of jane@shop.example".into(),
    });
    let (status, page) = place.follow(&place.link(Action::Approve, 2, LATER)).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("a new critical error: of [redacted:email]"), "{page}");
    for path in ["/runs", "/runs/62e23fd1-1"] {
        let (status, told) = place.ask(Method::GET, path, Some(place.token.text()), "").await;
        assert_eq!(status, StatusCode::OK, "{told}");
        assert!(told.contains("of [redacted:email]") && !told.contains("jane@"), "{told}");
    }
}

#[tokio::test]
async fn a_link_that_is_looked_at_changes_nothing_and_its_button_answers_once() {
    let place = Place::new().await;
    let link = place.link(Action::Approve, 1, LATER);
    for _ in 0..3 {
        let (status, page) = place.follow(&link).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert!(page.contains("<form method=\"post\">") && page.contains("You answer as <b>ops</b>"), "{page}");
        assert!(page.contains("TypeError: &lt;b&gt;country&lt;/b&gt; &amp; co"), "{page}");
    }
    assert_eq!(place.events(), ["started", "approval-asked"]);
    let (status, page) = place.press(&link).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert_eq!(place.events()[2..], ["approved", "gate-passed"]);
    let approved = place.runs.0.lock().unwrap().events[2].event.clone();
    let expected = EventKind::Approved {
        by: "ops".into(),
        reason: "looks right!".into(),
        bypass: false,
        link: Some("1/notify-webhook".into()),
    };
    assert_eq!(approved, expected);
    for (status, page) in [place.press(&link).await, place.follow(&link).await] {
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(page.contains("this link was used already"), "{page}");
    }
    let (_, page) = place.press(&place.link(Action::Reject, 1, LATER)).await;
    assert!(page.contains("this link was used already"), "the other answer of the same message: {page}");
    assert_eq!(place.events().len(), 4);
}

#[tokio::test]
async fn a_link_out_of_time_or_of_another_question_or_forged_changes_nothing() {
    let place = Place::new().await;
    let other = Claim {
        run: RUN.into(),
        asked: 1,
        action: Action::Approve,
        by: "ops".into(),
        until: LATER,
        nonce: "1/notify-webhook".into(),
    };
    let forged = format!("/answer/{}", LinkKey::new(&[2; 32]).sign(&other));
    for (link, status, word) in [
        (place.link(Action::Approve, 1, NOW.0), 410, "the time to answer by this link is over"),
        (place.link(Action::Approve, 2, LATER), 409, "answers another question"),
        (forged, 410, "not made by this host"),
        ("/answer/x".to_owned(), 410, "not made by this host"),
    ] {
        for (got, page) in [place.follow(&link).await, place.press(&link).await] {
            assert_eq!(got.as_u16(), status, "{page}");
            assert!(page.contains(word) && page.contains("Nothing was changed"), "{page}");
        }
    }
    assert_eq!(place.events(), ["started", "approval-asked"]);
}

#[tokio::test]
async fn having_it_in_hand_is_said_by_a_link_too() {
    let place = Place::new().await;
    let (status, page) = place.press(&place.link(Action::Ack, 1, LATER)).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let run = place.runs.0.lock().unwrap().run.clone();
    assert_eq!(run.alarm().unwrap().acknowledged.as_deref(), Some("ops"));
    assert!(run.gate().is_some());
    assert!(matches!(run.decide(Input::Tick, NOW), Ok(events) if events.is_empty()));
}

#[tokio::test]
async fn a_rollback_that_takes_long_goes_on_and_is_not_to_be_asked_for_again_unlooked() {
    let place = Place::new().await;
    let speaker = Speaker::from(place.token.hash());
    let tokens = BTreeMap::from([("ada".to_owned(), speaker)]);
    let api = Api { office: Arc::clone(&place.runs), tokens, links: None, redaction: Redaction::default(), now };
    let told = async |method: Method, path: &str, body: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", place.token.text()));
        let body: Full<bytes::Bytes> = Full::from(body.to_owned());
        let answer = routes::within(Duration::from_millis(20), &api, request.body(body).unwrap()).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, text) = told(Method::POST, "/rollback/production", r#"{"to":"slow"}"#).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert!(
        text.contains("it goes on") && text.contains("`autodevops audit`") && !text.contains("; ask again"),
        "{text}"
    );
    let (status, text) = told(Method::POST, "/rollback/production", "").await;
    assert_eq!(status, StatusCode::OK, "{text}");
}

mod bodies;
mod idle;
mod undone;
