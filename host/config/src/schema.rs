//! The file's JSON schema, for editors. Quantities are texts with a pattern; types of other crates are described here.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::Config;

/// The JSON schema of `autodevops.toml` (draft 7, which editors' TOML support reads).
pub fn schema() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>().to_value()
}

/// A span of time, such as `250ms`, `10m` or `1h 30m`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct SpanText(#[schemars(regex(pattern = r"^\s*([0-9.]+\s*(ms|s|m|min|h|d)\s*)+$"))] String);

/// A share, such as `5 %`, from 0 to 100.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct PercentText(#[schemars(regex(pattern = r"^\s*[0-9.]+\s*%\s*$"))] String);

/// The hash of a token, as `autodevops token NAME` writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct TokenHashText(#[schemars(regex(pattern = r"^sha256:[0-9a-fA-F]{64}$"))] String);

/// Who speaks by a token.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a shape")]
pub enum TokenShape {
    /// The hash; the token may do everything.
    All(TokenHashText),
    /// What it may do.
    Some(TokenTable),
}

/// A token, and what it may do.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a shape")]
pub struct TokenTable {
    /// The hash.
    hash: TokenHashText,
    /// What is done by it.
    may: Vec<MayName>,
}

/// What can be done by a token.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum MayName {
    /// Say what is to become of runs and releases: approve, abort, roll back and the like.
    Steer,
    /// See the runs.
    Read,
    /// Tell of complaints: `POST /feedback`.
    Feedback,
    /// Read what deploys came to: `GET /metrics`.
    Metrics,
}

/// A number of bytes, such as `64 MiB`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct BytesText(#[schemars(regex(pattern = r"^\s*[0-9.]+\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*$"))] String);

/// One address, such as `ada@example.com`, or everybody of a domain: `*@example.com`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct RecipientText(#[schemars(regex(pattern = r"^[^@\s]+@[A-Za-z0-9.-]+$"))] String);

/// Days of the week, such as `fri-sun` or `tue, thu`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct DaysText(#[schemars(regex(pattern = r"^[A-Za-z]{3}(\s*[-,]\s*[A-Za-z]{3})*$"))] String);

/// A time of the day, from `00:00` to `24:00`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct ClockText(#[schemars(regex(pattern = r"^\s*[0-9]{1,2}:[0-9]{2}\s*$"))] String);

/// A share such as `5 %`, or a time such as `2s`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a text")]
pub struct ThresholdText(
    #[schemars(regex(pattern = r"^\s*([0-9.]+\s*%|([0-9.]+\s*(ms|s|m|min|h|d)\s*)+)\s*$"))] String,
);

/// An address such as `127.0.0.1:8080`, or a table with the address of each service.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a shape")]
pub enum ListenShape {
    /// The address of the only service.
    At(String),
    /// The addresses of several services, by their names.
    Each(BTreeMap<String, String>),
}

/// How much an issue matters, from least to most.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum SeverityName {
    /// Worth knowing.
    Info,
    /// Something is off, and nobody is hurt yet.
    Warning,
    /// Work fails.
    Error,
    /// The service as a whole is at stake.
    Critical,
}

/// What is done with the data after a release is taken back.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum RestoreName {
    /// It goes back to the snapshot by itself.
    OnRollback,
    /// A person is asked.
    Ask,
    /// It stays as it is.
    Never,
}

/// What a release is compared with while it has a part of the traffic.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum BaselineName {
    /// The stable release as it serves.
    Stable,
    /// The stable release, started anew with the candidate and with the same share. The deploy target must be able to.
    Fresh,
}

