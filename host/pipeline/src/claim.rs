//! Runs of one project side by side: each claims the services that its fix touches before it goes on with it, and has them until it only tells
//! people what came of it.

use serde::{Deserialize, Serialize};

use crate::{
    Command, Environment, EventKind, Live, Member, Refused, Run, RunStage,
    decide::{Draft, Input},
    run::name_of,
};

/// Services that a run waits for, and the run that has them or waited for them before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Awaited {
    /// The other run.
    pub run: String,
    /// Which of its services this one is to release, too.
    pub services: Vec<String>,
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {}, which releases {}", self.run, self.services.join(", "))
    }
}

impl Run {
    /// The services that the run is to have to itself: those that it releases; where production's data has a guard all of the project's,
    /// since a snapshot is of the data of all. None until there is a fix.
    pub fn wanted_services(&self) -> Vec<String> {
        let all = !self.plan().data.guards.is_empty();
        match self.fix() {
            None => Vec::new(),
            Some(_) if all => self.plan().services.iter().map(|service| service.name.clone()).collect(),
            Some(_) => self.members().map(|member| member.name().to_owned()).collect(),
        }
    }

    /// The services that are the run's by what is on record, as long as it is in the way of others.
    pub fn claimed_services(&self) -> Vec<String> {
        let has = self.claimed && self.outcome().is_none() && self.is_in_the_way();
        if has { self.wanted_services() } else { Vec::new() }
    }

    /// The services that the run waits for.
    pub const fn awaited(&self) -> Option<&Awaited> {
        self.awaited.as_ref()
    }

    /// Whether what serves in production there, as the target calls the place, is the run's affair now: it releases what comes after that, and
    /// has the service to itself, or the project has no other; or it goes back to it, and cannot, or that was no help.
    pub fn is_about(&self, place: &str) -> bool {
        let mut places = self.members().map(|member| member.place(Environment::Production));
        let releases = self.ending().is_none() && !self.must_claim();
        (releases || self.ends_in_trouble()) && places.any(|own| own == place)
    }

    /// What serves of each of the plan's services, by what is on record: as it was when the run began, or began anew.
    pub fn live(&self) -> Vec<Live> {
        self.all_members().map(|member| member.live().clone()).collect()
    }

    /// Whether nothing is the run's yet: then what serves is not its affair, and it goes no further than to a fix. A project of one service
    /// has one run at a time.
    pub(crate) fn must_claim(&self) -> bool {
        !self.claimed && self.plan().services.len() > 1 && self.ending().is_none()
    }

    /// Asks for the services, where they are to be asked for now. What a host was answered that drove the run before is no answer: the
    /// services are another run's by now, perhaps.
    pub(crate) fn claim(&self) -> Option<Command> {
        let claims = self.stage() == RunStage::CodeReview && self.must_claim();
        let key = || format!("{}/{}", self.anew("claim"), self.fence());
        claims.then(|| Command::Claim { key: key(), services: self.wanted_services() })
    }

    /// The key of what is done again where the run begins anew.
    pub(crate) fn anew(&self, name: &str) -> String {
        match self.begun_anew {
            0 => format!("{}/{name}", self.id()),
            times => format!("{}/{name}/{}", self.id(), times + 1),
        }
    }
}

impl Draft {
    /// The services are the run's, or it waits for them. Where another release of them came to serve than that which the fix is of, the
    /// run begins anew; what came to serve of other services is no affair of the fix.
    pub(crate) fn claimed(&mut self, input: Input) -> Result<(), Refused> {
        let (Input::Claimed { key, .. } | Input::ServicesTaken { key, .. }) = &input else { return Ok(()) };
        let Command::Claim { services, .. } = self.answers(RunStage::CodeReview, "services", key)? else {
            return Err(self.unknown(key));
        };
        match input {
            Input::Claimed { key, fence, base, live } => {
                let current = self.run.fence();
                if fence <= current {
                    return Err(Refused::StaleFence { fence, current });
                }
                if live.len() != self.run.plan().services.len() {
                    return Err(self.unknown(&key));
                }
                let of = |(member, live)| outdated(member, live, &services);
                let outdated = self.run.all_members().zip(&live).find_map(of);
                match outdated {
                    Some(reason) => self.push(EventKind::BegunAnew { base, live, reason }),
                    None => self.push(EventKind::ServicesClaimed { services, fence }),
                }
            }
            Input::ServicesTaken { of, .. } if self.run.awaited() != Some(&of) => {
                self.push(EventKind::ServicesAwaited { of });
            }
            _ => {}
        }
        Ok(())
    }
}

/// That a service that is wanted serves something else than the fix is of.
fn outdated(member: &Member, live: &Live, wanted: &[String]) -> Option<String> {
    if member.live() == live || !wanted.iter().any(|service| service == member.name()) {
        return None;
    }
    let both = [(&member.live().production, &live.production), (&member.live().staging, &live.staging)];
    let (was, is) = both.into_iter().find(|(was, is)| was != is)?;
    Some(format!("{} serves {}, and the fix is of {}", member.name(), name_of(is.as_ref()), name_of(was.as_ref())))
}
