//! Observing releases: what the host's own front door saw, and what health checks say.

use autodevops_edge::{Observed, Phase, ReleaseStatus};
use autodevops_model::{Measurement, Observation, Rate, Stage, Window};
use autodevops_pipeline::{
    ALL_ERRORS, CRASH_LOOP, DESIGN_EFFECT, ERROR_RATE, Environment, Glance, Input, LATENCY, LATENCY_EFFECTS, Origin,
    PROBE, Run, Sample, Subject,
};

use super::Stages;

/// Who observed, where it was the host itself.
const FRONT_DOOR: &str = "edge";

impl Stages {
    /// Everything that can be observed of the releases over each of the windows. What cannot be is said, and holds nothing up. Where someone
    /// deployed past the run, it would be of something else: then that is said instead.
    pub(super) async fn measure(
        &self,
        run: &Run,
        environment: Environment,
        subjects: &[Subject],
        windows: &[Window],
    ) -> Input {
        if environment == Environment::Production
            && let Some(overtaken) = self.overtaken(run).await
        {
            return overtaken;
        }
        let config = &self.project.config;
        let checks = match environment {
            Environment::Staging => &config.staging.health_checks,
            Environment::Production => &config.stages.health_checks,
        };
        let mut samples = Vec::new();
        let mut errors = Vec::new();
        for subject in subjects {
            if let Some(place) = place(run, subject, environment).filter(|_| self.project.is_local()) {
                self.look(place, subject, windows, &mut samples, &mut errors).await;
            }
            for check in checks {
                match self.ask(run.id(), check, subject, windows).await {
                    Ok(measured) => samples.extend(measured),
                    Err(error) => errors.push(format!("health check `{check}`: {error}")),
                }
            }
        }
        errors.dedup();
        let error = (!errors.is_empty()).then(|| errors.join("; "));
        Input::Measured { samples, error }
    }

    /// What the front door counted of the watch so far; and whether a release ends by itself again and again. That one does not answer its
    /// probe just now is left to the measurements: it may be starting anew, or be held up for a moment.
    pub(super) async fn glance(&self, run: &Run, glance: &Glance) -> Vec<Sample> {
        let mut samples = Vec::new();
        if !self.project.is_local() {
            return samples;
        }
        for subject in &glance.subjects {
            let Some(place) = place(run, subject, glance.environment) else { continue };
            let (mut seen, mut errors) = (Vec::new(), Vec::new());
            self.look(place, subject, &glance.windows, &mut seen, &mut errors).await;
            if errors.is_empty() {
                seen.iter_mut().for_each(|sample| sample.measurements.retain(|seen| seen.metric != PROBE));
                samples.extend(seen);
            }
        }
        samples
    }

    /// What the front door saw of a service over the windows, and the signs.
    async fn look(
        &self,
        place: &str,
        subject: &Subject,
        windows: &[Window],
        samples: &mut Vec<Sample>,
        errors: &mut Vec<String>,
    ) {
        let mut seen = Vec::new();
        for window in windows {
            match self.observe(place, subject, window).await {
                Ok(sample) => seen.push(sample),
                Err(error) => errors.push(error),
            }
        }
        if let Some(window) = windows.first() {
            match self.signs(place, subject, window).await {
                Ok(signs) => seen.first_mut().into_iter().for_each(|whole| whole.measurements.extend(signs.clone())),
                Err(error) => errors.push(error),
            }
        }
        samples.extend(seen);
    }

    async fn ask(&self, run: &str, check: &str, subject: &Subject, windows: &[Window]) -> Result<Vec<Sample>, String> {
        let Subject { candidate, baseline, .. } = subject;
        let plugin = self.project.plugins.for_stage(check, Stage::HealthCheck).map_err(|error| format!("{error:#}"))?;
        self.project
            .may_call(&plugin, Stage::HealthCheck)
            .map_err(|refused| format!("it was not asked: {refused:#}"))?;
        let origin = self.project.plugins.origin(check).map_err(|error| format!("{error:#}"))?;
        let mut samples = Vec::new();
        for window in windows {
            let context = self.project.context(run, Vec::new());
            let measured = plugin.measure(&context, candidate, baseline.as_deref(), window.clone()).await;
            let measurements = measured.map_err(|error| error.to_string())?;
            samples.push(Sample {
                service: subject.service.clone(),
                source: check.to_owned(),
                origin: origin.clone(),
                observed_by_host: false,
                window: window.clone(),
                measurements,
            });
        }
        Ok(samples)
    }

