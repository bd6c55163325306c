use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// A key that was made for these tests and is known to nobody else than all who read them.
const KEY: &str = include_str!("key.pem");
const PUBLIC_KEY: &[u8] = include_bytes!("key.public.der");

/// A token endpoint: answers each request by the next of the answers, the last one for ever.
struct Endpoint {
    uri: String,
    asked: Arc<AtomicUsize>,
    forms: Arc<std::sync::Mutex<Vec<String>>>,
}

async fn endpoint(answers: Vec<String>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let forms = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (counting, keeping) = (Arc::clone(&asked), Arc::clone(&forms));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let turn = counting.fetch_add(1, Ordering::SeqCst);
            let mut request = Vec::new();
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
                (body.len() >= length).then_some(())
            };
            while whole(&request).is_none() {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap();
                assert!(read > 0, "the request is cut");
                request.extend_from_slice(&part[..read]);
            }
            keeping.lock().unwrap().push(String::from_utf8(request).unwrap());
            let _ = stream.write_all(answers[turn.min(answers.len() - 1)].as_bytes()).await;
        }
    });
    Endpoint { uri, asked, forms }
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn token(name: &str, seconds: u64) -> String {
    answer("200 OK", &format!(r#"{{"access_token":"{name}","expires_in":{seconds},"token_type":"Bearer"}}"#))
}

fn key_file(folder: &tempfile::TempDir, uri: &str, key: &str) -> PathBuf {
    let path = folder.path().join("key.json");
    let text = serde_json::json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": key,
        "client_email": "deployer@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": uri,
    });
    fs::write(&path, text.to_string()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn account(path: PathBuf) -> Account {
    account_trusting(path, Trust::default())
}

fn account_trusting(path: PathBuf, trust: Trust) -> Account {
    Account::new(path, vec!["https://www.googleapis.com/auth/cloud-platform".into()], Arc::new(trust))
}

#[tokio::test]
async fn a_jwt_signed_by_the_accounts_key_is_exchanged_for_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = endpoint(vec![token("ya29.the-token", 3600)]).await;
    let account = account(key_file(&folder, &endpoint.uri, KEY));
    assert_eq!(account.token().await.unwrap().reveal(), "ya29.the-token");
    let request = endpoint.forms.lock().unwrap()[0].clone();
    let (head, form) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    let pairs: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!(pairs[0], ("grant_type".into(), GRANT_TYPE.into()));
    let (signed, signature) = pairs[1].1.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let read =
        |part: &str| -> serde_json::Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(read(header), serde_json::json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
    let claims = read(claims);
    assert_eq!(claims["iss"], "deployer@p.iam.gserviceaccount.com");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(claims["aud"], endpoint.uri.as_str());
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY)
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .expect("the signature is the key's");
}

#[tokio::test]
async fn a_token_is_asked_for_once_by_all_who_need_it_and_again_for_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let lasting = endpoint(vec![token("ya29.lasting", 3600)]).await;
    let path = key_file(&folder, &lasting.uri, KEY);
    let account = account(path);
    let (one, other) = tokio::join!(account.token(), account.token());
    assert_eq!((one.unwrap().reveal(), other.unwrap().reveal()), ("ya29.lasting", "ya29.lasting"));
    account.token().await.unwrap();
    assert_eq!(lasting.asked.load(Ordering::SeqCst), 1);
    // Another key in the file counts at once.
    let other = endpoint(vec![token("ya29.other", 3600)]).await;
    key_file(&folder, &other.uri, KEY);
    assert_eq!(account.token().await.unwrap().reveal(), "ya29.other");
}

#[tokio::test]
async fn a_token_serves_most_of_its_life_however_short_that_is() {
    for (life, lead) in [(3600, 300), (1200, 300), (300, 75), (60, 15), (8, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = endpoint(vec![token("ya29.first", life), token("ya29.second", life)]).await;
        let account = account(key_file(&folder, &endpoint.uri, KEY));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for (seconds, name) in [(0, "first"), (1, "first"), (life - lead - 1, "first"), (life - lead, "second")] {
            let token = account.token_at(at(seconds)).await.unwrap();
            assert_eq!(token.reveal(), format!("ya29.{name}"), "{seconds} s of {life} s");
        }
        assert_eq!(endpoint.asked.load(Ordering::SeqCst), 2, "{life} s");
    }
}

#[tokio::test]
async fn where_there_is_no_new_token_the_old_one_is_used_to_its_end_and_the_endpoint_is_left_in_peace() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = endpoint(vec![token("ya29.first", 300), answer("503 Busy", "")]).await;
    let account = account(key_file(&folder, &endpoint.uri, KEY));
    let start = Instant::now();
    // From 225 s on a new one is asked for; one exchange fails there, the next is tried 15 s later.
    for (seconds, asked) in [(0, 1), (224, 1), (225, 2), (239, 2), (240, 3), (254, 3), (299, 4)] {
        let token = account.token_at(start + Duration::from_secs(seconds)).await.unwrap();
        assert_eq!(token.reveal(), "ya29.first");
        assert_eq!(endpoint.asked.load(Ordering::SeqCst), asked, "after {seconds} s");
    }
    for (seconds, asked) in [(300, 5), (314, 5), (315, 6)] {
        let fault = account.token_at(start + Duration::from_secs(seconds)).await.unwrap_err();
        assert!(fault.what.contains("answered 503"), "{fault:?}");
        assert_eq!(endpoint.asked.load(Ordering::SeqCst), asked, "after {seconds} s");
    }
}

