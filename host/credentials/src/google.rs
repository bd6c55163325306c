//! Access tokens for a Google service account: a JWT signed with its key (RS256, RFC 7523) is exchanged at the key's `token_uri`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use autodevops_sandbox::{Secret, Trust};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde::{Deserialize, Deserializer};
use tokio::{sync::Mutex, time::Instant};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{
    NEXT_TRY, file,
    post::{self, NoAnswer},
    text::{Fault, secret},
};

/// What a JWT is exchanged as.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long a JWT holds; the most that Google takes.
const JWT_LIFETIME: Duration = Duration::from_secs(3600);

/// A new token is asked for so long before the one in use ends, and not before that one has lived three quarters of its life: an
/// endpoint whose tokens are short is not asked for each request.
const BEFORE_THE_END: Duration = Duration::from_secs(300);

/// Which part of a token's life is its last, in which a new one is asked for.
const LAST_PART: u32 = 4;

/// A longer life of a token is not believed.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A service account's key file, as Google makes it.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    #[serde(deserialize_with = "hidden")]
    private_key: Zeroizing<String>,
    #[serde(default)]
    private_key_id: Option<String>,
    token_uri: String,
}

/// The answer of a token endpoint.
#[derive(Deserialize)]
struct Answer {
    #[serde(deserialize_with = "hidden")]
    access_token: Zeroizing<String>,
    expires_in: u64,
}

/// A text that is overwritten when it is dropped.
fn hidden<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// A token, and of which key it is.
struct Token {
    secret: Secret,
    key: blake3::Hash,
    /// When a new one is asked for.
    renew: Instant,
    /// When it is of no more use.
    ends: Instant,
}

/// An exchange that failed: of which key, when, and how.
struct Failed {
    key: blake3::Hash,
    at: Instant,
    fault: Fault,
}

/// What came of the last exchanges.
#[derive(Default)]
struct Kept {
    token: Option<Token>,
    /// Where there is no token.
    failed: Option<Failed>,
}

/// A service account, whose token is kept until shortly before it ends. Those who need it at once wait for one exchange.
pub struct Account {
    key: PathBuf,
    scopes: Vec<String>,
    trust: Arc<Trust>,
    kept: Mutex<Kept>,
}

impl Account {
    pub fn new(key: PathBuf, scopes: Vec<String>, trust: Arc<Trust>) -> Self {
        Self { key, scopes, trust, kept: Mutex::default() }
    }

    pub fn key(&self) -> &Path {
        &self.key
    }

    pub async fn token(&self) -> Result<Secret, Fault> {
        self.token_at(Instant::now()).await
    }

    async fn token_at(&self, now: Instant) -> Result<Secret, Fault> {
        let mut kept = self.kept.lock().await;
        let bytes = file::read(&self.key).await?;
        let key = blake3::hash(&bytes);
        let Kept { token, failed } = &mut *kept;
        let mut current = token.as_mut().filter(|token| token.key == key && now < token.ends);
        if let Some(token) = current.as_ref().filter(|token| now < token.renew) {
            return Ok(token.secret.clone());
        }
        let recently = |failed: &&Failed| failed.key == key && now < failed.at + NEXT_TRY;
        if let (None, Some(failed)) = (&current, failed.as_ref().filter(recently)) {
            return Err(failed.fault.clone());
        }
        match (self.exchange(&bytes).await, &mut current) {
            (Ok((secret, life)), _) => {
                let renew = now + life.saturating_sub(BEFORE_THE_END.min(life / LAST_PART));
                *token = Some(Token { secret: secret.clone(), key, renew, ends: now + life });
                Ok(secret)
            }
            // The one before still holds for a while: the next is tried later.
            (Err(_), Some(token)) => {
                token.renew = now + NEXT_TRY;
                Ok(token.secret.clone())
            }
            (Err(fault), None) => {
                *failed = Some(Failed { key, at: now, fault: fault.clone() });
                Err(fault)
            }
        }
    }

    async fn exchange(&self, bytes: &[u8]) -> Result<(Secret, Duration), Fault> {
        let another = "make a new key of the account and bind that file";
        let key: KeyFile = serde_json::from_slice(bytes).map_err(|error| {
            // Where it is wrong, not what is there.
            let what = format!("which is no service account's key (line {}, column {})", error.line(), error.column());
            Fault::new(what, another)
        })?;
        if key.kind != "service_account" {
            return Err(Fault::new("which is a key of another kind than `service_account`", another));
        }
        let endpoint: Url =
            key.token_uri.parse().map_err(|_| Fault::new("whose `token_uri` is no address", another))?;
        if !post::is_safe(&endpoint) {
            return Err(Fault::new("whose `token_uri` is not asked over https", another));
        }
        let jwt = jwt(&key, &self.scopes)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", GRANT_TYPE)
            .append_pair("assertion", &jwt)
            .finish();
        let shown = shown(&endpoint);
        let there = "see that the endpoint can be reached and the account's key was not withdrawn";
        let (status, body) = post::form(&endpoint, form.into(), &self.trust).await.map_err(|none| {
            let (reason, remedy) = match none {
                NoAnswer::Untrusted(reason) => {
                    (reason, "name its authority's file in [sandbox] certificate-authorities")
                }
                NoAnswer::Other(reason) => (reason, there),
            };
            Fault::new(format!("whose token endpoint {shown} gave no token: {reason}"), remedy)
        })?;
        if status != http::StatusCode::OK {
            let what = format!("whose token endpoint {shown} answered {}", status.as_u16());
            return Err(Fault::new(what, there));
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| Fault::new(format!("whose token endpoint {shown} answered without an access token"), there))?;
        let secret = secret(answer.access_token).map_err(|_| {
            Fault::new(format!("whose token endpoint {shown} gave a token that no header takes"), there)
        })?;
        Ok((secret, Duration::from_secs(answer.expires_in).min(LONGEST_LIFE)))
    }
}

/// An endpoint without what may be secret of it.
fn shown(endpoint: &Url) -> String {
    let mut shown = endpoint.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

/// The JWT that asks for a token.
fn jwt(key: &KeyFile, scopes: &[String]) -> Result<Zeroizing<String>, Fault> {
    let bad_key =
        || Fault::new("whose `private_key` is no RSA key", "make a new key of the account and bind that file");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut header = serde_json::json!({ "alg": "RS256", "typ": "JWT" });
    if let (Some(id), Some(header)) = (&key.private_key_id, header.as_object_mut()) {
        header.insert("kid".to_owned(), id.as_str().into());
    }
    let claims = serde_json::json!({
        "iss": key.client_email,
        "scope": scopes.join(" "),
        "aud": key.token_uri,
        "iat": now.as_secs(),
        "exp": (now + JWT_LIFETIME).as_secs(),
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut jwt =
        Zeroizing::new(format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes())));
    let private = PrivateKeyDer::from_pem_slice(key.private_key.as_bytes()).map_err(|_| bad_key())?;
    let signer =
        any_supported_type(&private).ok().and_then(|key| key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]));
    let signature = signer.and_then(|signer| signer.sign(jwt.as_bytes()).ok()).ok_or_else(bad_key)?;
    jwt.push('.');
    jwt.push_str(&encode(&signature));
    Ok(jwt)
}

#[cfg(test)]
mod tests;