    /// Whether the releases end by themselves, or do not answer their probes: signs that need no statistics. A release to go back to that
    /// the front door does not run any more answers nothing either.
    async fn signs(&self, place: &str, subject: &Subject, window: &Window) -> Result<Vec<Measurement>, String> {
        let status = self.project.edge.status().await.map_err(|error| error.to_string())?;
        let Some(environment) = status.environments.get(place) else { return Ok(Vec::new()) };
        Ok(signs_of(&environment.releases, subject, window))
    }

    /// What the front door saw.
    async fn observe(&self, place: &str, subject: &Subject, window: &Window) -> Result<Sample, String> {
        let mut measurements = Vec::new();
        for release in releases_of(subject) {
            let observed = self.project.edge.observe(place, release, window.clone()).await;
            let idle = |observed: &Observed| observed.traffic.requests == 0;
            // What has no traffic has no counts; whether it is there at all, the signs say.
            if subject.stable.as_ref() == Some(release) && observed.as_ref().map_or(true, idle) {
                continue;
            }
            let observed = observed.map_err(|error| error.to_string())?;
            let seen = &observed.traffic;
            let measurement = |metric: &str, unit: &str, observation| Measurement {
                metric: metric.to_owned(),
                unit: unit.to_owned(),
                release: release.clone(),
                observation,
                window: observed.window.clone(),
            };
            // What a few clients see again and again may be their own doing.
            let rate = Rate { events: seen.errors_of_many.min(seen.errors), total: seen.requests };
            let all = Rate { events: seen.errors, total: seen.requests };
            measurements.push(measurement(ERROR_RATE, "ratio", Observation::Rate(rate)));
            measurements.push(measurement(ALL_ERRORS, "ratio", Observation::Rate(all)));
            if let Some(effect) = seen.design_effect {
                measurements.push(measurement(DESIGN_EFFECT, "ratio", Observation::Samples(vec![effect])));
            }
            measurements.push(measurement(LATENCY, "seconds", Observation::Histogram(seen.buckets())));
            if !seen.latency_effects.is_empty() {
                let effects = Observation::Samples(seen.latency_effects.clone());
                measurements.push(measurement(LATENCY_EFFECTS, "ratio", effects));
            }
        }
        let (service, source, origin) = (subject.service.clone(), FRONT_DOOR.to_owned(), Origin::default());
        Ok(Sample { service, source, origin, observed_by_host: true, window: window.clone(), measurements })
    }
}

/// The signs of the subject's releases, by what the front door tells of each.
fn signs_of(releases: &[ReleaseStatus], subject: &Subject, window: &Window) -> Vec<Measurement> {
    let sign = |release: &str, metric: &str, shows: bool| Measurement {
        metric: metric.to_owned(),
        unit: "ratio".to_owned(),
        release: release.to_owned(),
        observation: Observation::Rate(Rate { events: u64::from(shows), total: 1 }),
        window: window.clone(),
    };
    let of = |release: &String| match releases.iter().find(|status| status.release.id == *release) {
        Some(ReleaseStatus { phase, crash_loop, probe_fails, .. }) => {
            vec![sign(release, CRASH_LOOP, *crash_loop), sign(release, PROBE, *phase == Phase::Down || *probe_fails)]
        }
        None if subject.stable.as_ref() == Some(release) => vec![sign(release, PROBE, true)],
        None => Vec::new(),
    };
    releases_of(subject).flat_map(of).collect()
}

/// All releases that the host looks at for a subject.
fn releases_of(subject: &Subject) -> impl Iterator<Item = &String> {
    std::iter::once(&subject.candidate).chain(&subject.baseline).chain(&subject.stable)
}

/// What the target calls the environment of the subject's service.
fn place<'a>(run: &'a Run, subject: &Subject, environment: Environment) -> Option<&'a str> {
    run.member(&subject.service).map(|member| member.place(environment))
}

#[cfg(test)]
mod tests;
