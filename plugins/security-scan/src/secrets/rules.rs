//! What secrets look like: one rule for each kind.

/// How one kind of secret is found.
pub struct Rule {
    /// Its name, in kebab-case.
    pub id: &'static str,
    /// What it finds, for a person, after "looks like".
    pub what: &'static str,
    /// One of these, in lowercase, is in every line that holds one. Looked for first, since that is quick.
    pub keywords: &'static [&'static str],
    /// What it looks like. The first group is the secret; without one, all of the match.
    pub pattern: &'static str,
    /// Least entropy of the secret, in bits for each character; 0 where the form alone is proof.
    pub entropy: f64,
}

const fn rule(
    id: &'static str,
    what: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    entropy: f64,
) -> Rule {
    Rule { id, what, keywords, pattern, entropy }
}

/// Name of the rule for values that only their variable's name gives away.
pub const GENERIC: &str = "generic-secret";

/// A value after a name and `=`, `:`, `=>` or the like: what stands between the two.
macro_rules! assigned {
    ($names:literal, $value:literal) => {
        concat!(
            r#"(?i)(?:"#,
            $names,
            r#")[\w.-]{0,20}["'`\]]{0,2}\s*(?::=|=>|=|:|,)\s*["'`]?("#,
            $value,
            r#")(?:["'`;,\s]|$)"#
        )
    };
}

