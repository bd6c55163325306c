//! Where maps lie, and what the sources that they name are called in the project.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;

/// What names a map at the end of a file.
const NAMES: &[u8] = b"sourceMappingURL=";
/// Folders of a frame's file that are looked for below the maps' folder.
const MAX_PARTS: usize = 16;

/// The paths below a folder of code by which a frame's file may be there, the longest first: of `https://shop.example/assets/main.js?v=2`
/// they are `assets/main.js` and `main.js`.
pub fn candidates(file: &str) -> Vec<String> {
    let file = file.split(['?', '#']).next().unwrap_or_default().replace('\\', "/");
    let path = match file.split_once("://") {
        Some(("file", path)) => path,
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => file.as_str(),
    };
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let from = parts.len().saturating_sub(MAX_PARTS);
    (from..parts.len()).map(|from| parts.get(from..).unwrap_or_default().join("/")).collect()
}

/// Whether a file of this name may have been made from another: scripts are.
pub fn is_script(file: &str) -> bool {
    let file = file.split(['?', '#']).next().unwrap_or_default();
    [".js", ".mjs", ".cjs", ".jsx", ".bundle"].iter().any(|end| file.ends_with(end))
}

/// What names the map in the code's last bytes.
pub fn named_map(code: &[u8]) -> Option<&str> {
    let at = memchr::memmem::rfind(code, NAMES)?;
    let before = code.get(..at)?.trim_ascii_end();
    let url = code.get(at + NAMES.len()..)?;
    let end = url.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'*'));
    let url = std::str::from_utf8(url.get(..end.unwrap_or(url.len()))?).ok()?;
    (before.ends_with(b"#") || before.ends_with(b"@")).then_some(url).filter(|url| !url.is_empty())
}

/// The map that an address holds itself; none where it is one of another place.
///
/// # Errors
/// When it cannot be read.
pub fn inline(url: &str) -> Option<Result<Vec<u8>, String>> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    Some(if kind.ends_with(";base64") {
        STANDARD.decode(data.trim_end()).map_err(|error| format!("is not the Base64 that it is said to be: {error}"))
    } else {
        Ok(percent_decode_str(data).collect())
    })
}

/// The path of what a file in the folder names by an address; only its name where that is of another server or leads out of all folders.
pub fn beside(folder: &str, url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let url = percent_decode_str(url).decode_utf8_lossy();
    let name = || url.rsplit('/').next().unwrap_or_default().to_owned();
    if url.contains("://") || url.starts_with('/') {
        let name = name();
        return if folder.is_empty() { name } else { format!("{folder}/{name}") };
    }
    join(folder, &url)
}

/// The path from the folder. What would lead out of the outermost stays in it.
pub fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A source's path in the project, and whether it is a bundler's own: `webpack://shop/./src/a.ts?1a2b` is `src/a.ts`. `folder` is where
/// the map lies in the project.
pub fn of_source(name: &str, folder: &str) -> (String, bool) {
    let name = name.replace('\\', "/");
    match name.split_once("://") {
        Some((scheme, _)) if scheme == "file" || scheme.contains('/') => (name, false),
        Some((_, rest)) => {
            let path = rest.split_once('/').map_or(rest, |(_, path)| path);
            let path = path.split('?').next().unwrap_or_default();
            let path = path.strip_prefix("[project]/").unwrap_or(path);
            (join("", path), path.starts_with("webpack/") || path.starts_with('(') || path.starts_with('['))
        }
        None if name.starts_with('/') => (name, false),
        None => (join(folder, &name), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_file_may_be_any_end_of_its_path() {
        for (file, expected) in [
            ("https://shop.example/assets/main.js?v=2", &["assets/main.js", "main.js"][..]),
            ("/srv/app/dist/main.js", &["srv/app/dist/main.js", "app/dist/main.js", "dist/main.js", "main.js"]),
            ("file:///app/main.mjs", &["app/main.mjs", "main.mjs"]),
            ("C:\\app\\main.js", &["C:/app/main.js", "app/main.js", "main.js"]),
            ("../../etc/./main.js", &["etc/main.js", "main.js"]),
            ("https://shop.example", &[]),
        ] {
            assert_eq!(candidates(file), expected, "{file}");
        }
    }

    #[test]
    fn the_last_comment_names_the_map() {
        for (code, expected) in [
            ("f()\n//# sourceMappingURL=main.js.map\n", Some("main.js.map")),
            ("f()\n//@ sourceMappingURL=old.map", Some("old.map")),
            ("f{}/*# sourceMappingURL=a.map*/", Some("a.map")),
            ("//# sourceMappingURL=a.map\n//# sourceMappingURL=b.map", Some("b.map")),
            ("g(\"sourceMappingURL=no.map\")", None),
            ("//# sourceMappingURL=", None),
            ("f()", None),
        ] {
            assert_eq!(named_map(code.as_bytes()), expected, "{code}");
        }
    }

    #[test]
    fn a_map_lies_beside_its_code_or_in_its_address() {
        assert_eq!(beside("dist/assets", "../maps/a%20b.js.map?x"), "dist/maps/a b.js.map");
        assert_eq!(beside("dist", "https://maps.example/1/main.js.map"), "dist/main.js.map");
        assert_eq!(beside("", "/maps/main.js.map"), "main.js.map");
        assert_eq!(beside("", "../../../etc/passwd"), "etc/passwd");
        assert_eq!(inline("main.js.map"), None);
        assert_eq!(inline("data:application/json;base64,e30="), Some(Ok(b"{}".to_vec())));
        assert_eq!(inline("data:application/json,%7B%7d"), Some(Ok(b"{}".to_vec())));
        assert!(inline("data:application/json;base64,e3!").unwrap().unwrap_err().contains("is not the Base64"));
    }

    #[test]
    fn sources_are_told_as_the_project_calls_them() {
        for (name, folder, expected, foreign) in [
            ("../src/cart.ts", "dist", "src/cart.ts", false),
            ("../src/cart.ts", "packages/web/dist", "packages/web/src/cart.ts", false),
            ("../../src/cart.ts", "dist", "src/cart.ts", false),
            ("webpack:///./src/cart.ts", "dist", "src/cart.ts", false),
            ("webpack://shop/./src/cart.ts?1a2b", "dist", "src/cart.ts", false),
            ("webpack://shop/webpack/bootstrap", "dist", "webpack/bootstrap", true),
            ("webpack://shop/../node_modules/x/y.js", "", "node_modules/x/y.js", false),
            ("turbopack:///[project]/src/cart.ts", "", "src/cart.ts", false),
            ("turbopack:///[turbopack]/runtime.ts", "", "[turbopack]/runtime.ts", true),
            ("file:///srv/shop/src/cart.ts", "dist", "file:///srv/shop/src/cart.ts", false),
            ("/srv/shop/src/cart.ts", "dist", "/srv/shop/src/cart.ts", false),
            ("..\\src\\cart.ts", "dist", "src/cart.ts", false),
        ] {
            assert_eq!(of_source(name, folder), (expected.to_owned(), foreign), "{name} in {folder}");
        }
    }
}
