pub mod book;
pub mod budget;
pub mod daily;
pub mod latency;
pub mod machine;
pub mod schedule;
pub mod series;
pub mod watch;
