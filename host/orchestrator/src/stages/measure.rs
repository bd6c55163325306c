//! Observing releases: what the host's own front door saw, and what health checks say.

use autodevops_model::{Measurement, Observation, Rate, Stage, Window};
use autodevops_pipeline::{Environment, Input, Sample};

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
        let (name, checks) = match environment {
            Environment::Staging => (&config.staging.environment, &config.staging.health_checks),
            Environment::Production => (&config.rollout.environment, &config.stages.health_checks),
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
            measurements.push(measurement("error-rate", "ratio", Observation::Rate(rate)));
            measurements.push(measurement("latency", "seconds", Observation::Histogram(seen.buckets())));
        }
        Ok(Sample { source: FRONT_DOOR.to_owned(), observed_by_host: true, window: window.clone(), measurements })
    }
}
