//! Cloudflare DNS: the zone of a host is looked for, its records are listed, and what differs is changed.
//!
//! `GET /zones?name=` up the labels; `GET /zones/<zone>/dns_records?type=&name=`; `PATCH …/<record>` with the content
//! alone, `POST` for a record that may be created, and `POST …/batch`, which is one transaction, when several records
//! of a zone change. A batch that is refused is sent again record by record, so that one host's record
//! does not hold up the others. A change is done when the answer, or else the zone, has the record with the address.

mod api;
mod plan;

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};

use self::{
    api::Api,
    plan::{Change, Target, zone_names},
};
use super::{Fault, Http, LEFT, Sent, Wanted};

/// How many lists are asked for at once: the platform opens six connections.
const AT_ONCE: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Zone {
    id: String,
    name: String,
}

/// A change that is to be made, for one of the targets.
struct Step<'a> {
    index: usize,
    zone: &'a Zone,
    target: &'a Target<'a>,
    change: Change,
}

/// Sends all that is wanted of the zones that a token may change, or as much of it as there are calls
/// for.
pub async fn send<H: Http>(http: &H, base: &str, token: &str, wanted: &[&Wanted<'_>]) -> Vec<Sent> {
    let api = Api::new(http, base, token);
    let mut zones = Zones::default();
    let mut sent = Vec::new();
    loop {
        let rest = wanted.get(sent.len()..).unwrap_or_default();
        let some = send_some(&api, &mut zones, rest).await;
        if some.is_empty() {
            sent.resize(wanted.len(), Fault::Left.into());
            return sent;
        }
        sent.extend(some);
    }
}

/// Sends the first ones of what is wanted. A zone is looked for while there are calls left to change
/// its records: a look at each zone that would leave none would change nothing in any run.
async fn send_some<H: Http>(
    api: &Api<'_, H>,
    zones: &mut Zones,
    wanted: &[&Wanted<'_>],
) -> Vec<Sent> {
    let mut places = Vec::new();
    let mut records = 0;
    for one in wanted {
        records += plan::addresses(one.addresses).count();
        // A look and a change each, and a batch.
        if api.left() < zones.unknown(one) + 2 * records + 1 {
            break;
        }
        places.push(if one.addresses.is_empty() {
            Err(Fault::refused("there is no address to send"))
        } else {
            zones.of(api, one).await
        });
    }
    let mut targets = Vec::new();
    let mut owners = Vec::new();
    for (owner, (one, place)) in wanted.iter().zip(&places).enumerate() {
        let Ok(zone) = place else { continue };
        for ip in plan::addresses(one.addresses) {
            targets.push((zone, Target { wanted: one, ip }));
            owners.push(owner);
        }
    }
    let outcomes = apply(api, &targets).await;
    let mut each: Vec<Vec<Result<String, Fault>>> = vec![Vec::new(); places.len()];
    for (owner, outcome) in owners.into_iter().zip(outcomes) {
        if let Some(outcomes) = each.get_mut(owner) {
            outcomes.push(outcome);
        }
    }
    let merged = places
        .iter()
        .zip(each)
        .map(|(place, outcomes)| match place {
            Ok(_) => merge(outcomes),
            Err(fault) => fault.clone().into(),
        });
    merged.collect()
}

/// The zones that were looked for, by name.
#[derive(Default)]
struct Zones(BTreeMap<String, Option<Zone>>);

/// The names under which its zone may go, in the order in which they are looked for.
fn names_of<'a>(wanted: &Wanted<'a>) -> Vec<&'a str> {
    match &wanted.provider.zone {
        Some(zone) => vec![zone.as_str()],
        None => zone_names(wanted.host.as_str()).collect(),
    }
}

impl Zones {
    /// How many names have to be looked for at the most.
    fn unknown(&self, wanted: &Wanted<'_>) -> usize {
        let names = names_of(wanted).into_iter();
        let sought = names.take_while(|name| !matches!(self.0.get(*name), Some(Some(_))));
        sought.filter(|name| !self.0.contains_key(*name)).count()
    }

