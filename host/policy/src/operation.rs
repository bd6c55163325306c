//! What a plugin asks the host for, and the decision about it.

use crate::{
    Destination, EffectiveGrant, Limit, MailAddress, Method, OverLimit,
    manifest::is_name,
    text::{escape, one_line},
};

/// Something that a plugin asks the host for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The wall clock or the monotonic clock.
    Clock,
    /// Random bytes.
    Random,
    /// Environment variables, arguments or the working directory.
    Environment,
    /// The list of preopened folders.
    Preopens,
    /// A file or folder below a preopen, by path.
    Open {
        /// The path as the plugin gave it.
        path: String,
        /// Whether something is written, made or removed there.
        write: bool,
    },
    /// A socket or a look-up of a name, by kind.
    Socket(&'static str),
    /// The plugin's own configuration.
    Config,
    /// A line into the host's log.
    Log,
    /// A word on what the call used elsewhere, such as tokens of a language model.
    Usage,
    /// Standard input, output or error, by name.
    Stdio(&'static str),
    /// The end of the call by the plugin's own word.
    Exit,
    /// The local target.
    LocalTarget {
        /// The function, such as `traffic.set`.
        function: &'static str,
        /// What it is about, in words: the environment, the releases and their shares.
        target: String,
    },
    /// A command of the operator.
    Command {
        /// Its name.
        name: String,
        /// What is filled into it, in words.
        with: String,
    },
    /// A request, by method and URL.
    Http {
        /// The method, in capitals.
        method: String,
        /// The URL.
        url: String,
    },
    /// A mail to somebody: asked for each recipient, by the address as the plugin gave it.
    Mail(String),
    /// The plugin's own store, by bucket.
    KeyValue(String),
    /// A function that only works on what was acquired before, by interface and function.
    Use {
        /// The interface, such as `wasi:io/streams`.
        interface: &'static str,
        /// The function, such as `[method]input-stream.read`.
        function: &'static str,
    },
}

impl Operation {
    /// A short name for records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Environment => "environment",
            Self::Preopens => "preopens",
            Self::Open { .. } => "open",
            Self::Socket(_) => "socket",
            Self::Config => "config",
            Self::Log => "log",
            Self::Usage => "usage",
            Self::Stdio(_) => "stdio",
            Self::Exit => "exit",
            Self::LocalTarget { .. } => "local-target",
            Self::Command { .. } => "command",
            Self::Http { .. } => "http",
            Self::Mail(_) => "mail",
            Self::KeyValue(_) => "keyvalue",
            Self::Use { .. } => "use",
        }
    }
}

/// A refusal. As an error of a host call that cannot say no by itself, it ends the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The operator has not granted it.
    #[error("plugin `{plugin}` asked for {what}, which it was not granted; grant it with {remedy}")]
    NotGranted {
        /// The plugin.
        plugin: String,
        /// What was asked for, in words.
        what: String,
        /// The key that grants it.
        remedy: String,
    },
    /// The call went over one of its limits.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
}

impl Denial {
    /// The limit that was gone over, where it was one.
    pub const fn limit(&self) -> Option<Limit> {
        match self {
            Self::NotGranted { .. } => None,
            Self::OverLimit(over) => Some(over.limit),
        }
    }
}

