//! Observing releases: what the host's own front door saw, and what health checks say.

use autodevops_edge::{Phase, ReleaseStatus};
use autodevops_model::{Measurement, Observation, Rate, Stage, Window};
use autodevops_pipeline::{ALL_ERRORS, CRASH_LOOP, ERROR_RATE, Environment, Glance, Input, PROBE, Sample};

use super::Stages;

/// Who observed, where it was the host itself.
const FRONT_DOOR: &str = "edge";

impl Stages {
    /// Everything that can be observed of the releases over each of the windows. What cannot be is said, and holds nothing up.
    pub(super) async fn measure(
        &self,
        run: &str,
        environment: Environment,
        candidate: &str,
        baseline: Option<&str>,
        windows: &[Window],
    ) -> Input {
        let config = &self.project.config;
        let name = self.name(environment);
        let checks = match environment {
            Environment::Staging => &config.staging.health_checks,
            Environment::Production => &config.stages.health_checks,
        };
        let mut samples = Vec::new();
        let mut errors = Vec::new();
        if self.project.is_local() {
            for window in windows {
                match self.observe(name, candidate, baseline, window).await {
                    Ok(sample) => samples.push(sample),
                    Err(error) => errors.push(error),
                }
            }
            match self.signs(name, candidate, baseline, windows).await {
                Ok(signs) => {
                    samples.first_mut().into_iter().for_each(|whole| whole.measurements.extend(signs.iter().cloned()))
                }
                Err(error) => errors.push(error),
            }
        }
        for check in checks {
            match self.ask(run, check, candidate, baseline, windows).await {
                Ok(measured) => samples.extend(measured),
                Err(error) => errors.push(error),
            }
        }
        errors.dedup();
        let error = (!errors.is_empty()).then(|| errors.join("; "));
        Input::Measured { samples, error }
    }

    /// What the front door counted of the watch so far; and whether a release ends by itself again and again. That one does not answer its
    /// probe just now is left to the measurements: it may be starting anew.
    pub(super) async fn glance(&self, glance: &Glance) -> Vec<Sample> {
        if !self.project.is_local() {
            return Vec::new();
        }
        let name = self.name(glance.environment);
        let Glance { candidate, baseline, window, .. } = glance;
        let seen = self.observe(name, candidate, baseline.as_deref(), window).await;
        let signs = self.signs(name, candidate, baseline.as_deref(), std::slice::from_ref(window)).await;
        let (Ok(mut sample), Ok(mut signs)) = (seen, signs) else { return Vec::new() };
        signs.retain(|sign| sign.metric == CRASH_LOOP);
        sample.measurements.extend(signs);
        vec![sample]
    }

    /// What the operator calls the environment.
    fn name(&self, environment: Environment) -> &str {
        let config = &self.project.config;
        match environment {
            Environment::Staging => &config.staging.environment,
            Environment::Production => &config.rollout.environment,
        }
    }

    async fn ask(
        &self,
        run: &str,
        check: &str,
        candidate: &str,
        baseline: Option<&str>,
        windows: &[Window],
    ) -> Result<Vec<Sample>, String> {
        let plugin = self.project.plugins.for_stage(check, Stage::HealthCheck).map_err(|error| format!("{error:#}"))?;
        let mut samples = Vec::new();
        for window in windows {
            let context = self.project.context(run, Vec::new());
            let measured = plugin.measure(&context, candidate, baseline, window.clone()).await;
            let measurements = measured.map_err(|error| error.to_string())?;
            samples.push(Sample {
                source: check.to_owned(),
                observed_by_host: false,
                window: window.clone(),
                measurements,
            });
        }
        Ok(samples)
    }

    /// Whether the releases end by themselves, or do not answer their probes: signs that need no statistics.
    async fn signs(
        &self,
        environment: &str,
        candidate: &str,
        baseline: Option<&str>,
        windows: &[Window],
    ) -> Result<Vec<Measurement>, String> {
        let status = self.project.edge.status().await.map_err(|error| error.to_string())?;
        let releases = status.environments.get(environment).map_or(&[][..], |environment| &environment.releases);
        let asked = |status: &&ReleaseStatus| [Some(candidate), baseline].contains(&Some(status.release.id.as_str()));
        let sign = |status: &ReleaseStatus, metric: &str, shows: bool| {
            Some(Measurement {
                metric: metric.to_owned(),
                unit: "ratio".to_owned(),
                release: status.release.id.clone(),
                observation: Observation::Rate(Rate { events: u64::from(shows), total: 1 }),
                window: windows.first()?.clone(),
            })
        };
        let both = |status: &ReleaseStatus| {
            let ReleaseStatus { phase, crash_loop, .. } = status;
            [sign(status, CRASH_LOOP, *crash_loop), sign(status, PROBE, *phase == Phase::Down)]
        };
        Ok(releases.iter().filter(asked).flat_map(both).flatten().collect())
    }

    /// What the front door saw.
    async fn observe(
        &self,
        environment: &str,
        candidate: &str,
        baseline: Option<&str>,
        window: &Window,
    ) -> Result<Sample, String> {
        let mut measurements = Vec::new();
        for release in std::iter::once(candidate).chain(baseline) {
            let observed = self.project.edge.observe(environment, release, window.clone()).await;
            let observed = observed.map_err(|error| error.to_string())?;
            let seen = &observed.traffic;
            let measurement = |metric: &str, unit: &str, observation| Measurement {
                metric: metric.to_owned(),
                unit: unit.to_owned(),
                release: release.to_owned(),
                observation,
                window: observed.window.clone(),
            };
            // One client's errors are not independent of each other; it counts for three of them at most.
            let rate = Rate { events: seen.errors_capped.min(seen.errors), total: seen.requests };
            let all = Rate { events: seen.errors, total: seen.requests };
            measurements.push(measurement(ERROR_RATE, "ratio", Observation::Rate(rate)));
            measurements.push(measurement(ALL_ERRORS, "ratio", Observation::Rate(all)));
            measurements.push(measurement("latency", "seconds", Observation::Histogram(seen.buckets())));
        }
        Ok(Sample { source: FRONT_DOOR.to_owned(), observed_by_host: true, window: window.clone(), measurements })
    }
}