/// All rules. The first that fits a place has it, so what is sure comes before what is guessed.
pub const RULES: &[Rule] = &[
    rule(
        "private-key",
        "a private key",
        &["private key"],
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
        0.0,
    ),
    rule(
        "aws-access-key",
        "an AWS access key",
        &["akia", "asia", "abia", "acca"],
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
        3.0,
    ),
    rule(
        "aws-secret-key",
        "an AWS secret key",
        &["aws", "secret_access_key", "secretaccesskey"],
        assigned!("aws_?(?:secret)?_?(?:access)?_?key|secret_?access_?key", "[A-Za-z0-9/+]{40}"),
        4.0,
    ),
    rule(
        "aws-session-token",
        "an AWS session token",
        &["session_token", "sessiontoken"],
        assigned!("aws_?session_?token", "[A-Za-z0-9/+=]{100,}"),
        4.0,
    ),
    rule("gcp-api-key", "a Google API key", &["aiza"], r"\b(AIza[\w-]{35})(?:[^\w-]|$)", 3.0),
    rule(
        "gcp-service-account",
        "a key of a Google service account",
        &["private_key_id"],
        r#""private_key_id"\s*:\s*"([0-9a-f]{40})""#,
        3.0,
    ),
    rule("gcp-oauth-secret", "a Google OAuth client secret", &["gocspx-"], r"\b(GOCSPX-[\w-]{28})", 3.0),
    rule("google-oauth-token", "a Google OAuth access token", &["ya29."], r"\b(ya29\.[\w-]{40,})", 3.0),
    rule("firebase-server-key", "a Firebase messaging key", &["aaaa"], r"\b(AAAA[\w-]{7}:[\w-]{140})", 4.0),
    rule("github-pat", "a GitHub personal access token", &["ghp_"], r"\b(ghp_[A-Za-z0-9]{36})\b", 3.0),
    rule("github-fine-grained-pat", "a GitHub fine-grained token", &["github_pat_"], r"\b(github_pat_\w{82})\b", 3.0),
    rule("github-oauth", "a GitHub OAuth token", &["gho_"], r"\b(gho_[A-Za-z0-9]{36})\b", 3.0),
    rule("github-app-token", "a token of a GitHub app", &["ghu_", "ghs_"], r"\b(gh[us]_[A-Za-z0-9]{36})\b", 3.0),
    rule("github-refresh-token", "a GitHub refresh token", &["ghr_"], r"\b(ghr_[A-Za-z0-9]{36,76})\b", 3.0),
    rule("gitlab-pat", "a GitLab access token", &["glpat-"], r"\b(glpat-[\w-]{20,})", 3.0),
    rule(
        "gitlab-ci-token",
        "a GitLab token of a runner, trigger or deployment",
        &["glrt-", "glptt-", "gldt-", "glcbt-"],
        r"\b(gl(?:rt|ptt|dt|cbt)-[\w-]{20,})",
        3.0,
    ),
    rule(
        "slack-token",
        "a Slack token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe", "xapp-"],
        r"\b((?:xox[abprs]|xoxe(?:\.xox[bp])?|xapp)-[0-9A-Za-z-]{20,})",
        3.0,
    ),
    rule(
        "slack-webhook",
        "the address of a Slack webhook",
        &["hooks.slack.com"],
        r"(https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60})",
        3.0,
    ),
    rule(
        "stripe-key",
        "a Stripe key",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_", "sk_prod_", "rk_prod_"],
        r"\b((?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,128})\b",
        3.0,
    ),
    rule("stripe-webhook-secret", "a Stripe webhook secret", &["whsec_"], r"\b(whsec_[A-Za-z0-9+/]{24,})", 3.0),
    rule("twilio-key", "a Twilio API key", &["sk", "twilio"], r"\b(SK[0-9a-f]{32})\b", 3.0),
    rule(
        "twilio-auth-token",
        "a Twilio auth token",
        &["twilio"],
        assigned!(r"twilio[\w.-]{0,20}(?:token|secret|key)", "[0-9a-f]{32}"),
        3.0,
    ),
    rule("sendgrid-key", "a SendGrid key", &["sg."], r"\b(SG\.[\w-]{22}\.[\w-]{43})", 3.0),
    rule("mailgun-key", "a Mailgun key", &["key-", "mailgun"], r"\b(key-[0-9a-f]{32})\b", 3.0),
    rule("mailchimp-key", "a Mailchimp key", &["-us"], r"\b([0-9a-f]{32}-us\d{1,2})\b", 3.0),
    rule("npm-token", "an npm token", &["npm_"], r"\b(npm_[A-Za-z0-9]{36})\b", 3.0),
    rule(
        "npm-auth",
        "a registry's password",
        &["_authtoken", "_auth", "_password"],
        r#"(?i):_(?:authToken|auth|password)\s*=\s*["']?([A-Za-z0-9+/=_-]{16,})"#,
        3.0,
    ),
    rule("pypi-token", "a PyPI token", &["pypi-"], r"\b(pypi-AgE[\w-]{50,})", 3.0),
    rule("rubygems-key", "a RubyGems key", &["rubygems_"], r"\b(rubygems_[0-9a-f]{48})\b", 3.0),
    rule("cargo-registry-token", "a Cargo registry token", &["cio"], r"\b(cio[A-Za-z0-9]{32})\b", 3.5),
    rule("docker-hub-token", "a Docker Hub token", &["dckr_"], r"\b(dckr_(?:pat|oat)_[\w-]{27,})", 3.0),
    rule(
        "openai-key",
        "an OpenAI key",
        &["sk-"],
        r"\b(sk-(?:(?:proj|svcacct|admin)-[\w-]{40,}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|[A-Za-z0-9]{48}))",
        3.5,
    ),
    rule("anthropic-key", "an Anthropic key", &["sk-ant-"], r"\b(sk-ant-[a-z]{2,8}\d{2}-[\w-]{40,})", 3.5),
    rule("hugging-face-token", "a Hugging Face token", &["hf_"], r"\b(hf_[A-Za-z]{34})\b", 3.5),
    rule("groq-key", "a Groq key", &["gsk_"], r"\b(gsk_[A-Za-z0-9]{52})\b", 3.5),
    rule(
        "azure-storage-key",
        "an Azure storage key",
        &["accountkey"],
        r"(?i)AccountKey\s*=\s*([A-Za-z0-9+/]{86}==)",
        4.0,
    ),
    rule(
        "azure-client-secret",
        "an Azure client secret",
        &["q~"],
        r"(?:^|[^\w.~-])([\w.~-]{3}\dQ~[\w.~-]{31,34})(?:[^\w.~-]|$)",
        3.5,
    ),
    rule(
        "azure-sas",
        "an Azure shared access signature",
        &["sig="],
        r"[?&]sv=\d{4}-\d{2}-\d{2}&[^\s]{0,200}?\bsig=([A-Za-z0-9%+/=]{43,})",
        3.5,
    ),
    rule(
        "azure-service-bus-key",
        "an Azure shared access key",
        &["sharedaccesskey"],
        r"(?i)SharedAccessKey\s*=\s*([A-Za-z0-9+/]{43}=)",
        4.0,
    ),
    rule(
        "heroku-key",
        "a Heroku key",
        &["heroku"],
        assigned!(r"heroku[\w.-]{0,20}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        3.0,
    ),
    rule("heroku-token", "a Heroku token", &["hrku-"], r"\b(HRKU-AA[\w-]{58})", 3.5),
    rule(
        "digitalocean-token",
        "a DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[opr]_v1_[0-9a-f]{64})\b",
        3.0,
    ),
    rule(
        "cloudflare-token",
        "a Cloudflare token",
        &["cloudflare"],
        assigned!(r"cloudflare[\w.-]{0,20}(?:token|key)", "[\\w-]{37,40}"),
        3.5,
    ),
    rule(
        "fastly-token",
        "a Fastly token",
        &["fastly"],
        assigned!(r"fastly[\w.-]{0,20}(?:token|key)", "[\\w-]{32}"),
        3.5,
    ),
    rule("netlify-token", "a Netlify token", &["nfp_"], r"\b(nfp_[A-Za-z0-9]{36})\b", 3.0),
    rule("vercel-token", "a Vercel token", &["vercel"], assigned!(r"vercel[\w.-]{0,20}token", "[A-Za-z0-9]{24}"), 3.5),
    rule(
        "fly-token",
        "a Fly token",
        &["fo1_", "fm1r_", "fm2_"],
        r"\b(fo1_[\w-]{43}|fm(?:1r|2)_[A-Za-z0-9+/]{100,}=*)",
        3.5,
    ),
    rule("telegram-bot-token", "a token of a Telegram bot", &[":aa"], r"\b(\d{8,10}:AA[\w-]{33})(?:[^\w-]|$)", 3.0),
    rule(
        "discord-bot-token",
        "a token of a Discord bot",
        &["discord", "bot"],
        r"\b([MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,38})(?:[^\w-]|$)",
        3.5,
    ),
    rule(
        "discord-webhook",
        "the address of a Discord webhook",
        &["/api/webhooks/"],
        r"(https://(?:\w{1,10}\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,80})",
        3.0,
    ),
    rule(
        "teams-webhook",
        "the address of a Teams webhook",
        &["webhook.office.com"],
        r"(https://\w+\.webhook\.office\.com/webhookb2/[\w@-]{36,}/\w+/[0-9a-f]{32}/[\w-]{36})",
        3.0,
    ),
    rule(
        "square-token",
        "a Square token",
        &["sq0atp-", "sq0csp-", "eaaa"],
        r"\b(sq0(?:atp|csp)-[\w-]{22,43}|EAAA[\w-]{60})",
        3.0,
    ),
    rule(
        "shopify-token",
        "a Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b",
        3.0,
    ),
    rule(
        "braintree-token",
        "a Braintree access token",
        &["access_token$"],
        r"(access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32})",
        3.0,
    ),
    rule(
        "facebook-token",
        "a Facebook access token",
        &["eaac", "eaag", "eaab"],
        r"\b(EAA[BCG][A-Za-z0-9]{80,})\b",
        4.0,
    ),
    rule("linear-key", "a Linear key", &["lin_api_"], r"\b(lin_api_[A-Za-z0-9]{40})\b", 3.0),
    rule(
        "notion-token",
        "a Notion token",
        &["ntn_", "secret_"],
        r"\b(ntn_\d{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43})\b",
        3.5,
    ),
    rule("atlassian-token", "an Atlassian token", &["atatt3"], r"\b(ATATT3[A-Za-z0-9_=-]{150,})", 4.0),
    rule("postman-key", "a Postman key", &["pmak-"], r"\b(PMAK-[0-9a-f]{24}-[0-9a-f]{34})\b", 3.0),
    rule(
        "grafana-token",
        "a Grafana token",
        &["glsa_", "glc_"],
        r"\b(glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}|glc_[A-Za-z0-9+/]{32,}={0,2})",
        3.0,
    ),
    rule(
        "datadog-key",
        "a Datadog key",
        &["datadog", "dd_api", "dd_app"],
        assigned!(r"(?:datadog|dd)[\w.-]{0,10}(?:api|app)[\w.-]{0,15}key", "[0-9a-f]{40}|[0-9a-f]{32}"),
        3.0,
    ),
    rule(
        "new-relic-key",
        "a New Relic key",
        &["nrak-", "nrjs-", "nraa-"],
        r"\b(NRAK-[A-Z0-9]{27}|NRJS-[0-9a-f]{19}|NRAA-[0-9a-f]{27})\b",
        3.0,
    ),
    rule(
        "sentry-token",
        "a Sentry token",
        &["sntrys_", "sntryu_"],
        r"\b(sntrys_[A-Za-z0-9+/=_-]{60,}|sntryu_[0-9a-f]{64})",
        3.0,
    ),
    rule("hashicorp-vault-token", "a Vault token", &["hvs.", "hvb."], r"\b(hv[sb]\.[\w-]{90,})", 3.5),
    rule(
        "terraform-token",
        "a Terraform Cloud token",
        &["atlasv1"],
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70})",
        3.5,
    ),
    rule(
        "doppler-token",
        "a Doppler token",
        &["dp.pt.", "dp.st.", "dp.ct."],
        r"\b(dp\.(?:pt|ct|st(?:\.[\w-]{2,35})?)\.[A-Za-z0-9]{40,44})\b",
        3.0,
    ),
    rule(
        "age-secret-key",
        "an age secret key",
        &["age-secret-key-"],
        r"\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b",
        0.0,
    ),
    rule("json-web-token", "a signed token (JWT)", &["eyj"], r"\b(eyJ[\w-]{14,}\.eyJ[\w-]{14,}\.[\w-]{20,})", 3.5),
    rule(
        "basic-auth-url",
        "an address with a password",
        &["://"],
        r#"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:/?#@"'`<>{}$]{0,64}:([^\s:/?#@"'`<>]{3,100})@[\w\[]"#,
        0.0,
    ),
    rule(
        "basic-auth-header",
        "a header with a password",
        &["basic"],
        r#"(?i)authorization["'`]?\s*[:=,]\s*["'`]?\s*basic\s+([A-Za-z0-9+/]{12,}={0,2})"#,
        3.0,
    ),
    rule(
        "bearer-header",
        "a header with a token",
        &["bearer"],
        r#"(?i)authorization["'`]?\s*[:=,]\s*["'`]?\s*bearer\s+([\w.~+/-]{20,}=*)"#,
        3.5,
    ),
    rule(
        GENERIC,
        "a secret, by its name and its randomness",
        &["key", "token", "secret", "passw", "pwd", "credential", "auth"],
        r#"(?i)(?:api[_.-]?key|apikey|access[_.-]?key|secret[_.-]?key|private[_.-]?key|encryption[_.-]?key|signing[_.-]?key|auth[_.-]?key|token|secret|passw(?:or)?d|passwd|pwd|credentials?)(?:[_.-]?(?:id|value|string|live|prod|production|key|token))?["'`\]]{0,2}\s*(?::\s*(?:&?(?:'static\s+)?(?:str|string|String))\s*=|:=|=>|=|:)\s*(?:["'`]([^\s"'`]{8,200})["'`]|([A-Za-z0-9_\-.+/=]{16,200})\s*$)"#,
        3.3,
    ),
];
