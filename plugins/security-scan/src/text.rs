//! Dangerous lines in languages other than JavaScript, and in JavaScript that does not parse: by their words.

use std::cell::OnceCell;

use autodevops_sdk::types::Severity;
use regex::Regex;

use change::Found;

struct Rule {
    rule: &'static str,
    severity: Severity,
    /// Extensions or whole names of the files it is for; none for all.
    files: &'static [&'static str],
    pattern: &'static str,
    message: &'static str,
    remedy: &'static str,
}

const PYTHON: &[&str] = &["py", "pyw"];
const SHELLS: &[&str] =
    &["sh", "bash", "zsh", "yml", "yaml", "Dockerfile", "Makefile", "mk", "env", "json", "toml", "ini", "conf"];
const SCRIPTS: &[&str] = &["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "html", "htm", "vue", "svelte"];

const TEXT_AS_CODE: &str = "call a function of the program, or parse the data as data";
const NO_SHELL: &str = "give the program and its arguments as a list, which no shell reads";
const VERIFY: &str = "leave verification on; trust a private authority's certificate instead";

const RULES: &[Rule] = &[
    Rule {
        rule: "code-from-text",
        severity: Severity::Error,
        files: PYTHON,
        pattern: r"(?:^|[^\w.])(?:eval|exec)\s*\(\s*[^)\s]",
        message: "text is run as code",
        remedy: TEXT_AS_CODE,
    },
    Rule {
        rule: "code-from-text",
        severity: Severity::Error,
        files: PYTHON,
        pattern: r"\bc?[pP]ickle\.loads?\s*\(|\bmarshal\.loads?\s*\(|\byaml\.(?:unsafe_)?load\s*\((?:[^)]*\))?",
        message: "data is read by a loader that can run code",
        remedy: "use json, or yaml.safe_load",
    },
    Rule {
        rule: "shell-command",
        severity: Severity::Error,
        files: PYTHON,
        pattern: r"\bos\.(?:system|popen)\s*\(|\bshell\s*=\s*True\b",
        message: "a shell is given a command",
        remedy: NO_SHELL,
    },
    Rule {
        rule: "child-process",
        severity: Severity::Warning,
        files: PYTHON,
        pattern: r"^\s*(?:import\s+subprocess|from\s+subprocess\s+import)\b",
        message: "`subprocess` is brought in: the service can start programs",
        remedy: "use a library of the language",
    },
    Rule {
        rule: "tls-not-verified",
        severity: Severity::Error,
        files: PYTHON,
        pattern: r"\bverify\s*=\s*False\b|_create_unverified_context|\bCERT_NONE\b",
        message: "certificates are not verified",
        remedy: VERIFY,
    },
    Rule {
        rule: "tls-not-verified",
        severity: Severity::Error,
        files: &["go"],
        pattern: r"\bInsecureSkipVerify\s*:\s*true\b",
        message: "certificates are not verified",
        remedy: VERIFY,
    },
    Rule {
        rule: "tls-not-verified",
        severity: Severity::Error,
        files: &["rs"],
        pattern: r"\bdanger_accept_invalid_(?:certs|hostnames)\s*\(\s*true\s*\)",
        message: "certificates are not verified",
        remedy: VERIFY,
    },
    Rule {
        rule: "tls-not-verified",
        severity: Severity::Error,
        files: SHELLS,
        pattern: r#"\bNODE_TLS_REJECT_UNAUTHORIZED["']?\s*[:=]\s*["']?0\b|\bPYTHONHTTPSVERIFY["']?\s*[:=]\s*["']?0\b|\bGIT_SSL_NO_VERIFY\s*[:=]|\bstrict-ssl["']?\s*[:=]\s*["']?false"#,
        message: "certificates are not verified",
        remedy: VERIFY,
    },
    Rule {
        rule: "tls-not-verified",
        severity: Severity::Warning,
        files: SHELLS,
        pattern: r"\bcurl\b[^|;&]*\s(?:-[a-zA-Z]*k\b|--insecure\b)|\bwget\b[^|;&]*--no-check-certificate",
        message: "a download does not verify certificates",
        remedy: VERIFY,
    },
    Rule {
        rule: "shell-command",
        severity: Severity::Error,
        files: SHELLS,
        pattern: r"\b(?:curl|wget)\b[^;&]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b",
        message: "a script from the network is run as it comes",
        remedy: "download it, check its digest, then run it",
    },
    Rule {
        rule: "shell-command",
        severity: Severity::Error,
        files: &["php", "rb"],
        pattern: r"(?:^|[^\w.>:])(?:shell_exec|passthru|proc_open|popen|system|eval|instance_eval|class_eval)\s*\(\s*[^)\s]",
        message: "a command or code is run from text",
        remedy: NO_SHELL,
    },
    // For scripts that do not parse: what the syntax tree would have said, as far as words say it.
    Rule {
        rule: "code-from-text",
        severity: Severity::Error,
        files: SCRIPTS,
        pattern: r"(?:^|[^\w.$])eval\s*\(|\bnew\s+Function\s*\(",
        message: "text is run as code",
        remedy: TEXT_AS_CODE,
    },
    Rule {
        rule: "child-process",
        severity: Severity::Warning,
        files: SCRIPTS,
        pattern: r#"["'`](?:node:)?child_process["'`]"#,
        message: "`child_process` is brought in: the service can start programs",
        remedy: "use a library of the language",
    },
    Rule {
        rule: "unsafe-html",
        severity: Severity::Error,
        files: SCRIPTS,
        pattern: r"\.(?:innerHTML|outerHTML)\s*\+?=[^=]|\bdocument\.write(?:ln)?\s*\(|\.insertAdjacentHTML\s*\(|dangerouslySetInnerHTML",
        message: "markup is written into the page",
        remedy: "set textContent, or build elements",
    },
    Rule {
        rule: "tls-not-verified",
        severity: Severity::Error,
        files: SCRIPTS,
        pattern: r"\brejectUnauthorized\s*:\s*false\b|\bNODE_TLS_REJECT_UNAUTHORIZED\b.{0,4}=[^=]",
        message: "certificates are not verified",
        remedy: VERIFY,
    },
    Rule {
        rule: "prototype-pollution",
        severity: Severity::Warning,
        files: SCRIPTS,
        pattern: r"\.__proto__\b",
        message: "`__proto__` is used",
        remedy: "use Object.getPrototypeOf, or a Map",
    },
];

/// The rules, compiled when first needed.
pub struct Words(Vec<OnceCell<Option<Regex>>>);

impl Default for Words {
    fn default() -> Self {
        Self(RULES.iter().map(|_| OnceCell::new()).collect())
    }
}

impl Words {
    /// What a line of a file holds.
    pub fn line(&self, name: &str, number: u32, line: &str) -> Vec<Found> {
        let extension = name.rsplit('.').next().unwrap_or(name);
        let code = line.trim_start();
        // A comment is no code. What a line of the like is in the middle of a text is not known; it is looked at.
        if code.starts_with('#') && !code.starts_with("#!") || code.starts_with("//") || code.starts_with('*') {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (rule, cell) in RULES.iter().zip(&self.0) {
            if !rule.files.iter().any(|file| file.eq_ignore_ascii_case(extension) || name.starts_with(file)) {
                continue;
            }
            let Some(pattern) = cell.get_or_init(|| Regex::new(rule.pattern).ok()) else { continue };
            if let Some(place) = pattern.find(line) {
                // yaml.load with a safe loader is what it should be.
                if rule.pattern.contains("yaml") && place.as_str().contains("SafeLoader") {
                    continue;
                }
                let column = line.get(..place.start()).map_or(0, |before| before.chars().count()) + 1;
                found.push(Found {
                    rule: rule.rule,
                    severity: rule.severity,
                    line: number,
                    column: u32::try_from(column).ok(),
                    message: rule.message.into(),
                    remedy: rule.remedy,
                });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str, line: &str) -> Vec<&'static str> {
        Words::default().line(name, 1, line).iter().map(|found| found.rule).collect()
    }

    #[test]
    fn dangerous_lines_are_found() {
        for rule in RULES {
            assert!(Regex::new(rule.pattern).is_ok(), "{}", rule.pattern);
        }
        for (name, line, rule) in [
            ("a.py", "total = eval(request.args['q'])", "code-from-text"),
            ("a.py", "    data = pickle.loads(body)", "code-from-text"),
            ("a.py", "cfg = yaml.load(f)", "code-from-text"),
            ("a.py", "os.system('rm ' + path)", "shell-command"),
            ("a.py", "subprocess.run(cmd, shell=True)", "shell-command"),
            ("a.py", "import subprocess", "child-process"),
            ("a.py", "requests.get(url, verify=False)", "tls-not-verified"),
            ("a.go", "TLSClientConfig: &tls.Config{InsecureSkipVerify: true},", "tls-not-verified"),
            ("a.rs", ".danger_accept_invalid_certs(true)", "tls-not-verified"),
            ("Dockerfile", "ENV NODE_TLS_REJECT_UNAUTHORIZED=0", "tls-not-verified"),
            ("package.json", "\"start\": \"NODE_TLS_REJECT_UNAUTHORIZED=0 node .\"", "tls-not-verified"),
            ("ci.yml", "  run: curl -sk https://a.example/x -o x", "tls-not-verified"),
            ("install.sh", "curl -fsSL https://a.example/i.sh | sh", "shell-command"),
            ("a.php", "$x = shell_exec($cmd);", "shell-command"),
            ("a.js", "el.innerHTML = x", "unsafe-html"),
        ] {
            assert_eq!(rules(name, line), [rule], "{name}: {line}");
        }
    }

    #[test]
    fn ordinary_lines_are_left_alone() {
        for (name, line) in [
            ("a.py", "# eval(x) is wrong"),
            ("a.py", "model.eval()"),
            ("a.py", "literal_eval(text)"),
            ("a.py", "cfg = yaml.load(f, Loader=yaml.SafeLoader)"),
            ("a.py", "cfg = yaml.safe_load(f)"),
            ("a.py", "requests.get(url, verify=True)"),
            ("a.go", "InsecureSkipVerify: false"),
            ("a.md", "eval(x)"),
            ("install.sh", "curl -fsSL https://a.example/i.sh -o i.sh"),
            ("a.sh", "echo done | sh_result"),
        ] {
            assert_eq!(rules(name, line), Vec::<&str>::new(), "{name}: {line}");
        }
    }
}
