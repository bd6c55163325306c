//! What people speak to the runs by: the control socket, and the HTTP API where it is set up.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use autodevops_orchestrator::{clock::now, controller::Controller, driver::Observer};
use autodevops_server::{Api, Control, HttpApi, RunDesk, Runs};
use tokio::task::JoinHandle;

use crate::run::Checks;

/// How long it is waited before what could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// They are open for as long as this is kept.
pub struct Ears {
    _control: Ear<Control>,
    _http: Option<Ear<HttpApi>>,
}

impl Ears {
    /// Opens them. What cannot be opened while a run is under way keeps that from nothing, and is tried again until it can.
    ///
    /// # Errors
    /// When one cannot be opened, and no run is under way.
    pub async fn open(controller: &Arc<Controller>, checks: &Checks) -> Result<Self> {
        let project = controller.project();
        let (socket, desk) = (project.state.control_socket(), Arc::clone(controller));
        let control = move || {
            let opened = Control::open(&socket, Arc::new(RunDesk::new(Arc::clone(&desk))));
            std::future::ready(opened.with_context(|| format!("the control socket {}", socket.display())))
        };
        let control = Ear::open("the control socket", control, AGAIN, checks).await?;
        let Some(listen) = project.config.server.listen else { return Ok(Self { _control: control, _http: None }) };
        let runs = Arc::clone(controller);
        let http = Ear::open("the HTTP API", move || http(listen, Arc::clone(&runs)), AGAIN, checks).await?;
        if !listen.ip().is_loopback() {
            checks.observer.notice(&format!(
                "the HTTP API listens at {listen}, beyond this machine and without TLS; put a reverse proxy before it"
            ));
        }
        Ok(Self { _control: control, _http: Some(http) })
    }
}

async fn http(listen: SocketAddr, controller: Arc<Controller>) -> Result<HttpApi> {
    let project = controller.project();
    let (tokens, links) =
        (project.config.server.tokens.clone(), project.links.as_ref().map(|links| links.key().clone()));
    let redaction = project.redaction.clone();
    let api = Api { office: Runs(Arc::clone(&controller)), tokens, links, redaction, now };
    HttpApi::open(listen, api).await.with_context(|| format!("[server] `listen` {listen}"))
}

/// One of them: open, or tried again until it is.
enum Ear<T> {
    Open { _kept: T },
    Later(JoinHandle<()>),
}

impl<T: Send + 'static> Ear<T> {
    async fn open<F>(
        what: &'static str,
        open: impl Fn() -> F + Send + Sync + 'static,
        again: Duration,
        checks: &Checks,
    ) -> Result<Self>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        if let Some(kept) = checks.passed(open().await)? {
            return Ok(Self::Open { _kept: kept });
        }
        Ok(Self::Later(tokio::spawn(patiently(what, open, again, Arc::clone(&checks.observer)))))
    }
}

impl<T> Drop for Ear<T> {
    fn drop(&mut self) {
        if let Self::Later(task) = self {
            task.abort();
        }
    }
}

/// Tries to open it until it can, says so, and keeps it open for as long as this goes on.
async fn patiently<T, F: Future<Output = Result<T>>>(
    what: &str,
    open: impl Fn() -> F,
    again: Duration,
    observer: Arc<dyn Observer>,
) {
    loop {
        tokio::time::sleep(again).await;
        if let Ok(_kept) = open().await {
            observer.notice(&format!("{what} is open now"));
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::bail;

    use super::*;
    use crate::testing::Told;

    /// Says when it is open no longer.
    struct Kept(Arc<AtomicUsize>);

    impl Drop for Kept {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    const SOON: Duration = Duration::from_millis(1);

    async fn until(holds: impl Fn() -> bool) {
        while !holds() {
            tokio::time::sleep(SOON).await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_opened_while_a_run_is_under_way_is_tried_until_it_can() {
        let told = Arc::new(Told::default());
        let (tries, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let open = || {
            let (tries, closed) = (Arc::clone(&tries), Arc::clone(&closed));
            move || {
                let (try_, closed) = (tries.fetch_add(1, Ordering::SeqCst), Arc::clone(&closed));
                async move { if try_ < 3 { bail!("the address is in use") } else { Ok(Kept(closed)) } }
            }
        };
        let none = Checks { goes_on: false, observer: told.clone() };
        let error = Ear::open("the API", open(), SOON, &none).await.err().unwrap();
        assert_eq!(error.to_string(), "the address is in use");
        let under_way = Checks { goes_on: true, observer: told.clone() };
        let ear = Ear::open("the API", open(), SOON, &under_way).await.unwrap();
        until(|| told.notices().len() == 2).await;
        tokio::time::sleep(SOON * 10).await;
        assert_eq!(tries.load(Ordering::SeqCst), 4, "once it is open it is not opened again");
        assert_eq!(closed.load(Ordering::SeqCst), 0);
        let words = told.notices();
        assert!(words[0].ends_with(": the address is in use"), "{words:?}");
        assert_eq!(words[1], "the API is open now");
        drop(ear);
        until(|| closed.load(Ordering::SeqCst) == 1).await;
    }
}
