//! A refusal as the error of whatever a host function gives: it ends the call. And the other way round: what of these errors is a
//! refusal, and to be recorded as one.

use autodevops_policy::Denial;
use wasmtime_wasi::p2::{FsError, SocketError, StreamError, bindings::filesystem::types::ErrorCode};
use wasmtime_wasi_http::p2::{HeaderError, HttpError, bindings::http::types};

use crate::refusal::Refusal;

/// Error types of host functions.
pub trait EndsTheCall {
    /// The error that ends the call.
    fn ends(error: wasmtime::Error) -> Self;

    /// What the error refuses, where it is no failure of what was done. (A limit that was gone over is noticed by the authority.)
    fn refusal(&self) -> Option<Refusal> {
        None
    }

    /// The error that ends the call with the denial.
    fn of(denial: Denial) -> Self
    where
        Self: Sized,
    {
        Self::ends(denial.into())
    }
}

/// What host functions give.
pub trait Answer {
    /// The answer that ends the call.
    fn ended(error: wasmtime::Error) -> Self;

    /// What the answer refuses.
    fn refusal(&self) -> Option<Refusal>;
}

impl<T, E: EndsTheCall> Answer for Result<T, E> {
    fn ended(error: wasmtime::Error) -> Self {
        Err(E::ends(error))
    }

    fn refusal(&self) -> Option<Refusal> {
        self.as_ref().err().and_then(E::refusal)
    }
}

impl EndsTheCall for wasmtime::Error {
    fn ends(error: wasmtime::Error) -> Self {
        error
    }
}

impl EndsTheCall for StreamError {
    fn ends(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

macro_rules! trappable {
    ($($error:ident $(refuses $refuses:pat => $refusal:expr)?),+) => {
        $(impl EndsTheCall for $error {
            fn ends(error: wasmtime::Error) -> Self {
                Self::trap(error)
            }

            $(fn refusal(&self) -> Option<Refusal> {
                matches!(self.downcast_ref(), Some($refuses)).then_some($refusal)
            })?
        })+
    };
}

trappable!(
    FsError refuses ErrorCode::NotPermitted => Refusal::NotPermitted,
    HeaderError refuses types::HeaderError::Forbidden => Refusal::Header,
    SocketError,
    HttpError
);

/// Returns from the function where something was refused.
macro_rules! refuse {
    ($decision:expr) => {
        if let Err(denial) = $decision {
            return Err($crate::guarded::refuse::EndsTheCall::of(denial));
        }
    };
}

pub(crate) use refuse;
