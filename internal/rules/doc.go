// Package rules keeps topic rules and runs them: SELECT … FROM 'topic/filter'
// WHERE …, and actions for what comes out (AWS IoT Core, "Rules for AWS IoT").
//
// # The way of a message
//
// Every enabled rule hangs on the broker with its FROM filter; one more handler
// takes Basic Ingest, messages to $aws/rules/RULE/… that go to that rule alone.
// A handler only puts the message into the queue (queue.go). Each rule has a
// line of its own in it, which one goroutine at a time serves, so that a rule
// sees messages in the order in which they came; rules take turns. Serving is:
// evaluate the statement, render the actions, and begin them (firing.go). What
// waits for somebody else (S3, HTTP …) goes on in a goroutine of its own, of
// which a rule may have a bounded number; when it has them all, its line waits
// and the queue fills up.
//
// # What an acknowledgement means
//
// A QoS 1 publisher is acknowledged when the message is in the queue, in memory:
// as on AWS it means "handed to the rules engine", not "the actions succeeded".
// Close lets the queue run empty within its time. When the queue, or a rule's
// half of it, is full, QoS 0 messages are dropped and counted; the acknowledgement of a QoS 1 message
// waits until the message is taken out of the queue, so that the window of its
// sender closes; and beyond twice the bound it fails, which makes the sender
// come again.
//
// # Failures
//
// A statement whose lookup fails ends there. A failed action is tried again
// where that may help; when it has failed for good, the rule's error action gets
// one message about all failures (failure.go). What happened last to each rule
// is kept in memory for people who wonder (history.go), and Test says what a
// statement would do without doing it (tester.go).
//
// # Changes
//
// A change of a rule is written, then takes effect between two messages: the
// handler finds the compiled rule through an atomic pointer. Where FROM changes,
// the new filter is there before the old one goes, so that no message is
// missed; one that both select, published in that instant, may run twice.
package rules
