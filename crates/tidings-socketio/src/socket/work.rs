//! The application's futures, in one type for one set.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use super::handler::Reply;

/// A future of the application, and what its end is for.
pub(super) struct Work {
    pub(super) future: WorkFuture,
    /// For a connection of which namespace.
    pub(super) namespace: Arc<str>,
    pub(super) ack_id: Option<u64>,
}

/// Which of the handler's calls it came from.
pub(super) enum WorkFuture {
    Connected(BoxFuture<'static, ()>),
    Event(BoxFuture<'static, Option<Reply>>),
}

/// What came of it.
pub(super) struct Done {
    pub(super) is_event: bool,
    pub(super) namespace: Arc<str>,
    pub(super) ack_id: Option<u64>,
    pub(super) reply: Option<Reply>,
}

impl Future for Work {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let (is_event, reply) = match &mut self.future {
            WorkFuture::Connected(future) => {
                std::task::ready!(future.as_mut().poll(cx));
                (false, None)
            }
            WorkFuture::Event(future) => (true, std::task::ready!(future.as_mut().poll(cx))),
        };
        Poll::Ready(Done { is_event, namespace: Arc::clone(&self.namespace), ack_id: self.ack_id, reply })
    }
}
