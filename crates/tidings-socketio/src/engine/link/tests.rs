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

#[tokio::test]
async fn the_first_wish_to_close_stands() {
    let link = link(1_000);
    link.close(CloseReason::ServerShutdown);
    link.close(CloseReason::ServerClosed("later"));
    assert_eq!(link.close_wish(), Some(CloseReason::ServerShutdown));
}
