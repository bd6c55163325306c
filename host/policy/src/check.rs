//! Whether an operator's grant fits what a plugin asks for. What is granted and not asked for has no effect, and is most likely
//! a mistake: it is refused by name.

use crate::{
    Access, BindingError, CredentialBinding, Destination, Grant, Manifest, Methods, asked::Asked, strict_toml::nearest,
    words,
};

/// Why a grant does not fit a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It grants what the plugin does not ask for.
    #[error(
        "plugin `{plugin}` does not ask for what [plugins.{plugin}.grant] {key} grants; it asks for {asked}; remove it"
    )]
    NotAsked {
        /// The plugin.
        plugin: String,
        /// The key, with its value where that tells which.
        key: String,
        /// What the manifest asks for instead, in words.
        asked: String,
    },
    /// Neither side names a host.
    #[error(
        "plugin `{plugin}` leaves the host to the operator, and [plugins.{plugin}.grant] http = [\"{origin}\"] names none; \
         name it, such as `{scheme}://api.example.com`"
    )]
    NoHost {
        /// The plugin.
        plugin: String,
        /// The origin that is granted.
        origin: String,
        /// Its scheme.
        scheme: String,
    },
    /// A credential's binding binds nothing.
    #[error(transparent)]
    Binding(#[from] BindingError),
}

/// Whether each thing that is granted was asked for, and each credential's binding is one. Which credentials are not bound,
/// [`missing`](crate::missing) tells.
///
/// # Errors
/// The first [`GrantError`].
pub fn check_grant(manifest: &Manifest, grant: &Grant) -> Result<(), GrantError> {
    let plugin = manifest.name.as_str();
    let asked = Asked::of(manifest);
    let not_asked = |key: String, asked: String| GrantError::NotAsked { plugin: plugin.to_owned(), key, asked };
    let mail = words::list(grant.mail.iter().map(|recipient| format!("\"{recipient}\"")));
    let yes = || "true".to_owned();
    let granted = [
        (grant.clocks, yes()),
        (grant.random, yes()),
        (grant.keyvalue, yes()),
        (grant.local_target, yes()),
        (!grant.mail.is_empty(), format!("[{mail}]")),
    ];
    for ((is_asked, key, _), (granted, value)) in asked.flags().into_iter().zip(granted) {
        if granted && !is_asked {
            return Err(not_asked(format!("{key} = {value}"), kinds(&asked)));
        }
    }
    for (guest, preopen) in &grant.files {
        let folders = || match asked.files.is_empty() {
            true => kinds(&asked),
            false => words::list(asked.files.iter().map(|(guest, access)| match access {
                Access::ReadOnly => format!("{guest} to read"),
                Access::ReadWrite => format!("{guest} to read and write"),
            })),
        };
        match asked.files.get(guest) {
            None => return Err(not_asked(format!("files.{guest:?}"), folders())),
            Some(Access::ReadOnly) if preopen.access == Access::ReadWrite => {
                return Err(not_asked(format!("files.{guest:?} = {{ access = \"read-write\" }}"), folders()));
            }
            Some(_) => {}
        }
    }
    if let Some(name) = grant.commands.difference(&asked.commands).next() {
        let known = asked.commands.iter().map(|name| format!("`{name}`"));
        let instead = match (nearest(name, asked.commands.iter().map(String::as_str)), asked.commands.is_empty()) {
            (_, true) => kinds(&asked),
            (Some(near), _) => format!("the command `{near}`"),
            (None, _) => format!("the commands {}", words::list(known)),
        };
        return Err(not_asked(format!("commands = [\"{name}\"]"), instead));
    }
    for destination in &grant.http {
        check_destination(plugin, &asked, destination)?;
    }
    for (name, binding) in &grant.credentials {
        check_binding(plugin, &asked, name, binding)?;
    }
    Ok(())
}

fn check_destination(plugin: &str, asked: &Asked, granted: &Destination) -> Result<(), GrantError> {
    let origin = &granted.origin;
    let not_asked = |key: String| {
        let asked = if asked.http.is_empty() { kinds(asked) } else { words::list(&asked.http) };
        GrantError::NotAsked { plugin: plugin.to_owned(), key, asked }
    };
    let overlapping: Vec<&Destination> = asked.http.iter().filter(|asked| asked.origin.overlaps(origin)).collect();
    if overlapping.is_empty() {
        return Err(not_asked(format!("http = [\"{origin}\"]")));
    }
    // Every method is what a grant means that names none; those that it does name must be asked for.
    let asked_methods = overlapping.iter().fold(Methods::NONE, |methods, asked| methods.or(asked.methods));
    let more = granted.methods.without(asked_methods);
    if !granted.methods.is_all() && !more.is_empty() {
        let more = words::list(more.iter().map(|method| format!("\"{method}\"")));
        return Err(not_asked(format!("http = [{{ origin = \"{origin}\", methods = [{more}] }}]")));
    }
    match origin.any_host() {
        Some(scheme) if overlapping.iter().all(|asked| asked.origin.any_host().is_some()) => {
            Err(GrantError::NoHost { plugin: plugin.to_owned(), origin: origin.to_string(), scheme: scheme.to_owned() })
        }
        _ => Ok(()),
    }
}

fn check_binding(plugin: &str, asked: &Asked, name: &str, binding: &CredentialBinding) -> Result<(), GrantError> {
    let not_asked = |key: String, asked: String| GrantError::NotAsked { plugin: plugin.to_owned(), key, asked };
    let Some(credential) = asked.credentials.get(name) else {
        let known = asked.credentials.keys().map(String::as_str);
        let instead = match (nearest(name, known.clone()), asked.credentials.is_empty()) {
            (_, true) => "no credential".to_owned(),
            (Some(near), _) => format!("the credential `{near}`"),
            (None, _) => format!("the credentials {}", words::list(known.map(|name| format!("`{name}`")))),
        };
        return Err(not_asked(format!("credentials.{name}"), instead));
    };
    binding.source(plugin, name)?;
    for origin in &binding.origins {
        if !credential.origins.iter().any(|asked| asked.overlaps(origin)) {
            let key = format!("credentials.{name}.origins = [\"{origin}\"]");
            return Err(not_asked(key, format!("it to be sent to {}", words::list(&credential.origins))));
        }
    }
    Ok(())
}

/// The kinds of what is asked for.
fn kinds(asked: &Asked) -> String {
    let flags = asked.flags().into_iter().filter(|(asked, ..)| *asked).map(|(_, key, _)| key);
    let lists = [
        (asked.files.is_empty(), "files"),
        (asked.http.is_empty(), "http"),
        (asked.commands.is_empty(), "commands"),
        (asked.credentials.is_empty(), "credentials"),
    ];
    words::list(
        lists.into_iter().filter(|(empty, _)| !empty).map(|(_, key)| key).chain(flags).map(|key| format!("`{key}`")),
    )
}

#[cfg(test)]
mod tests;
