//! Errors of calls, by their kind.

use autodevops_model::{ErrorInfo, ErrorKind, StageError};

pub fn error(kind: ErrorKind, message: String) -> StageError {
    StageError { kind, info: ErrorInfo { message, details: Vec::new() } }
}

pub fn denied(message: String) -> StageError {
    error(ErrorKind::Denied, message)
}

pub fn invalid(message: String) -> StageError {
    error(ErrorKind::InvalidInput, message)
}

pub fn failed(message: String) -> StageError {
    error(ErrorKind::Failed, message)
}
