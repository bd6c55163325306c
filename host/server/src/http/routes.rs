//! Requests to words, and what came of them to answers.

use std::time::Duration;

use autodevops_driver::log::Logged;
use autodevops_people::{Action, Claim, May};
use autodevops_pipeline::{Link, Refused, Run};
use autodevops_policy::Span;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Api, Back, MAX_BODY_BYTES, Office, PATIENCE, Unheard, pages, redacted::redacted};
use crate::{
    message::{Said, Sequel, Word},
    summary::summary,
};

/// What is answered.
pub type Answer = Response<Full<Bytes>>;

/// Verbs that a run is told by `POST /runs/RUN/VERB`.
const VERBS: &str = "approve, reject, hold, resume, skip, extend, roll-forward, rollback, abort, ack, retry and revert";

/// Answers a request, in time.
pub async fn answer<O: Office, B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    api: &Api<O>,
    request: Request<B>,
) -> Answer {
    within(PATIENCE, api, request).await
}

/// Answers a request within so long.
pub async fn within<O: Office, B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    patience: Duration,
    api: &Api<O>,
    request: Request<B>,
) -> Answer {
    let goes_back = request.uri().path().starts_with("/rollback/");
    match tokio::time::timeout(patience, route(api, request)).await {
        Ok(answer) => answer,
        // By hand is no run.
        Err(_) if goes_back => error(
            StatusCode::REQUEST_TIMEOUT,
            "it takes long, and once begun it goes on, whoever waits for it; look what came of it before you ask again: `GET /runs` says \
             so of runs, `autodevops audit` of what was done by hand (by-hand-N), and `autodevops edge status` what serves",
        ),
        Err(_) => error(StatusCode::REQUEST_TIMEOUT, "it took too long; ask again, `GET /runs` says what came of it"),
    }
}

async fn route<O: Office, B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    api: &Api<O>,
    request: Request<B>,
) -> Answer {
    let (head, body) = request.into_parts();
    let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
    let get = head.method == Method::GET;
    let post = head.method == Method::POST;
    match path[..] {
        ["runs"] if get => match speaker(api, &head.headers, May::Read) {
            Ok(_) => told(runs(api).await),
            Err(refusal) => *refusal,
        },
        ["runs", run] if get => match speaker(api, &head.headers, May::Read) {
            Ok(_) => told(one(api, run).await),
            Err(refusal) => *refusal,
        },
        ["metrics"] if get => match speaker(api, &head.headers, May::Metrics) {
            Ok(_) => measured(api.office.metrics().await),
            Err(refusal) => *refusal,
        },
        ["runs", run, verb] if post => match heard(api, &head.headers, May::Steer, body).await {
            Ok((by, body)) => say(api, by, run, verb, &body).await,
            Err(refusal) => refusal,
        },
        ["rollback", environment] if post => match heard(api, &head.headers, May::Steer, body).await {
            Ok((by, body)) => roll_back(api, by, environment, &body).await,
            Err(refusal) => refusal,
        },
        ["feedback"] if post => match heard(api, &head.headers, May::Feedback, body).await {
            Ok((by, body)) => complain(api, by, &body).await,
            Err(refusal) => refusal,
        },
        ["answer", link] if get => look(api, link).await,
        ["answer", link] if post => match whole(body).await {
            Ok(body) => take(api, link, &body).await,
            Err(too_much) => pages::refusal(too_much, "what was sent is too long; give a shorter reason"),
        },
        ["runs"] | ["runs", _] | ["metrics"] => other_method("GET"),
        ["runs", _, _] | ["rollback", _] | ["feedback"] => other_method("POST"),
        ["answer", _] => other_method("GET, POST"),
        _ => error(
            StatusCode::NOT_FOUND,
            "there is nothing here; there are `GET /runs`, `GET /runs/RUN`, `GET /metrics`, `POST /runs/RUN/VERB`, \
             `POST /rollback/ENV` and `POST /feedback`",
        ),
    }
}

/// The body, as long as it may be.
async fn whole<B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(body: B) -> Result<Bytes, StatusCode> {
    let read = Limited::new(body, MAX_BODY_BYTES).collect().await;
    read.map(http_body_util::Collected::to_bytes).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

/// Who speaks by their token, and what they say.
async fn heard<O, B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    api: &Api<O>,
    headers: &HeaderMap,
    needed: May,
    body: B,
) -> Result<(String, Bytes), Answer> {
    let by = speaker(api, headers, needed).map_err(|answer| *answer)?;
    let too_much = |status| error(status, format!("a body of at most {MAX_BODY_BYTES} bytes is read"));
    Ok((by, whole(body).await.map_err(too_much)?))
}