/// What a plugin may do. It must have asked for it in its manifest, too.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[derive(Default)]
pub struct GrantTable {
    /// Folders, by their path as the plugin sees them. `/repo`, `/before`, `/after` and `/maps` are given by the run.
    files: BTreeMap<String, PreopenTable>,
    /// Where requests may go, and with which methods.
    http: Vec<DestinationEntry>,
    /// The clocks.
    clocks: bool,
    /// Randomness.
    random: bool,
    /// A durable store of its own.
    keyvalue: bool,
    /// The local target.
    local_target: bool,
    /// Commands of `[commands]`, by their names.
    commands: Vec<String>,
    /// Whom mail may go to.
    mail: Vec<RecipientText>,
    /// Where the credentials come from that the plugin asks for, by their names. Exactly one source is named.
    credentials: BTreeMap<String, CredentialTable>,
    /// Ceilings on what one call may use; for what is not named, the manifest's limits hold.
    limits: Option<LimitsTable>,
}

/// What any plugin may at most be granted, whoever grants it. What is not named has no ceiling.
#[derive(JsonSchema, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CeilingsTable {
    /// Where requests may go, and with which methods; `https://*` is every host.
    http: Option<Vec<DestinationEntry>>,
    /// Folders of this machine, relative to the project: what plugins see is one of them or lies below.
    files: Option<Vec<PathBuf>>,
    /// The same, for folders that plugins may write to.
    read_write: Option<Vec<PathBuf>>,
    /// Whom mail may go to.
    mail: Option<Vec<RecipientText>>,
    /// Whether the clocks may be granted. `true` when absent.
    clocks: Option<bool>,
    /// Whether randomness may be granted. `true` when absent.
    random: Option<bool>,
    /// Whether a durable store may be granted. `true` when absent.
    keyvalue: Option<bool>,
    /// Whether the local target may be granted. `true` when absent.
    local_target: Option<bool>,
    /// Whether commands may be granted. `true` when absent.
    commands: Option<bool>,
    /// Whether credentials may be bound. `true` when absent.
    credentials: Option<bool>,
}

/// Where requests may go.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a text or a table")]
pub enum DestinationEntry {
    /// Scheme, host, port and path prefix, such as `https://api.example.com/v1`; with any method.
    Origin(String),
    /// The same with methods.
    Table(DestinationTable),
}

/// Where requests may go, with which methods.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a table")]
pub struct DestinationTable {
    /// Scheme, host, port and path prefix, such as `https://api.example.com/v1`.
    origin: String,
    /// Every one when absent.
    #[serde(default)]
    methods: Option<Vec<MethodName>>,
}

/// A method of requests.
#[derive(JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "describes a name")]
pub enum MethodName {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// Sends.
    Post,
    /// Puts in place.
    Put,
    /// Changes in part.
    Patch,
    /// Removes.
    Delete,
    /// Asks what may be done.
    Options,
}

/// Where a credential comes from: exactly one of `env`, `file`, `command` and `google-service-account`.
#[derive(JsonSchema, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CredentialTable {
    /// The environment variable of the host that holds it.
    env: Option<String>,
    /// The file that holds it, relative to the project; readable by its owner alone.
    file: Option<PathBuf>,
    /// The program, with its arguments, that prints it.
    command: Option<Vec<String>>,
    /// The JSON key file of a Google service account, relative to the project, whose access token it is.
    google_service_account: Option<PathBuf>,
    /// For a Google service account: what the token is for, such as `https://www.googleapis.com/auth/firebase`.
    scopes: Vec<String>,
    /// Narrows where it is sent; the manifest's origins when absent.
    origins: Vec<String>,
}

/// Where a password comes from: exactly one of `env`, `file` and `command`.
#[derive(JsonSchema, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PasswordTable {
    /// The environment variable of the host that holds it.
    env: Option<String>,
    /// The file that holds it, relative to the project; readable by its owner alone.
    file: Option<PathBuf>,
    /// The program, with its arguments, that prints it.
    command: Option<Vec<String>>,
}

/// A folder of this machine that a plugin sees.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "describes a table")]
pub struct PreopenTable {
    /// The folder on this machine, relative to the project; none for those that the run gives.
    #[serde(default)]
    host: Option<PathBuf>,
    /// Whether it may be written to.
    #[serde(default)]
    access: Option<AccessName>,
}

