//! What goes wrong in a plugin, as the host wants to know it.

use crate::types::ErrorInfo;

/// Why a call gave no result. The case decides whether the host retries, asks a person or gives up.
pub type Error = crate::bindings::base::autodevops::types::types::Error;

/// A result whose error is the contract's.
pub type Result<T> = std::result::Result<T, Error>;

fn info(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo { message: message.into(), details: Vec::new() }
}

impl Error {
    /// The input or the configuration is wrong; the same call will fail again.
    pub fn wrong_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(info(message))
    }

    /// Something was needed that the operator has not granted.
    pub fn not_granted(message: impl Into<String>) -> Self {
        Self::Denied(info(message))
    }

    /// A service did not answer; the call may be retried.
    pub fn no_answer(message: impl Into<String>) -> Self {
        Self::Unavailable(info(message))
    }

    /// The plugin cannot do this.
    pub fn not_supported(message: impl Into<String>) -> Self {
        Self::Unsupported(info(message))
    }

    /// Anything else.
    pub fn failure(message: impl Into<String>) -> Self {
        Self::Failed(info(message))
    }

    /// Adds a name and a value that belong to the error, such as `status` and `503`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.info_mut().details.push((name.into(), value.to_string()));
        self
    }

    /// The error's sentence.
    pub fn message(&self) -> &str {
        match self {
            Self::InvalidInput(info)
            | Self::Denied(info)
            | Self::Unavailable(info)
            | Self::Unsupported(info)
            | Self::Failed(info) => &info.message,
        }
    }

    fn info_mut(&mut self) -> &mut ErrorInfo {
        match self {
            Self::InvalidInput(info)
            | Self::Denied(info)
            | Self::Unavailable(info)
            | Self::Unsupported(info)
            | Self::Failed(info) => info,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::not_granted(error.to_string()),
            _ => Self::failure(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_stay_with_the_error_in_order() {
        let error = Error::no_answer("the API is away").with("status", 503).with("url", "https://a.example");
        let Error::Unavailable(info) = &error else { panic!("{error:?}") };
        assert_eq!(error.message(), "the API is away");
        assert_eq!(info.details, [("status".into(), "503".into()), ("url".into(), "https://a.example".into())]);
    }

    #[test]
    fn a_refused_file_is_denied_not_failed() {
        let error = Error::from(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert!(matches!(error, Error::Denied(_)));
    }
}
