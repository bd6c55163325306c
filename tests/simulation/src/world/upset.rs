//! What goes wrong in the world, and what people do past a run.

use std::time::Duration;

use autodevops_model::Split;
use autodevops_pipeline::Environment;

use super::{World, nanoseconds};
use crate::{
    stock::{self, FOREIGN, NEW, OLD, SECOND},
    target::Lie,
};

impl World {
    /// The disk is full for so long.
    pub fn fill(&mut self, span: Duration) {
        self.full_until = self.now + nanoseconds(span);
        self.tell(|| format!("the disk is full for {span:?}"));
    }

    /// A person deploys past the run.
    pub fn seize(&mut self) {
        let services: Vec<String> = stock::labels(&self.plan);
        let service = services[usize::from(self.tape.one(&[0_u8, 1, 2])) % services.len()].clone();
        self.target(&service, Environment::Production).seize(FOREIGN);
        self.tell(|| format!("someone deploys a hotfix of {service:?} past the run"));
        let run = &mut self.runs[0];
        run.seized = Some((run.events.len(), service));
        self.serving();
    }

    /// A person deploys past the run, into staging.
    pub fn seize_staging(&mut self) {
        let service = self.runs[0].touched.first().cloned().unwrap_or_default();
        self.target(&service, Environment::Staging).seize(FOREIGN);
        self.tell(|| format!("someone deploys something else of {service:?} into staging"));
        let run = &mut self.runs[0];
        run.staging_seized = Some((run.events.len(), service));
    }

    /// A target begins to lie, where a plugin speaks for it.
    pub fn lie(&mut self) {
        let service = self.some_service();
        let environment = self.tape.one(&[Environment::Production, Environment::Production, Environment::Staging]);
        let shares = |old: u8, new: u8| {
            let all = [(OLD, old), (NEW, new), (FOREIGN, 100 - old - new)];
            let some = all.into_iter().filter(|(_, percent)| *percent > 0);
            some.map(|(release, percent)| Split { release: release.to_owned(), percent }).collect::<Vec<_>>()
        };
        let lie = match self.tape.one(&[0, 0, 1, 2, 3, 4, 5, 5]) {
            0 => Lie::Idles,
            1 => Lie::Tells(shares(100, 0)),
            2 => Lie::Tells(shares(0, 100)),
            3 => Lie::Tells(shares(60, 40)),
            4 => Lie::Tells(shares(0, 0)),
            _ => Lie::Deceives,
        };
        let until = match self.tape.one(&[20, 120, 0]) {
            0 => i64::MAX,
            seconds => self.now + nanoseconds(seconds * SECOND),
        };
        if !self.faults.local {
            self.tell(|| format!("the target of {service:?} lies in {}: {lie:?}", environment.role()));
            self.target(&service, environment).lies(lie, until);
        }
    }

    /// A release of production ends by itself, and is started again after a while.
    pub fn crash(&mut self) {
        let service = self.some_service();
        let releases = self.releases(&[OLD]);
        let release = releases[usize::from(self.tape.one(&[0_u8, 1, 2, 3, 4])) % releases.len()].clone();
        let until = self.now + nanoseconds(self.tape.one(&[15, 120, 900]) * SECOND);
        if self.target(&service, Environment::Production).crash(&release, until) {
            self.happened.insert("a release ended by itself");
            self.tell(|| format!("{release} of {service:?} ends by itself"));
        }
    }

    /// Someone stops a release of production that has no traffic; but the old one is kept to go back to.
    pub fn stop(&mut self) {
        let service = self.some_service();
        let mut releases = self.releases(&[]);
        // Of another run it may be the old one.
        releases.retain(|release| self.runs.iter().all(|run| run.names().old(&service) != *release));
        let release = releases[usize::from(self.tape.one(&[0_u8, 1, 2, 3])) % releases.len()].clone();
        if self.target(&service, Environment::Production).stop(&release) {
            self.happened.insert("a release was stopped");
            self.tell(|| format!("someone stops {release} of {service:?}"));
        }
    }

    /// What the releases of the runs are called, and these.
    fn releases(&self, others: &[&str]) -> Vec<String> {
        let own = self.runs.iter().flat_map(|run| [run.names().new.clone(), run.names().fresh.clone()]);
        let mut releases: Vec<String> = own.collect();
        // The first run's own comes first.
        others.iter().for_each(|other| releases.insert(1, (*other).to_owned()));
        releases
    }

    fn some_service(&mut self) -> String {
        let services = stock::labels(&self.plan);
        services[usize::from(self.tape.one(&[0_u8, 1, 2])) % services.len()].clone()
    }
}