#[tokio::test]
async fn a_token_without_a_life_is_used_once() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = endpoint(vec![token("ya29.first", 0), token("ya29.second", 0)]).await;
    let account = account(key_file(&folder, &endpoint.uri, KEY));
    let now = Instant::now();
    assert_eq!(account.token_at(now).await.unwrap().reveal(), "ya29.first");
    assert_eq!(account.token_at(now).await.unwrap().reveal(), "ya29.second");
}

#[tokio::test]
async fn an_endpoint_that_gives_no_token_is_named_with_its_status_and_nothing_secret() {
    let folder = tempfile::tempdir().unwrap();
    for (answered, says) in [
        (answer("401 Unauthorized", r#"{"error":"invalid_grant","secret":"ya29.echo"}"#), "answered 401"),
        (answer("302 Found\r\nlocation: http://127.0.0.1:1/", ""), "answered 302"),
        (answer("200 OK", r#"{"token":"ya29.echo"}"#), "without an access token"),
        (answer("200 OK", r#"{"access_token":"ya29\r\necho: 1","expires_in":1}"#), "no header takes"),
        (answer("200 OK", &"ya29.echo".repeat(10_000)), "larger than 65536 bytes"),
        ("ya29.echo\r\n".to_owned(), "no HTTP"),
        (String::new(), "closed too early"),
    ] {
        let endpoint = endpoint(vec![answered]).await;
        let fault = account(key_file(&folder, &endpoint.uri, KEY)).token().await.unwrap_err();
        assert!(fault.what.contains(&endpoint.uri) && fault.what.contains(says), "{says}: {fault:?}");
        let shown = format!("{fault:?}");
        assert!(!shown.contains("ya29") && !shown.contains("PRIVATE") && !shown.contains("eyJ"), "{shown}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = account(key_file(&folder, &format!("http://{closed}/token"), KEY)).token().await.unwrap_err();
    assert!(fault.what.contains("no connection"), "{fault:?}");
}

#[tokio::test]
async fn a_key_file_that_is_none_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(
        &folder,
        "http://127.0.0.1:1/token",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    );
    let fault = account(path.clone()).token().await.unwrap_err();
    assert!(fault.what.contains("no RSA key"), "{fault:?}");
    let fault = account(key_file(&folder, "http://token.example/", KEY)).token().await.unwrap_err();
    assert!(fault.what.contains("not asked over https"), "{fault:?}");
    fs::write(&path, r#"{"type":"authorized_user","client_email":"x","private_key":"x","token_uri":"x"}"#).unwrap();
    assert!(account(path.clone()).token().await.unwrap_err().what.contains("another kind"));
    fs::write(&path, r#"{"private_key":"s3cr3t"#).unwrap();
    let fault = account(path.clone()).token().await.unwrap_err();
    assert!(fault.what.contains("no service account's key") && !format!("{fault:?}").contains("s3cr3t"), "{fault:?}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(account(path).token().await.unwrap_err().remedy.contains("chmod 600"));
}

/// An endpoint's address over TLS, and the authority that signed its certificate, as PEM.
async fn over_tls(endpoint: &Endpoint) -> (String, Vec<u8>) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.clone().self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://{}/token", listener.local_addr().unwrap());
    let plain = endpoint.uri.parse::<Url>().unwrap().socket_addrs(|| None).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut there = tokio::net::TcpStream::connect(plain.as_slice()).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
        }
    });
    (uri, authority.pem().into_bytes())
}

#[tokio::test]
async fn an_endpoint_that_the_operators_own_authority_vouches_for_is_trusted_and_else_the_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plain = endpoint(vec![token("ya29.the-token", 3600)]).await;
    let (uri, authority) = over_tls(&plain).await;
    let path = key_file(&folder, &uri, KEY);
    let fault = account(path.clone()).token().await.unwrap_err();
    assert!(fault.what.contains("gave no token: no TLS"), "{}", fault.what);
    assert_eq!(fault.remedy, "name its authority's file in [sandbox] certificate-authorities");
    assert_eq!(plain.asked.load(Ordering::SeqCst), 0);
    let trust = Trust::new(&[authority]).unwrap();
    assert_eq!(account_trusting(path, trust).token().await.unwrap().reveal(), "ya29.the-token");
}
