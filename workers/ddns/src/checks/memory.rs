//! A network in memory, for tests: answers as it is told, on a clock that only it moves.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use types::RecordType;

use super::network::{Connection, HttpAnswer, HttpRequest, Network, NetworkError, Resolved};

/// One thing that the other side of a connection does.
#[derive(Debug, Clone)]
pub enum Act {
    Says(Vec<u8>),
    /// No more comes.
    Closes,
    /// Nothing comes in time.
    Hangs,
}

pub struct Memory {
    pub answer: Result<HttpAnswer, NetworkError>,
    pub resolved: Result<Resolved, NetworkError>,
    pub dialled: Result<Vec<Act>, NetworkError>,
    /// What everything takes, in milliseconds.
    pub takes_ms: i64,
    clock: Cell<i64>,
    /// What was asked, in one line each.
    pub asked: RefCell<Vec<String>>,
    /// What was said on connections.
    pub said: RefCell<Vec<u8>>,
}

impl Memory {
    pub fn new() -> Self {
        Self {
            answer: Err(NetworkError::Timeout),
            resolved: Err(NetworkError::Timeout),
            dialled: Err(NetworkError::Timeout),
            takes_ms: 7,
            clock: Cell::new(0),
            asked: RefCell::default(),
            said: RefCell::default(),
        }
    }

    fn ask(&self, line: String) {
        self.asked.borrow_mut().push(line);
        self.clock.set(self.clock.get() + self.takes_ms);
    }
}

pub struct Talk<'a> {
    acts: VecDeque<Act>,
    memory: &'a Memory,
}

impl<'m> Network for &'m Memory {
    type Connection = Talk<'m>;

    fn millis(&self) -> i64 {
        self.clock.get()
    }

    async fn request(&self, request: &HttpRequest<'_>) -> Result<HttpAnswer, NetworkError> {
        let HttpRequest {
            url,
            method,
            headers,
            body,
            follow,
            timeout_ms,
            body_limit,
            ..
        } = request;
        self.ask(format!(
            "{method} {url} {headers:?} {body:?} follow {follow} in {timeout_ms} up to {body_limit}"
        ));
        self.answer.clone()
    }

    async fn resolve(
        &self,
        name: &str,
        record: RecordType,
        _timeout_ms: u32,
    ) -> Result<Resolved, NetworkError> {
        self.ask(format!("{} {name}", record.as_str()));
        self.resolved.clone()
    }

    async fn dial(
        &self,
        host: &str,
        port: u16,
        _timeout_ms: u32,
    ) -> Result<Talk<'m>, NetworkError> {
        self.ask(format!("dial {host} {port}"));
        let acts = self.dialled.clone()?.into();
        Ok(Talk { acts, memory: self })
    }
}

impl Connection for Talk<'_> {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), NetworkError> {
        self.memory.said.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, NetworkError> {
        match self.acts.pop_front() {
            Some(Act::Says(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(buffer.len()));
                buffer[..bytes.len()].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    self.acts.push_front(Act::Says(rest));
                }
                Ok(bytes.len())
            }
            Some(Act::Hangs) => Err(NetworkError::Timeout),
            Some(Act::Closes) | None => Ok(0),
        }
    }

    async fn hang_up(&mut self) {
        self.memory.asked.borrow_mut().push("hang up".to_owned());
    }
}
