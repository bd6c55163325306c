//! Where each request of a guest is decided about.

use std::sync::Arc;

use autodevops_policy::{Limit, Operation};
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use super::{
    connect::Network,
    credentials::Vault,
    exchange::{Exchange, Slot},
    request::{is_refused, prepare, url_of},
    scrub::Scrubber,
    send::{Answer, Decided, Done},
};
use crate::{authority::Authority, refusal::Refusal};

/// Decides about a call's requests and sends them.
pub struct HttpGate {
    pub authority: Authority,
    network: Arc<Network>,
    vault: Arc<Vault>,
}

impl HttpGate {
    pub const fn new(authority: Authority, network: Arc<Network>, vault: Arc<Vault>) -> Self {
        Self { authority, network, vault }
    }

    /// The secrets that were put on the wire in this call.
    pub fn scrubber(&self) -> &Scrubber {
        self.vault.scrubber()
    }

    /// Why a credential could not be put on the wire, if that happened.
    pub fn missing_credential(&self) -> Option<&str> {
        self.vault.missing()
    }

    /// The request, where it may be sent.
    fn decide(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Decided, Error> {
        let url = url_of(&request);
        let target = url.as_ref().map_or_else(|_| request.uri().to_string(), ToString::to_string);
        let operation = Operation::Http { method: request.method().to_string(), url: target };
        if let Err(denial) = self.authority.authorize(operation) {
            tracing::debug!(denial = self.scrubber().scrub(&denial.to_string()), "request refused");
            return Err(Error::HttpRequestDenied);
        }
        let quota = self.authority.quota();
        let exchange = Exchange::new(Arc::clone(&quota), self.authority.outcome());
        if is_refused(request.method()) {
            return Err(exchange.refuse(Refusal::Method));
        }
        let prepared = url.and_then(|url| prepare(&mut request, &url, |name| self.vault.forbids(name)).map(|()| url));
        let url = prepared.map_err(|refusal| exchange.refuse(refusal))?;
        for limit in [Limit::HttpRequests, Limit::HttpConcurrent] {
            if !quota.charge_quietly(limit, 1) {
                return Err(exchange.exceed(limit));
            }
        }
        let slot = Slot::charged(quota);
        Ok(Decided { request, url, options: options.unwrap_or_default(), exchange, slot })
    }
}

impl WasiHttpHooks for HttpGate {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        let vault = Arc::clone(&self.vault);
        Arc::new(move |name| vault.forbids(name))
    }

    /// The gate sets it itself, from the URL that was judged.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Done,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let outgoing = self.decide(request, options);
        let (network, vault) = (Arc::clone(&self.network), Arc::clone(&self.vault));
        Box::new(async move { outgoing?.send(&network, &vault).await })
    }
}
