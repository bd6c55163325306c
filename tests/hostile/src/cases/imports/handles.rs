//! How a guest comes by a handle of each resource: by the functions that give it, the answer of a server included. What no
//! guest can hold is named, and why.

use crate::component::{Wat, plain};

/// A way to a handle.
struct Recipe {
    /// What it gives: a resource's name, or a step on the way to one.
    gives: &'static str,
    /// Others that it needs, each once.
    needs: &'static [&'static str],
    /// Functions that it calls itself.
    imports: &'static [(&'static str, &'static str)],
    /// Host calls that it makes itself.
    calls: u32,
    /// Its code: leaves the handle on the stack. A recipe `x` is called as `$a-x`; results are put at [`RESULTS`].
    code: &'static str,
}

const TYPES: &str = "wasi:http/types";
const PREOPENS: (&str, &str) = ("wasi:filesystem/preopens", "get-directories");

/// Key of the configuration that holds the server's address.
pub const SERVER_KEY: &str = "server";

/// The path that is asked for: its answer has a head, promises a body, and ends.
pub const PATH: &str = "/cut-early";

/// What the recipes' code refers to: the key, the path, and where results are put (2048, aligned to 8).
fn data() -> String {
    format!("(data (i32.const 1200) \"{SERVER_KEY}\") (data (i32.const 1216) \"{PATH}\")")
}

