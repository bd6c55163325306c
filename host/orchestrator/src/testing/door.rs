//! A front door whose answers are fixed, where the project looks for its own.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use autodevops_edge::{EnvironmentStatus, Observed, Phase, ReleaseStatus, Status, TrafficState, socket};
use autodevops_model::{Release, Split};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixListener,
};

use super::{Scene, release};

/// What the front door answers, and what it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Door {
    /// Where it listens beside production, by environment.
    pub(crate) listens: Vec<(&'static str, &'static str)>,
    /// Where its metrics are.
    pub(crate) metrics: Option<SocketAddr>,
    /// Whether it says what production's traffic is when it is asked that alone.
    pub(crate) tells_traffic: bool,
    /// What it counted, by release; of others it knows nothing.
    pub(crate) observed: BTreeMap<String, Observed>,
    /// The releases that it runs in production.
    pub(crate) releases: Vec<ReleaseStatus>,
    /// The release that answers each client in production; others are none.
    pub(crate) clients: BTreeMap<String, String>,
    /// When production's traffic returned because nobody renewed a share.
    pub(crate) returned_at: Option<i64>,
    /// The fence of production, which what has a lower one may not change.
    pub(crate) fence: Arc<Mutex<u64>>,
    /// What happens while it says what serves.
    pub(crate) meanwhile: Option<Arc<dyn Fn() + Send + Sync>>,
    /// The names of the calls so far, with the release of those that are about one.
    pub(crate) calls: Arc<Mutex<Vec<String>>>,
}

/// A release that it runs, without traffic.
pub(crate) fn held(release: Release) -> ReleaseStatus {
    ReleaseStatus {
        release,
        phase: Phase::Up,
        pid: None,
        restarts: 0,
        crash_loop: false,
        probe_fails: false,
        percent: 0,
        url: "http://127.0.0.1:1".into(),
    }
}

impl Door {
    /// Answers from now on, as long as the test's runtime is there.
    pub(crate) fn open(self, scene: &Scene) {
        let state = scene.project.state.edge();
        std::fs::create_dir_all(&state).unwrap();
        let listener = UnixListener::bind(socket::control(&state)).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let mut answer = serde_json::to_vec(&self.answer(&serde_json::from_str(&line).unwrap())).unwrap();
                answer.push(b'\n');
                stream.write_all(&answer).await.unwrap();
            }
        });
    }

    /// As it is said over the socket.
    fn answer(&self, call: &Value) -> Value {
        let name = call["call"].as_str().unwrap();
        let of = call["release"].as_str().map_or_else(String::new, |release| format!(" {release}"));
        self.calls.lock().unwrap().push(format!("{name}{of}"));
        match name {
            "traffic" if self.tells_traffic => json!({ "Ok": self.traffic() }),
            "status" => {
                self.meanwhile.iter().for_each(|happens| happens());
                json!({ "Ok": self.status() })
            }
            "stop" | "set-traffic" => {
                let (mut held, fence) = (self.fence.lock().unwrap(), call["fence"].as_u64().unwrap());
                if fence < *held {
                    return error("denied", &format!("the fence {fence} is below {held}"));
                }
                *held = fence;
                json!({ "Ok": if name == "stop" { Value::Null } else { json!(self.traffic()) } })
            }
            "renew" => json!({ "Ok": self.traffic() }),
            "observe" => match self.observed.get(call["release"].as_str().unwrap()) {
                Some(observed) => json!({ "Ok": observed }),
                None => error("invalid-input", "there is no such release"),
            },
            "answering" if call["environment"] != "production" => error("failed", "there is no such environment"),
            "answering" => match self.clients.get(call["client"].as_str().unwrap()) {
                Some(release) => json!({ "Ok": release }),
                None => error("invalid-input", "that names no client"),
            },
            other => error("unsupported", &format!("nobody asks for `{other}` here")),
        }
    }

    fn status(&self) -> Status {
        let listen = "127.0.0.1:2".parse().unwrap();
        let production = EnvironmentStatus { listen, traffic: Some(self.traffic()), releases: self.releases.clone() };
        let empty =
            |listen: &str| EnvironmentStatus { listen: listen.parse().unwrap(), traffic: None, releases: vec![] };
        let others = self.listens.iter().map(|(name, listen)| ((*name).to_owned(), empty(listen)));
        let environments = [("production".to_owned(), production)].into_iter().chain(others).collect();
        Status { pid: 1, metrics: self.metrics, environments }
    }

    fn traffic(&self) -> TrafficState {
        let split = |id: &str, percent| Split { release: id.into(), percent };
        TrafficState {
            splits: vec![split("old", 95), split("new", 5)],
            fence: 7,
            stable: Some(release("old")),
            lease_until: None,
            returned_at: self.returned_at,
            kept_since: None,
        }
    }
}

fn error(kind: &str, message: &str) -> Value {
    json!({ "Err": { "kind": kind, "info": { "message": message, "details": [] } } })
}
