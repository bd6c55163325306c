use proptest::prelude::*;

use super::*;

const LOWER_HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ANY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const AGE: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/// Characters as if made at random, the same every time. Made here, so that no file of the project holds what looks real.
fn random(alphabet: &str, count: usize) -> String {
    let characters: Vec<char> = alphabet.chars().collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            characters[(state >> 33) as usize % characters.len()]
        })
        .collect()
}

fn rules(line: &str) -> Vec<&'static str> {
    Scanner::default().line(line, false).into_iter().map(|secret| secret.rule).collect()
}

/// A line for each rule, as it stands in real code.
fn samples() -> Vec<(&'static str, String)> {
    let any = |count| random(ANY, count);
    let hex = |count| random(LOWER_HEX, count);
    let long = hex(32);
    let uuid = [&long[..8], &long[8..12], &long[12..16], &long[16..20], &long[20..]].join("-");
    let begin = |kind: &str| format!("-----BEGIN {kind}PRIVATE KEY-----");
    vec![
        ("private-key", begin("RSA ")),
        ("private-key", format!("const key = \"{}\\nMIIE\";", begin(""))),
        ("private-key", begin("OPENSSH ")),
        ("private-key", begin("ENCRYPTED ")),
        ("aws-access-key", format!("accessKeyId: 'AKIA{}',", random(UPPER, 16))),
        ("aws-secret-key", format!("AWS_SECRET_ACCESS_KEY={}", any(40))),
        ("aws-secret-key", format!("secretAccessKey: \"{}\",", any(40))),
        ("aws-session-token", format!("aws_session_token = {}", any(160))),
        ("gcp-api-key", format!("const MAPS = \"AIza{}\";", any(35))),
        ("gcp-service-account", format!("  \"private_key_id\": \"{}\",", hex(40))),
        ("gcp-oauth-secret", format!("client_secret: \"GOCSPX-{}\"", any(28))),
        ("google-oauth-token", format!("Token('ya29.{}')", any(80))),
        ("firebase-server-key", format!("key=AAAA{}:{}", any(7), any(140))),
        ("github-pat", format!("git clone https://ghp_{}@github.com/a/b", any(36))),
        ("github-fine-grained-pat", format!("token: github_pat_{}_{}", any(22), any(59))),
        ("github-oauth", format!("x = 'gho_{}'", any(36))),
        ("github-app-token", format!("x = 'ghs_{}'", any(36))),
        ("github-refresh-token", format!("x = 'ghr_{}'", any(76))),
        ("gitlab-pat", format!("PRIVATE-TOKEN: glpat-{}", any(20))),
        ("gitlab-ci-token", format!("glrt-{}", any(20))),
        ("slack-token", format!("new WebClient('xoxb-{}-{}-{}')", random(DIGITS, 12), random(DIGITS, 12), any(24))),
        (
            "slack-webhook",
            format!(
                "url: 'https://hooks.slack.com/services/T{}/B{}/{}'",
                random(UPPER, 10),
                random(UPPER, 10),
                any(24)
            ),
        ),
        ("stripe-key", format!("stripe(\"sk_live_{}\")", any(24))),
        ("stripe-webhook-secret", format!("constructEvent(body, sig, 'whsec_{}')", any(32))),
        ("twilio-key", format!("twilio('SK{}')", hex(32))),
        ("twilio-auth-token", format!("TWILIO_AUTH_TOKEN={}", hex(32))),
        ("sendgrid-key", format!("setApiKey('SG.{}.{}')", any(22), any(43))),
        ("mailgun-key", format!("mailgun({{ apiKey: 'key-{}' }})", hex(32))),
        ("mailchimp-key", format!("'{}-us14'", hex(32))),
        ("npm-token", format!("//registry.example/:_authToken=npm_{}", any(36))),
        ("npm-auth", format!("//registry.example.org/:_authToken={}", any(36))),
        ("pypi-token", format!("password = pypi-AgE{}", any(150))),
        ("rubygems-key", format!(":rubygems_api_key: rubygems_{}", hex(48))),
        ("cargo-registry-token", format!("token = \"cio{}\"", any(32))),
        ("docker-hub-token", format!("docker login -p dckr_pat_{}", any(27))),
        ("openai-key", format!("new OpenAI({{ apiKey: 'sk-proj-{}' }})", any(120))),
        ("openai-key", format!("OPENAI_API_KEY=sk-{}T3BlbkFJ{}", any(20), any(20))),
        ("anthropic-key", format!("ANTHROPIC_API_KEY=sk-ant-api03-{}", any(95))),
        ("hugging-face-token", format!("login('hf_{}')", random(LETTERS, 34))),
        ("groq-key", format!("'gsk_{}'", any(52))),
        ("azure-storage-key", format!("AccountName=a;AccountKey={}==;EndpointSuffix=core.windows.net", any(86))),
        ("azure-client-secret", format!("clientSecret: '{}8Q~{}'", any(3), any(34))),
        ("azure-sas", format!("https://a.blob.core.windows.net/b?sv=2022-11-02&sr=b&sig={}", any(44))),
        ("azure-service-bus-key", format!("Endpoint=sb://a/;SharedAccessKey={}=", any(43))),
        ("heroku-key", format!("HEROKU_API_KEY={uuid}")),
        ("heroku-token", format!("HRKU-AA{}", any(58))),
        ("digitalocean-token", format!("'dop_v1_{}'", hex(64))),
        ("cloudflare-token", format!("CLOUDFLARE_API_TOKEN={}", any(40))),
        ("fastly-token", format!("fastly_api_token = \"{}\"", any(32))),
        ("netlify-token", format!("'nfp_{}'", any(36))),
        ("vercel-token", format!("VERCEL_TOKEN={}", any(24))),
        ("fly-token", format!("fo1_{}", any(43))),
        ("telegram-bot-token", format!("new Bot('{}:AA{}')", "748291635", any(33))),
        ("discord-bot-token", format!("discord.login('M{}.{}.{}')", any(23), any(6), any(27))),
        ("discord-webhook", format!("https://discord.com/api/webhooks/{}/{}", random(DIGITS, 18), any(68))),
        (
            "teams-webhook",
            format!("https://acme.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/{}/{uuid}", hex(32)),
        ),
        ("square-token", format!("'sq0atp-{}'", any(22))),
        ("shopify-token", format!("'shpat_{}'", hex(32))),
        ("braintree-token", format!("access_token$production${}${}", hex(16), hex(32))),
        ("facebook-token", format!("'EAAC{}'", any(120))),
        ("linear-key", format!("'lin_api_{}'", any(40))),
        ("notion-token", format!("'ntn_{}{}'", random(DIGITS, 11), any(35))),
        ("atlassian-token", format!("ATATT3{}", any(180))),
        ("postman-key", format!("PMAK-{}-{}", hex(24), hex(34))),
        ("grafana-token", format!("glsa_{}_{}", any(32), hex(8))),
        ("datadog-key", format!("DD_API_KEY={}", hex(32))),
        ("new-relic-key", format!("NRAK-{}", random("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 27))),
        ("sentry-token", format!("sntrys_{}", any(80))),
        ("hashicorp-vault-token", format!("hvs.{}", any(95))),
        ("terraform-token", format!("token = \"{}.atlasv1.{}\"", any(14), any(64))),
        ("doppler-token", format!("dp.pt.{}", any(43))),
        ("age-secret-key", format!("AGE-SECRET-KEY-1{}", random(AGE, 58))),
        ("json-web-token", format!("const t = 'eyJ{}.eyJ{}.{}';", any(30), any(60), any(43))),
        ("basic-auth-url", format!("postgres://shop:{}@db.internal:5432/shop", any(12))),
        ("basic-auth-header", format!("headers: {{ Authorization: 'Basic {}=' }}", any(27))),
        ("bearer-header", format!("-H 'Authorization: Bearer {}'", any(40))),
        (GENERIC, format!("const apiKey = '{}';", any(32))),
        (GENERIC, format!("\"clientSecret\": \"{}\",", any(24))),
        (GENERIC, format!("DB_PASSWORD: \"{}\"", any(14))),
        (GENERIC, format!("const SESSION_SECRET: &str = \"{}\";", any(32))),
    ]
}

#[test]
fn each_kind_of_secret_is_found_by_its_own_rule_and_once() {
    for (rule, line) in samples() {
        assert_eq!(rules(&line), [rule], "{line}");
    }
}

#[test]
fn every_rule_has_a_sample_and_there_are_many() {
    let samples = samples();
    for rule in RULES {
        assert!(compile(rule.pattern).is_some(), "{} does not compile", rule.id);
        assert!(samples.iter().any(|(id, _)| *id == rule.id), "{} has no sample", rule.id);
        assert!(rule.keywords.iter().all(|keyword| *keyword == keyword.to_ascii_lowercase()), "{}", rule.id);
    }
    assert!(RULES.len() >= 40);
}

#[test]
fn the_secret_itself_is_never_told() {
    for (rule, line) in samples() {
        for secret in Scanner::default().line(&line, false) {
            let shown = secret.masked.split('…').next().unwrap().len();
            assert!(shown <= 4 || rule == "private-key", "{}", secret.masked);
            assert!(!line.contains(&secret.masked), "{}", secret.masked);
        }
    }
}

#[test]
fn what_only_looks_like_a_secret_is_left_alone() {
    let any = |count| random(ANY, count);
    for line in [
        "const apiKey = process.env.API_KEY;".to_owned(),
        "const apiKey = process.env.API_KEY ?? 'your-api-key-goes-here';".into(),
        "apiKey: 'YOUR_API_KEY_1234567',".into(),
        "accessKeyId: 'AKIAIOSFODNN7EXAMPLE',".into(),
        "password: '${DB_PASSWORD_V2_FINAL}'".into(),
        "const token = await fetchToken('users/12345/tokens');".into(),
        "const tokenType = 'application/vnd.api+json';".into(),
        "if (password === 'incorrect') throw new Error('wrong password');".into(),
        "const secretName = 'projects/shop/secrets/stripe-key-2';".into(),
        "label: 'Enter your password (at least 8 characters)',".into(),
        "https://user:password@example.com/".into(),
        "const url = `https://${user}:${password}@db.example.com`;".into(),
        "postgres://localhost:5432/shop?user=me@home".into(),
        "-----BEGIN PUBLIC KEY-----".into(),
        "-----BEGIN CERTIFICATE-----".into(),
        format!("\"integrity\": \"sha512-{}==\",", any(86)),
        format!("commit {}", random(LOWER_HEX, 40)),
        "const keyboardShortcut = 'ctrl+shift+p-then-enter';".into(),
        "className: 'sk-fading-circle1 sk-circle-container'".into(),
        "monkey = 'banana-split-with-cream'".into(),
        "token: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1'".into(),
        "authorization: 'Bearer ' + token".into(),
    ] {
        assert_eq!(rules(&line), Vec::<&str>::new(), "{line}");
    }
}

#[test]
fn values_without_quotes_are_secrets_only_where_files_are_written_so() {
    let line = format!("INTERNAL_SECRET={}", random(ANY, 32));
    assert_eq!(Scanner::default().line(&line, true).len(), 1);
    assert_eq!(Scanner::default().line(&line, false).len(), 0);
}

#[test]
fn two_secrets_in_one_line_are_two_with_their_columns() {
    let line = format!("é 'ghp_{}' 'ghs_{}'", random(ANY, 36), random(ANY, 36));
    let columns: Vec<u32> = Scanner::default().line(&line, false).iter().map(|secret| secret.column).collect();
    assert_eq!(columns, [4, 47]);
}

proptest! {
    #[test]
    fn no_line_makes_the_scanner_panic(line in "\\PC{0,200}", unquoted: bool) {
        Scanner::default().line(&line, unquoted);
    }
}
