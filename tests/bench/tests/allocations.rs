//! A message allocates no more often than it did: whoever needs more changes these numbers and says why.

use bytes::Bytes;
use futures_util::FutureExt as _;
use towline_bench::server::{bare_answer, towline_answer, towline_server};
use towline_bench::workload::Workload;

#[test]
fn a_message_allocates_only_so_often() {
    let mut server = towline_server();
    for (workload, most) in [(Workload::Echo, 15), (Workload::List, 4)] {
        let body = Bytes::from(workload.message().body().to_owned());
        // What is made once is made now.
        assert!(bare_answer(&body).is_some());
        assert!(towline_answer(&mut server, body.clone()).now_or_never().flatten().is_some());

        let bare = allocation_counter::measure(|| drop(bare_answer(&body)));
        let towline = allocation_counter::measure(|| {
            drop(towline_answer(&mut server, body).now_or_never());
        });
        let count = towline.count_total;
        eprintln!("{workload:?}: {count} allocations, {} in bare serde_json", bare.count_total);
        assert!(count <= most, "{workload:?} allocates {count} times, not {most}");
    }
}
