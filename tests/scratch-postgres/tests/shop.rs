//! The sample shop is the same in every load, and its parts fit together.

use towline_scratch_postgres::Database;

const TABLES: &[&str] = &["categories", "products", "customers", "orders", "order_items", "events"];

#[test]
fn two_loads_give_the_same_rows() {
    let checksums = || {
        let shop = Database::with_shop().unwrap();
        let checksum = |table| {
            format!(r#"SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE "C")) FROM {table} t"#)
        };
        TABLES.iter().map(|table| shop.run(&checksum(table)).unwrap()).collect::<Vec<_>>()
    };
    let first = checksums();
    assert!(first.iter().all(|checksum| checksum.trim().len() == 32), "an empty table: {first:?}");
    assert_eq!(first, checksums());
}

#[test]
fn the_shop_is_a_plausible_business() {
    let shop = Database::with_shop().unwrap();
    let number = |sql: &str| -> i64 { shop.run(sql).unwrap().trim().parse().unwrap() };

    let rows: i64 = TABLES.iter().map(|table| number(&format!("SELECT count(*) FROM {table}"))).sum();
    assert!((95_000..105_000).contains(&rows), "{rows} rows");

    for (what, sql) in [
        ("orders without lines", "SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT FROM order_items WHERE order_id = o.id)"),
        ("orders before the account", "SELECT count(*) FROM orders o JOIN customers c ON c.id = customer_id WHERE c.created_at > placed_at"),
        ("events before the account", "SELECT count(*) FROM events e JOIN customers c ON c.id = customer_id WHERE c.created_at > occurred_at"),
        ("events outside their months", "SELECT count(*) FROM events_default"),
        (
            "sales after the end of sale",
            "SELECT count(*) FROM order_items i JOIN orders o ON o.id = order_id JOIN products p ON p.id = product_id
             WHERE placed_at::date > discontinued_on",
        ),
        ("addresses with letters that mail does not take", "SELECT count(*) FROM customers WHERE email !~ '^[A-Za-z0-9.@]+$'"),
    ] {
        assert_eq!(number(sql), 0, "{what}");
    }

    let christmas = number("SELECT orders FROM monthly_revenue WHERE month = '2024-12-01'");
    assert!(christmas > number("SELECT orders FROM monthly_revenue WHERE month = '2024-08-01'") * 3 / 2);
}
