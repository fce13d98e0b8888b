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
// As on AWS it means "handed to the rules engine", not "the actions succeeded";
// but what was handed over is not lost. The sender of a message of QoS 1 or 2 is
// acknowledged when each rule that it matches is done with it, or has it on disk
// (keeper.go): whichever comes first. A statement that does not match, and a
// republish, which waits for the broker's own durability, never touch the disk; a
// firing goes there before it waits for somebody outside, or when its line is
// stuck behind such firings. It leaves when all actions have succeeded or the
// error action has ended. After a crash, and after a stop that had no time for
// it, it runs again from the beginning (at least once), with the rule as it is
// then and the clock of its arrival, so that keys made of timestamp() are the
// same. A rule that was deleted or disabled drops what waits for it, counted.
//
// What is not acknowledged needs no such care: QoS 0 waits in memory. Messages of
// the server itself are published at QoS 1 and kept like others; what that means
// depends on whether somebody waits for it. The answer to a shadow update is
// given after the firings that its documents cause are safe; nobody is
// acknowledged a lifecycle, registry or job event, and a crash between the event
// and its row loses the firing.
//
// # When there is no room
//
// Memory holds a bounded number of messages, of one rule half of that. When it is
// full, QoS 0 is dropped and counted (Throttled); QoS 1 and 2 wait on disk alone
// and are read again, in their order (spill.go). The disk has a bound, too: a rule
// whose target is away for days must not fill it. Beyond it nobody is made to
// wait, because a rule must not stop those who publish: the message is taken, and
// the rule that most wait for loses its oldest, counted (Dropped) and shown among
// its firings. The others lose nothing.
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
