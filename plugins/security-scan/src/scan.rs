//! The scan of a whole change, and its report.

use autodevops_sdk::types::{Finding, Location, Metric, Outcome, Report, Severity};
use change::{File, Found, Lines, is_test};
use serde::Deserialize;

use crate::{
    calls, dependencies,
    secrets::{GENERIC, Scanner},
    text::Words,
};

/// The plugin's configuration; what each key means is in its manifest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Rules that are not applied.
    pub ignore_rules: Vec<String>,
    /// Folders and files that are not scanned.
    pub ignore_paths: Vec<String>,
}

impl Settings {
    fn ignores(&self, path: &str) -> bool {
        self.ignore_paths
            .iter()
            .any(|ignored| path == ignored || ignored.ends_with('/') && path.starts_with(ignored.as_str()))
    }
}

/// Scans the files. `by_machine` says that the change was proposed by a plugin: it cannot allow itself anything by a comment.
pub fn scan(files: &[File], settings: &Settings, by_machine: bool) -> Report {
    let mut scan =
        Scan { scanner: Scanner::default(), words: Words::default(), by_machine, counts: [0; 3], findings: Vec::new() };
    for file in files {
        if file.after.is_some() {
            scan.file(file, settings);
        }
    }
    scan.report(settings)
}

/// What is counted, in the order of `Scan::counts`.
const COUNTED: [&str; 3] = ["secrets-found", "dangerous-calls", "new-dependencies"];

struct Scan {
    scanner: Scanner,
    words: Words,
    by_machine: bool,
    counts: [u32; 3],
    findings: Vec<(usize, Finding)>,
}

/// Findings that are counted nowhere.
const NOTE: usize = usize::MAX;

impl Scan {
    fn file(&mut self, file: &File, settings: &Settings) {
        if let Some(obstacle) = file.obstacle() {
            self.note(file, "not-scanned", format!("the file was not scanned: {obstacle}"), "have a person look at it");
            return;
        }
        let lines = file.lines();
        for found in dependencies::scan(file, &lines) {
            self.add(2, file, found);
        }
        if settings.ignores(&file.path) {
            return;
        }
        self.secrets(file, &lines);
        self.calls(file, &lines);
    }

    fn secrets(&mut self, file: &File, lines: &Lines) {
        let name = file.name();
        let unquoted = name.starts_with(".env")
            || [".env", ".ini", ".properties", ".yml", ".yaml", ".conf", ".cfg"].iter().any(|end| name.ends_with(end));
        for (number, line) in added(file, lines) {
            for secret in self.scanner.line(line, unquoted) {
                // What only its name gives away is often made up in a test.
                let severity =
                    if secret.rule == GENERIC && is_test(&file.path) { Severity::Warning } else { Severity::Error };
                let found = Found {
                    rule: secret.rule,
                    severity,
                    line: number,
                    column: Some(secret.column),
                    message: format!("this looks like {}: {}", secret.what, secret.masked),
                    remedy: "take it out, revoke it, and read it at run time from where secrets are kept",
                };
                self.add(0, file, found);
            }
        }
    }

    fn calls(&mut self, file: &File, lines: &Lines) {
        if change::is_script(&file.path) {
            let text = file.new_text();
            if let Some(found) = change::with_program(&file.path, text, |program| calls::scan(program, text, lines)) {
                for found in found {
                    self.add(1, file, found);
                }
                return;
            }
            self.note(
                file,
                "not-parsed",
                "the file does not parse: it was scanned by its words only".to_owned(),
                "correct its syntax",
            );
        }
        for (number, line) in added(file, lines) {
            for found in self.words.line(file.name(), number, line) {
                self.add(1, file, found);
            }
        }
    }

    fn add(&mut self, counted: usize, file: &File, mut found: Found) {
        let line =
            usize::try_from(found.line).ok().and_then(|line| file.new_text().lines().nth(line.saturating_sub(1)));
        if line.is_some_and(|line| allows(line, found.rule)) {
            if self.by_machine {
                found.message +=
                    "; the comment that allows it came with the change, which cannot allow itself anything";
            } else {
                found.severity = Severity::Info;
                found.message += "; a comment on the line allows it";
            }
        }
        self.findings.push((counted, found.in_file(&file.path)));
    }

    fn note(&mut self, file: &File, rule: &str, message: String, remedy: &str) {
        let location = Some(Location { path: file.path.clone(), line: 1, column: None });
        let finding = Finding { rule: rule.into(), severity: Severity::Info, message, remedy: remedy.into(), location };
        self.findings.push((NOTE, finding));
    }

    fn report(mut self, settings: &Settings) -> Report {
        self.findings.retain(|(_, finding)| !settings.ignore_rules.contains(&finding.rule));
        for (counted, finding) in &self.findings {
            // What a comment allows was looked at by a person.
            if finding.severity > Severity::Info
                && let Some(count) = self.counts.get_mut(*counted)
            {
                *count += 1;
            }
        }
        let findings: Vec<Finding> = self.findings.into_iter().map(|(_, finding)| finding).collect();
        let failed = findings.iter().any(|finding| finding.severity >= Severity::Error);
        let [secrets, calls, dependencies] = self.counts;
        let summary = if self.counts == [0; 3] {
            "the change adds no secrets, dangerous calls or dependencies".to_owned()
        } else {
            let counted =
                |count: u32, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
            format!(
                "the change adds {}, {} and {}",
                counted(secrets, "secret", "secrets"),
                counted(calls, "dangerous call", "dangerous calls"),
                counted(dependencies, "change of dependencies", "changes of dependencies"),
            )
        };
        let metrics = COUNTED
            .iter()
            .zip(self.counts)
            .map(|(name, count)| Metric { name: (*name).into(), value: f64::from(count), unit: "count".into() })
            .collect();
        Report { findings, metrics, ..Report::new(if failed { Outcome::Failed } else { Outcome::Passed }, summary) }
    }
}