/// Whether a folder may be written to.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a name")]
pub enum AccessName {
    /// Files are read.
    ReadOnly,
    /// Files are read, written, made and removed.
    ReadWrite,
}

/// What one call may use.
#[derive(JsonSchema, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LimitsTable {
    /// Time on the clock from the start of the call to its end, host calls included.
    wall_time: Option<SpanText>,
    /// Time that the plugin's own code runs, host calls and waiting apart.
    guest_time: Option<SpanText>,
    /// All linear memories and tables of the instance together.
    memory: Option<BytesText>,
    /// Elements of all tables together.
    table_elements: Option<u32>,
    /// Linear memories of the component.
    memories: Option<u32>,
    /// Tables of the component.
    tables: Option<u32>,
    /// Core instances of the component.
    instances: Option<u32>,
    /// Bytes that the call is given: the texts and lists of its arguments.
    input: Option<BytesText>,
    /// Bytes that the call gives back, and that any one host call is given.
    output: Option<BytesText>,
    /// Entries of any one list that the call gives back, bytes apart.
    list_length: Option<u32>,
    /// Bytes of any one text that the call gives back.
    string_length: Option<BytesText>,
    /// Calls of the host's functions, of whatever kind.
    host_calls: Option<u32>,
    /// Requests, changed files and refusals on record that differ from each other; an act that would be one more is refused.
    records: Option<u32>,
    /// Handles that are open at once: files, streams, requests, timers, buckets.
    resources: Option<u32>,
    /// Lines written to `autodevops:host/log`; further ones are dropped and counted.
    log_lines: Option<u32>,
    /// Bytes written to `autodevops:host/log`; lines beyond are dropped and counted.
    log_bytes: Option<BytesText>,
    /// Bytes written to standard output.
    stdout: Option<BytesText>,
    /// Bytes written to standard error.
    stderr: Option<BytesText>,
    /// Random bytes.
    random_bytes: Option<BytesText>,
    /// Files, folders, their streams and their listings open at once; a listing is one more for every 1,000 entries.
    open_files: Option<u32>,
    /// Files, folders and links made or renamed in folders that may be written to.
    files: Option<u32>,
    /// Bytes written to files.
    file_bytes: Option<BytesText>,
    /// Commands of the operator that are run.
    commands: Option<u32>,
    /// Bytes that any one command writes to its standard output.
    command_output: Option<BytesText>,
    /// Keys written to the key-value store.
    keyvalue_entries: Option<u32>,
    /// Bytes written to the key-value store.
    keyvalue_bytes: Option<BytesText>,
    /// Bytes of any one key that is written to the key-value store.
    keyvalue_key_bytes: Option<BytesText>,
    /// Keys that the plugin keeps in the key-value store, over all its buckets and calls.
    keyvalue_kept_entries: Option<u32>,
    /// Bytes of keys and values that the plugin keeps in the key-value store, over all its buckets and calls.
    keyvalue_kept_bytes: Option<BytesText>,
    /// Mails sent: a message counts once for each of its recipients.
    mails: Option<u32>,
    /// Bytes of all messages of mail: subjects and texts.
    mail_bytes: Option<BytesText>,
    /// Requests sent.
    http_requests: Option<u32>,
    /// Requests under way at once.
    http_concurrent: Option<u32>,
    /// Bytes of headers and bodies that the host is given for requests, whether they are sent or not.
    http_built: Option<BytesText>,
    /// Bytes of all requests: headers and bodies.
    http_sent: Option<BytesText>,
    /// Bytes of all responses: headers and bodies.
    http_received: Option<BytesText>,
    /// Time for a connection to be made, names looked up and TLS included.
    http_connect: Option<SpanText>,
    /// Time from a request to the first byte of its response.
    http_first_byte: Option<SpanText>,
    /// Time from a request to the last byte of its response.
    http_total: Option<SpanText>,
}
