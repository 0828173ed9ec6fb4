//! What one run of the cron may still ask of the network.
//!
//! A run has 50 requests to the outside in the free plan, and what goes beyond fails. (Calls of KV and D1
//! are to Cloudflare's own services and have a limit of their own, 1,000; D1's queries have 50.) Each
//! target's ping comes first; questions to DNS, second tries and legacy pings share the rest.

use std::cell::Cell;

use types::config::{StatusConfig, Target};

/// A number of requests that is used up one by one.
pub struct Allowance {
    /// For SRV records, without which a ping may go to the wrong place.
    srv: Cell<u32>,
    rest: Cell<u32>,
}

impl Allowance {
    /// What is left when every target is pinged once.
    pub fn beside(targets: &[Target]) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let with_srv = targets
            .iter()
            .filter(|target| target.may_have_srv())
            .count();
        let rest = StatusConfig::REQUESTS
            .saturating_sub(count(targets.len()))
            .saturating_sub(count(with_srv));
        Self {
            srv: Cell::new(count(with_srv)),
            rest: Cell::new(rest),
        }
    }

    /// Takes one for an SRV record; whether there was one.
    pub fn take_for_srv(&self) -> bool {
        take(&self.srv)
    }

    /// Takes one for anything else; whether there was one.
    pub fn take(&self) -> bool {
        take(&self.rest)
    }
}

fn take(from: &Cell<u32>) -> bool {
    let left = from.get().checked_sub(1);
    from.set(left.unwrap_or(0));
    left.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::target;

    #[test]
    fn pings_and_srv_records_come_first() {
        let mut fixed = target();
        fixed.address = "mc.example.com:25565".parse().unwrap();
        let used = |targets: &[Target]| {
            let allowance = Allowance::beside(targets);
            let srv = (0..100).filter(|_| allowance.take_for_srv()).count();
            let rest = (0..100).filter(|_| allowance.take()).count();
            (srv, rest)
        };
        assert_eq!(used(&vec![target(); 20]), (20, 4));
        assert_eq!(used(&vec![fixed; 20]), (0, 24));
        assert_eq!(used(&[target()]), (1, 42));
    }
}
