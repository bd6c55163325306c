//! A service in a run: what serves of it, what is to serve, and how far that is.

use autodevops_model::{Deployment, Measurement, Release, Split};

use super::{Lane, Run};
use crate::{Baseline, Environment, Live, Plan, Service, Watch};

/// What the fresh baseline's name has beyond the candidate's.
const FRESH: &str = "-baseline";

/// The longest name of a release that targets take, in bytes.
const LONGEST_NAME: usize = 64;

/// One of the services that a run releases. They are promoted together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    service: Service,
    /// What events and keys call it: nothing where the project has one service.
    label: String,
    live: Live,
    pub(super) release: Option<Release>,
    pub(super) staging: Lane,
    pub(super) production: Lane,
    /// What stable was last seen to do, while it had production's traffic.
    pub(super) before: Vec<Measurement>,
    /// Whether the host saw that itself.
    pub(super) observed: bool,
    /// Whether stable is not what served when the run started: it is not started anew beside itself, since there may be the one before.
    found: bool,
}

impl Member {
    fn new(service: Service, alone: bool, live: Live) -> Self {
        let serving = |release: Option<&Release>| Lane {
            traffic: release.map(|release| all_of(&release.id)).into_iter().collect(),
            ..Lane::default()
        };
        let label = if alone { String::new() } else { service.name.clone() };
        let (staging, production) = (serving(live.staging.as_ref()), serving(live.production.as_ref()));
        Self {
            service,
            label,
            live,
            release: None,
            staging,
            production,
            before: Vec::new(),
            observed: false,
            found: false,
        }
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.service.name
    }

    /// What events call it: its name, or nothing where the project has one service.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the target calls its environment.
    pub fn place(&self, environment: Environment) -> &str {
        self.service.place(environment)
    }

    /// What served when the run started, or was found to serve since by a person's hand.
    pub const fn live(&self) -> &Live {
        &self.live
    }

    /// The candidate, once it is made.
    pub const fn release(&self) -> Option<&Release> {
        self.release.as_ref()
    }

    /// The candidate's name; empty until it is made.
    pub fn candidate(&self) -> &str {
        self.release.as_ref().map_or("", |release| &release.id)
    }

    /// What the target said of the candidate's deploy.
    pub const fn deployment(&self, environment: Environment) -> Option<&Deployment> {
        self.lane(environment).deployed.as_ref()
    }

    /// The shares of the traffic, by what is on record; empty where nothing serves.
    pub fn traffic(&self, environment: Environment) -> &[Split] {
        &self.lane(environment).traffic
    }

    /// The candidate's share of the environment's traffic, in per cent.
    pub fn share(&self, environment: Environment) -> u8 {
        self.share_of(self.traffic(environment))
    }

    pub(super) fn share_of(&self, splits: &[Split]) -> u8 {
        let candidate = self.release.as_ref().map(|release| &release.id);
        splits.iter().filter(|split| Some(&split.release) == candidate).map(|split| split.percent).sum()
    }

    pub(crate) const fn lane(&self, environment: Environment) -> &Lane {
        match environment {
            Environment::Staging => &self.staging,
            Environment::Production => &self.production,
        }
    }

    pub(super) const fn lane_mut(&mut self, environment: Environment) -> &mut Lane {
        match environment {
            Environment::Staging => &mut self.staging,
            Environment::Production => &mut self.production,
        }
    }

    /// The release that serves, and that traffic goes back to.
    pub const fn stable(&self, environment: Environment) -> Option<&Release> {
        match environment {
            Environment::Staging => self.live.staging.as_ref(),
            Environment::Production => self.live.production.as_ref(),
        }
    }

    /// This release serves production by a person's hand.
    pub(super) fn found_stable(&mut self, release: &Release) {
        if self.live.production.as_ref() == Some(release) {
            return;
        }
        self.live.production = Some(release.clone());
        (self.before, self.observed) = (Vec::new(), false);
        (self.production.baseline, self.found) = (None, true);
    }

    /// The stable release under another name, as which it is started anew: its artifact, with counts of its own.
    pub fn fresh(&self) -> Option<Release> {
        let stable = self.stable(Environment::Production)?;
        let candidate = &self.release()?.id;
        // The end of a name tells releases apart, the beginning may be a service's.
        let cut = candidate.len().saturating_sub(LONGEST_NAME - FRESH.len());
        let own = candidate.get(cut..).unwrap_or(candidate).trim_start_matches('-');
        Some(Release { id: format!("{own}{FRESH}"), ..stable.clone() })
    }

    /// What the target said of the fresh baseline's deploy.
    pub const fn fresh_baseline(&self) -> Option<&Deployment> {
        self.production.baseline.as_ref()
    }

