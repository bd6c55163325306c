//! Whether symbolic links stay inside a folder, told from their texts alone, before any of them is made.

use std::collections::BTreeMap;

/// As many links may be followed on the way; Linux takes as many.
const MAX_HOPS: usize = 40;

/// The first link that leaves the folder, or leads in circles: by its path, with its target.
pub fn leaving(links: &BTreeMap<String, String>) -> Option<(&str, &str)> {
    links.iter().find(|(path, _)| !stays(path, links)).map(|(path, target)| (path.as_str(), target.as_str()))
}

/// Walks as the kernel does: part by part, a link replaced by its target where it is met.
fn stays(path: &str, links: &BTreeMap<String, String>) -> bool {
    let mut todo: Vec<&str> = path.split('/').rev().collect();
    let mut at: Vec<&str> = Vec::new();
    let mut hops = 0;
    while let Some(part) = todo.pop() {
        match part {
            "" | "." => {}
            ".." => {
                if at.pop().is_none() {
                    return false;
                }
            }
            name => {
                at.push(name);
                let Some(target) = links.get(&at.join("/")) else { continue };
                hops += 1;
                if hops > MAX_HOPS || target.starts_with('/') || target.is_empty() {
                    return false;
                }
                at.pop();
                todo.extend(target.split('/').rev());
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(links: &[(&str, &str)]) -> Option<String> {
        let links = links.iter().map(|(path, target)| ((*path).to_owned(), (*target).to_owned())).collect();
        leaving(&links).map(|(path, _)| path.to_owned())
    }

    #[test]
    fn links_inside_are_taken() {
        assert_eq!(found(&[("a", "b/c"), ("d/e", "../a"), ("f", "."), ("g/h", "..")]), None);
    }

    #[test]
    fn links_that_leave_are_found() {
        for target in ["/etc/passwd", "../x", "a/../../x", ".."] {
            assert_eq!(found(&[("link", target)]).as_deref(), Some("link"), "{target}");
        }
        assert_eq!(found(&[("a/b", "../../x")]).as_deref(), Some("a/b"));
    }

    #[test]
    fn a_link_that_leaves_only_by_way_of_another_is_found() {
        // By its text `a/b/e` is `a/b/d/../x`, which is inside; but `d` is the root itself.
        assert_eq!(found(&[("a/b/d", "../.."), ("a/b/e", "d/../x")]).as_deref(), Some("a/b/e"));
    }

    #[test]
    fn links_in_circles_are_found() {
        assert!(found(&[("a", "b"), ("b", "a")]).is_some());
    }
}
