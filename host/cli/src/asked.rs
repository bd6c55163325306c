//! Asking the process that drives the runs, and telling whoever waits for it that they do.

use std::{path::Path, time::Duration};

use anyhow::{Result, bail};
use autodevops_server::{Reply, Request, Unreachable, ask};

use crate::output;

/// A process that drives runs answers within this; if not, it is said that it is waited for.
const PROMPT: Duration = Duration::from_secs(1);

/// The longest that the answer of a run is waited for. (What is asked for is done or not, whoever waits.)
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks, and says so where the answer takes its time.
///
/// # Errors
/// When a run does not answer for a minute. All else is waited for: to build and start a release takes as long as it takes.
pub async fn ask_patiently(socket: &Path, request: &Request) -> Result<Result<Reply, Unreachable>> {
    waited_for(ask(socket, request), request, (PROMPT, PATIENCE), output::note).await
}

async fn waited_for<T>(
    asked: impl Future<Output = T>,
    request: &Request,
    (prompt, patience): (Duration, Duration),
    tell: impl FnOnce(&str),
) -> Result<T> {
    tokio::pin!(asked);
    tokio::select! {
        biased;
        reply = &mut asked => return Ok(reply),
        () = tokio::time::sleep(prompt) => {}
    }
    tell(match request {
        Request::Deploy { .. } => "the process that drives the runs builds and deploys it; it is waited for",
        _ => "the process that drives the runs has not answered for a second; it is waited for",
    });
    if !matches!(request, Request::Say { .. }) {
        return Ok(asked.await);
    }
    let Ok(reply) = tokio::time::timeout(patience, asked).await else {
        bail!(
            "the process that drives the runs does not answer; what was asked is done once it does, see `autodevops runs`"
        );
    };
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use autodevops_server::Word;

    use super::*;

    /// What is told, and what comes of it where the answer comes once that is told; or never.
    async fn asked(request: Request, comes: bool) -> (String, Result<&'static str, String>) {
        let (answer, reply) = tokio::sync::oneshot::channel();
        let mut told = String::new();
        let reply = async { reply.await.unwrap() };
        let tell = |text: &str| {
            text.clone_into(&mut told);
            if comes {
                answer.send("it is done").unwrap();
            } else {
                std::mem::forget(answer);
            }
        };
        let came = waited_for(reply, &request, (Duration::ZERO, Duration::ZERO), tell).await;
        (told, came.map_err(|error| error.to_string()))
    }

    #[tokio::test]
    async fn who_waits_is_told_so_whatever_they_asked_and_waits_without_end_for_all_but_the_answer_of_a_run() {
        let say = || Request::Say { run: "r".into(), word: Word::Hold, reason: String::new(), question: None };
        let back = Request::Rollback { environment: "production".into(), to: None, now: false, reason: String::new() };
        let waits = "has not answered for a second; it is waited for";
        for (request, words) in [
            (say(), waits),
            (back, waits),
            (Request::Gc, waits),
            (Request::Deploy { environments: Vec::new() }, "builds and deploys it; it is waited for"),
        ] {
            let (told, came) = asked(request, true).await;
            assert!(told.ends_with(words), "{told}");
            assert_eq!(came, Ok("it is done"));
        }
        let (_, came) = asked(say(), false).await;
        assert!(came.unwrap_err().starts_with("the process that drives the runs does not answer"));
        let request = say();
        let quick = waited_for(std::future::ready(7), &request, (PROMPT, PATIENCE), |text| panic!("{text}"));
        assert_eq!(quick.await.unwrap(), 7);
    }
}
