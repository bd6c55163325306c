//! A refusal as the error of whatever a host function gives: it ends the call.

use autodevops_policy::Denial;
use wasmtime_wasi::p2::{FsError, SocketError, StreamError};
use wasmtime_wasi_http::p2::{HeaderError, HttpError};

/// Error types of host functions.
pub trait EndsTheCall {
    /// The error that ends the call.
    fn ends(error: wasmtime::Error) -> Self;

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
}

impl<T, E: EndsTheCall> Answer for Result<T, E> {
    fn ended(error: wasmtime::Error) -> Self {
        Err(E::ends(error))
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
    ($($error:ident),+) => {
        $(impl EndsTheCall for $error {
            fn ends(error: wasmtime::Error) -> Self {
                Self::trap(error)
            }
        })+
    };
}

trappable!(FsError, SocketError, HttpError, HeaderError);

/// Returns from the function where something was refused.
macro_rules! refuse {
    ($decision:expr) => {
        if let Err(denial) = $decision {
            return Err($crate::guarded::refuse::EndsTheCall::of(denial));
        }
    };
}

pub(crate) use refuse;
