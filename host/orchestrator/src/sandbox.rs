//! The engine as the operator's `[sandbox]` has it.

use std::fs;

use anyhow::{Context, Result, anyhow};
use autodevops_config::SandboxSettings;
use autodevops_sandbox::{Compiler, HttpOptions, SandboxOptions, Trust};

/// Most bytes of one file with certificate authorities; those of a whole system are a quarter of it.
const MAX_CERTIFICATES_BYTES: u64 = 1 << 20;

/// What is set about the engine; but for its cache, which is the user's.
///
/// # Errors
/// When a file with certificate authorities cannot be read, or is too large for one.
pub fn options(settings: &SandboxSettings, compiler: Compiler) -> Result<SandboxOptions> {
    let certificate_authorities = certificate_authorities(settings)?;
    Ok(SandboxOptions {
        cache: None,
        compiler,
        concurrent_calls: settings.concurrent_calls,
        calls_of_one_plugin: settings.calls_of_one_plugin,
        stack: settings.stack,
        component_size: settings.component_size,
        compile_time: settings.compile_time,
        compile_memory: settings.compile_memory,
        http: HttpOptions { certificate_authorities, ..HttpOptions::default() },
    })
}

/// The certificate authorities that are trusted besides those of this machine: PEM texts.
///
/// # Errors
/// When a file cannot be read, or is too large for one.
pub fn certificate_authorities(settings: &SandboxSettings) -> Result<Vec<Vec<u8>>> {
    let mut certificate_authorities = Vec::new();
    for path in &settings.certificate_authorities {
        let context = || format!("[sandbox] certificate-authorities names {}, which cannot be read", path.display());
        let bytes = fs::metadata(path).with_context(context)?.len();
        anyhow::ensure!(
            bytes <= MAX_CERTIFICATES_BYTES,
            "[sandbox] certificate-authorities names {}, which is {bytes} bytes long; at most {MAX_CERTIFICATES_BYTES} are \
             read: name a file with certificates in PEM",
            path.display()
        );
        certificate_authorities.push(fs::read(path).with_context(context)?);
    }
    Ok(certificate_authorities)
}

/// The same, as connections that the host makes for itself trust them.
///
/// # Errors
/// When one of them is no certificate authority.
pub fn trust(certificate_authorities: &[Vec<u8>]) -> Result<Trust> {
    Trust::new(certificate_authorities).map_err(|reason| anyhow!("[sandbox] certificate-authorities: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use autodevops_policy::{Bytes, Span};

    use super::*;

    #[test]
    fn the_engines_own_defaults_are_the_configurations() {
        let options = options(&SandboxSettings::default(), Compiler::InProcess).unwrap();
        assert_eq!(format!("{options:?}"), format!("{:?}", SandboxOptions::default()));
    }

    #[test]
    fn each_setting_comes_to_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        fs::write(&authority, "pem").unwrap();
        let settings = SandboxSettings {
            stack: Bytes(1 << 20),
            component_size: Bytes(5 << 20),
            compile_time: Span(Duration::from_secs(7)),
            compile_memory: Bytes(1 << 30),
            concurrent_calls: 9,
            calls_of_one_plugin: Some(3),
            certificate_authorities: vec![authority],
        };
        let options = options(&settings, Compiler::InProcess).unwrap();
        assert_eq!((options.stack, options.component_size), (Bytes(1 << 20), Bytes(5 << 20)));
        assert_eq!((options.compile_time, options.compile_memory), (settings.compile_time, Bytes(1 << 30)));
        assert_eq!((options.concurrent_calls, options.calls_of_one_plugin), (9, Some(3)));
        assert_eq!(options.http.certificate_authorities, [b"pem".to_vec()]);
    }

    #[test]
    fn a_file_of_authorities_that_is_not_there_is_named_with_its_key() {
        let certificate_authorities = vec!["/nonexistent/ca.pem".into()];
        let settings = SandboxSettings { certificate_authorities, ..SandboxSettings::default() };
        let error = format!("{:#}", options(&settings, Compiler::InProcess).unwrap_err());
        assert!(error.contains("[sandbox] certificate-authorities names /nonexistent/ca.pem"), "{error}");
    }
    #[test]
    fn an_authority_that_is_none_is_told_with_its_key() {
        let error = trust(&[b"nonsense".to_vec()]).unwrap_err().to_string();
        assert_eq!(error, "[sandbox] certificate-authorities: a certificate authority's file holds no certificate");
    }
}
