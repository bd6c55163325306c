//! Requests, responses and their bodies: `wasmtime-wasi-http` builds them, every function asks. What is sent goes through
//! [`HttpGate`](crate::http::HttpGate).

use autodevops_policy::Limit;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi_http::{
    FieldMap, RequestOptions, WasiHttpCtxView, WasiHttpView,
    p2::{
        HeaderError, HeaderResult, HttpError, HttpResult,
        bindings::http::{
            outgoing_handler,
            types::{self, Method, Scheme, StatusCode, Trailers},
        },
        body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody},
        types::{
            HostFutureIncomingResponse, HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest,
            HostOutgoingResponse, HostResponseOutparam,
        },
    },
};

use super::{Guarded, refuse::refuse};
use crate::replay::{dropped, noted, through};

const TYPES: &str = "wasi:http/types";

/// Bytes that the host keeps for each header besides its name and value, roughly: one that is empty costs room, too.
const HEADER_BYTES: usize = 64;

impl Guarded<'_> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpView::http(self.0)
    }

    /// What is asked for by a request: its URL, and the rest of it.
    fn request(&mut self, request: &Resource<HostOutgoingRequest>) -> (String, Vec<(String, Vec<u8>)>) {
        if self.is_live() {
            return Default::default();
        }
        let Ok(request) = self.table().get(request) else { return Default::default() };
        let scheme = match &request.scheme {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) | None => "https",
            Some(Scheme::Other(scheme)) => scheme,
        };
        let (authority, path) = (request.authority.as_deref(), request.path_with_query.as_deref());
        let method = match request.method.clone().try_into() {
            Ok(method) => http::Method::to_string(&method),
            Err(_) => "?".to_owned(),
        };
        let url = format!("{method} {scheme}://{}{}", authority.unwrap_or_default(), path.unwrap_or("/"));
        let headers = request.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        (url, headers.collect())
    }

    fn write_body(
        &mut self,
        body: Resource<HostOutgoingBody>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        match types::HostOutgoingBody::write(&mut self.http(), body)? {
            Ok(stream) => Ok(Ok(self.metered(stream, Limit::HttpBuilt, None)?)),
            Err(()) => Ok(Err(())),
        }
    }
}

/// Functions that are counted and go on to `wasmtime-wasi-http`, with their names in the contract. What the host keeps of what it is
/// given is counted, whether it is sent or not: else a guest could fill the host's memory with what it never sends.
macro_rules! forward {
    ($trait:path: $(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal
        $(keeps $this:ident $bytes:expr)?;)*) => {
        impl $trait for Guarded<'_> {
            $(fn $name(&mut self, $($argument: $type),*) -> $result {
                refuse!(self.using(TYPES, $label));
                $(
                    let $this = &mut *self;
                    let bytes: usize = $bytes;
                    refuse!(self.charge(Limit::HttpBuilt, bytes as u64));
                )?
                noted!(self, concat!("wasi:http/types ", $label), ($($argument),*),
                    <WasiHttpCtxView<'_> as $trait>::$name(&mut self.http(), $($argument),*))
            })*
        }
    };
}

impl outgoing_handler::Host for Guarded<'_> {
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> HttpResult<Resource<HostFutureIncomingResponse>> {
        // Each request asks the authority in `HttpGate::send_request`, where its URL is known; one that does not come so far is
        // counted here.
        refuse!(self.using("wasi:http/outgoing-handler", "handle"));
        let asked = self.request(&request);
        if self.is_replay() {
            // It is not sent; as one that is, it is gone, and counts as a host call.
            refuse!(self.charge(Limit::HostCalls, 1));
            self.table().delete(Resource::<HostOutgoingRequest>::new_own(request.rep()))?;
            if let Some(options) = &options {
                self.table().delete(Resource::<RequestOptions>::new_own(options.rep()))?;
            }
        }
        through!(
            self,
            "wasi:http/outgoing-handler handle",
            (asked),
            outgoing_handler::Host::handle(&mut self.http(), request, options)
        )
    }
}

impl types::Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: HttpError) -> wasmtime::Result<types::ErrorCode> {
        error.downcast()
    }

    fn convert_header_error(&mut self, error: HeaderError) -> wasmtime::Result<types::HeaderError> {
        error.downcast()
    }

    fn http_error_code(&mut self, error: Resource<types::IoError>) -> wasmtime::Result<Option<types::ErrorCode>> {
        refuse!(self.using(TYPES, "http-error-code"));
        through!(self, "wasi:http/types http-error-code", (error), self.http().http_error_code(error))
    }
}

