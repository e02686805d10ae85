//! Stories of the REST API.

mod auth;
mod changes;
mod conversations;
mod messages;
mod openapi;
mod operations;
mod participants;
mod rates;
pub mod receipts;
mod server;
mod sync;
mod users;
mod web;
