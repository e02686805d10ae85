//! Requests over REST by route: how many, how they ended, how long they took.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::{Mutex, RwLock};
use tidings_core::histogram::{Histogram, LATENCY_US};

use super::Page;

/// What has no route of its own.
const NO_ROUTE: &str = "none";

/// Routes and methods are those that the router has, so this has an end.
#[derive(Debug, Default)]
pub(crate) struct Requests(RwLock<HashMap<Arc<str>, ByMethod>>);

type ByMethod = BTreeMap<&'static str, Arc<Route>>;

#[derive(Debug)]
struct Route {
    latency: Histogram,
    statuses: Mutex<BTreeMap<u16, u64>>,
}

impl Requests {
    pub(crate) fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let found = self.route(method, route.unwrap_or(NO_ROUTE));
        found.latency.count(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        *found.statuses.lock().entry(status.as_u16()).or_default() += 1;
    }

    fn route(&self, method: &Method, route: &str) -> Arc<Route> {
        let method = name_of(method);
        if let Some(found) = self.0.read().get(route).and_then(|methods| methods.get(method)) {
            return Arc::clone(found);
        }
        let new = || Arc::new(Route { latency: Histogram::new(LATENCY_US), statuses: Mutex::default() });
        let mut routes = self.0.write();
        Arc::clone(routes.entry(route.into()).or_default().entry(method).or_insert_with(new))
    }

    pub(crate) fn write(&self, page: &mut Page) {
        let routes = self.0.read();
        let mut all: Vec<_> = routes
            .iter()
            .flat_map(|(route, methods)| methods.iter().map(move |(method, found)| (route, *method, found)))
            .collect();
        all.sort_unstable_by_key(|(route, method, _)| (Arc::clone(route), *method));
        for (route, method, found) in &all {
            for (status, count) in &*found.statuses.lock() {
                let labels = [("method", *method), ("route", &***route), ("status", &status.to_string())];
                page.value("tidings_requests_total", &labels, *count);
            }
        }
        for (route, method, found) in all {
            let labels = [("method", method), ("route", &**route)];
            page.histogram("tidings_request_seconds", &labels, &found.latency.counted(), 1_000_000);
        }
    }
}

/// Anybody may say any word for a method.
fn name_of(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