forward! {
    types::HostFields:
    fn new() -> wasmtime::Result<Resource<FieldMap>>, "[constructor]fields";
    fn from_list(entries: Vec<(String, Vec<u8>)>) -> HeaderResult<Resource<FieldMap>>, "[static]fields.from-list"
        keeps _this entries.iter().map(|(name, value)| name.len() + value.len() + HEADER_BYTES).sum();
    fn drop(fields: Resource<FieldMap>) -> wasmtime::Result<()>, "[resource-drop]fields";
    fn get(fields: Resource<FieldMap>, name: String) -> wasmtime::Result<Vec<Vec<u8>>>, "[method]fields.get";
    fn has(fields: Resource<FieldMap>, name: String) -> wasmtime::Result<bool>, "[method]fields.has";
    fn set(fields: Resource<FieldMap>, name: String, values: Vec<Vec<u8>>) -> HeaderResult<()>, "[method]fields.set"
        keeps _this name.len() + values.iter().map(|value| value.len() + HEADER_BYTES).sum::<usize>();
    fn delete(fields: Resource<FieldMap>, name: String) -> HeaderResult<()>, "[method]fields.delete";
    fn append(fields: Resource<FieldMap>, name: String, value: Vec<u8>) -> HeaderResult<()>, "[method]fields.append" keeps _this name.len() + value.len() + HEADER_BYTES;
    fn entries(fields: Resource<FieldMap>) -> wasmtime::Result<Vec<(String, Vec<u8>)>>, "[method]fields.entries";
    fn clone(fields: Resource<FieldMap>) -> wasmtime::Result<Resource<FieldMap>>, "[method]fields.clone"
        keeps this this.table().get(&fields)?.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES).sum();
}

forward! {
    types::HostIncomingRequest:
    fn method(id: Resource<HostIncomingRequest>) -> wasmtime::Result<Method>, "[method]incoming-request.method";
    fn path_with_query(id: Resource<HostIncomingRequest>) -> wasmtime::Result<Option<String>>, "[method]incoming-request.path-with-query";
    fn scheme(id: Resource<HostIncomingRequest>) -> wasmtime::Result<Option<Scheme>>, "[method]incoming-request.scheme";
    fn authority(id: Resource<HostIncomingRequest>) -> wasmtime::Result<Option<String>>, "[method]incoming-request.authority";
    fn headers(id: Resource<HostIncomingRequest>) -> wasmtime::Result<Resource<FieldMap>>, "[method]incoming-request.headers";
    fn consume(id: Resource<HostIncomingRequest>) -> wasmtime::Result<Result<Resource<HostIncomingBody>, ()>>, "[method]incoming-request.consume";
    fn drop(id: Resource<HostIncomingRequest>) -> wasmtime::Result<()>, "[resource-drop]incoming-request";
}

