// Package shadow keeps device shadows: for each thing one classic and any
// number of named documents that say what the thing should be (desired), what
// it says it is (reported), and where the two differ (delta).
//
// # From bottom to top
//
// The lower half is pure. A value is a JSON tree that keeps the text of its
// numbers, the order of its keys and the second at which each leaf was last
// set; a shadow's state and its metadata are two renderings of that one tree,
// so they cannot come apart. parse.go and encode.go turn bytes into values and
// back, merge.go and delta.go hold the two rules the service is about,
// request.go judges what a client sent, reply.go writes what it gets, and
// play.go moves a shadow from one version to the next.
//
// The upper half is the Service. Every request stands in the line of its
// shadow (line.go). Whoever serves a line takes all that wait, plays them in
// memory one after the other, writes the outcome as one row, on condition that
// the row is still the one it began with, and only then tells anybody. So the
// JSON work happens in parallel, the one writer of the database sees one small
// statement, versions are never skipped or given twice, and several nodes may
// share a database: the one whose row was changed under its hands starts again
// from the new one.
//
// Two doors lead in: the verbs of Service, for HTTPS, and Handler, for the
// topics under $aws/things/THING/shadow. Both get the same words.
//
// The rules follow the developer guide of AWS IoT Core, "Device Shadow service
// documents", "Device Shadow MQTT topics" and "Device Shadow error messages".
package shadow