fn added<'f>(file: &'f File, lines: &'f Lines) -> impl Iterator<Item = (u32, &'f str)> {
    (1u32..).zip(file.new_text().lines()).filter(|(number, _)| lines.added.contains(number))
}

/// Whether a comment on the line, such as `// autodevops:allow gcp-api-key`, allows the rule.
fn allows(line: &str, rule: &str) -> bool {
    line.split("autodevops:allow")
        .skip(1)
        .any(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| word == rule))
}

#[cfg(test)]
mod tests {
    use change::Content;

    use super::*;

    fn file(path: &str, before: &str, after: &str) -> File {
        let text = |text: &str| (!text.is_empty()).then(|| Content::Text(text.to_owned()));
        File { path: path.into(), before: text(before), after: text(after) }
    }

    fn token() -> String {
        format!("glpat-{}", "q7Zp2Lk9Vb4Xc8Nm1Rt6")
    }

    fn rules(report: &Report) -> Vec<(&str, Severity)> {
        report.findings.iter().map(|finding| (finding.rule.as_str(), finding.severity)).collect()
    }

    #[test]
    fn a_change_without_danger_passes_with_zero_counts() {
        let report = scan(&[file("a.js", "const a = 1;\n", "const a = 2;\n")], &Settings::default(), true);
        assert_eq!(report.outcome, Outcome::Passed);
        assert!(report.findings.is_empty());
        let metrics: Vec<_> = report.metrics.iter().map(|metric| (metric.name.as_str(), metric.value)).collect();
        assert_eq!(metrics, [("secrets-found", 0.0), ("dangerous-calls", 0.0), ("new-dependencies", 0.0)]);
    }

    #[test]
    fn each_kind_of_danger_is_counted_and_placed() {
        let files = [
            file("src/a.js", "run();\n", &format!("run();\nconst t = '{}';\nel.innerHTML = x;\n", token())),
            file("package.json", "{}", "{\n  \"dependencies\": { \"left-pad\": \"1\" }\n}"),
        ];
        let report = scan(&files, &Settings::default(), false);
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(
            rules(&report),
            [("gitlab-pat", Severity::Error), ("unsafe-html", Severity::Error), ("new-dependency", Severity::Warning)]
        );
        assert_eq!(report.summary, "the change adds 1 secret, 1 dangerous call and 1 change of dependencies");
        let location = report.findings[0].location.as_ref().unwrap();
        assert_eq!((location.path.as_str(), location.line, location.column), ("src/a.js", 2, Some(12)));
        assert!(!format!("{report:?}").contains(&token()), "the secret is in the report");
    }

    #[test]
    fn what_was_there_before_is_not_the_changes_doing() {
        let before = format!("const t = '{}';\neval(x);\n", token());
        let report = scan(&[file("a.js", &before, &format!("{before}done();\n"))], &Settings::default(), true);
        assert_eq!(rules(&report), []);
    }

    #[test]
    fn a_comment_allows_a_persons_line_but_never_a_machines() {
        let after = format!("const t = '{}'; // autodevops:allow gitlab-pat\n", token());
        let files = [file("a.js", "", &after)];
        let by_person = scan(&files, &Settings::default(), false);
        assert_eq!((by_person.outcome, rules(&by_person)), (Outcome::Passed, vec![("gitlab-pat", Severity::Info)]));
        assert_eq!(by_person.metrics[0].value, 0.0);
        let by_machine = scan(&files, &Settings::default(), true);
        assert_eq!((by_machine.outcome, rules(&by_machine)), (Outcome::Failed, vec![("gitlab-pat", Severity::Error)]));
        assert!(!allows("// autodevops:allow npm-token", "gitlab-pat"));
    }

    #[test]
    fn files_that_cannot_be_looked_at_are_noted() {
        let binary = File { path: "a.bin".into(), before: None, after: Some(Content::Binary) };
        let huge = File { path: "a.min.js".into(), before: None, after: Some(Content::Huge(9 << 20)) };
        let report = scan(&[binary, huge], &Settings::default(), true);
        assert_eq!(rules(&report), [("not-scanned", Severity::Info), ("not-scanned", Severity::Info)]);
        assert_eq!(report.outcome, Outcome::Passed);
    }

    #[test]
    fn a_script_that_does_not_parse_is_scanned_by_its_words() {
        let report = scan(&[file("a.js", "", "const = ;\neval(x)\n")], &Settings::default(), true);
        assert_eq!(rules(&report), [("not-parsed", Severity::Info), ("code-from-text", Severity::Error)]);
    }

    #[test]
    fn rules_and_paths_are_ignored_as_the_operator_says() {
        let after = format!("const t = '{}';\neval(x);\n", token());
        let settings =
            Settings { ignore_rules: vec!["code-from-text".into()], ignore_paths: vec!["test/fixtures/".into()] };
        let report = scan(&[file("a.js", "", &after), file("test/fixtures/b.js", "", &after)], &settings, true);
        assert_eq!(rules(&report), [("gitlab-pat", Severity::Error)]);
    }

    #[test]
    fn a_file_that_is_removed_adds_nothing() {
        let report = scan(&[file("a.js", &format!("const t = '{}';", token()), "")], &Settings::default(), true);
        assert_eq!(rules(&report), []);
    }
}
