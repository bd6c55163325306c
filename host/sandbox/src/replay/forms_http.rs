//! The forms of what `wasi:http` gives back. A response is made again from its status and headers; its body is read by way of
//! streams, whose answers are kept.

use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Empty};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi_http::{
    FieldMap,
    p2::{
        HeaderError, HttpError,
        bindings::http::types::{
            DnsErrorPayload, ErrorCode, FieldSizePayload, HeaderError as HeaderErrorCode, Method, Scheme,
            TlsAlertReceivedPayload,
        },
        body::HostIncomingBody,
        types::HostIncomingResponse,
    },
};

use super::kept::{Handles, Kept, TrapForm, kept_as, trap, without_handles};
use crate::guarded::Guarded;

without_handles!(Method, Scheme, HeaderError, HeaderErrorCode);

type Fields = Vec<(String, ByteBuf)>;

fn fields(map: &FieldMap) -> Fields {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), ByteBuf::from(value.as_bytes()))).collect()
}

/// Names and values that were a header before are one again.
fn header_map(fields: Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(&value)) {
            map.append(name, value);
        }
    }
    map
}

impl Kept for Resource<HostIncomingResponse> {
    type Form = (u16, Fields);

    fn form(&self, table: &ResourceTable) -> Self::Form {
        table.get(self).map_or_else(|_| (0, Vec::new()), |response| (response.status, fields(&response.headers)))
    }

    fn give((status, fields): Self::Form, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        let headers = FieldMap::new_immutable(&mut guarded.guest().gate, header_map(fields));
        let empty = Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync();
        let body = Some(HostIncomingBody::new(empty));
        Ok(guarded.guest().table.push(HostIncomingResponse { status, headers, body })?)
    }
}

impl Kept for Resource<FieldMap> {
    type Form = Fields;

    fn form(&self, table: &ResourceTable) -> Fields {
        table.get(self).map(fields).unwrap_or_default()
    }

    fn give(form: Fields, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        let map = FieldMap::new_immutable(&mut guarded.guest().gate, header_map(form));
        Ok(guarded.guest().table.push(map)?)
    }
}

impl Handles for HttpError {}

impl Kept for HttpError {
    type Form = Result<HttpErrorForm, TrapForm>;

    fn form(&self, _: &ResourceTable) -> Self::Form {
        self.downcast_ref().map(|code| code.clone().into()).ok_or_else(|| TrapForm::Other(self.to_string()))
    }

    fn give(form: Self::Form, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        Ok(match form {
            Ok(code) => ErrorCode::from(code).into(),
            Err(form) => Self::trap(trap(form, guarded.guest())),
        })
    }
}

kept_as! {
    ErrorCode: HttpErrorForm, |code| code.clone().into(), |form| form.into();
}

type SizeForm = (Option<String>, Option<u32>);

fn size_form(payload: FieldSizePayload) -> SizeForm {
    (payload.field_name, payload.field_size)
}

fn size((field_name, field_size): SizeForm) -> FieldSizePayload {
    FieldSizePayload { field_name, field_size }
}

/// The errors of `wasi:http`: those alone, those with a plain value, and those with a record.
macro_rules! errors {
    (alone $($alone:ident)+; with $($with:ident($value:ty))+; sizes $($sizes:ident)+) => {
        /// An error of `wasi:http` as it is kept.
        #[derive(Debug, Serialize, Deserialize)]
        pub enum HttpErrorForm {
            $($alone,)+
            $($with(Option<$value>),)+
            $($sizes(SizeForm),)+
            HttpRequestHeaderSize(Option<SizeForm>),
            DnsError(Option<String>, Option<u16>),
            TlsAlertReceived(Option<u8>, Option<String>),
        }

        impl From<ErrorCode> for HttpErrorForm {
            fn from(code: ErrorCode) -> Self {
                match code {
                    $(ErrorCode::$alone => Self::$alone,)+
                    $(ErrorCode::$with(value) => Self::$with(value),)+
                    $(ErrorCode::$sizes(payload) => Self::$sizes(size_form(payload)),)+
                    ErrorCode::HttpRequestHeaderSize(payload) => Self::HttpRequestHeaderSize(payload.map(size_form)),
                    ErrorCode::DnsError(payload) => Self::DnsError(payload.rcode, payload.info_code),
                    ErrorCode::TlsAlertReceived(payload) => Self::TlsAlertReceived(payload.alert_id, payload.alert_message),
                }
            }
        }

        impl From<HttpErrorForm> for ErrorCode {
            fn from(form: HttpErrorForm) -> Self {
                match form {
                    $(HttpErrorForm::$alone => Self::$alone,)+
                    $(HttpErrorForm::$with(value) => Self::$with(value),)+
                    $(HttpErrorForm::$sizes(payload) => Self::$sizes(size(payload)),)+
                    HttpErrorForm::HttpRequestHeaderSize(payload) => Self::HttpRequestHeaderSize(payload.map(size)),
                    HttpErrorForm::DnsError(rcode, info_code) => Self::DnsError(DnsErrorPayload { rcode, info_code }),
                    HttpErrorForm::TlsAlertReceived(alert_id, alert_message) => {
                        Self::TlsAlertReceived(TlsAlertReceivedPayload { alert_id, alert_message })
                    }
                }
            }
        }
    };
}

errors! {
    alone DnsTimeout DestinationNotFound DestinationUnavailable DestinationIpProhibited DestinationIpUnroutable
        ConnectionRefused ConnectionTerminated ConnectionTimeout ConnectionReadTimeout ConnectionWriteTimeout
        ConnectionLimitReached TlsProtocolError TlsCertificateError HttpRequestDenied HttpRequestLengthRequired
        HttpRequestMethodInvalid HttpRequestUriInvalid HttpRequestUriTooLong HttpResponseIncomplete HttpResponseTimeout
        HttpUpgradeFailed HttpProtocolError LoopDetected ConfigurationError;
    with HttpRequestBodySize(u64) HttpRequestHeaderSectionSize(u32) HttpRequestTrailerSectionSize(u32)
        HttpResponseHeaderSectionSize(u32) HttpResponseBodySize(u64) HttpResponseTrailerSectionSize(u32)
        HttpResponseTransferCoding(String) HttpResponseContentCoding(String) InternalError(String);
    sizes HttpRequestTrailerSize HttpResponseHeaderSize HttpResponseTrailerSize
}
