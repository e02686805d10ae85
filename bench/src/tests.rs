//! The generator against real servers: over a relay that lies it must find every lie, and against one that pauses every
//! latency.

mod bare;
mod latency;
mod lies;
mod relay;
mod seeded;
mod site;
