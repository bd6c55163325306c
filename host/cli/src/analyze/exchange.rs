//! The issues as comma-separated values (RFC 4180).

use autodevops_model::Issue;

use super::table::kind;

/// A header and a line for each issue.
pub fn csv(issues: &[Issue]) -> String {
    let mut text =
        "fingerprint,kind,severity,confidence,count,first-seen,last-seen,title,reason,path,line,template\r\n"
            .to_owned();
    for issue in issues {
        let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
        let severity = format!("{:?}", issue.severity).to_lowercase();
        let (path, line) =
            issue.location.as_ref().map_or_else(Default::default, |place| (place.path.clone(), place.line.to_string()));
        let fields = [
            field(&issue.fingerprint),
            kind(issue.kind).to_owned(),
            severity,
            format!("{:.3}", issue.confidence),
            issue.count.to_string(),
            number(issue.first_seen),
            number(issue.last_seen),
            field(&issue.title),
            field(&issue.reason),
            field(&path),
            line,
            field(issue.template.as_deref().unwrap_or_default()),
        ];
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A field, in quotes where it needs them. One that a spreadsheet would take for a formula is one no more.
fn field(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use autodevops_model::{IssueKind, Severity};

    use super::*;

    #[test]
    fn fields_are_quoted_and_no_formulas() {
        let issue = Issue::new("ab", IssueKind::NewPattern, Severity::Error, "=1+\"a\", b\nc");
        assert_eq!(
            csv(&[issue]).lines().skip(1).collect::<Vec<_>>().join("|"),
            "ab,new-pattern,error,1.000,1,,,\"'=1+\"\"a\"\", b|c\",,,,"
        );
    }
}
