//! Servers that take their time.

use autodevops_policy::Limit;

use crate::{
    case::{Case, Ending, Terms, ms},
    server,
};

use super::{granted, intruder, names::engine};

/// All of them.
pub fn cases() -> Vec<Case> {
    let slow = |name: &str, limit: Limit, promise: &'static str, path: &str, hold: fn(&mut Terms)| {
        intruder(name, promise, "ask", &format!("GET|http|HERE|/{path}"), Ending::Over(limit))
            .given(granted)
            .held(hold)
            .raised(|terms| terms.limits().wall_time = ms(300), Ending::Over(Limit::WallTime))
    };
    let port = server::address().port();
    let first_byte: fn(&mut Terms) = |terms| terms.limits().http_first_byte = ms(100);
    let total: fn(&mut Terms) = |terms| terms.limits().http_total = ms(200);
    vec![
        slow("a server that never answers", Limit::HttpFirstByte, "limits/http-first-byte", "never", first_byte),
        slow("a server that never answers, in all its time", Limit::HttpTotal, "limits/http-total", "never", total),
        slow("a server that drips", Limit::HttpTotal, "limits/http-total", "drip", total),
        slow("a server that drips its head", Limit::HttpTotal, "limits/http-total", "drip-head", total),
        slow("a server that drips its first line", Limit::HttpTotal, "limits/http-total", "drip-first-line", total),
        intruder(
            "an hour to wait, by the guest's own wish",
            "limits/http-first-byte",
            "ask-patiently",
            "HERE|/never",
            Ending::Over(Limit::HttpFirstByte),
        )
        .given(granted)
        .held(first_byte)
        .raised(|terms| terms.limits().wall_time = ms(300), Ending::Over(Limit::WallTime)),
        intruder(
            "a name that is looked up for ever",
            "limits/http-connect",
            "ask",
            &format!("GET|http|slow.example:{port}|/ok"),
            Ending::Over(Limit::HttpConnect),
        )
        .given(move |terms| {
            terms.engine = Some(engine(&[]).0);
            terms.grant_origin(&format!("http://slow.example:{port}"));
        })
        .held(|terms| terms.limits().http_connect = ms(100))
        .raised(|terms| terms.limits().wall_time = ms(300), Ending::Over(Limit::WallTime)),
        intruder(
            "a server that never answers, against the call's own time",
            "limits/wall-time",
            "ask",
            "GET|http|HERE|/never",
            Ending::Over(Limit::WallTime),
        )
        .given(granted)
        .held(|terms| terms.limits().wall_time = ms(200))
        .raised(|terms| terms.limits().http_first_byte = ms(100), Ending::Over(Limit::HttpFirstByte)),
    ]
}
