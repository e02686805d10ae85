//! A body in the writer's queue, and who waits for its answer.

use tidings_core::error::StoreError;
use tokio::sync::oneshot;

use super::{Change, Draft, Failure, Tx, Unexpected};
use crate::stats::{Counters, count};

/// A request in the writer's queue.
pub(crate) trait Request: Send {
    /// Runs the body. May be called again after a rollback.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<Vec<Draft>, Unexpected>;
    /// Gives the last run's answer, or why it does not stand.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>, counters: &Counters);
}

/// A body and who waits for it.
pub(crate) struct Waiting<B, T, E> {
    body: B,
    ran: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<B, T, E> Waiting<B, T, E> {
    pub(crate) fn new(body: B) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { body, ran: None, reply }, answer)
    }
}

impl<B, T, E> Request for Waiting<B, T, E>
where
    B: FnMut(&mut Tx<'_>) -> Result<Change<T>, Failure<E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<Vec<Draft>, Unexpected> {
        match (self.body)(tx) {
            Ok(change) => {
                self.ran = Some(Ok(change.value));
                tx.settle(change.extent)
            }
            Err(Failure::Refused(refusal)) => {
                self.ran = Some(Err(refusal));
                tx.check_untouched()?;
                Ok(Vec::new())
            }
            Err(Failure::Unexpected(unexpected)) => Err(unexpected),
        }
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>, counters: &Counters) {
        let answer = match (outcome, self.ran) {
            (Ok(()), Some(ran)) => {
                if ran.is_err() {
                    count(&counters.refusals);
                }
                ran
            }
            (Ok(()), None) => Err(StoreError::Failed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // Who asked may have gone; what was committed stands.
        self.reply.send(answer).ok();
    }
}
