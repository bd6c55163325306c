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

const TYPES: &str = "wasi:http/types";

impl Guarded<'_> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpView::http(self.0)
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
                <WasiHttpCtxView<'_> as $trait>::$name(&mut self.http(), $($argument),*)
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
        outgoing_handler::Host::handle(&mut self.http(), request, options)
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
        self.http().http_error_code(error)
    }
}

forward! {
    types::HostFields:
    fn new() -> wasmtime::Result<Resource<FieldMap>>, "[constructor]fields";
    fn from_list(entries: Vec<(String, Vec<u8>)>) -> HeaderResult<Resource<FieldMap>>, "[static]fields.from-list"
        keeps _this entries.iter().map(|(name, value)| name.len() + value.len()).sum();
    fn drop(fields: Resource<FieldMap>) -> wasmtime::Result<()>, "[resource-drop]fields";
    fn get(fields: Resource<FieldMap>, name: String) -> wasmtime::Result<Vec<Vec<u8>>>, "[method]fields.get";
    fn has(fields: Resource<FieldMap>, name: String) -> wasmtime::Result<bool>, "[method]fields.has";
    fn set(fields: Resource<FieldMap>, name: String, values: Vec<Vec<u8>>) -> HeaderResult<()>, "[method]fields.set"
        keeps _this name.len() + values.iter().map(Vec::len).sum::<usize>();
    fn delete(fields: Resource<FieldMap>, name: String) -> HeaderResult<()>, "[method]fields.delete";
    fn append(fields: Resource<FieldMap>, name: String, value: Vec<u8>) -> HeaderResult<()>, "[method]fields.append" keeps _this name.len() + value.len();
    fn entries(fields: Resource<FieldMap>) -> wasmtime::Result<Vec<(String, Vec<u8>)>>, "[method]fields.entries";
    fn clone(fields: Resource<FieldMap>) -> wasmtime::Result<Resource<FieldMap>>, "[method]fields.clone"
        keeps this this.table().get(&fields)?.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
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

forward! {
    types::HostFutureTrailers:
    fn drop(id: Resource<HostFutureTrailers>) -> wasmtime::Result<()>, "[resource-drop]future-trailers";
    fn subscribe(index: Resource<HostFutureTrailers>) -> wasmtime::Result<Resource<DynPollable>>, "[method]future-trailers.subscribe";
    fn get(id: Resource<HostFutureTrailers>) -> wasmtime::Result<Option<Result<Result<Option<Resource<Trailers>>, types::ErrorCode>, ()>>> , "[method]future-trailers.get";
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

forward! {
    types::HostFutureIncomingResponse:
    fn drop(id: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<()>, "[resource-drop]future-incoming-response";
    fn get(id: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<Option<Result<Result<Resource<HostIncomingResponse>, types::ErrorCode>, ()>>>, "[method]future-incoming-response.get";
    fn subscribe(id: Resource<HostFutureIncomingResponse>) -> wasmtime::Result<Resource<DynPollable>>, "[method]future-incoming-response.subscribe";
}

impl types::HostOutgoingBody for Guarded<'_> {
    fn write(&mut self, body: Resource<HostOutgoingBody>) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        refuse!(self.using(TYPES, "[method]outgoing-body.write"));
        match types::HostOutgoingBody::write(&mut self.http(), body)? {
            Ok(stream) => Ok(Ok(self.metered(stream, Limit::HttpBuilt)?)),
            Err(()) => Ok(Err(())),
        }
    }

    fn finish(&mut self, body: Resource<HostOutgoingBody>, trailers: Option<Resource<Trailers>>) -> HttpResult<()> {
        refuse!(self.using(TYPES, "[static]outgoing-body.finish"));
        types::HostOutgoingBody::finish(&mut self.http(), body, trailers)
    }

    fn drop(&mut self, body: Resource<HostOutgoingBody>) -> wasmtime::Result<()> {
        refuse!(self.using(TYPES, "[resource-drop]outgoing-body"));
        types::HostOutgoingBody::drop(&mut self.http(), body)
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
