//! Several services that hang together: what goes wrong in one is told of by all that ask it, and what goes wrong elsewhere at the
//! same time is another thing.

use crate::{
    Truth,
    form::Level,
    incident::Incident,
    random::Random,
    service::{Given, Service},
};

/// What comes of requests in each of the services, from the one that is asked first to the last: what it is, that it was done, that
/// it failed, and how it names the request.
const HOPS: [Hop; 3] = [
    Hop {
        source: "gateway.log",
        component: "edge",
        done: "request to /checkout was answered",
        failed: "request to /checkout failed with status 502",
        id: "request_id",
    },
    Hop {
        source: "checkout.log",
        component: "checkout",
        done: "checkout was written down",
        failed: "could not write the checkout down",
        id: "trace_id",
    },
    Hop {
        source: "postgres.log",
        component: "db",
        done: "statement was executed",
        failed: "could not serialize access because of a concurrent update",
        id: "req",
    },
];

struct Hop {
    source: &'static str,
    component: &'static str,
    done: &'static str,
    failed: &'static str,
    id: &'static str,
}

/// The logs of several services, and what is wrong in them.
pub fn any(random: &mut Random) -> (Vec<(String, String)>, Vec<Truth>) {
    let length = random.scale(2400.0, 15_000.0);
    let span = (1_795_000_000.0 + random.between(0.0, 2e6), length);
    match random.below(3) {
        0 => passed_on(random, span),
        1 => cascade(random, span),
        _ => apart(random, span),
    }
}

type Lines = Vec<(f64, String)>;

fn source(name: &str, mut lines: Lines) -> (String, String) {
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    (name.to_owned(), lines.into_iter().map(|(_, line)| line).collect())
}

/// Requests that fail in the last service, whose ids all services write; in some, mails fail at the same time, with ids of their own.
fn passed_on(random: &mut Random, span: (f64, f64)) -> (Vec<(String, String)>, Vec<Truth>) {
    let number = 2 + random.below(2);
    let hops = &HOPS[HOPS.len() - number..];
    let from = random.between(0.4, 0.8) * span.1;
    let services: Vec<Service> = (0..number)
        .map(|_| Service::any(random, Incident::None, Given { span: Some(span), ..Given::default() }))
        .collect();
    let mut lines: Vec<Lines> = services.iter().map(|service| service.lines(random)).collect();
    let rate = random.scale(600.0, 4000.0) / span.1;
    let fails = random.scale(15.0, 200.0) / (rate * (span.1 - from));
    let mut at = random.wait(rate);
    while at < span.1 {
        let id = format!("{:016x}", random.number());
        let fail = at >= from && random.happens(fails.min(0.6));
        for (index, hop) in hops.iter().enumerate() {
            // Who is asked last answers first.
            let at = at + 0.004 * (number - index) as f64;
            let (level, text) = if fail { (Level::Error, hop.failed) } else { (Level::Info, hop.done) };
            let text = format!("{text} {}={id}", hop.id);
            lines[index].push((at, services[index].line(at, level, hop.component, &text)));
        }
        at += random.wait(rate);
    }
    let tells = services.iter().all(|service| service.form.tells_milliseconds());
    let marks: Vec<String> = hops.iter().map(|hop| hop.failed.to_owned()).collect();
    let cause = marks.last().cloned().filter(|_| tells);
    let kinds = vec!["new-pattern", "error-burst"];
    let (what, also) = ("passed on", Vec::new());
    let mut truths = vec![Truth { what, kinds: kinds.clone(), marks, also, cause, is_one: true }];
    let mut sources: Vec<(String, String)> =
        hops.iter().zip(lines).map(|(hop, lines)| source(hop.source, lines)).collect();
    if random.happens(0.5) {
        let given = Given { span: Some(span), is_fleet: true, ..Given::default() };
        let service = Service::any(random, Incident::None, given);
        let mut lines = service.lines(random);
        let failed = "newsletter could not be handed to the relay";
        let rate = random.scale(15.0, 100.0) / (span.1 - from);
        let mut at = from + random.wait(rate);
        while at < span.1 {
            let id = format!("{:016x}", random.number());
            lines.push((at, service.line(at, Level::Error, "letters", &format!("{failed} request_id={id}"))));
            at += random.wait(rate);
        }
        sources.push(source("letters.log", lines));
        let (what, marks, also) = ("beside it", vec![failed.to_owned()], Vec::new());
        truths.push(Truth { what, kinds, marks, also, cause: None, is_one: true });
    }
    (sources, truths)
}

/// A service that gets slow, one that does not get its answers in time, and one that is asked less: nothing but time tells that
/// it is one.
fn cascade(random: &mut Random, span: (f64, f64)) -> (Vec<(String, String)>, Vec<Truth>) {
    let from = random.between(0.4, 0.7) * span.1;
    let mut follows = vec![("postgres.log", Incident::Latency, false), ("checkout.log", Incident::NewPattern, false)];
    if random.happens(0.6) {
        follows.push(("gateway.log", Incident::RateChange, true));
    }
    let (mut sources, mut kinds, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (name, incident, is_fleet)) in follows.into_iter().enumerate() {
        let from = Some(from + index as f64 * random.between(1.0, 6.0));
        let given = Given { span: Some(span), from, is_fleet, ..Given::default() };
        let mut service = Service::any(random, incident, given);
        if service.incident == Incident::None {
            continue;
        }
        service.to = span.1;
        match incident {
            Incident::Latency => service.factor = service.factor.max(3.0),
            Incident::RateChange => service.factor = random.between(0.1, 0.3),
            _ => {}
        }
        sources.push(source(name, service.lines(random)));
        if let Some(truth) = service.truth() {
            kinds.extend(truth.kinds);
            marks.extend(truth.marks);
        }
    }
    kinds.push("error-burst");
    (sources, vec![Truth { what: "cascade", kinds, marks, also: Vec::new(), cause: None, is_one: true }])
}

/// Two services that have nothing to do with each other, and go wrong at different times.
fn apart(random: &mut Random, span: (f64, f64)) -> (Vec<(String, String)>, Vec<Truth>) {
    use Incident::{ErrorBurst, Latency, NewPattern, RateChange, Vanished};
    let first = random.between(0.3, 0.5) * span.1;
    let second = first + random.between(0.15, 0.3) * span.1;
    let (mut sources, mut truths) = (Vec::new(), Vec::new());
    for (name, from, is_fleet) in [("shop.log", first, false), ("fleet.log", second, true)] {
        let incident = *random.one_of(&[ErrorBurst, Latency, NewPattern, RateChange, Vanished]);
        let given = Given { span: Some(span), from: Some(from), is_fleet, ..Given::default() };
        let service = Service::any(random, incident, given);
        sources.push(source(name, service.lines(random)));
        truths.extend(service.truth());
    }
    (sources, truths)
}
