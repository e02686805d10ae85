//! The application's futures, in one type for one set.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

/// A future of the application, and what its end is for.
pub(super) struct Work {
    pub(super) future: WorkFuture,
    pub(super) ack_id: Option<u64>,
}

/// Which of the handler's calls it came from.
pub(super) enum WorkFuture {
    Connected(BoxFuture<'static, ()>),
    Event(BoxFuture<'static, Option<String>>),
}

/// What came of it.
pub(super) struct Done {
    pub(super) is_event: bool,
    pub(super) ack_id: Option<u64>,
    pub(super) args_json: Option<String>,
}

impl Future for Work {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let ack_id = self.ack_id;
        match &mut self.future {
            WorkFuture::Connected(future) => {
                future.as_mut().poll(cx).map(|()| Done { is_event: false, ack_id, args_json: None })
            }
            WorkFuture::Event(future) => {
                future.as_mut().poll(cx).map(|args_json| Done { is_event: true, ack_id, args_json })
            }
        }
    }
}
