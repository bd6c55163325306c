//! The sandbox, its ceilings, and what single plugins are granted.

use std::fmt::Display;

use autodevops_policy::{Bytes, RUN_FOLDERS, Span};

use super::{Found, NAME, Part, is_name};
use crate::Config;

pub fn problems(config: &Config, found: &mut Found) {
    sandbox(config, found);
    ceilings(config, found);
    recording(config, found);
    plugins(config, found);
}

fn within<T: PartialOrd + Display>(key: &str, value: T, least: T, most: T, found: &mut Found) {
    if value < least || value > most {
        found.add(at!["sandbox", key], format!("{value} is out of range; give from {least} to {most}"));
    }
}

fn sandbox(config: &Config, found: &mut Found) {
    let sandbox = &config.sandbox;
    let second = |count| Span(std::time::Duration::from_secs(count));
    within("stack", sandbox.stack, Bytes(256 << 10), Bytes(16 << 20), found);
    within("component-size", sandbox.component_size, Bytes(64 << 10), Bytes(256 << 20), found);
    within("compile-time", sandbox.compile_time, second(1), second(3600), found);
    within("compile-memory", sandbox.compile_memory, Bytes(256 << 20), Bytes(64 << 30), found);
    within("concurrent-calls", sandbox.concurrent_calls, 1, 1000, found);
    if let Some(calls) = sandbox.calls_of_one_plugin {
        within("calls-of-one-plugin", calls, 1, sandbox.concurrent_calls.max(1), found);
    }
    for (index, path) in sandbox.certificate_authorities.iter().enumerate() {
        if path.as_os_str().is_empty() {
            let message = "an empty path; name a file with certificates in PEM, or remove the entry";
            found.add(at!["sandbox", "certificate-authorities", index], message);
        }
    }
}

fn recording(config: &Config, found: &mut Found) {
    let recording = &config.recording;
    let bounds = [("per-call", recording.per_call, Bytes(512 << 20)), ("per-run", recording.per_run, Bytes(64 << 30))];
    for (key, value, most) in bounds {
        let least = Bytes(64 << 10);
        if value < least || value > most {
            found.add(at!["recording", key], format!("{value} is out of range; give from {least} to {most}"));
        }
    }
    if !(1..=10_000).contains(&recording.runs) {
        found.add(at!["recording", "runs"], format!("{} is out of range; give from 1 to 10000", recording.runs));
    }
}

fn ceilings(config: &Config, found: &mut Found) {
    let ceilings = &config.ceilings;
    for (key, folders) in [("files", &ceilings.files), ("read-write", &ceilings.read_write)] {
        for (index, folder) in folders.iter().flatten().enumerate() {
            if folder.as_os_str().is_empty() {
                let message = "an empty path; name a folder of this machine, or remove the entry";
                found.add(at!["ceilings", key, index], message);
            }
        }
    }
}

fn plugins(config: &Config, found: &mut Found) {
    for (name, settings) in &config.plugins {
        let name = name.as_str();
        if !is_name(name) {
            found.add(at!["plugins", name], format!("no plugin is named {name:?}; {NAME}"));
        }
        if settings.path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            found.add(at!["plugins", name, "path"], "an empty path; name the plugin's folder, or remove it");
        }
        for (credential, binding) in settings.grant.iter().flat_map(|grant| &grant.credentials) {
            if let Err(error) = binding.source(name, credential) {
                found.add(at!["plugins", name, "grant", "credentials", credential.as_str()], error.to_string());
            }
        }
        for (guest, preopen) in settings.grant.iter().flat_map(|grant| &grant.files) {
            let at = at!["plugins", name, "grant", "files", guest.as_str()];
            let parts = guest.strip_prefix('/').map(|rest| rest.split('/'));
            if parts.is_none_or(|mut parts| parts.any(|part| matches!(part, "" | "." | ".."))) {
                found.add(at, format!("{guest:?} is no path as a plugin sees it; write for example \"/repo\""));
            } else if preopen.host.is_none() && !RUN_FOLDERS.contains(&guest.as_str()) {
                let message = format!(
                    "which folder of this machine is {guest:?}? Write `host`; only {} are given by the run",
                    RUN_FOLDERS.join(", ")
                );
                found.add(at, message);
            } else if preopen.host.is_some() && RUN_FOLDERS.contains(&guest.as_str()) {
                found.add(at, format!("{guest:?} is given by the run; remove `host`, or choose another path for it"));
            }
        }
    }
}
