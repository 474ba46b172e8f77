-- What the statements of the corpora read. Small on purpose: they are judged, not measured.
CREATE SCHEMA IF NOT EXISTS sales;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE customers (
    id bigint PRIMARY KEY, name text NOT NULL, email text, country char(2), created_at timestamptz DEFAULT now(),
    profile jsonb DEFAULT '{}', tags text[] DEFAULT '{}', mood mood DEFAULT 'ok');
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint REFERENCES customers, status text, total numeric(12,2),
    created_at timestamptz DEFAULT now(), paid_at timestamptz, items jsonb DEFAULT '[]');
CREATE TABLE products (
    id int PRIMARY KEY, name text, price numeric(10,2), category text, attrs jsonb, search tsvector);
CREATE TABLE order_items (order_id bigint, product_id int, quantity int, price numeric(10,2));
CREATE TABLE events (id bigint, at timestamptz, kind text, payload jsonb, during tstzrange);
CREATE TABLE employees (id int PRIMARY KEY, name text, manager_id int, salary numeric, department text);
CREATE TABLE bookings (room int, during tsrange);
CREATE TABLE "Weird Table" ("select" int, "a.b" text, "Ünï" text);
CREATE TABLE edges (source int, target int);
CREATE TABLE metrics (day date, name text, value double precision);
CREATE TABLE places (id int, at point, area box, ip inet, mac macaddr, bits bit varying(64));
CREATE TABLE sales.targets (region text, year int, target numeric);
CREATE VIEW active_customers AS SELECT id, name FROM customers;
CREATE SEQUENCE tickets;
INSERT INTO customers (id, name, email, country) VALUES (1, 'Ada', 'ada@example.com', 'GB'), (2, 'Bob', NULL, 'US');
INSERT INTO orders (id, customer_id, status, total) VALUES (1, 1, 'paid', 10.50), (2, 1, 'open', 20), (3, 2, 'paid', 5);
INSERT INTO employees VALUES (1, 'Root', NULL, 100, 'x'), (2, 'Leaf', 1, 50, 'x');
INSERT INTO edges VALUES (1, 2), (2, 3), (3, 1);
