// Package store keeps everything that must survive: it fulfils the Store
// interface of every first-floor package in SQL, on SQLite (embedded) or
// PostgreSQL. The same SQL text runs on both; dialect.go knows the few places
// where they differ.
//
// # Reading and writing
//
// DB.View runs a function on one consistent snapshot and never waits for a
// writer. DB.Update runs a function in a write transaction and returns when
// its effect is on disk. Writers are grouped: one goroutine collects whatever
// waits, runs it in one transaction, commits with one fsync and then answers
// every waiter. Latency is one fsync; throughput grows with load. An error
// from one function undoes that function alone.
//
// # Layout
//
// One file per first-floor package (registry.go, pki.go …) with the SQL of
// that package, and one migration per package and step in migrations/. Every
// table's key begins with the account, so that one database can hold several.
// Times are milliseconds since 1970 in BIGINT columns.
package store
