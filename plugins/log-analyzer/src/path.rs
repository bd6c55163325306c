//! Paths of stack traces, made relative to the project's root.

/// Folders that services are usually put into, with their code right below.
const ROOTS: [&str; 8] =
    ["/usr/src/app/", "/srv/app/", "/opt/app/", "/var/task/", "/var/www/html/", "/workspace/", "/app/", "/code/"];
/// Folders that services are put into by name, with their code below that.
const PARENTS: [&str; 5] = ["/srv/", "/opt/", "/workspaces/", "/var/www/", "/var/lib/"];

/// The path below the project's root; none when it cannot be told.
pub fn relative(file: &str, root: &str) -> Option<String> {
    let file = file.strip_prefix("webpack://").map_or(file, |rest| rest.trim_start_matches('/'));
    let file = match file.strip_prefix("file://") {
        Some(rest) => rest.strip_prefix('/').filter(|rest| has_drive(rest)).unwrap_or(rest),
        None => file,
    };
    let file = file.replace('\\', "/");
    let root = root.trim_end_matches('/').replace('\\', "/");
    let below = match file.strip_prefix(&root).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) if !root.is_empty() => rest,
        _ => below_usual(&file)?,
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in below.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty() && !below.contains(':')).then(|| parts.join("/"))
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic())
}

fn below_usual(file: &str) -> Option<&str> {
    let file = if has_drive(file) { file.get(2..)? } else { file };
    if !file.starts_with('/') {
        return Some(file);
    }
    if let Some(below) = ROOTS.iter().find_map(|root| file.strip_prefix(root)) {
        return Some(below);
    }
    if let Some(below) = PARENTS.iter().find_map(|parent| file.strip_prefix(parent)) {
        return below.split_once('/').map(|(_, rest)| rest);
    }
    // A home's project: /home/NAME/PROJECT/…
    let home = file.strip_prefix("/home/").or_else(|| file.strip_prefix("/Users/"));
    if let Some(home) = home {
        return home.splitn(3, '/').nth(2);
    }
    file.strip_prefix("/root/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_relative_to_the_root() {
        for (file, root, expected) in [
            ("functions/index.js", "", Some("functions/index.js")),
            ("./functions/index.js", "", Some("functions/index.js")),
            ("file:///workspace/functions/index.js", "", Some("functions/index.js")),
            ("/srv/app/lib/a.py", "", Some("lib/a.py")),
            ("/srv/shop/lib/a.py", "", Some("lib/a.py")),
            ("/srv/shop/lib/a.py", "/srv/shop/lib/", Some("a.py")),
            ("/home/ann/shop/src/a.ts", "", Some("src/a.ts")),
            ("/data/shop/src/a.ts", "/data/shop", Some("src/a.ts")),
            ("/data/shopping/src/a.ts", "/data/shop", None),
            ("C:\\shop\\src\\a.ts", "C:\\shop", Some("src/a.ts")),
            ("file:///C:/shop/src/a.ts", "C:/shop", Some("src/a.ts")),
            ("webpack:///./src/a.ts", "", Some("src/a.ts")),
            ("../secret.js", "", None),
            ("src/../../secret.js", "", None),
            ("node:internal/x", "", None),
            ("/unknown/a.js", "", None),
        ] {
            assert_eq!(relative(file, root).as_deref(), expected, "{file} in {root:?}");
        }
    }
}