impl EffectiveGrant {
    /// Whether the plugin may do it. Limits are counted apart, by a [`Meter`](crate::Meter).
    ///
    /// # Errors
    /// The [`Denial`], which names the plugin, the thing and the key that grants it.
    pub fn decide(&self, plugin: &str, operation: &Operation) -> Result<(), Denial> {
        let key_of_command;
        let (granted, what, key) = match operation {
            // Only reachable through what was acquired before, or the plugin's own.
            Operation::Open { .. }
            | Operation::Config
            | Operation::Log
            | Operation::Usage
            | Operation::Stdio(_)
            | Operation::Exit
            | Operation::Use { .. } => return Ok(()),
            Operation::Clock if self.clocks => return Ok(()),
            Operation::Random if self.random => return Ok(()),
            Operation::Clock => (false, "the clock".to_owned(), "clocks = true"),
            Operation::Random => (false, "randomness".to_owned(), "random = true"),
            // Never granted: what a plugin needs to know is in its configuration.
            Operation::Environment => (false, "the environment".to_owned(), "a key of [config] instead"),
            Operation::Preopens => (!self.files.is_empty(), "files".to_owned(), "files.\"/PATH\" = { … }"),
            Operation::Socket(kind) => (false, format!("a {kind}"), "http = [\"https://…\"] instead"),
            Operation::LocalTarget { function, .. } => {
                (self.local_target, format!("the local target ({function})"), "local-target = true")
            }
            Operation::Command { name, .. } => {
                // A name that could be none is not offered as something to grant.
                key_of_command = match is_name(name) {
                    true => format!("commands = [\"{name}\"], and its manifest must ask for it"),
                    false => "commands = [\"NAME\"], by the name of one of [commands]".to_owned(),
                };
                (
                    self.commands.contains(name),
                    format!("the command `{}`", escape(&one_line(name))),
                    key_of_command.as_str(),
                )
            }
            Operation::KeyValue(_) => (self.keyvalue, "a key-value store".to_owned(), "keyvalue = true"),
            Operation::Mail(to) => {
                let address = to.parse::<MailAddress>();
                let granted = address.is_ok_and(|address| self.mail.iter().any(|recipient| recipient.allows(&address)));
                (granted, format!("mail to {to:?}"), "mail = [\"NAME@DOMAIN\"], and its manifest must ask for it")
            }
            Operation::Http { method, url } => {
                let parsed = url::Url::parse(url);
                let to_url = |rule: &&Destination| parsed.as_ref().is_ok_and(|url| rule.allows(url));
                let granted = method.parse().is_ok_and(|method: Method| {
                    self.http.iter().filter(to_url).any(|rule| rule.methods.contains(method))
                });
                let key = if self.http.iter().any(|rule| to_url(&rule)) {
                    "http = [{ origin = \"SCHEME://HOST:PORT\", methods = [\"METHOD\"] }], and its manifest must ask for it"
                } else {
                    "http = [\"SCHEME://HOST:PORT\"], and its manifest must ask for it"
                };
                (granted, format!("{method} {url}"), key)
            }
        };
        if granted {
            return Ok(());
        }
        let remedy = format!("[plugins.{plugin}.grant] {key}");
        Err(Denial::NotGranted { plugin: plugin.to_owned(), what, remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_by_default_and_each_denial_names_its_remedy() {
        let grant = EffectiveGrant::default();
        let http = Operation::Http { method: "GET".into(), url: "https://example.com/".into() };
        for (operation, remedy) in [
            (Operation::Clock, "[plugins.a.grant] clocks = true"),
            (Operation::Random, "[plugins.a.grant] random = true"),
            (Operation::Environment, "[config]"),
            (Operation::Preopens, "files"),
            (Operation::Socket("TCP socket"), "http = "),
            (Operation::LocalTarget { function: "traffic.set", target: "production".into() }, "local-target = true"),
            (Operation::KeyValue("b".into()), "keyvalue = true"),
            (Operation::Command { name: "dump".into(), with: String::new() }, "commands = [\"dump\"]"),
            (http, "http = "),
            (Operation::Mail("ada@example.com".into()), "[plugins.a.grant] mail = "),
        ] {
            let text = grant.decide("a", &operation).unwrap_err().to_string();
            assert!(text.contains(remedy), "{text}");
        }
    }

    #[test]
    fn a_command_is_decided_by_its_whole_name() {
        let grant = EffectiveGrant { commands: ["dump".to_owned()].into(), ..EffectiveGrant::default() };
        let decide = |name: &str| grant.decide("a", &Operation::Command { name: name.into(), with: String::new() });
        assert_eq!(decide("dump"), Ok(()));
        for name in ["Dump", "dump ", "dump\0", "dum", "dump/../x", "", "dump\"]\nclocks = true"] {
            let error = decide(name).unwrap_err().to_string();
            assert!(error.contains("commands = [") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn mail_is_decided_by_whom_it_goes_to() {
        let mail = ["ada@example.com", "*@ops.example"].map(|text| text.parse().unwrap()).to_vec();
        let grant = EffectiveGrant { mail, ..EffectiveGrant::default() };
        let decide = |to: &str| grant.decide("a", &Operation::Mail(to.into())).map_err(|error| error.to_string());
        for to in ["ada@example.com", "ada@Example.com", "anyone@ops.example"] {
            assert_eq!(decide(to), Ok(()), "{to}");
        }
        for to in
            ["eve@example.com", "x@a.ops.example", "", "ada@example.com, eve@evil.example", "ada@example.com\r\nBcc: x"]
        {
            let error = decide(to).unwrap_err();
            assert!(error.contains("asked for mail to \"") && !error.contains('\r'), "{error}");
        }
    }

    #[test]
    fn a_request_is_decided_by_its_method_and_its_url() {
        let get = Destination {
            origin: "https://a.example/v1".parse().unwrap(),
            methods: [Method::Get, Method::Head].into_iter().collect(),
        };
        let grant =
            EffectiveGrant { http: vec![get, "https://b.example".parse().unwrap()], ..EffectiveGrant::default() };
        let decide = |method: &str, url: &str| {
            grant.decide("a", &Operation::Http { method: method.into(), url: url.into() }).map_err(|e| e.to_string())
        };
        for (method, url) in
            [("GET", "https://a.example/v1/x"), ("HEAD", "https://a.example/v1"), ("DELETE", "https://b.example/")]
        {
            assert_eq!(decide(method, url), Ok(()), "{method} {url}");
        }
        let error = decide("POST", "https://a.example/v1/x").unwrap_err();
        assert!(error.contains("asked for POST https://a.example/v1/x") && error.contains("methods = ["), "{error}");
        for (method, url) in [
            ("GET", "https://a.example/v2"),
            ("GET", "https://c.example/"),
            ("get", "https://b.example/"),
            ("CONNECT", "https://b.example/"),
            ("TRACE", "https://b.example/"),
            ("GET", "no url"),
            ("GET", "https://x@b.example/"),
        ] {
            assert!(decide(method, url).is_err(), "{method} {url}");
        }
    }
}
