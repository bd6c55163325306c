//! Names that lead to this machine and to private networks, and names that change.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use autodevops_sandbox::{HttpOptions, Resolver, SandboxOptions};

use crate::{
    case::{Case, Ending},
    run::options,
    server,
};

use super::{asking, granted, hello, intruder, never_asked};

/// Answers what the case is about, one answer after the other, the last one for ever.
#[derive(Debug)]
pub struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len().saturating_sub(1));
        match self.answers.get(turn) {
            Some(answer) => Ok(answer.clone()),
            // A name server that never answers.
            None => std::future::pending().await,
        }
    }
}

/// An engine whose names are these.
pub fn engine(answers: &[&[&str]]) -> (SandboxOptions, Arc<Names>) {
    let addresses = |answer: &&[&str]| answer.iter().map(|text| text.parse().expect("an address")).collect();
    let names = Arc::new(Names { answers: answers.iter().map(addresses).collect(), asked: AtomicUsize::new(0) });
    let http = HttpOptions { resolver: Some(Arc::clone(&names) as _), ..HttpOptions::default() };
    (SandboxOptions { http, concurrent_calls: 4, ..options().expect("there is a cache") }, names)
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let port = server::address().port();
    let prohibited = [
        ("this machine", &["127.0.0.1"] as &[&str]),
        ("this machine in IPv6", &["::1"]),
        ("this machine, as IPv4 in IPv6", &["::ffff:127.0.0.1"]),
        ("this machine, as IPv4 in IPv6 of old", &["::127.0.0.1"]),
        ("this machine, by NAT64", &["64:ff9b::7f00:1"]),
        ("this machine, by 6to4", &["2002:7f00:1::"]),
        ("this machine, by Teredo", &["2001:0:5ef5:79fd:0:0:80ff:fffe"]),
        ("any address", &["0.0.0.0"]),
        ("a private network", &["10.0.0.1"]),
        ("a private network in IPv6", &["fd00::1"]),
        ("the neighbours", &["fe80::1"]),
        ("a provider's shared network", &["100.64.0.1"]),
        ("many at once", &["224.0.0.1"]),
        ("the metadata of a cloud", &["169.254.169.254"]),
        ("the metadata of a cloud in IPv6", &["fd00:ec2::254"]),
        ("a public address and this machine", &["93.184.216.34", "127.0.0.1"]),
    ];
    let inner = prohibited.into_iter().map(move |(name, answer)| {
        intruder(
            format!("a name that leads to {name}"),
            "http/public-only",
            "ask",
            &format!("GET|http|inner.example:{port}|/ok/inner"),
            Ending::Refuses("DestinationIpProhibited"),
        )
        .given(move |terms| {
            terms.engine = Some(engine(&[answer]).0);
            terms.grant_origin(&format!("http://inner.example:{port}"));
        })
        .and(never_asked("/ok/inner"))
        .raised(
            |terms| {
                granted(terms);
                asking("GET|http|HERE|/ok")(terms);
            },
            hello(),
        )
    });
    let changing = |name: &str, answers: &'static [&'static [&'static str]], part: &'static str| {
        let path = format!("/ok/{part}");
        intruder(
            name,
            "http/one-look-up",
            "many",
            &format!("2|localhost:{port}|{path}"),
            Ending::Refuses("DestinationIpProhibited"),
        )
        .given(move |terms| terms.grant_origin(&format!("http://localhost:{port}")))
        .held(move |terms| terms.engine = Some(engine(answers).0))
        .and(move |_| match server::asked(&path).len() {
            1 => Ok(()),
            count => Err(format!("{count} requests came to the server")),
        })
        .raised(|terms| terms.engine = Some(engine(&[&["127.0.0.1"]]).0), Ending::Says("all answered".into()))
    };
    // The first look-up is of an address that is good: were there a second one before the connection is made, it would go wrong.
    let (once, names) = engine(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let single = intruder(
        "a name that changes between the look and the connection",
        "http/one-look-up",
        "ask",
        &format!("GET|http|localhost:{port}|/ok/once"),
        hello(),
    )
    .given(move |terms| terms.grant_origin(&format!("http://localhost:{port}")))
    .held(move |terms| terms.engine = Some(once.clone()))
    .and(move |_| match (names.asked.load(Ordering::Relaxed), server::asked("/ok/once").len()) {
        (1, 1) => Ok(()),
        (looks, requests) => Err(format!("{looks} look-ups, {requests} requests")),
    })
    .raised(|terms| terms.engine = Some(engine(&[&["169.254.169.254"]]).0), Ending::Refuses("DestinationIpProhibited"));
    inner
        .chain([
            changing(
                "a name that leads to a cloud's metadata with the second request",
                &[&["127.0.0.1"], &["169.254.169.254"]],
                "changed-to-metadata",
            ),
            changing(
                "a name that leads to a private network with the second request",
                &[&["127.0.0.1"], &["10.0.0.1"]],
                "changed-to-private",
            ),
            single,
        ])
        .collect()
}
