//! Whose a critical error is: which service's, by the log or the files that it was seen in; and which release's, by what each release of
//! the local target wrote. Nothing is guessed: what is not certain is nobody's, and counts for every release that is out.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use autodevops_edge::{release_log, release_logs};
use autodevops_model::{Evidence, Issue};
use autodevops_pipeline::{Environment, Service};
use autodevops_policy::redact::Redaction;

use crate::project::Project;

/// Where a command's release finds its own files; see [`RunSpec`](autodevops_edge::RunSpec).
const IN_SANDBOX: &str = "/app/";

/// A text of this length may be the beginning of a line: analyzers cut evidence short, though not below that. In bytes.
const MAY_BE_CUT: usize = 100;

/// Whose something is that was seen in production.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// The service, by its name, where that is certain.
    pub service: Option<String>,
    /// The release, where that is certain.
    pub release: Option<String>,
}

/// What is known of whose logs and files there are.
pub struct Owners {
    services: Vec<Service>,
    /// The project's folder.
    folder: PathBuf,
    redaction: Redaction,
    /// The local target's logs.
    logs: Vec<OwnLog>,
}

/// The log of a service's releases in one environment.
struct OwnLog {
    path: PathBuf,
    service: String,
    environment: Environment,
    /// The lines of each release, read when they are asked for.
    written: OnceCell<BTreeMap<String, Lines>>,
}

/// Lines as they were written, and without secrets and personal data: an analyzer that sends something on is given them so.
struct Lines(BTreeSet<String>);

impl Lines {
    fn have(&self, text: &str) -> bool {
        let text = text.trim();
        self.0.contains(text)
            || text.len() >= MAY_BE_CUT
                && self.0.range(text.to_owned()..).next().is_some_and(|next| next.starts_with(text))
    }
}

impl Owners {
    /// Of a project's services.
    pub fn of(project: &Project) -> Self {
        let services = project.config.plan().services;
        let both = [Environment::Staging, Environment::Production];
        let places = services.iter().flat_map(|service| both.map(|environment| (service, environment)));
        let places = places.filter(|_| project.is_local());
        let logs = places.map(|(service, environment)| OwnLog {
            path: project.state.log(service.place(environment)),
            service: service.name.clone(),
            environment,
            written: OnceCell::new(),
        });
        Self {
            logs: logs.collect(),
            folder: project.config.folder.clone(),
            redaction: project.redaction.clone(),
            services,
        }
    }

    /// Whose the issue is; none where it is not about production: it was seen in staging alone.
    pub fn whose(&self, issue: &Issue) -> Option<Whose> {
        let seen: Vec<(&Evidence, Option<&OwnLog>)> =
            issue.evidence.iter().map(|evidence| (evidence, self.log(&evidence.source))).collect();
        let in_staging = |log: &Option<&OwnLog>| log.is_some_and(|log| log.environment == Environment::Staging);
        if !seen.is_empty() && seen.iter().all(|(_, log)| in_staging(log)) {
            return None;
        }
        let seen: Vec<(&Evidence, Option<&OwnLog>)> = seen.into_iter().filter(|(_, log)| !in_staging(log)).collect();
        let by_log = only(seen.iter().map(|(evidence, log)| match log {
            Some(log) => Some(log.service.as_str()),
            None => self.owner([self.within(&evidence.source)?.as_str()]),
        }));
        let service = match self.services.as_slice() {
            [only] => Some(only.name.as_str()),
            _ => by_log.or_else(|| self.by_code(issue)),
        };
        let logs = only(seen.iter().map(|(_, log)| log.map(|log| log.path.as_path())));
        let log = self.logs.iter().find(|log| logs == Some(log.path.as_path()));
        let release = log.and_then(|log| self.writer(log, seen.iter().map(|(evidence, _)| evidence.text.as_str())));
        Some(Whose { service: service.map(str::to_owned), release })
    }

    fn log(&self, source: &str) -> Option<&OwnLog> {
        let named = Path::new(source);
        let real = || named.canonicalize().ok();
        self.logs.iter().find(|log| log.path == named).or_else(|| {
            let real = real()?;
            self.logs.iter().find(|log| log.path == real)
        })
    }

    /// A path as it is relative to the project, with `/` between its parts; none for one that lies elsewhere.
    fn within(&self, path: &str) -> Option<String> {
        let relative = match path.strip_prefix(IN_SANDBOX) {
            Some(relative) => Path::new(relative),
            None => match Path::new(path) {
                path if path.is_absolute() => path.strip_prefix(&self.folder).ok()?,
                path => path,
            },
        };
        Some(relative.to_str()?.trim_start_matches("./").to_owned())
    }

