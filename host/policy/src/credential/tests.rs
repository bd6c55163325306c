use super::*;

fn credential(name: &str, origins: &[&str], header: &str) -> Credential {
    Credential {
        name: name.into(),
        origins: origins.iter().map(|text| text.parse().unwrap()).collect(),
        header: header.into(),
        prefix: None,
        optional: false,
        reason: "x".into(),
    }
}

fn error(credentials: &[Credential]) -> String {
    check(credentials).unwrap_err().to_string()
}

#[test]
fn a_credential_is_a_bearer_token_unless_it_says_otherwise() {
    let read = |more: &str| {
        let text = format!("name = \"a\"\norigins = [\"https://a.example\"]\nreason = \"x\"\n{more}");
        toml::from_str::<Credential>(&text).unwrap()
    };
    let plain = read("");
    assert_eq!((plain.header.as_str(), plain.prefix()), ("authorization", "Bearer "));
    let key = read("header = \"x-api-key\"");
    assert_eq!((key.header.as_str(), key.prefix()), ("x-api-key", ""));
    assert_eq!(read("prefix = \"token \"").prefix(), "token ");
    assert_eq!(read("header = \"x-auth\"\nprefix = \"Key \"").prefix(), "Key ");
}

#[test]
fn what_is_wrong_with_a_credential_is_named() {
    let good = || credential("a", &["https://a.example"], "authorization");
    for (credential, text) in [
        (credential("A b", &["https://a.example"], "authorization"), "name \"A b\" is not taken"),
        (Credential { reason: " ".into(), ..good() }, "`a` has no reason"),
        (Credential { origins: Vec::new(), ..good() }, "`a` has no origins"),
        (credential("a", &["https://*"], "authorization"), "is for https://*/, any host"),
        (credential("a", &["http://*"], "authorization"), "is for http://*/, any host"),
        (credential("a", &["http://a.example"], "authorization"), "use https"),
        (credential("a", &["http://*.a.example"], "authorization"), "use https"),
        (credential("a", &["http://10.0.0.1"], "authorization"), "use https"),
        (credential("a", &["http://localhost.a.example"], "authorization"), "use https"),
        (credential("a", &["https://a.example"], "X-Api-Key"), "write it in lower case"),
        (credential("a", &["https://a.example"], "x api"), "is no header's name"),
        (credential("a", &["https://a.example"], "x\r\nhost"), "is no header's name"),
        (credential("a", &["https://a.example"], ""), "is no header's name"),
        (credential("a", &["https://a.example"], ":authority"), "is no header's name"),
        (Credential { prefix: Some("a\r\nb: ".into()), ..good() }, "has the prefix"),
        (Credential { prefix: Some("ä".into()), ..good() }, "has the prefix"),
        (Credential { prefix: Some("x".repeat(129)), ..good() }, "has the prefix"),
    ] {
        let error = error(&[credential]);
        assert!(error.contains(text), "{error}\nlacks: {text}");
    }
    for header in CARRYING_HEADERS {
        let error = error(&[credential("a", &["https://a.example"], header)]);
        assert!(error.contains("is the host's to set"), "{error}");
    }
    for origin in ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:1", "https://*.a.example/v1"] {
        assert_eq!(check(&[credential("a", &[origin], "cookie")]), Ok(()), "{origin}");
    }
}

#[test]
fn two_credentials_are_never_the_same_header_of_one_request() {
    let one = credential("one", &["https://a.example", "https://*.b.example/v1"], "authorization");
    for origin in ["https://a.example/v1", "https://x.b.example", "https://x.b.example/v1/y"] {
        let other = credential("other", &[origin], "authorization");
        let error = error(&[one.clone(), other]);
        assert!(error.contains("`one` and `other` are both the header `authorization`"), "{error}");
        assert_eq!(check(&[one.clone(), credential("other", &[origin], "x-api-key")]), Ok(()));
    }
    for origin in ["https://b.example", "https://x.b.example/v2", "https://a.example:8443", "https://c.example"] {
        assert_eq!(check(&[one.clone(), credential("other", &[origin], "authorization")]), Ok(()), "{origin}");
    }
    assert!(error(&[one.clone(), one]).contains("two credentials are named `one`"));
}

fn binding(text: &str) -> CredentialBinding {
    toml::from_str(text).unwrap()
}

#[test]
fn the_operator_narrows_a_credential_and_never_widens_it() {
    let asked = credential("a", &["https://*.a.example", "https://b.example/v1"], "authorization");
    let origins = |text: &str| {
        let effective = EffectiveCredential::of(&asked, &binding(text));
        effective.origins.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(origins("env = \"A\""), ["https://*.a.example:443/", "https://b.example:443/v1/"]);
    assert_eq!(
        origins("env = \"A\"\norigins = [\"https://x.a.example\", \"https://b.example\", \"https://evil.example\"]"),
        ["https://b.example:443/v1/", "https://x.a.example:443/"]
    );
}
