//! A request on the wire, from the look-up of its name to its response's headers; its body goes on by itself.

use std::{sync::Arc, time::Duration};

use autodevops_policy::Limit;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{
    body::{HEADER_SECTION_BYTES, Received, error_of, scrub_headers},
    connect::{Network, connect},
    credentials::Vault,
    exchange::{Exchange, Metered, Outgoing, Slot},
    resolve::{NoWay, addresses},
};
use crate::refusal::Refusal;

/// What goes on after the response's headers are there.
pub type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// What a guest is given.
pub type Answer = Result<(http::Response<WasiBody>, Done), Error>;

/// A time beyond this is as good as none, and can still be counted.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A request that was decided about.
pub struct Decided {
    pub request: http::Request<WasiBody>,
    pub url: Url,
    pub options: RequestOptions,
    pub exchange: Arc<Exchange>,
    pub slot: Slot,
}

impl Decided {
    /// Sends it.
    pub async fn send(self, network: &Network, vault: &Vault) -> Answer {
        let exchange = Arc::clone(&self.exchange);
        let total = Instant::now() + exchange.quota().limits().http_total.0.min(LONGEST);
        let answer = match timeout_at(total, self.head(network, vault, total)).await {
            Ok(answer) => answer.map_err(|error| exchange.ended().unwrap_or(error)),
            Err(_) => Err(exchange.exceed(Limit::HttpTotal)),
        };
        exchange.finished();
        answer
    }

    async fn head(mut self, network: &Network, vault: &Vault, total: Instant) -> Answer {
        let (exchange, options) = (Arc::clone(&self.exchange), self.options);
        let limits = *exchange.quota().limits();
        let revealed = vault.reveal(&self.url).await.map_err(|refusal| exchange.refuse(refusal))?;
        let connecting = async {
            let found = addresses(&*network.resolver, vault.plugin(), &self.url).await;
            let addresses = found.map_err(|no_way| match no_way {
                NoWay::NotFound(error) => {
                    let scrub = |text: &str| vault.scrubber().scrub(text);
                    let name = scrub(self.url.host_str().unwrap_or_default());
                    tracing::debug!(name, error = scrub(&error.to_string()), "a name was not found");
                    Error::DnsError { rcode: Some("the name was not found".into()), info_code: None }
                }
                NoWay::Lost(error) => error,
                NoWay::Refused(refusal) => exchange.refuse(refusal),
            })?;
            connect(network, &self.url, &addresses).await
        };
        let bound = Bound::new(options.connect_timeout, limits.http_connect.0, Limit::HttpConnect);
        let stream = bound.hold(&exchange, Error::ConnectionTimeout, connecting).await??;
        let stream = TokioIo::new(Metered::new(stream, Arc::clone(&exchange)));
        let mut client = hyper::client::conn::http1::Builder::new();
        client.max_buf_size(HEADER_SECTION_BYTES);
        let (mut sender, connection) = client.handshake(stream).await.map_err(|error| error_of(&error))?;
        // Aborted when it is dropped: with the call, or with the body. Closed when the time is over, whether the guest reads or not.
        let until = Arc::clone(&exchange);
        let driver = wasmtime_wasi::runtime::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            match timeout_at(total, connection.as_mut()).await {
                Ok(ended) => ended.map_err(|error| error_of(&error)),
                // Noted first: then the body knows why it ends when the connection is dropped.
                Err(_) => Err(until.exceed(Limit::HttpTotal)),
            }
        });
        revealed.put_into(self.request.headers_mut());
        let slot = self.slot.clone();
        let request = self.request.map(|body| Outgoing::new(body, slot));
        let sending = async { sender.send_request(request).await.map_err(|error| error_of(&error)) };
        let bound = Bound::new(options.first_byte_timeout, limits.http_first_byte.0, Limit::HttpFirstByte);
        let mut response = bound.hold(&exchange, Error::HttpResponseTimeout, sending).await??;
        exchange.answered(response.status().as_u16());
        judge(&response, !revealed.is_empty()).map_err(|refusal| exchange.refuse(refusal))?;
        scrub_headers(response.headers_mut(), vault.scrubber());
        let scrubber = vault.scrubber().clone();
        let response = response.map(|body| {
            Received::new(body, exchange, scrubber, options.between_bytes_timeout, self.slot).boxed_unsync()
        });
        Ok((response, Box::new(driver)))
    }
}

/// What no guest is given: another protocol, and what could hide a credential that the server echoes.
fn judge<B>(response: &http::Response<B>, with_credential: bool) -> Result<(), Refusal> {
    if response.status().is_informational() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Refusal::Protocol);
    }
    if with_credential {
        let encodings = response.headers().get_all(http::header::CONTENT_ENCODING);
        let encoded = encodings.iter().find(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        if let Some(encoding) = encoded {
            let name = encoding.to_str().ok().filter(|name| name.len() <= 32 && name.is_ascii());
            return Err(Refusal::Coding(name.map(str::to_owned)));
        }
    }
    Ok(())
}

/// The shorter of what the guest wants to wait and of what it may.
struct Bound {
    within: Duration,
    /// The limit, where it is that which bounds.
    limit: Option<Limit>,
}

impl Bound {
    fn new(asked: Option<Duration>, most: Duration, limit: Limit) -> Self {
        match asked {
            Some(asked) if asked < most => Self { within: asked, limit: None },
            _ => Self { within: most.min(LONGEST), limit: Some(limit) },
        }
    }

    async fn hold<T>(&self, exchange: &Exchange, error: Error, future: impl Future<Output = T>) -> Result<T, Error> {
        match tokio::time::timeout(self.within, future).await {
            Ok(value) => Ok(value),
            Err(_) => Err(self.limit.map_or(error, |limit| exchange.exceed(limit))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_protocol_and_a_coding_that_hides_an_echo_are_refused() {
        let response = |status: u16, coding: &'static str| {
            http::Response::builder().status(status).header("content-encoding", coding).body(()).unwrap()
        };
        assert!(matches!(judge(&response(101, "identity"), false), Err(Refusal::Protocol)));
        assert!(judge(&response(200, "identity"), true).is_ok());
        assert!(judge(&response(200, "gzip"), false).is_ok());
        assert!(matches!(judge(&response(200, "gzip"), true), Err(Refusal::Coding(Some(_)))));
    }
}