const RECIPES: &[Recipe] = &[
    Recipe {
        gives: "output-stream",
        needs: &[],
        imports: &[("wasi:cli/stdout", "get-stdout")],
        calls: 1,
        code: "(call $get-stdout)",
    },
    Recipe {
        gives: "input-stream",
        needs: &[],
        imports: &[("wasi:cli/stdin", "get-stdin")],
        calls: 1,
        code: "(call $get-stdin)",
    },
    Recipe {
        gives: "pollable",
        needs: &["output-stream"],
        imports: &[("wasi:io/streams", "[method]output-stream.subscribe")],
        calls: 1,
        code: "(call $method_output-stream.subscribe (call $a-output-stream))",
    },
    Recipe {
        gives: "network",
        needs: &[],
        imports: &[("wasi:sockets/instance-network", "instance-network")],
        calls: 1,
        code: "(call $instance-network)",
    },
    Recipe {
        gives: "descriptor",
        needs: &[],
        imports: &[PREOPENS],
        calls: 1,
        code: "(call $get-directories (i32.const 2048)) (i32.load (i32.load (i32.const 2048)))",
    },
    Recipe {
        gives: "directory-entry-stream",
        needs: &["descriptor"],
        imports: &[("wasi:filesystem/types", "[method]descriptor.read-directory")],
        calls: 1,
        code: "(call $method_descriptor.read-directory (call $a-descriptor) (i32.const 2048))
               (i32.load offset=4 (i32.const 2048))",
    },
    Recipe {
        gives: "bucket",
        needs: &[],
        imports: &[("wasi:keyvalue/store", "open")],
        calls: 1,
        code: "(call $open (i32.const 0) (i32.const 0) (i32.const 2048)) (i32.load offset=4 (i32.const 2048))",
    },
    Recipe {
        gives: "fields",
        needs: &[],
        imports: &[(TYPES, "[constructor]fields")],
        calls: 1,
        code: "(call $constructor_fields)",
    },
    Recipe {
        gives: "request-options",
        needs: &[],
        imports: &[(TYPES, "[constructor]request-options")],
        calls: 1,
        code: "(call $constructor_request-options)",
    },
    Recipe {
        gives: "outgoing-request",
        needs: &["fields"],
        imports: &[(TYPES, "[constructor]outgoing-request")],
        calls: 1,
        code: "(call $constructor_outgoing-request (call $a-fields))",
    },
    Recipe {
        gives: "outgoing-response",
        needs: &["fields"],
        imports: &[(TYPES, "[constructor]outgoing-response")],
        calls: 1,
        code: "(call $constructor_outgoing-response (call $a-fields))",
    },
    Recipe {
        gives: "outgoing-body",
        needs: &["outgoing-request"],
        imports: &[(TYPES, "[method]outgoing-request.body")],
        calls: 1,
        code: "(call $method_outgoing-request.body (call $a-outgoing-request) (i32.const 2048))
               (i32.load offset=4 (i32.const 2048))",
    },
    Recipe {
        gives: "request-to-the-server",
        needs: &["outgoing-request"],
        imports: &[
            ("wasi:config/store", "get"),
            (TYPES, "[method]outgoing-request.set-scheme"),
            (TYPES, "[method]outgoing-request.set-authority"),
            (TYPES, "[method]outgoing-request.set-path-with-query"),
        ],
        calls: 4,
        code: "(local $request i32) (local.set $request (call $a-outgoing-request))
               (call $get (i32.const 1200) (i32.const 6) (i32.const 2048))
               (drop (call $method_outgoing-request.set-scheme
                    (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
               (drop (call $method_outgoing-request.set-authority (local.get $request) (i32.const 1)
                    (i32.load offset=8 (i32.const 2048)) (i32.load offset=12 (i32.const 2048))))
               (drop (call $method_outgoing-request.set-path-with-query
                    (local.get $request) (i32.const 1) (i32.const 1216) (i32.const 10)))
               (local.get $request)",
    },
    Recipe {
        gives: "future-incoming-response",
        needs: &["request-to-the-server"],
        imports: &[("wasi:http/outgoing-handler", "handle")],
        // The request itself asks once more, where its URL is known.
        calls: 2,
        code: "(call $handle (call $a-request-to-the-server) (i32.const 0) (i32.const 0) (i32.const 2048))
               (if (i32.load8_u (i32.const 2048)) (then (unreachable)))
               (i32.load offset=8 (i32.const 2048))",
    },
    Recipe {
        gives: "incoming-response",
        needs: &["future-incoming-response"],
        imports: &[
            (TYPES, "[method]future-incoming-response.subscribe"),
            ("wasi:io/poll", "[method]pollable.block"),
            (TYPES, "[method]future-incoming-response.get"),
        ],
        calls: 3,
        code: "(local $future i32) (local.set $future (call $a-future-incoming-response))
               (call $method_pollable.block (call $method_future-incoming-response.subscribe (local.get $future)))
               (call $method_future-incoming-response.get (local.get $future) (i32.const 2048))
               (if (i32.or (i32.load8_u offset=8 (i32.const 2048)) (i32.load8_u offset=16 (i32.const 2048)))
                    (then (unreachable)))
               (i32.load offset=24 (i32.const 2048))",
    },
    Recipe {
        gives: "incoming-body",
        needs: &["incoming-response"],
        imports: &[(TYPES, "[method]incoming-response.consume")],
        calls: 1,
        code: "(call $method_incoming-response.consume (call $a-incoming-response) (i32.const 2048))
               (i32.load offset=4 (i32.const 2048))",
    },
    Recipe {
        gives: "future-trailers",
        needs: &["incoming-body"],
        imports: &[(TYPES, "[static]incoming-body.finish")],
        calls: 1,
        code: "(call $static_incoming-body.finish (call $a-incoming-body))",
    },
    Recipe {
        gives: "error",
        needs: &["incoming-body"],
        imports: &[(TYPES, "[method]incoming-body.stream"), ("wasi:io/streams", "[method]input-stream.blocking-read")],
        calls: 2,
        // The body is cut before its first byte: what comes of the first read is the error.
        code: "(call $method_incoming-body.stream (call $a-incoming-body) (i32.const 2048))
               (call $method_input-stream.blocking-read
                    (i32.load offset=4 (i32.const 2048)) (i64.const 100) (i32.const 2048))
               (if (i32.eqz (i32.load8_u (i32.const 2048))) (then (unreachable)))
               (i32.load offset=8 (i32.const 2048))",
    },
];

/// Resources that no guest can hold a handle of, and why: their functions are refused by the engine, by the handle.
pub const NEVER_HELD: &[(&str, &str)] = &[
    ("incoming-request", "is given to components that serve, and none does"),
    ("response-outparam", "is given to components that serve, and none does"),
    ("terminal-input", "no plugin has a terminal"),
    ("terminal-output", "no plugin has a terminal"),
    ("tcp-socket", "no socket is ever made"),
    ("udp-socket", "no socket is ever made"),
    ("incoming-datagram-stream", "no socket is ever made"),
    ("outgoing-datagram-stream", "no socket is ever made"),
    ("resolve-address-stream", "no name is ever looked up"),
];

fn recipe(gives: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.gives == gives)
}

/// The host calls by which a guest comes by a handle; none where it cannot.
pub fn calls_for(resource: &str) -> Option<u32> {
    let recipe = recipe(resource)?;
    Some(recipe.calls + recipe.needs.iter().filter_map(|need| calls_for(need)).sum::<u32>())
}

/// The guest with the function `$a-RESOURCE` for each of these, and all that they need.
pub fn with_handles(guest: Wat, resources: &[String]) -> Wat {
    let mut wanted: Vec<&Recipe> = Vec::new();
    let mut next: Vec<&str> = resources.iter().map(String::as_str).collect();
    while let Some(resource) = next.pop() {
        let Some(found) = recipe(resource) else { continue };
        if !wanted.iter().any(|recipe| recipe.gives == resource) {
            wanted.push(found);
            next.extend(found.needs);
        }
    }
    let guest = if wanted.is_empty() { guest } else { guest.with(&data()) };
    wanted.iter().fold(guest, |guest, recipe| {
        let function = format!("(func $a-{} (result i32) {})", plain(recipe.gives), recipe.code);
        recipe.imports.iter().fold(guest.with(&function), |guest, (interface, name)| guest.import(interface, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_and_the_key_have_the_lengths_that_the_code_says() {
        assert_eq!((SERVER_KEY.len(), PATH.len()), (6, 10));
    }

    #[test]
    fn a_handle_costs_its_own_calls_and_those_of_all_that_it_needs() {
        assert_eq!(calls_for("fields"), Some(1));
        assert_eq!(calls_for("outgoing-request"), Some(2));
        assert_eq!(calls_for("error"), Some(2 + 4 + 2 + 3 + 1 + 2));
        assert_eq!(calls_for("tcp-socket"), None);
    }

    #[test]
    fn what_a_recipe_needs_is_a_recipe_and_what_is_never_held_has_none() {
        for recipe in RECIPES {
            for need in recipe.needs {
                assert!(super::recipe(need).is_some(), "{} needs {need}", recipe.gives);
                assert!(recipe.code.contains(&format!("$a-{need}")), "{} does not use {need}", recipe.gives);
            }
        }
        for (resource, _) in NEVER_HELD {
            assert!(recipe(resource).is_none(), "{resource}");
        }
    }
}
