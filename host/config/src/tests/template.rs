//! The template, the schema and the sample: they say what is read, and nothing else.

use autodevops_policy::{CredentialBinding, Manifest, Method, check_grant, missing};
use serde_json::Value;

use super::*;

/// The template with everything that stands behind a `#` directly before a key, a table or a list's end.
fn uncommented() -> String {
    let setting = |line: &str| {
        line.strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[' || c == '{'))
    };
    TEMPLATE.lines().map(|line| if setting(line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_template_is_valid_and_says_the_defaults() {
    let config = Config::parse(TEMPLATE, "template.toml").unwrap_or_else(|error| panic!("{error}"));
    let defaults = parse("");
    assert_eq!(config.plan().triggers, defaults.plan().triggers);
    let named = |plan: Plan| Plan { service: "shop".into(), services: defaults.plan().services, ..plan };
    assert_eq!(named(config.plan()), defaults.plan());
    assert_eq!((config.git, config.stages, config.staging), (defaults.git, defaults.stages, defaults.staging));
    assert_eq!((config.rollout, config.approval), (defaults.rollout, defaults.approval));
    assert_eq!((config.issues, config.checks, config.retries), (defaults.issues, defaults.checks, defaults.retries));
    assert_eq!(Edge { metrics: None, ..config.edge }, defaults.edge);
    assert_eq!(config.issues.min_severity, Severity::Error);
    assert_eq!((config.sandbox, config.ceilings), (defaults.sandbox, defaults.ceilings));
}

#[test]
fn the_templates_examples_can_be_uncommented() {
    let text = uncommented();
    let config: Config = strict_toml::parse(&text, "template.toml").unwrap_or_else(|error| panic!("{error}"));
    let build = config.build.unwrap();
    let least: Build = strict_toml::parse("command = \"npm run build\"", "").unwrap();
    assert_eq!((build.lockfiles, build.outputs), (least.lockfiles, least.outputs));
    assert_eq!((build.timeout, build.memory, build.processes), (least.timeout, least.memory, least.processes));
    let text = text.replace("command = [\"node\", \"server.js\"]\nenv = { NODE_ENV = \"production\" }\n", "");
    let text = text.replace("together. For command.\nprocesses = 1024\n", "together. For command.\n");
    // It stands in place of [service].
    let (before, services) = text.split_once("[[services]]\n").unwrap();
    let text = format!("{before}[logs]\n{}", services.split_once("[logs]\n").unwrap().1);
    Config::parse(&text, "template.toml").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_templates_commands_are_those_that_the_sqlite_guard_asks_for_and_shows() {
    let shown = include_str!("../../../../plugins/state-sqlite/plugin.toml");
    let manifest = Manifest::parse(shown, "plugin.toml").unwrap();
    let asked: BTreeSet<_> = manifest.permissions.iter().filter_map(|asked| asked.command.clone()).collect();
    let example: String =
        shown.lines().filter_map(|line| line.strip_prefix("#   ")).map(|line| format!("{line}\n")).collect();
    let commands = |text: &str| text.parse::<toml::Table>().unwrap()["commands"].as_table().unwrap().clone();
    let (template, example) = (commands(&uncommented()), commands(&example));
    assert_eq!(template.keys().cloned().collect::<BTreeSet<_>>(), asked);
    for name in &asked {
        assert_eq!(template[name]["argv"], example[name]["argv"], "{name}");
    }
    // Otherwise a path that is misspelt is made, and its snapshots are of nothing.
    assert_eq!(template["sqlite-snapshot"]["argv"][1].as_str(), Some("-readonly"));
}

/// The schema's keys as paths; `*` for any name.
fn keys(schema: &Value, definitions: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return keys(&definitions[reference.rsplit('/').next().unwrap()], definitions, prefix, found);
    }
    for list in ["allOf", "anyOf"] {
        for part in schema.get(list).and_then(Value::as_array).into_iter().flatten() {
            keys(part, definitions, prefix, found);
        }
    }
    if let Some(items) = schema.get("items") {
        keys(items, definitions, prefix, found);
    }
    for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        found.insert(path.clone());
        keys(inner, definitions, &path, found);
    }
    if let Some(any) = schema.get("additionalProperties").filter(|any| any.is_object()) {
        keys(any, definitions, &format!("{prefix}.*"), found);
    }
}

fn written(table: &toml::Table, schema: &BTreeSet<String>, prefix: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let join = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        let any = join("*");
        let path = if schema.contains(&join(key)) { join(key) } else { any };
        found.insert(path.clone());
        match value {
            toml::Value::Table(table) => written(table, schema, &path, found),
            toml::Value::Array(array) => {
                for table in array.iter().filter_map(toml::Value::as_table) {
                    written(table, schema, &path, found);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_key_of_the_schema_stands_in_the_template() {
    let schema = schema();
    let mut known = BTreeSet::new();
    keys(&schema, &schema["definitions"], "", &mut known);
    assert!(known.contains("rollout.steps.traffic") && known.contains("plugins.*.grant.files.*.access"), "{known:?}");
    let mut found = BTreeSet::new();
    written(&uncommented().parse().unwrap(), &known, "", &mut found);
    // A plugin's own ceilings have the names of those for all, a password's sources those of other credentials; one of several services has the keys of the only one, its build those of
    // [build], and what only one of several has is refused elsewhere.
    let same = [
        ("plugins.*.grant.limits", "limits"),
        ("mail.password.", "plugins.*.grant.credentials.*."),
        ("service.build.", "build."),
        ("services.", "service."),
    ];
    let several = |key: &str| ["service.paths", "service.build"].contains(&key);
    let stands = |key: &str| {
        let alike = |(of, is): &(&str, &str)| key.starts_with(of) && found.contains(&key.replacen(of, is, 1));
        found.contains(key)
            || same.iter().any(alike)
            || key.strip_prefix("services.build.").is_some_and(|key| found.contains(&format!("build.{key}")))
            || several(key)
    };
    assert!(found.contains("services.paths") && found.contains("services.build"));
    let missing: Vec<_> = known.iter().filter(|key| !stands(key)).collect();
    assert!(missing.is_empty(), "the template lacks {missing:?}");
}

#[test]
fn the_schema_in_the_repository_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("autodevops.schema.json");
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, &current).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), current, "write it anew with UPDATE_EXPECTED=1");
}

#[test]
fn the_schemas_grant_has_the_keys_of_the_grant() {
    let schema = schema();
    let of = |name: &str| {
        schema["definitions"][name]["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>()
    };
    let fields = |value: Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(of("GrantTable"), fields(serde_json::to_value(autodevops_policy::Grant::default()).unwrap()));
    assert_eq!(of("CeilingsTable"), fields(serde_json::to_value(PermissionCeilings::default()).unwrap()));
    let binding = CredentialBinding {
        env: Some("A".into()),
        file: Some("a".into()),
        command: Some(vec!["a".into()]),
        google_service_account: Some("a".into()),
        scopes: vec!["a".into()],
        origins: vec!["https://a.example".parse().unwrap()],
    };
    assert_eq!(of("CredentialTable"), fields(serde_json::to_value(binding).unwrap()));
    let methods: Vec<Value> = Method::ALL.into_iter().map(|method| method.name().into()).collect();
    assert!(methods.iter().all(|name| schema["definitions"]["MethodName"].to_string().contains(&name.to_string())));
    assert_eq!(of("LimitsTable"), fields(serde_json::to_value(Limits::default()).unwrap()));
    for severity in [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical] {
        let name = serde_json::to_value(severity).unwrap();
        assert!(schema["definitions"]["SeverityName"].to_string().contains(&name.to_string()), "{name}");
    }
}

#[test]
fn the_samples_configuration_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/shop/autodevops.toml");
    let mut text = fs::read_to_string(path).unwrap();
    for (name, value) in
        [("STAGING_PORT", "1"), ("PRODUCTION_PORT", "2"), ("METRICS_PORT", "3"), ("FIX_GENERATOR", "f")]
    {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    Config::parse(&text, "autodevops.toml").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_templates_grants_fit_what_the_plugins_ask_for() {
    let config = Config::parse(TEMPLATE, "template.toml").unwrap_or_else(|error| panic!("{error}"));
    for (name, settings) in &config.plugins {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name).join("plugin.toml");
        let manifest = Manifest::parse(&fs::read_to_string(&path).unwrap(), name).unwrap();
        let grant = settings.grant.clone().unwrap_or_default();
        assert_eq!(check_grant(&manifest, &grant), Ok(()));
        assert_eq!(missing(&manifest, &grant), Vec::<&autodevops_policy::Credential>::new());
    }
}