forward! {
    types::HostOutgoingRequest:
    fn new(headers: Resource<FieldMap>) -> wasmtime::Result<Resource<HostOutgoingRequest>>, "[constructor]outgoing-request";
    fn body(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<Result<Resource<HostOutgoingBody>, ()>>, "[method]outgoing-request.body";
    fn drop(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<()>, "[resource-drop]outgoing-request";
    fn method(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<Method>, "[method]outgoing-request.method";
    fn set_method(request: Resource<HostOutgoingRequest>, method: Method) -> wasmtime::Result<Result<(), ()>>, "[method]outgoing-request.set-method"
        keeps _this match &method { Method::Other(name) => name.len(), _ => 0 };
    fn path_with_query(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<Option<String>>, "[method]outgoing-request.path-with-query";
    fn set_path_with_query(request: Resource<HostOutgoingRequest>, path_with_query: Option<String>) -> wasmtime::Result<Result<(), ()>>, "[method]outgoing-request.set-path-with-query"
        keeps _this path_with_query.as_ref().map_or(0, String::len);
    fn scheme(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<Option<Scheme>>, "[method]outgoing-request.scheme";
    fn set_scheme(request: Resource<HostOutgoingRequest>, scheme: Option<Scheme>) -> wasmtime::Result<Result<(), ()>>, "[method]outgoing-request.set-scheme";
    fn authority(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<Option<String>>, "[method]outgoing-request.authority";
    fn set_authority(request: Resource<HostOutgoingRequest>, authority: Option<String>) -> wasmtime::Result<Result<(), ()>>, "[method]outgoing-request.set-authority"
        keeps _this authority.as_ref().map_or(0, String::len);
    fn headers(request: Resource<HostOutgoingRequest>) -> wasmtime::Result<Resource<FieldMap>>, "[method]outgoing-request.headers";
}

forward! {
    types::HostResponseOutparam:
    fn drop(id: Resource<HostResponseOutparam>) -> wasmtime::Result<()>, "[resource-drop]response-outparam";
    fn set(id: Resource<HostResponseOutparam>, resp: Result<Resource<HostOutgoingResponse>, types::ErrorCode>) -> wasmtime::Result<()>, "[static]response-outparam.set";
    fn send_informational(id: Resource<HostResponseOutparam>, status: u16, headers: Resource<FieldMap>) -> HttpResult<()>, "[method]response-outparam.send-informational";
}

forward! {
    types::HostIncomingResponse:
    fn drop(response: Resource<HostIncomingResponse>) -> wasmtime::Result<()>, "[resource-drop]incoming-response";
    fn status(response: Resource<HostIncomingResponse>) -> wasmtime::Result<StatusCode>, "[method]incoming-response.status";
    fn headers(response: Resource<HostIncomingResponse>) -> wasmtime::Result<Resource<FieldMap>>, "[method]incoming-response.headers";
    fn consume(response: Resource<HostIncomingResponse>) -> wasmtime::Result<Result<Resource<HostIncomingBody>, ()>>, "[method]incoming-response.consume";
}

impl types::HostFutureTrailers for Guarded<'_> {
    fn subscribe(&mut self, trailers: Resource<HostFutureTrailers>) -> wasmtime::Result<Resource<DynPollable>> {
        refuse!(self.using(TYPES, "[method]future-trailers.subscribe"));
        through!(
            self,
            "wasi:http/types [method]future-trailers.subscribe",
            (trailers),
            types::HostFutureTrailers::subscribe(&mut self.http(), trailers),
            otherwise | asked | self.stand_in(&asked)
        )
    }

    fn get(
        &mut self,
        trailers: Resource<HostFutureTrailers>,
    ) -> wasmtime::Result<Option<Result<Result<Option<Resource<Trailers>>, types::ErrorCode>, ()>>> {
        refuse!(self.using(TYPES, "[method]future-trailers.get"));
        through!(
            self,
            "wasi:http/types [method]future-trailers.get",
            (trailers),
            types::HostFutureTrailers::get(&mut self.http(), trailers)
        )
    }

    fn drop(&mut self, trailers: Resource<HostFutureTrailers>) -> wasmtime::Result<()> {
        refuse!(self.using(TYPES, "[resource-drop]future-trailers"));
        dropped!(
            self,
            "wasi:http/types [resource-drop]future-trailers",
            trailers,
            types::HostFutureTrailers::drop(&mut self.http(), trailers)
        )
    }
}

forward! {
    types::HostIncomingBody:
    fn stream(id: Resource<HostIncomingBody>) -> wasmtime::Result<Result<Resource<DynInputStream>, ()>>, "[method]incoming-body.stream";
    fn finish(id: Resource<HostIncomingBody>) -> wasmtime::Result<Resource<HostFutureTrailers>>, "[static]incoming-body.finish";
    fn drop(id: Resource<HostIncomingBody>) -> wasmtime::Result<()>, "[resource-drop]incoming-body";
}

forward! {
    types::HostOutgoingResponse:
    fn new(headers: Resource<FieldMap>) -> wasmtime::Result<Resource<HostOutgoingResponse>>, "[constructor]outgoing-response";
    fn body(id: Resource<HostOutgoingResponse>) -> wasmtime::Result<Result<Resource<HostOutgoingBody>, ()>>, "[method]outgoing-response.body";
    fn status_code(id: Resource<HostOutgoingResponse>) -> wasmtime::Result<types::StatusCode>, "[method]outgoing-response.status-code";
    fn set_status_code(id: Resource<HostOutgoingResponse>, status: types::StatusCode) -> wasmtime::Result<Result<(), ()>>, "[method]outgoing-response.set-status-code";
    fn headers(id: Resource<HostOutgoingResponse>) -> wasmtime::Result<Resource<FieldMap>>, "[method]outgoing-response.headers";
    fn drop(id: Resource<HostOutgoingResponse>) -> wasmtime::Result<()>, "[resource-drop]outgoing-response";
}

impl types::HostFutureIncomingResponse for Guarded<'_> {
    fn get(
        &mut self,
        future: Resource<HostFutureIncomingResponse>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<HostIncomingResponse>, types::ErrorCode>, ()>>> {
        refuse!(self.using(TYPES, "[method]future-incoming-response.get"));
        through!(
            self,
            "wasi:http/types [method]future-incoming-response.get",
            (future),
            types::HostFutureIncomingResponse::get(&mut self.http(), future)
        )
    }

    fn subscribe(&mut self, future: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<Resource<DynPollable>> {
        refuse!(self.using(TYPES, "[method]future-incoming-response.subscribe"));
        through!(
            self,
            "wasi:http/types [method]future-incoming-response.subscribe",
            (future),
            types::HostFutureIncomingResponse::subscribe(&mut self.http(), future),
            otherwise | asked | self.stand_in(&asked)
        )
    }

    fn drop(&mut self, future: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<()> {
        refuse!(self.using(TYPES, "[resource-drop]future-incoming-response"));
        dropped!(
            self,
            "wasi:http/types [resource-drop]future-incoming-response",
            future,
            types::HostFutureIncomingResponse::drop(&mut self.http(), future)
        )
    }
}

impl types::HostOutgoingBody for Guarded<'_> {
    fn write(&mut self, body: Resource<HostOutgoingBody>) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        refuse!(self.using(TYPES, "[method]outgoing-body.write"));
        noted!(self, "wasi:http/types [method]outgoing-body.write", (body), self.write_body(body))
    }

    fn finish(&mut self, body: Resource<HostOutgoingBody>, trailers: Option<Resource<Trailers>>) -> HttpResult<()> {
        refuse!(self.using(TYPES, "[static]outgoing-body.finish"));
        if self.is_replay() {
            // Nobody reads it: it is only gone.
            self.table().delete(Resource::<HostOutgoingBody>::new_own(body.rep()))?;
            if let Some(trailers) = &trailers {
                self.table().delete(Resource::<Trailers>::new_own(trailers.rep()))?;
            }
        }
        through!(
            self,
            "wasi:http/types [static]outgoing-body.finish",
            (body, trailers),
            types::HostOutgoingBody::finish(&mut self.http(), body, trailers),
            otherwise | _asked | Ok(())
        )
    }

    fn drop(&mut self, body: Resource<HostOutgoingBody>) -> wasmtime::Result<()> {
        refuse!(self.using(TYPES, "[resource-drop]outgoing-body"));
        dropped!(
            self,
            "wasi:http/types [resource-drop]outgoing-body",
            body,
            types::HostOutgoingBody::drop(&mut self.http(), body)
        )
    }
}

forward! {
    types::HostRequestOptions:
    fn new() -> wasmtime::Result<Resource<types::RequestOptions>>, "[constructor]request-options";
    fn connect_timeout(opts: Resource<types::RequestOptions>) -> wasmtime::Result<Option<types::Duration>>, "[method]request-options.connect-timeout";
    fn set_connect_timeout(opts: Resource<types::RequestOptions>, duration: Option<types::Duration>) -> wasmtime::Result<Result<(), ()>>, "[method]request-options.set-connect-timeout";
    fn first_byte_timeout(opts: Resource<types::RequestOptions>) -> wasmtime::Result<Option<types::Duration>>, "[method]request-options.first-byte-timeout";
    fn set_first_byte_timeout(opts: Resource<types::RequestOptions>, duration: Option<types::Duration>) -> wasmtime::Result<Result<(), ()>>, "[method]request-options.set-first-byte-timeout";
    fn between_bytes_timeout(opts: Resource<types::RequestOptions>) -> wasmtime::Result<Option<types::Duration>>, "[method]request-options.between-bytes-timeout";
    fn set_between_bytes_timeout(opts: Resource<types::RequestOptions>, duration: Option<types::Duration>) -> wasmtime::Result<Result<(), ()>>, "[method]request-options.set-between-bytes-timeout";
    fn drop(rep: Resource<types::RequestOptions>) -> wasmtime::Result<()>, "[resource-drop]request-options";
}