    /// The release that the candidate is compared with while both have production's traffic: the fresh baseline, or stable.
    pub(crate) fn baseline(&self, watch: &Watch) -> Option<String> {
        let both = watch.environment == Environment::Production && watch.percent < 100;
        let fresh = self.fresh_with_traffic();
        let release = fresh.or_else(|| self.stable(Environment::Production).map(|release| release.id.as_str()));
        release.filter(|_| both).map(str::to_owned)
    }

    /// The stable release, where the candidate is not compared with it: of this one only whether it is there to go back to is asked. It has
    /// the rest of the traffic beside a fresh baseline, and none once the candidate has all.
    pub(crate) fn way_back(&self, watch: &Watch) -> Option<String> {
        let stable = self.stable(Environment::Production).filter(|_| watch.environment == Environment::Production)?;
        (self.baseline(watch).as_ref() != Some(&stable.id)).then(|| stable.id.clone())
    }

    fn fresh_with_traffic(&self) -> Option<&str> {
        let fresh = self.fresh_baseline()?.release.id.as_str();
        let has = |split: &Split| split.release == fresh && split.percent > 0;
        self.traffic(Environment::Production).iter().any(has).then_some(fresh)
    }

    /// What stable was last seen to do while it had the environment's traffic.
    pub(crate) fn before(&self, environment: Environment) -> &[Measurement] {
        if environment == Environment::Production { &self.before } else { &[] }
    }

    /// Whether what stable was last seen to do was seen by the host itself.
    pub(crate) const fn was_observed(&self) -> bool {
        self.observed
    }

    /// Production's shares with so much for the candidate, and as much for the fresh baseline where there is one and room for it; stable
    /// has the rest.
    pub(crate) fn step_splits(&self, percent: u8) -> Option<Vec<Split>> {
        let candidate = Split { release: self.release()?.id.clone(), percent };
        if percent >= 100 {
            return Some(vec![candidate]);
        }
        let stable = self.stable(Environment::Production)?.id.clone();
        let fresh = self.fresh_baseline().filter(|_| percent <= Baseline::FRESH_UP_TO);
        let fresh = fresh.map(|deployment| Split { release: deployment.release.id.clone(), percent });
        let rest = 100 - percent - fresh.as_ref().map_or(0, |fresh| fresh.percent);
        Some(std::iter::once(Split { release: stable, percent: rest }).chain(fresh).chain([candidate]).collect())
    }

    /// The key under which the fresh baseline is deployed.
    pub(crate) fn baseline_key(&self, run: &str) -> String {
        self.key(format!("{run}/deploy/baseline"))
    }

    /// A key of the run's, of this service.
    pub(crate) fn key(&self, key: String) -> String {
        if self.label.is_empty() { key } else { format!("{key}/{}", self.label) }
    }
}

/// The release's name, for a person.
pub(crate) fn name_of(release: Option<&Release>) -> &str {
    release.map_or("nothing", |release| &release.id)
}

pub(super) fn all_of(release: &str) -> Split {
    Split { release: release.to_owned(), percent: 100 }
}

/// Each of the plan's services, with what serves of it.
pub(super) fn of_plan(plan: &Plan, live: &[Live]) -> Vec<Member> {
    let alone = plan.services.len() == 1;
    plan.services.iter().zip(live).map(|(service, live)| Member::new(service.clone(), alone, live.clone())).collect()
}

impl Run {
    /// The services that the run releases, in the order in which their traffic is moved: all of the project's until there is a fix, then
    /// those that it touches.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = &Member> {
        self.touched.iter().filter_map(|index| self.members.get(*index))
    }

    /// All of the project's services, in the plan's order.
    pub(crate) fn all_members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// The service that events call so.
    pub fn member(&self, label: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.label == label)
    }

    pub(super) fn member_mut(&mut self, label: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.label == label)
    }

    /// The greatest share of the environment's traffic that a candidate has, in per cent.
    pub(crate) fn share(&self, environment: Environment) -> u8 {
        self.members().map(|member| member.share(environment)).max().unwrap_or(0)
    }

    /// Whether a candidate has some of the environment's traffic, or may have: its intent is on record.
    pub fn is_moved(&self, environment: Environment) -> bool {
        self.members().any(|member| member.lane(environment).moved)
    }

    /// Whether the service's stable release is still to be started anew, beside itself.
    pub(crate) fn awaits_baseline(&self, member: &Member) -> bool {
        let capabilities = self.capabilities();
        let can = capabilities.fresh_baseline && capabilities.split_traffic;
        let wanted = can && self.plan.has_fresh_step() && !member.found;
        wanted && member.fresh().is_some() && member.fresh_baseline().is_none()
    }

    /// The candidates' names, for a person.
    pub(crate) fn candidates(&self) -> String {
        self.members().map(Member::candidate).collect::<Vec<_>>().join(", ")
    }
}
