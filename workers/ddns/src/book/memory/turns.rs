//! Futures that take turns, in an order that a test chooses.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Lets the others go on.
pub async fn turn() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Lets futures take turns: `order` says which of those that are left goes on, then they go round.
/// The one at `dropped`, after so many turns of its own, is dropped where it stands. `seen` looks
/// at the world after each turn. Gives what came of each.
pub fn interleave<'a, T>(
    futures: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>,
    order: &[usize],
    dropped: Option<(usize, usize)>,
    mut seen: impl FnMut(),
) -> Vec<Option<T>> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    let mut left: Vec<_> = futures
        .into_iter()
        .enumerate()
        .map(|(n, one)| (n, one, 0))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut turns = order.iter().copied().chain(0..);
    while !left.is_empty() {
        let position = turns.next().unwrap_or(0) % left.len();
        let (number, future, taken) = &mut left[position];
        *taken += 1;
        let over = match dropped {
            Some((at, after)) if at == *number && *taken > after => true,
            _ => match future.as_mut().poll(&mut context) {
                Poll::Ready(result) => {
                    results[*number] = Some(result);
                    true
                }
                Poll::Pending => false,
            },
        };
        if over {
            drop(left.remove(position));
        }
        seen();
    }
    results
}

/// Runs one future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut results = interleave(vec![Box::pin(future)], &[], None, || ());
    results.remove(0).unwrap()
}