    async fn of<H: Http>(&mut self, api: &Api<'_, H>, wanted: &Wanted<'_>) -> Result<Zone, Fault> {
        for name in names_of(wanted) {
            if !self.0.contains_key(name) {
                let found = find(api, name).await?;
                self.0.insert(name.to_owned(), found);
            }
            if let Some(Some(zone)) = self.0.get(name) {
                return Ok(zone.clone());
            }
        }
        let place = match &wanted.provider.zone {
            Some(zone) => format!("zone {zone}"),
            None => format!("zone for {}", wanted.host),
        };
        Err(Fault::refused(format!("the token sees no {place}")))
    }
}

/// The zone of this name, if the token sees one.
async fn find<H: Http>(api: &Api<'_, H>, name: &str) -> Result<Option<Zone>, Fault> {
    let listed = api.list(&format!("/zones?name={name}")).await?;
    let text = |zone: &Value, key: &str| zone.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut found: Vec<&Value> = listed
        .iter()
        .filter(|zone| text(zone, "name").is_some_and(|given| plan::same_name(&given, name)))
        .collect();
    if found.len() > 1 {
        // The same name may be waiting in another account.
        let active = |zone: &&Value| text(zone, "status").as_deref() == Some("active");
        let count = found.len();
        found.retain(active);
        if found.len() != 1 {
            let detail = format!("the token sees {count} zones {name}: set one active");
            return Err(Fault::refused(detail));
        }
    }
    let Some(zone) = found.first() else {
        return Ok(None);
    };
    let id = plan::id(zone).ok_or_else(|| Fault::later("answered a zone without an id"))?;
    let name = name.to_owned();
    Ok(Some(Zone { id, name }))
}

