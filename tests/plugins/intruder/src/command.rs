//! The operator's commands, with whatever is not theirs.

use crate::{Answer, Parts, bindings::autodevops::host::command, no};

/// Does it, where it is known.
pub fn act(act: &str, parts: &Parts<'_>) -> Option<Answer> {
    Some(match act {
        "run" => run(parts.text(0), "snapshot", parts.text(1)),
        "fill" => run(parts.text(0), parts.text(1), parts.text(2)),
        "often" => (0..parts.number(2))
            .try_for_each(|_| run(parts.text(0), "snapshot", parts.text(1)).map(drop))
            .map(|()| "all done".to_owned()),
        _ => return None,
    })
}

fn run(name: &str, placeholder: &str, value: &str) -> Answer {
    let completed = command::run(name, &[(placeholder.to_owned(), value.to_owned())]).map_err(no)?;
    Ok(format!("{} with {} bytes", completed.status, completed.stdout.len()))
}
