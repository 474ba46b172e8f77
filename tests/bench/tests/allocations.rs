//! A message allocates no more often than it did: whoever needs more changes these numbers and says why.

use bytes::Bytes;
use towline_bench::server::{towline_answer, towline_server};
use towline_bench::workload::Workload;

#[test]
fn a_message_allocates_only_so_often() {
    let mut server = towline_server();
    for (workload, most) in [(Workload::Echo, 0), (Workload::Rows, 0), (Workload::List, 0)] {
        let body = Bytes::from(workload.message().body().to_owned());
        // What is made once is made now.
        towline_answer(&mut server, body.clone()).unwrap();
        let mut answered = false;
        let made = allocation_counter::measure(|| answered = towline_answer(&mut server, body).is_some());
        assert!(answered);
        assert!(made.count_total <= most, "{workload:?} allocates {} times, not {most}", made.count_total);
    }
}