/// Makes every target's record hold its address; what was done or is wrong, in the same order.
async fn apply<H: Http>(
    api: &Api<'_, H>,
    targets: &[(&Zone, Target<'_>)],
) -> Vec<Result<String, Fault>> {
    let planned = plan_all(api, targets).await;
    let mut outcomes: Vec<Result<String, Fault>> = Vec::new();
    let mut by_zone: BTreeMap<&str, Vec<Step<'_>>> = BTreeMap::new();
    for (index, (plan, (zone, target))) in planned.into_iter().zip(targets).enumerate() {
        outcomes.push(match plan {
            Ok(Change::Nothing) => Ok(target.done(&Change::Nothing)),
            Ok(change) => {
                let step = Step {
                    index,
                    zone,
                    target,
                    change,
                };
                by_zone.entry(&zone.id).or_default().push(step);
                Err(Fault::later("was not sent"))
            }
            Err(fault) => Err(fault),
        });
    }
    for steps in by_zone.into_values() {
        for (index, outcome) in change(api, &steps).await {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
    }
    outcomes
}

/// What is to be done about every target. Looking stops while there are calls left to do it: a look
/// at each record that would leave none for the changes would change nothing in any run.
async fn plan_all<H: Http>(
    api: &Api<'_, H>,
    targets: &[(&Zone, Target<'_>)],
) -> Vec<Result<Change, Fault>> {
    let mut planned: Vec<Result<Change, Fault>> = Vec::new();
    let mut changes = 0;
    while planned.len() < targets.len() {
        // One for the batch, and one for each change if that is refused; as much for each look.
        let room = api.left().saturating_sub(changes + 1) / 2;
        let some = targets.iter().skip(planned.len()).take(AT_ONCE.min(room));
        let looks: Vec<_> = some.map(|(zone, target)| look(api, zone, target)).collect();
        if looks.is_empty() {
            planned.resize(targets.len(), Err(Fault::Left));
        }
        planned.extend(join_all(looks).await);
        let is_change =
            |plan: &&Result<Change, Fault>| matches!(plan, Ok(Change::Patch(_) | Change::Create));
        changes = planned.iter().filter(is_change).count();
    }
    planned
}

/// What is to be done about one record.
async fn look<H: Http>(
    api: &Api<'_, H>,
    zone: &Zone,
    target: &Target<'_>,
) -> Result<Change, Fault> {
    let (kind, name) = (target.kind(), target.wanted.host);
    let path = format!("/zones/{}/dns_records?type={kind}&name={name}", zone.id);
    let listed = api.list(&path).await?;
    target.plan(target.matches(&listed)?, &zone.name)
}

/// Changes records of one zone: one alone, several as one transaction.
async fn change<H: Http>(
    api: &Api<'_, H>,
    steps: &[Step<'_>],
) -> Vec<(usize, Result<String, Fault>)> {
    let mut outcomes = Vec::new();
    if steps.len() > 1 {
        let answered = batch(api, steps).await;
        // One record that cannot be changed makes the whole batch fail.
        if !matches!(answered, Err(Fault::Refused { .. })) {
            for step in steps {
                let outcome = match &answered {
                    Ok(records) => proved(api, step, records).await,
                    Err(fault) => Err(fault.clone()),
                };
                outcomes.push((step.index, outcome));
            }
            return outcomes;
        }
    }
    for step in steps {
        let outcome = match alone(api, step).await {
            Ok(record) => proved(api, step, &[record]).await,
            Err(fault) => Err(fault),
        };
        outcomes.push((step.index, outcome));
    }
    outcomes
}

/// One change; gives the record as it is after it.
async fn alone<H: Http>(api: &Api<'_, H>, step: &Step<'_>) -> Result<Value, Fault> {
    let path = format!("/zones/{}/dns_records", step.zone.id);
    match &step.change {
        Change::Patch(record) => {
            let path = format!("{path}/{}", record.id);
            let content = json!({ "content": step.target.ip.to_string() });
            api.change("PATCH", &path, &content).await
        }
        Change::Create | Change::Nothing => {
            api.change("POST", &path, &step.target.creation()).await
        }
    }
}

/// All changes at once; gives the records as they are after it.
async fn batch<H: Http>(api: &Api<'_, H>, steps: &[Step<'_>]) -> Result<Vec<Value>, Fault> {
    let Some(first) = steps.first() else {
        return Ok(Vec::new());
    };
    let (mut patches, mut posts) = (Vec::new(), Vec::new());
    for step in steps {
        let content = step.target.ip.to_string();
        match &step.change {
            Change::Patch(record) => patches.push(json!({ "id": record.id, "content": content })),
            Change::Create | Change::Nothing => posts.push(step.target.creation()),
        }
    }
    let mut body = serde_json::Map::new();
    for (key, list) in [("patches", patches), ("posts", posts)] {
        if !list.is_empty() {
            body.insert(key.to_owned(), list.into());
        }
    }
    let path = format!("/zones/{}/dns_records/batch", first.zone.id);
    let result = api.change("POST", &path, &body.into()).await?;
    let records = ["patches", "posts"].into_iter().flat_map(|key| {
        let list = result.get(key).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    });
    Ok(records.collect())
}

/// A change counts when the answer has the record with the address, or else the zone has it.
async fn proved<H: Http>(
    api: &Api<'_, H>,
    step: &Step<'_>,
    records: &[Value],
) -> Result<String, Fault> {
    let target = step.target;
    if records.iter().any(|record| target.is_proved_by(record))
        || look(api, step.zone, target).await? == Change::Nothing
    {
        return Ok(target.done(&step.change));
    }
    let (kind, ip) = (target.kind(), target.ip);
    Err(Fault::later(format!(
        "said yes, and the zone has no {kind} record with {ip}"
    )))
}

/// What came of all records of one host. What is to be sent again comes first: then the rest is
/// looked at again too.
fn merge(outcomes: Vec<Result<String, Fault>>) -> Sent {
    if outcomes.is_empty() {
        return Fault::later("was not sent").into();
    }
    let (mut details, mut wait) = (Vec::new(), None);
    let (mut later, mut left, mut refused) = (false, false, false);
    for outcome in outcomes {
        let detail = match outcome {
            Ok(detail) => detail,
            Err(Fault::Later {
                detail,
                after_seconds,
            }) => {
                later = true;
                wait = wait.max(after_seconds);
                detail
            }
            Err(Fault::Left) => {
                left = true;
                LEFT.to_owned()
            }
            Err(Fault::Refused { detail }) => {
                refused = true;
                detail
            }
        };
        if !details.contains(&detail) {
            details.push(detail);
        }
    }
    let detail = details.join("; ");
    if later {
        Sent::Later {
            detail,
            after_seconds: wait,
        }
    } else if left {
        Sent::Left { detail }
    } else if refused {
        Sent::Refused { detail }
    } else {
        Sent::Done {
            detail,
            expires_at: None,
        }
    }
}

#[cfg(test)]
mod tests;
