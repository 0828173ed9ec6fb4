//! Services that are watched: checks, beats and reports become states, incidents, alerts and a
//! history.
//!
//! Routes: `http::services`. State: D1 `OPS_DB`, `migrations/0003_services.sql`. Only the cron changes states
//! (`round`); what operators and beats say is written beside and taken into account by the next run.
//!
//! | | |
//! |---|---|
//! | `machine`, `watch` | the state of one service, and of all with their dependencies |
//! | `schedule` | who is checked when |
//! | `judge`, `facts` | what a run makes of what it found |
//! | `book`, `latency`, `daily`, `series`, `budget` | what is kept, for how long, and what it costs |
//! | `beats` | what comes in by itself |
//! | `view`, `views` | what readers see |
//! | `round`, `store` | the run itself, and D1 |

pub mod beats;
mod book;
mod budget;
mod daily;
mod facts;
pub mod judge;
mod latency;
mod machine;
mod round;
mod schedule;
pub mod series;
pub mod store;
pub mod view;
pub mod views;
mod watch;

pub use budget::{Budget, ROWS_WRITTEN_A_DAY, budget};
pub use round::{run, secrets};
pub use schedule::REQUESTS_A_RUN;