/// Who speaks, by their token, which must be one that may do this.
fn speaker<O>(api: &Api<O>, headers: &HeaderMap, needed: May) -> Result<String, Box<Answer>> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let known = token.and_then(|token| api.tokens.iter().find(|(_, speaker)| speaker.hash.is_of(token)));
    let (name, speaker) = known.ok_or_else(|| Box::new(stranger()))?;
    if speaker.may.contains(&needed) {
        return Ok(name.clone());
    }
    let may = speaker.may.iter().map(|may| format!("`{}`", may.name())).collect::<Vec<_>>().join(", ");
    let text = format!(
        "the token of `{name}` may {may} alone, and this is `{}`; speak by another, or let it in [server.tokens]",
        needed.name()
    );
    Err(Box::new(error(StatusCode::FORBIDDEN, text)))
}

/// What whoever is not known is told.
fn stranger() -> Answer {
    let text = "send a token that [server.tokens] knows, as `Authorization: Bearer TOKEN`; make one with \
                `autodevops token NAME`";
    let mut answer = error(StatusCode::UNAUTHORIZED, text);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

fn answered(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(value.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The record as Prometheus reads it.
fn measured(told: Result<String, Unheard>) -> Answer {
    match told {
        Ok(text) => {
            let mut answer = Response::new(Full::from(text));
            answer
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(autodevops_record::CONTENT_TYPE));
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            answer
        }
        Err(unheard) => error(unheard.status(), &unheard),
    }
}

fn error(status: StatusCode, text: impl ToString) -> Answer {
    answered(status, &json!({ "error": text.to_string() }))
}

fn other_method(allowed: &'static str) -> Answer {
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, format!("this is asked for by {allowed}"));
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

impl Unheard {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Absent(_) => StatusCode::NOT_FOUND,
            Self::Unfit(_) => StatusCode::BAD_REQUEST,
            Self::Refused(refused) if refused.is_misuse() => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::NotApprover { .. } | Refused::MayNotApprove { .. }) => StatusCode::FORBIDDEN,
            Self::Refused(_) | Self::Declined(_) => StatusCode::CONFLICT,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

fn told(told: Result<Value, Unheard>) -> Answer {
    match told {
        Ok(value) => answered(StatusCode::OK, &value),
        Err(unheard) => error(unheard.status(), &unheard),
    }
}

async fn runs<O: Office>(api: &Api<O>) -> Result<Value, Unheard> {
    let (all, aftermath) = (api.office.all().await?, api.office.aftermath().await?);
    let each = all.iter().rev().map(|Logged { run, .. }| summary(run, &aftermath.of(run)));
    Ok(redacted(each.collect(), &api.redaction))
}

async fn one<O: Office>(api: &Api<O>, run: &str) -> Result<Value, Unheard> {
    let (Logged { run, events, .. }, aftermath) = (api.office.find(run).await?, api.office.aftermath().await?);
    Ok(redacted(json!({ "run": summary(&run, &aftermath.of(&run)), "events": events }), &api.redaction))
}

/// What a body says that is a JSON object. An array is none: its values would be taken for the fields by their places, so that `[]` approves.
///
/// # Errors
/// Why it is none, and what to send for example.
fn object<T: DeserializeOwned>(body: &[u8], such: &str) -> Result<T, String> {
    let read = match body.trim_ascii_start() {
        [b'{', ..] => serde_json::from_slice(body).map_err(|wrong| wrong.to_string()),
        _ => Err("it is no JSON object".to_owned()),
    };
    read.map_err(|wrong| format!("the body is not what is expected: {wrong}; send for example {such}"))
}

/// What a verb is told with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Told {
    reason: String,
    bypass: Option<bool>,
    by: Option<Span>,
    question: Option<u32>,
}

async fn say<O: Office>(api: &Api<O>, by: String, run: &str, verb: &str, body: &[u8]) -> Answer {
    let nothing = body.trim_ascii().is_empty();
    let read = if nothing { Ok(Told::default()) } else { object(body, r#"{"reason":"looks right"}"#) };
    let Told { reason, bypass, by: span, question } = match read {
        Ok(told) => told,
        Err(refusal) => return error(StatusCode::BAD_REQUEST, refusal),
    };
    for (key, given, of) in [
        ("bypass", bypass.is_some(), &["approve"][..]),
        ("by", span.is_some(), &["extend"][..]),
        ("question", question.is_some(), &["approve", "reject"][..]),
    ] {
        if given && !of.contains(&verb) {
            let of = of.join("` and `");
            return error(StatusCode::BAD_REQUEST, format!("`{key}` belongs to `{of}`, not to `{verb}`; leave it out"));
        }
    }
    let word = match verb {
        "approve" => Word::Approve { bypass: bypass.unwrap_or_default() },
        "reject" => Word::Reject,
        "hold" => Word::Hold,
        "resume" => Word::Resume,
        "skip" => Word::Skip,
        "extend" => Word::Extend { seconds: span.map(Span::whole_seconds) },
        "roll-forward" => Word::RollForward,
        "rollback" => Word::Rollback,
        "abort" => Word::Abort,
        "ack" => Word::Ack,
        "retry" | "revert" => {
            let sequel = if verb == "retry" { Sequel::Retry } else { Sequel::Revert };
            if reason.trim().is_empty() {
                return error(StatusCode::BAD_REQUEST, format!("to {verb} needs a reason; send {{\"reason\":\"…\"}}"));
            }
            let done = api.office.after(by, run.to_owned(), sequel, reason).await;
            return told(done.map(|done| json!({ "done": done })));
        }
        _ => return error(StatusCode::NOT_FOUND, format!("no verb is named `{verb}`; there are {VERBS}")),
    };
    let said = api.office.say(Said { by, run: run.to_owned(), word, reason, link: None, question }).await;
    told(said.map(|done| json!({ "done": done })))
}

async fn roll_back<O: Office>(api: &Api<O>, by: String, environment: &str, body: &[u8]) -> Answer {
    let nothing = body.trim_ascii().is_empty();
    let read = if nothing { Ok(Back::default()) } else { object(body, r#"{"reason":"carts are empty"}"#) };
    match read {
        Ok(back) => {
            let done = api.office.roll_back(by, environment.to_owned(), back).await;
            told(done.map(|done| json!({ "done": done })))
        }
        Err(refusal) => error(StatusCode::BAD_REQUEST, refusal),
    }
}

async fn complain<O: Office>(api: &Api<O>, by: String, body: &[u8]) -> Answer {
    match object(body, r#"{"text":"the cart is empty"}"#) {
        Ok(complaint) => told(api.office.complain(complaint, by).await.map(|done| json!({ "done": done }))),
        Err(refusal) => error(StatusCode::BAD_REQUEST, refusal),
    }
}

/// What a link claims, and the run that it is for.
async fn claimed<O: Office>(api: &Api<O>, text: &str) -> Result<(Claim, Run), Answer> {
    let Some(key) = &api.links else {
        return Err(pages::refusal(
            StatusCode::NOT_FOUND,
            "there are no links here; they are set up in [server.links]",
        ));
    };
    let claim = key.read(text, (api.now)().0).map_err(|bad| pages::refusal(StatusCode::GONE, &bad.to_string()))?;
    let found = api.office.find(&claim.run).await;
    let logged = found.map_err(|unheard| pages::refusal(unheard.status(), &unheard.to_string()))?;
    Ok((claim, logged.run))
}

/// What is said by pressing the link's button.
fn said(claim: &Claim, reason: String) -> Said {
    let word = match claim.action {
        Action::Approve => Word::Approve { bypass: false },
        Action::Reject => Word::Reject,
        Action::Ack => Word::Ack,
    };
    let link = Some(Link { asked: claim.asked, nonce: claim.nonce.clone() });
    // Which question it answers, the link says.
    Said { by: claim.by.clone(), run: claim.run.clone(), word, reason, link, question: None }
}

/// Shows what the link would do. Nothing is changed: programs look at links, too.
async fn look<O: Office>(api: &Api<O>, text: &str) -> Answer {
    let (claim, run) = match claimed(api, text).await {
        Ok(claimed) => claimed,
        Err(refusal) => return refusal,
    };
    match run.decide(said(&claim, String::new()).into_input(), (api.now)()) {
        Ok(_) => pages::question(&claim, &run, &api.redaction),
        Err(refused) => refused_page(&Unheard::Refused(refused)),
    }
}

/// Does what the link says; the run sees to it that this happens once.
async fn take<O: Office>(api: &Api<O>, text: &str, body: &[u8]) -> Answer {
    let (claim, _) = match claimed(api, text).await {
        Ok(claimed) => claimed,
        Err(refusal) => return refusal,
    };
    let reason = url::form_urlencoded::parse(body).find(|(key, _)| key == "reason");
    let reason = reason.map(|(_, reason)| reason.into_owned()).unwrap_or_default();
    match api.office.say(said(&claim, reason)).await {
        Ok(done) => pages::done(&done),
        Err(unheard) => refused_page(&unheard),
    }
}

fn refused_page(unheard: &Unheard) -> Answer {
    pages::refusal(unheard.status(), &unheard.to_string())
}
