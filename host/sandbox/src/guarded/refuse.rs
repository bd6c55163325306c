//! A refusal as the error of whatever a host function gives: it ends the call.

use autodevops_policy::Denial;
use wasmtime_wasi::p2::{FsError, SocketError, StreamError};
use wasmtime_wasi_http::p2::{HeaderError, HttpError};

/// Error types of host functions.
pub trait EndsTheCall {
    /// The error that ends the call with the denial.
    fn of(denial: Denial) -> Self;
}

impl EndsTheCall for wasmtime::Error {
    fn of(denial: Denial) -> Self {
        denial.into()
    }
}

impl EndsTheCall for StreamError {
    fn of(denial: Denial) -> Self {
        Self::Trap(denial.into())
    }
}

macro_rules! trappable {
    ($($error:ident),+) => {
        $(impl EndsTheCall for $error {
            fn of(denial: Denial) -> Self {
                Self::trap(denial)
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
