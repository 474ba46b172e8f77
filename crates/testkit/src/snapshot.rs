//! Snapshots of answers.

/// Holds an [`Answer`](crate::Answer) against its snapshot, as `insta::assert_json_snapshot!` does: the same arguments, a
/// name and redactions among them.
///
/// ```no_run
/// # async fn show(tester: &towline_testkit::Tester) {
/// let answer = tester.call("forecast").await;
/// towline_testkit::assert_answer_snapshot!(answer, {".structuredContent.asked_at" => "[time]"});
/// # }
/// ```
#[macro_export]
macro_rules! assert_answer_snapshot {
    ($($arguments:tt)*) => { $crate::insta::assert_json_snapshot!($($arguments)*) };
}
