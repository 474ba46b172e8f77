//! What a verdict costs: new, and remembered.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use towline_postgres::guard::{Guard, Policy};

const SHORT: &str = "SELECT id, name FROM customers WHERE country = 'GB' LIMIT 10";

const TYPICAL: &str = "SELECT c.id, c.name, count(*) AS orders, sum(o.total) AS revenue \
    FROM customers c JOIN orders o ON o.customer_id = c.id \
    WHERE o.created_at >= now() - interval '30 days' AND o.status IN ('paid', 'shipped') \
    GROUP BY c.id, c.name HAVING sum(o.total) > 100 ORDER BY revenue DESC LIMIT 20";

fn uncached() -> Guard {
    let mut policy = Policy::default();
    policy.cache_bytes = 0;
    Guard::new(policy)
}

fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("guard");
    group.measurement_time(Duration::from_secs(3));
    let new = uncached();
    group.bench_function("new, short", |bencher| bencher.iter(|| new.check(black_box(SHORT))));
    group.bench_function("new, typical", |bencher| bencher.iter(|| new.check(black_box(TYPICAL))));
    group.bench_function("new, refused", |bencher| {
        bencher.iter(|| new.check(black_box("SELECT pg_sleep(1) FROM customers WHERE id = 1")));
    });
    let list = format!("SELECT * FROM t WHERE id IN ({})", vec!["123456"; 2_400].join(","));
    group.bench_function("new, 17 kB list", |bencher| bencher.iter(|| new.check(black_box(&list))));

    let hiding = Policy::default().with_hidden_column("customers.email".parse().expect("a column"));
    let mut hiding = hiding.with_schemas(["public"]).with_search_path(["public"]);
    hiding.cache_bytes = 0;
    let hiding = Guard::new(hiding);
    group.bench_function("new, typical, with a policy", |bencher| {
        bencher.iter(|| hiding.check(black_box(TYPICAL)));
    });

    let remembering = Guard::new(Policy::default());
    group.bench_function("remembered, typical", |bencher| {
        bencher.iter(|| remembering.check(black_box(TYPICAL)));
    });
    // What the parser alone takes, without a thread between: the floor.
    group.bench_function("parser alone, typical", |bencher| {
        bencher.iter(|| pg_query::parse(black_box(TYPICAL), pg_query::ParserOptions::DEFAULT));
    });
    group.finish();
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