    /// The service that has the only stack frames that are any service's own.
    fn by_code(&self, issue: &Issue) -> Option<&str> {
        let frames = issue.stack.iter().filter(|frame| frame.own_code).filter_map(|frame| self.within(&frame.file));
        let located = issue.location.iter().map(|location| location.path.clone());
        let paths: Vec<String> = located.chain(frames).collect();
        self.owner(paths.iter().map(String::as_str))
    }

    /// The service that owns any of the paths; none where none does, or several do.
    fn owner<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Option<&str> {
        let owners = paths.into_iter().flat_map(|path| {
            let own = self.services.iter().filter(move |service| !service.paths.is_empty() && service.owns(path));
            own.map(|service| Some(service.name.as_str()))
        });
        only(owners)
    }

    /// The release that alone wrote the lines; none where that is not certain. A line that several wrote tells nothing, such as a frame of
    /// the runtime's; one that none wrote may be any's.
    fn writer<'a>(&self, log: &OwnLog, texts: impl Iterator<Item = &'a str>) -> Option<String> {
        let written = log.written.get_or_init(|| self.written(&log.path));
        let mut writers = BTreeSet::new();
        for text in texts {
            let of: Vec<&String> = written.iter().filter(|(_, lines)| lines.have(text)).map(|(id, _)| id).collect();
            match of.as_slice() {
                [] => return None,
                [one] => drop(writers.insert(*one)),
                _ => {}
            }
        }
        match writers.into_iter().collect::<Vec<_>>().as_slice() {
            [one] => Some((*one).clone()),
            _ => None,
        }
    }

    fn written(&self, log: &Path) -> BTreeMap<String, Lines> {
        let mut written = BTreeMap::new();
        for file in fs::read_dir(release_logs(log)).into_iter().flatten().flatten() {
            let name = file.file_name();
            let Some(release) = name.to_str().and_then(|name| name.strip_suffix(".log")) else { continue };
            let path = release_log(log, release);
            let mut before = path.clone().into_os_string();
            before.push(".1");
            let mut lines = BTreeSet::new();
            for bytes in [PathBuf::from(before), path].iter().filter_map(|path| fs::read(path).ok()) {
                let text = String::from_utf8_lossy(&bytes);
                for text in [self.redaction.text(&text), text.into_owned()] {
                    lines.extend(text.lines().map(|line| line.trim().to_owned()));
                }
            }
            written.insert(release.to_owned(), Lines(lines));
        }
        written
    }
}

