//! A service in a run: what serves of it, what is to serve, and how far that is.

use autodevops_model::{Deployment, Measurement, Release, Split};

use super::{Lane, Run};
use crate::{Environment, Live, Service, Watch};

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
}

impl Member {
    pub(super) fn new(service: Service, alone: bool, live: Live) -> Self {
        let serving = |release: Option<&Release>| Lane {
            traffic: release.map(|release| all_of(&release.id)).into_iter().collect(),
            ..Lane::default()
        };
        let label = if alone { String::new() } else { service.name.clone() };
        let (staging, production) = (serving(live.staging.as_ref()), serving(live.production.as_ref()));
        Self { service, label, live, release: None, staging, production, before: Vec::new() }
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

    /// What served when the run started.
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

    /// The release that the candidate is compared with: stable, while both have production's traffic.
    pub(crate) fn baseline(&self, watch: &Watch) -> Option<String> {
        let both = watch.environment == Environment::Production && watch.percent < 100;
        self.stable(Environment::Production).filter(|_| both).map(|release| release.id.clone())
    }

    /// What stable was last seen to do while it had the environment's traffic.
    pub(crate) fn before(&self, environment: Environment) -> &[Measurement] {
        if environment == Environment::Production { &self.before } else { &[] }
    }

    /// Production's shares with so much for the candidate; stable has the rest.
    pub(crate) fn step_splits(&self, percent: u8) -> Option<Vec<Split>> {
        let candidate = Split { release: self.release()?.id.clone(), percent };
        if percent >= 100 {
            return Some(vec![candidate]);
        }
        let stable = self.stable(Environment::Production)?;
        Some(vec![Split { release: stable.id.clone(), percent: 100 - percent }, candidate])
    }

    /// A key of the run's, of this service.
    pub(crate) fn key(&self, key: String) -> String {
        if self.label.is_empty() { key } else { format!("{key}/{}", self.label) }
    }
}

pub(super) fn all_of(release: &str) -> Split {
    Split { release: release.to_owned(), percent: 100 }
}

impl Run {
    /// The services that the run releases, in the order in which their traffic is moved: all of the project's until there is a fix, then
    /// those that it touches.
    pub fn members(&self) -> impl DoubleEndedIterator<Item = &Member> {
        self.touched.iter().filter_map(|index| self.members.get(*index))
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

    /// The candidates' names, for a person.
    pub(crate) fn candidates(&self) -> String {
        self.members().map(Member::candidate).collect::<Vec<_>>().join(", ")
    }
}
