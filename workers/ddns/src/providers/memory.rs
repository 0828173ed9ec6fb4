//! Providers in memory: what was sent to them, and answers as a test wants them.

use std::cell::RefCell;

use edge::fetch::{Answer, FetchError, Request};
use futures::FutureExt as _;

use super::{Fault, Http, Sent};

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
}

type Respond<'a> = dyn FnMut(&Heard) -> Result<Answer, FetchError> + 'a;

/// Answers each request by a function, and remembers it.
pub struct Peer<'a> {
    respond: RefCell<Box<Respond<'a>>>,
    heard: RefCell<Vec<Heard>>,
    most: usize,
}

impl<'a> Peer<'a> {
    pub fn new(respond: impl FnMut(&Heard) -> Result<Answer, FetchError> + 'a) -> Self {
        Self {
            respond: RefCell::new(Box::new(respond)),
            heard: RefCell::default(),
            most: usize::MAX,
        }
    }

    /// Takes so many requests in all.
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.borrow().clone()
    }
}

impl Http for Peer<'_> {
    async fn send(&self, request: Request<'_>) -> Result<Answer, FetchError> {
        let owned = |text: &str| text.to_owned();
        let heard = Heard {
            method: owned(request.method),
            url: owned(request.url),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
            body: request.body.map(owned),
        };
        self.heard.borrow_mut().push(heard.clone());
        assert!(self.heard.borrow().len() <= self.most, "{heard:?}");
        (self.respond.borrow_mut())(&heard)
    }

    fn left(&self) -> usize {
        self.most - self.heard.borrow().len()
    }
}

/// An answer without headers.
pub fn answer(status: u16, text: &str) -> Answer {
    Answer {
        status,
        text: text.to_owned(),
        ..Answer::default()
    }
}

/// Runs what waits for nothing but a [`Peer`].
pub fn run<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().unwrap()
}

/// What is expected.
pub fn refused(detail: &str) -> Sent {
    Fault::refused(detail).into()
}

/// The same.
pub fn later(detail: &str) -> Sent {
    Fault::later(detail).into()
}
