//! What concerns several services: names that are there twice, and who depends on whom.

use std::collections::BTreeMap;

use super::{Check, Service, error};
use crate::{
    AlertName, ServiceId,
    config::{HostName, InvalidConfig, duplicate},
};

/// How many services there may be: their states are read in one query and judged in one run.
const MAX_SERVICES: usize = 200;

/// Checks all services together, with the hosts and the alert channels that they may name.
pub fn validate(
    services: &[Service],
    hosts: &[&HostName],
    channels: &[&AlertName],
) -> Result<(), InvalidConfig> {
    if services.len() > MAX_SERVICES {
        let message = format!("at most {MAX_SERVICES} services are watched");
        return Err(InvalidConfig::new("services", message));
    }
    if let Some((index, id)) = duplicate(services.iter().map(|service| &service.id)) {
        return Err(error(index, "id", format!("\"{id}\" is there twice")));
    }
    for (index, service) in services.iter().enumerate() {
        let named = service.alerts.iter().flatten();
        if let Some(name) = named.into_iter().find(|name| !channels.contains(name)) {
            let message = format!("there is no alert channel \"{name}\"");
            return Err(error(index, "alerts", message));
        }
        if let Check::Ddns(check) = &service.check
            && !hosts.contains(&&check.host)
        {
            let message = format!("\"{}\" is none of the hosts", check.host);
            return Err(error(index, "host", message));
        }
    }
    acyclic(services)
}

/// Whether a service's dependencies, and theirs, have been looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    UnderWay,
    Done,
}

/// Every dependency is a service, and none depends on itself by any way. Without recursion: a
/// chain may be as long as the list.
fn acyclic(services: &[Service]) -> Result<(), InvalidConfig> {
    let by_id: BTreeMap<&ServiceId, usize> = services
        .iter()
        .enumerate()
        .map(|(index, service)| (&service.id, index))
        .collect();
    let mut visits = vec![None; services.len()];
    for start in 0..services.len() {
        let mut path = vec![(start, 0)];
        while let Some((index, next)) = path.pop() {
            visits[index] = Some(Visit::UnderWay);
            let Some(id) = services[index].depends_on.get(next) else {
                visits[index] = Some(Visit::Done);
                continue;
            };
            path.push((index, next + 1));
            let missing = || error(index, "depends_on", format!("there is no service \"{id}\""));
            let dependency = *by_id.get(id).ok_or_else(missing)?;
            match visits[dependency] {
                None => path.push((dependency, 0)),
                Some(Visit::Done) => {}
                Some(Visit::UnderWay) => {
                    let ids = path.iter().map(|(index, _)| services[*index].id.as_str());
                    let round: Vec<_> = ids.skip_while(|other| *other != id.as_str()).collect();
                    let message = format!("goes round in a circle: {} -> {id}", round.join(" -> "));
                    return Err(error(index, "depends_on", message));
                }
            }
        }
    }
    Ok(())
}