/// What all of them are; none where one is not known, they are several, or there is none.
fn only<T: PartialEq>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use autodevops_model::{IssueKind, Severity, StackFrame};

    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        owners: Owners,
    }

    impl Place {
        fn of(names: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let service = |name: &&str| Service {
                name: (*name).to_owned(),
                paths: if names.len() == 1 { Vec::new() } else { vec![format!("services/{name}")] },
                staging: format!("staging-{name}"),
                production: format!("production-{name}"),
            };
            let services: Vec<Service> = names.iter().map(service).collect();
            let log = |service: &Service, environment| OwnLog {
                path: root.join("logs").join(format!("{}.log", service.place(environment))),
                service: service.name.clone(),
                environment,
                written: OnceCell::new(),
            };
            let logs = services.iter().flat_map(|service| {
                [Environment::Staging, Environment::Production].map(|environment| log(service, environment))
            });
            let logs = logs.collect();
            Self { owners: Owners { logs, services, folder: root, redaction: Redaction::default() }, folder }
        }

        fn log(&self, place: &str) -> String {
            self.folder.path().canonicalize().unwrap().join("logs").join(format!("{place}.log")).display().to_string()
        }

        fn writes(&self, place: &str, release: &str, text: &str) {
            let path = release_log(Path::new(&self.log(place)), release);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn whose(&self, issue: &Issue) -> Option<(Option<String>, Option<String>)> {
            self.owners.whose(issue).map(|whose| (whose.service, whose.release))
        }
    }

    fn seen(lines: &[(&str, &str)]) -> Issue {
        let evidence =
            |(source, text): &(&str, &str)| Evidence { source: (*source).into(), line: 1, text: (*text).into() };
        let evidence = lines.iter().map(evidence).collect();
        Issue { evidence, ..Issue::new("f00d", IssueKind::CriticalError, Severity::Critical, "out of memory") }
    }

    fn frame(file: &str, own_code: bool) -> StackFrame {
        StackFrame { function: None, file: file.into(), line: 1, column: None, own_code }
    }

    fn known(service: &str, release: &str) -> Option<(Option<String>, Option<String>)> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some((some(service), some(release)))
    }

    #[test]
    fn a_log_tells_the_service_and_what_each_release_wrote_the_release() {
        let place = Place::of(&["cart", "shop"]);
        let log = place.log("production-shop");
        place.writes("production-shop", "r-1", "up\n12:01 FATAL out of memory\n    at run (a.js:1)\n");
        place.writes("production-shop", "r-2", "up\n12:02 FATAL out of memory\n    at run (a.js:1)\n");
        let whose = |texts: &[&str]| {
            let lines: Vec<(&str, &str)> = texts.iter().map(|text| (log.as_str(), *text)).collect();
            place.whose(&seen(&lines))
        };
        assert_eq!(whose(&["12:01 FATAL out of memory"]), known("shop", "r-1"));
        assert_eq!(
            whose(&["12:02 FATAL out of memory", "at run (a.js:1)"]),
            known("shop", "r-2"),
            "one line is of both"
        );
        assert_eq!(whose(&["12:01 FATAL out of memory", "12:02 FATAL out of memory"]), known("shop", ""), "both did");
        assert_eq!(whose(&["up"]), known("shop", ""), "either may have");
        assert_eq!(whose(&["12:02 FATAL out of memory", "another"]), known("shop", ""), "a line that nobody wrote");
        assert_eq!(whose(&["12:02 FATAL"]), known("shop", ""), "a part of a line is no line");
    }

    #[test]
    fn a_log_is_known_by_a_link_to_it() {
        let place = Place::of(&["cart", "shop"]);
        place.writes("production-shop", "r-2", "FATAL out of memory\n");
        fs::write(place.log("production-shop"), "").unwrap();
        let link = place.folder.path().join("link.log");
        std::os::unix::fs::symlink(place.log("production-shop"), &link).unwrap();
        let link = link.display().to_string();
        assert_eq!(place.whose(&seen(&[(&link, "FATAL out of memory")])), known("shop", "r-2"));
    }

    #[test]
    fn a_line_that_was_cut_short_or_redacted_is_found() {
        let place = Place::of(&["shop"]);
        let log = place.log("production-shop");
        let long = format!("FATAL {}", "x".repeat(3000));
        place.writes("production-shop", "r-2", &format!("{long}\nFATAL for ada@example.com\n"));
        place.writes("production-shop", "r-1", "fine\n");
        let redacted = Redaction::default().text("FATAL for ada@example.com");
        assert_ne!(redacted, "FATAL for ada@example.com");
        for text in [&long[..2000], &redacted, "FATAL for ada@example.com"] {
            assert_eq!(place.whose(&seen(&[(&log, text)])), known("shop", "r-2"), "{text}");
        }
    }

    #[test]
    fn what_was_seen_in_staging_alone_is_not_about_production() {
        let place = Place::of(&["shop"]);
        let (staging, production) = (place.log("staging-shop"), place.log("production-shop"));
        place.writes("production-shop", "r-2", "FATAL b\n");
        assert_eq!(place.whose(&seen(&[(&staging, "FATAL a")])), None);
        assert_eq!(place.whose(&seen(&[(&staging, "FATAL a"), (&production, "FATAL b")])), known("shop", "r-2"));
        assert_eq!(place.whose(&seen(&[])), known("shop", ""));
    }

    #[test]
    fn elsewhere_the_files_tell_the_service_where_they_are_one_services_own() {
        let place = Place::of(&["cart", "shop"]);
        let folder = place.owners.folder.join("services/cart/logs/out.log").display().to_string();
        for (source, frames, service) in [
            (folder.as_str(), vec![], "cart"),
            ("/var/log/all.log", vec![frame("services/shop/a.js", true)], "shop"),
            ("/var/log/all.log", vec![frame("/app/services/shop/a.js", true), frame("/app/lib/b.js", true)], "shop"),
            ("/var/log/all.log", vec![frame("services/shop/a.js", true), frame("services/cart/a.js", true)], ""),
            ("/var/log/all.log", vec![frame("services/shop/a.js", false)], ""),
            ("/var/log/all.log", vec![frame("services/shopping/a.js", true)], ""),
            ("/var/log/all.log", vec![frame("/elsewhere/services/shop/a.js", true)], ""),
            // Who wrote it is more than what it names.
            (place.log("production-cart").as_str(), vec![frame("services/shop/a.js", true)], "cart"),
        ] {
            let issue = Issue { stack: frames, ..seen(&[(source, "FATAL")]) };
            assert_eq!(place.whose(&issue), known(service, ""), "{source} {:?}", issue.stack);
        }
        let (cart, shop) = (place.log("production-cart"), place.log("production-shop"));
        place.writes("production-shop", "r-2", "FATAL b\n");
        assert_eq!(place.whose(&seen(&[(&cart, "FATAL a"), (&shop, "FATAL b")])), known("", ""), "of both");
    }
}
