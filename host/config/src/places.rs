//! Each service in each environment, as the deploy target knows it.

use std::net::SocketAddr;

use crate::{Build, Config, Service, ServiceKind};

/// A service in an environment.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The service.
    pub service: &'a Service,
    /// The environment, as the operator calls it.
    pub environment: &'a str,
    /// What the target calls it: the environment's name, or, of `[[services]]`, that and the service's: `production-cart`.
    pub name: String,
    /// Where its front door listens.
    pub listen: SocketAddr,
}

impl Config {
    /// The project's services: `[service]`, or `[[services]]`.
    pub fn services(&self) -> &[Service] {
        if self.services.is_empty() { self.service.as_slice() } else { &self.services }
    }

    /// The service that a run's events call so: by its name, or the only one by nothing.
    pub fn service_of(&self, label: &str) -> Option<&Service> {
        match label {
            "" => self.services().first(),
            name => self.services().iter().find(|service| service.name == name),
        }
    }

    /// Whether places, and releases, carry their service's name.
    pub const fn has_service_list(&self) -> bool {
        !self.services.is_empty()
    }

    /// What is healed, in words: the service's name, or the names of all.
    pub fn title(&self) -> String {
        self.services().iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// What the target calls a service's environment.
    pub fn place_name(&self, service: &Service, environment: &str) -> String {
        if self.has_service_list() { format!("{environment}-{}", service.name) } else { environment.to_owned() }
    }

    /// Every service in every environment; those of an environment in the order of the services.
    pub fn places(&self) -> Vec<Place<'_>> {
        self.environments.keys().flat_map(|environment| self.places_of(environment)).collect()
    }

    /// Every service in an environment, in their order; none where there is no such environment.
    pub fn places_of(&self, environment: &str) -> Vec<Place<'_>> {
        let Some((environment, settings)) = self.environments.get_key_value(environment) else { return Vec::new() };
        let place = |service| {
            let (name, listen) = (self.place_name(service, environment), settings.listen.of(&service.name)?);
            Some(Place { service, environment, name, listen })
        };
        self.services().iter().filter_map(place).collect()
    }

    /// Whether a build or a release runs in bubblewrap.
    pub fn needs_bubblewrap(&self) -> bool {
        let in_it = |service: &Service| service.kind == ServiceKind::Command || self.build_of(service).is_some();
        self.services().iter().any(in_it)
    }

    /// How a service's artifact is built; none where the project's files are it.
    pub fn build_of<'a>(&'a self, service: &'a Service) -> Option<&'a Build> {
        service.build.as_ref().or(self.build.as_ref())
    }
}
