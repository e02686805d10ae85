use super::*;

fn link(queue_bytes_max: usize) -> Arc<Link> {
    let config = Config { queue_bytes_max, ..Config::default() };
    Link::new(ConnectionId::random().unwrap(), &config, Flusher::new(1), To::Task)
}

fn written(frame: &SharedFrame) -> Written {
    let mut written = Written::default();
    written.add(frame);
    written
}

#[tokio::test]
async fn a_frame_over_the_budget_closes_and_frees_what_waits() {
    let frame = SharedFrame::event("a", "1", 0);
    let link = link(frame.cost_bytes() * 2);
    assert_eq!(link.send(frame.clone()), Ok(()));
    assert_eq!(link.try_send(frame.clone(), frame.cost_bytes() * 2 - 1), Ok(false), "nothing happens");
    assert_eq!(link.try_send(frame.clone(), frame.cost_bytes() * 2), Ok(true));
    assert_eq!(link.queue_bytes(), frame.cost_bytes() * 2);
    assert_eq!(link.send(frame.clone()), Err(SendError::QueueFull));
    assert_eq!(link.send(frame), Err(SendError::Closed));
    assert_eq!(link.close_wish(), Some(CloseReason::QueueFull));
    assert_eq!(link.queue_bytes(), 0);
}

#[tokio::test]
async fn what_was_taken_counts_until_it_is_written() {
    let frame = SharedFrame::event("a", "1", 9);
    let link = link(frame.cost_bytes());
    assert_eq!(link.send(frame.clone()), Ok(()));
    assert!(link.take_frames(&mut VecDeque::new()).is_some());
    assert_eq!(link.queue_bytes(), frame.cost_bytes());
    link.on_written(&written(&frame));
    assert_eq!((link.queue_bytes(), link.written_tag()), (0, 9));
    assert_eq!(link.send(frame), Ok(()));
}

#[tokio::test]
async fn one_who_waits_for_room_goes_on_when_it_is_there_or_never_will_be() {
    let frame = SharedFrame::event("a", "1", 0);
    let link = link(frame.cost_bytes() * 2);
    link.drained(0).await;
    assert_eq!(link.send(frame.clone()), Ok(()));
    let wait = |bytes_max| {
        let link = Arc::clone(&link);
        tokio::spawn(async move { link.drained(bytes_max).await })
    };
    wait(frame.cost_bytes()).await.unwrap();
    let waiting = wait(0);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    link.on_written(&written(&frame));
    waiting.await.unwrap();
    assert_eq!(link.send(frame.clone()), Ok(()));
    let waiting = wait(0);
    tokio::task::yield_now().await;
    link.end();
    waiting.await.unwrap();
}

/// Each at its own limit, also where the one of another is reached first.
#[tokio::test]
async fn several_wait_for_room_each_for_as_much_as_they_need() {
    let frame = SharedFrame::event("a", "1", 0);
    let link = link(frame.cost_bytes() * 3);
    (0..3).for_each(|_| assert_eq!(link.send(frame.clone()), Ok(())));
    let waiting: Vec<_> = (0..3)
        .map(|frames| {
            let (link, bytes_max) = (Arc::clone(&link), frames * frame.cost_bytes());
            tokio::spawn(async move { link.drained(bytes_max).await })
        })
        .collect();
    for left in (0..3).rev() {
        tokio::task::yield_now().await;
        let is_finished: Vec<bool> = waiting.iter().map(tokio::task::JoinHandle::is_finished).collect();
        assert_eq!(is_finished, (0..3).map(|frames| frames > left).collect::<Vec<_>>());
        link.on_written(&written(&frame));
    }
    for one in waiting {
        one.await.unwrap();
    }
}

/// A frame that nobody will write stays, and one that two will write is written at the wrong time.
#[tokio::test]
async fn at_every_step_one_knows_that_they_will_write() {
    let frame = SharedFrame::event("a", "1", 0);
    let link = link(1_000_000);
    let flush = || link.queue.lock().flush;
    let mut several = VecDeque::new();
    link.send_from_task(frame.clone());
    assert_eq!(flush(), Flush::Idle, "the task writes before it sleeps");
    assert_eq!(link.send(frame.clone()), Ok(()));
    assert_eq!(flush(), Flush::Listed);
    assert!(link.take_frames(&mut several).is_none());
    assert_eq!((several.drain(..).count(), flush()), (2, Flush::Listed), "who took them looks once more");
    assert_eq!(link.send(frame.clone()), Ok(()));
    assert!(link.on_written_then_take(&written(&frame), &mut several).is_some());
    assert_eq!(flush(), Flush::Listed);
    assert!(link.on_written_then_take(&written(&frame), &mut several).is_none());
    assert_eq!(flush(), Flush::Idle, "they found nothing");
    assert_eq!(link.send(frame), Ok(()));
    assert!(link.has_frames());
    assert_eq!(flush(), Flush::Listed);
    link.outgoing.lock().to = To::Poll(None);
    assert_eq!((link.flush(), flush()), (Flushed::Blocked, Flush::Blocked), "until the client polls");
}

#[tokio::test]
async fn the_first_wish_to_close_stands() {
    let link = link(1_000);
    link.close(CloseReason::ServerShutdown);
    link.close(CloseReason::ServerClosed("later"));
    assert_eq!(link.close_wish(), Some(CloseReason::ServerShutdown));
}
