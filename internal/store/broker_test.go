package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// inBroker runs fn in a write transaction of the broker.
func inBroker(t testing.TB, db *DB, fn func(tx broker.StoreTx) error) {
	t.Helper()
	if err := db.Broker(testAccount).Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// queueOf reads a whole queue.
func queueOf(t *testing.T, db *DB, clientID string) []broker.StoredMessage {
	t.Helper()
	page, err := db.Broker(testAccount).Queue(context.Background(), clientID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// rows counts the rows of a table.
func rows(t *testing.T, db *DB, table string) (count int) {
	t.Helper()
	err := db.View(context.Background(), func(tx *Tx) error {
		_, err := tx.get("SELECT COUNT(*) FROM "+table, nil, &count)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// fullMessage has a value in every field that is kept.
func fullMessage(topic string) *message.Message {
	return &message.Message{
		Topic: topic, Payload: []byte("\x00payload\xff"), QoS: mqtt.QoS2, Retain: true,
		Expires: time.UnixMilli(1_700_000_000_123).UTC(),
		Origin: message.Origin{Kind: message.FromRule, ClientID: "sender", Principal: "cert", SourceIP: "10.0.0.7",
			TraceID: "0b8c", Rules: 3},
		Properties: &message.Properties{
			PayloadFormat: mqtt.Some(mqtt.UTF8Data), MessageExpiry: mqtt.Some(time.Hour),
			ContentType: []byte("text/plain"), ResponseTopic: []byte("re/ply"), CorrelationData: []byte{},
			UserProperties: []message.UserProperty{
				{Name: []byte("a"), Value: []byte("1")}, {Name: []byte("a"), Value: []byte{}}, {Name: []byte("b"), Value: []byte("é")},
			},
		},
	}
}

func TestBrokerQueueKeepsEveryField(t *testing.T) {
	plain := &message.Message{Topic: "a/b", QoS: mqtt.QoS1}
	bare := &message.Message{Topic: "a", Payload: []byte("x"), QoS: mqtt.QoS1, Properties: &message.Properties{}}
	want := []broker.StoredMessage{
		{Number: 7, QoS: mqtt.QoS2, Retain: true, SubscriptionIDs: []uint32{1, 268435455}, Message: fullMessage("full/é"), PacketID: 65535, Received: true},
		{Number: 8, QoS: mqtt.QoS1, Message: plain},
		{Number: 1 << 40, QoS: mqtt.QoS1, SubscriptionIDs: []uint32{3}, Message: bare},
		{Number: 1<<40 + 1, QoS: mqtt.QoS1, Retain: true, SubscriptionIDs: []uint32{9}, BodyID: "body", Message: fullMessage("shared")},
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		inBroker(t, db, func(tx broker.StoreTx) error {
			err := tx.PutBody("body", fullMessage("shared"))
			for _, m := range slices.Backward(want) { // the order of arrival is not that of numbers
				err = errors.Join(err, tx.Enqueue("c", m))
			}
			return errors.Join(err, tx.Enqueue("another", want[1]))
		})
		if diff := cmp.Diff(want, queueOf(t, db, "c")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		page, err := db.Broker(testAccount).Queue(context.Background(), "c", 7, 2)
		if diff := cmp.Diff(want[1:3], page); diff != "" || err != nil {
			t.Errorf("page (-want +got):\n%s%v", diff, err)
		}
		page, err = db.Broker("999999999999").Queue(context.Background(), "c", 0, 10)
		if len(page) > 0 || err != nil {
			t.Error("another account sees it:", page, err)
		}
	})
}

func TestBrokerQueueFollowsDelivery(t *testing.T) {
	m := func(number int64) broker.StoredMessage {
		return broker.StoredMessage{Number: number, QoS: mqtt.QoS2, Message: fullMessage("t")}
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		inBroker(t, db, func(tx broker.StoreTx) error {
			return errors.Join(tx.Enqueue("c", m(1)), tx.Enqueue("c", m(2)), tx.Enqueue("c", m(3)))
		})
		inBroker(t, db, func(tx broker.StoreTx) error {
			return errors.Join(tx.MarkSent("c", 2, 20, false), tx.MarkSent("c", 3, 30, false), tx.MarkSent("c", 3, 30, true),
				tx.Dequeue("c", 1), tx.Dequeue("c", 1), tx.Dequeue("nobody", 2))
		})
		second, third := m(2), m(3)
		second.PacketID, third.PacketID, third.Received = 20, 30, true
		if diff := cmp.Diff([]broker.StoredMessage{second, third}, queueOf(t, db, "c")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestBrokerBodyLivesAsLongAsItsLastReader(t *testing.T) {
	shared := func(number int64, id string) broker.StoredMessage {
		return broker.StoredMessage{Number: number, QoS: mqtt.QoS1, BodyID: id}
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		inBroker(t, db, func(tx broker.StoreTx) error {
			return errors.Join(tx.PutBody("x", fullMessage("x")), tx.PutBody("y", fullMessage("y")),
				tx.Enqueue("a", shared(1, "x")), tx.Enqueue("b", shared(1, "x")), tx.Enqueue("b", shared(2, "x")),
				tx.Enqueue("b", shared(3, "y")), tx.Enqueue("c", shared(1, "x")))
		})
		steps := []struct {
			name  string
			do    func(tx broker.StoreTx) error
			left  int
			topic string // what c still reads
		}{
			{"one of four readers is done", func(tx broker.StoreTx) error { return tx.Dequeue("a", 1) }, 2, "x"},
			{"it says so twice", func(tx broker.StoreTx) error { return tx.Dequeue("a", 1) }, 2, "x"},
			{"a session that reads it twice ends", func(tx broker.StoreTx) error { return tx.DeleteSession("b") }, 1, "x"},
			{"the last is done", func(tx broker.StoreTx) error { return tx.Dequeue("c", 1) }, 0, ""},
		}
		for _, step := range steps {
			inBroker(t, db, step.do)
			if got := rows(t, db, "message_bodies"); got != step.left {
				t.Errorf("%s: %d bodies are left, want %d", step.name, got, step.left)
			}
			topic := ""
			for _, m := range queueOf(t, db, "c") {
				topic = m.Message.Topic
			}
			if topic != step.topic {
				t.Errorf("%s: c reads %q, want %q", step.name, topic, step.topic)
			}
		}
	})
}

func TestBrokerRefusesAReferenceToNoBody(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Broker(testAccount).Update(context.Background(), func(tx broker.StoreTx) error {
			return tx.Enqueue("c", broker.StoredMessage{Number: 1, BodyID: "gone", Message: fullMessage("t")})
		})
		if err == nil || !strings.Contains(err.Error(), "gone") {
			t.Error("got", err)
		}
	})
}

func TestBrokerSessions(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	want := []broker.StoredSession{
		{ClientID: "Z", Version: mqtt.V4, Expiry: time.Hour},
		{ClientID: "a", Version: mqtt.V5, Expiry: mqtt.NeverExpires, Left: at, Principal: "cert",
			Subscriptions: []broker.StoredSubscription{
				{Filter: "#", QoS: mqtt.QoS2, NoLocal: true, RetainAsPublished: true, ID: 268435455},
				{Filter: "a/+", QoS: mqtt.QoS1}},
			Queued: 2, LastNumber: 9, Received: []uint16{1, 65535}},
		{ClientID: "é", Version: mqtt.V5, Expiry: time.Minute, Left: at.Add(time.Second), Principal: "other"},
	}
	message := func(number int64) broker.StoredMessage {
		return broker.StoredMessage{Number: number, QoS: mqtt.QoS1, Message: fullMessage("t")}
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		inBroker(t, db, func(tx broker.StoreTx) error {
			var err error
			for _, s := range want {
				err = errors.Join(err, tx.PutSession(broker.StoredSession{ClientID: s.ClientID}), tx.PutSession(s))
				for _, sub := range s.Subscriptions {
					err = errors.Join(err, tx.PutSubscription(s.ClientID, broker.StoredSubscription{Filter: sub.Filter}),
						tx.PutSubscription(s.ClientID, sub))
				}
				for _, id := range s.Received {
					err = errors.Join(err, tx.PutReceived(s.ClientID, id), tx.PutReceived(s.ClientID, id))
				}
			}
			return errors.Join(err, tx.PutReceived("a", 5), tx.DeleteReceived("a", 5),
				tx.PutSubscription("a", broker.StoredSubscription{Filter: "x"}), tx.DeleteSubscription("a", "x"),
				tx.Enqueue("a", message(4)), tx.Enqueue("a", message(5)), tx.Enqueue("a", message(9)), tx.Dequeue("a", 4),
				tx.Left("é", want[2].Left, want[2].Expiry),
				tx.Enqueue("b", message(1)), // of no session
			)
		})
		if diff := cmp.Diff(want, sessionsOfAccount(t, db, testAccount)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := sessionsOfAccount(t, db, "999999999999"); len(got) > 0 {
			t.Error("another account sees them:", got)
		}
	})
}

func sessionsOfAccount(t *testing.T, db *DB, account string) (all []broker.StoredSession) {
	t.Helper()
	if err := db.Broker(account).Sessions(context.Background(), func(s broker.StoredSession) { all = append(all, s) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBrokerSessionsOfSeveralPages(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var want, got []string
		inBroker(t, db, func(tx broker.StoreTx) error {
			want = nil
			for i := range 2*sessionPage + 1 {
				id := fmt.Sprintf("device-%05d", i)
				want = append(want, id)
				if err := errors.Join(tx.PutSession(broker.StoredSession{ClientID: id}),
					tx.PutSubscription(id, broker.StoredSubscription{Filter: id})); err != nil {
					return err
				}
			}
			return nil
		})
		for _, s := range sessionsOfAccount(t, db, testAccount) {
			if len(s.Subscriptions) != 1 || s.Subscriptions[0].Filter != s.ClientID {
				t.Fatalf("%s has %v", s.ClientID, s.Subscriptions)
			}
			got = append(got, s.ClientID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBrokerDeleteSessionTakesAllWithIt(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		fill := func(tx broker.StoreTx, id string) error {
			return errors.Join(tx.PutSession(broker.StoredSession{ClientID: id}),
				tx.PutSubscription(id, broker.StoredSubscription{Filter: "f"}), tx.PutReceived(id, 1),
				tx.PutBody("of-"+id, fullMessage("t")),
				tx.Enqueue(id, broker.StoredMessage{Number: 1, Message: fullMessage("t")}),
				tx.Enqueue(id, broker.StoredMessage{Number: 2, BodyID: "of-" + id}))
		}
		inBroker(t, db, func(tx broker.StoreTx) error { return errors.Join(fill(tx, "a"), fill(tx, "b")) })
		inBroker(t, db, func(tx broker.StoreTx) error { return errors.Join(tx.DeleteSession("a"), tx.DeleteSession("nobody")) })
		got := map[string]int{}
		for _, table := range []string{"sessions", "subscriptions", "received_packets", "queued_messages", "message_bodies"} {
			got[table] = rows(t, db, table)
		}
		want := map[string]int{"sessions": 1, "subscriptions": 1, "received_packets": 1, "queued_messages": 2, "message_bodies": 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if got := queueOf(t, db, "b"); len(got) != 2 || got[1].Message == nil {
			t.Error("b lost messages:", got)
		}
	})
}

func TestBrokerRetained(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		inBroker(t, db, func(tx broker.StoreTx) error {
			return errors.Join(tx.PutRetained(&message.Message{Topic: "a/b"}, at.Add(-time.Hour)),
				tx.PutRetained(fullMessage("a/b"), at), tx.PutRetained(fullMessage("a/c"), at), tx.DeleteRetained("a/c"))
		})
		got, err := db.Broker(testAccount).Retained(ctx, "a/b")
		if diff := cmp.Diff(&broker.RetainedMessage{Message: *fullMessage("a/b"), Modified: at}, got); diff != "" || err != nil {
			t.Errorf("(-want +got):\n%s%v", diff, err)
		}
		if got, err := db.Broker(testAccount).Retained(ctx, "a/c"); got != nil || err != nil {
			t.Error("a deleted one is there:", got, err)
		}
		if n, err := db.Broker(testAccount).CountRetained(ctx); n != 1 || err != nil {
			t.Error("count:", n, err)
		}
		if n, err := db.Broker("999999999999").CountRetained(ctx); n != 0 || err != nil {
			t.Error("another account's count:", n, err)
		}
	})
}

func TestBrokerRetainedFrom(t *testing.T) {
	topics := []string{"A", "a", "a/", "a/b", "a/ÿ", "a/ÿx", "a/Ā", "a0", "b", "x\uD7FF", "x\uD7FFy", "x\uE000", "\U0010FFFF", "\U0010FFFF\U0010FFFF", "é"}
	tests := []struct {
		name, prefix, after string
		want                []string
	}{
		{"all", "", "", []string{"A", "a", "a/", "a/b", "a/ÿ", "a/ÿx", "a/Ā", "a0", "b", "x\uD7FF", "x\uD7FFy", "x\uE000", "é", "\U0010FFFF", "\U0010FFFF\U0010FFFF"}},
		{"all, go on", "", "é", []string{"\U0010FFFF", "\U0010FFFF\U0010FFFF"}},
		{"a level", "a/", "", []string{"a/", "a/b", "a/ÿ", "a/ÿx", "a/Ā"}},
		{"a level, go on", "a/", "a/b", []string{"a/ÿ", "a/ÿx", "a/Ā"}},
		{"after lies before the prefix", "a/", "A", []string{"a/", "a/b", "a/ÿ", "a/ÿx", "a/Ā"}},
		{"after lies behind the prefix", "a/", "b", []string{}},
		{"U+00FF in the end", "a/ÿ", "", []string{"a/ÿ", "a/ÿx"}},
		{"before the surrogates", "x\uD7FF", "", []string{"x\uD7FF", "x\uD7FFy"}},
		{"the last character of all", "\U0010FFFF", "", []string{"\U0010FFFF", "\U0010FFFF\U0010FFFF"}},
		{"the last character of all, go on", "\U0010FFFF", "\U0010FFFF", []string{"\U0010FFFF\U0010FFFF"}},
		{"the last character behind another", "x\U0010FFFF", "", []string{}},
		{"nothing begins so", "a/bc", "", []string{}},
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		inBroker(t, db, func(tx broker.StoreTx) (err error) {
			for _, topic := range topics {
				err = errors.Join(err, tx.PutRetained(&message.Message{Topic: topic}, time.UnixMilli(1)))
			}
			return err
		})
		for _, test := range tests {
			page, err := db.Broker(testAccount).RetainedFrom(context.Background(), test.prefix, test.after, 100)
			got := []string{}
			for _, m := range page {
				got = append(got, m.Message.Topic)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%s (-want +got):\n%s%v", test.name, diff, err)
			}
		}
		page, err := db.Broker(testAccount).RetainedFrom(context.Background(), "a", "a", 2)
		if len(page) != 2 || page[1].Message.Topic != "a/b" || err != nil {
			t.Error("a page of two:", page, err)
		}
	})
}

// followerOf separates the texts that begin with a prefix from those after them.
func TestFollowerOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, text := rapid.String().Draw(t, "prefix"), rapid.String().Draw(t, "text")
		below := followerOf(prefix)
		inRange := text >= prefix && (below == "" || text < below)
		if inRange != strings.HasPrefix(text, prefix) {
			t.Errorf("%q in %q..%q: %v", text, prefix, below, inRange)
		}
	})
}

func TestBrokerSharedQueues(t *testing.T) {
	ctx := context.Background()
	until := time.UnixMilli(1_700_000_000_000).UTC()
	want := []broker.StoredShared{
		{Number: 3, Message: fullMessage("a")},
		{Number: 4, Until: until, Message: fullMessage("b")},
		{Number: 1 << 40, Until: until.Add(time.Millisecond), Message: &message.Message{Topic: "c", QoS: mqtt.QoS1}},
	}
	type queue struct {
		Filter string
		Count  int
		Last   int64
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		b := db.Broker(testAccount)
		inBroker(t, db, func(tx broker.StoreTx) (err error) {
			for _, m := range want {
				err = errors.Join(err, tx.EnqueueShared("$share/g/t", m))
			}
			return errors.Join(err, tx.EnqueueShared("$share/h/t", want[1]), tx.EnqueueShared("$share/i/t", want[0]))
		})
		page, err := b.SharedQueue(ctx, "$share/g/t", 0, 10)
		if diff := cmp.Diff(want, page); diff != "" || err != nil {
			t.Errorf("(-want +got):\n%s%v", diff, err)
		}
		page, err = b.SharedQueue(ctx, "$share/g/t", 3, 1)
		if diff := cmp.Diff(want[1:2], page); diff != "" || err != nil {
			t.Errorf("a page (-want +got):\n%s%v", diff, err)
		}
		if n, err := b.CountShared(ctx, "$share/g/t", 3, 4); n != 1 || err != nil {
			t.Error("count:", n, err)
		}
		inBroker(t, db, func(tx broker.StoreTx) error {
			return errors.Join(tx.DequeueShared("$share/g/t", 3), tx.DequeueShared("$share/g/t", 3), tx.DeleteShared("$share/i/t"), tx.ExpireShared(until))
		})
		var queues []queue
		err = b.SharedQueues(ctx, func(filter string, count int, last int64) { queues = append(queues, queue{filter, count, last}) })
		if diff := cmp.Diff([]queue{{"$share/g/t", 1, 1 << 40}}, queues); diff != "" || err != nil {
			t.Errorf("queues (-want +got):\n%s%v", diff, err)
		}
	})
}

func TestBrokerWills(t *testing.T) {
	due := time.UnixMilli(1_700_000_000_123).UTC()
	first := broker.StoredWill{ClientID: "a", ID: "1", Delay: time.Minute, Message: fullMessage("w/a")}
	second := broker.StoredWill{ClientID: "a", ID: "2", Due: due, Message: &message.Message{Topic: "w"}}
	other := broker.StoredWill{ClientID: "b", ID: "1", Delay: time.Second, Message: fullMessage("w/b")}
	eachEngine(t, func(t *testing.T, db *DB) {
		steps := []struct {
			name string
			do   func(tx broker.StoreTx) error
			want []broker.StoredWill
		}{
			{"two clients", func(tx broker.StoreTx) error { return errors.Join(tx.PutWill(other), tx.PutWill(first)) }, []broker.StoredWill{first, other}},
			{"one connects again", func(tx broker.StoreTx) error { return tx.PutWill(second) }, []broker.StoredWill{second, other}},
			{"its first connection is settled late", func(tx broker.StoreTx) error {
				return errors.Join(tx.DeleteWill("a", "1"), tx.DelayWill("a", "1", due.Add(time.Hour)), tx.DeliveredWill("a", "1"))
			}, []broker.StoredWill{second, other}},
			{"one waits, one is out", func(tx broker.StoreTx) error {
				return errors.Join(tx.DelayWill("b", "1", due), tx.DeleteWill("a", "2"))
			}, []broker.StoredWill{{ClientID: "b", ID: "1", Delay: time.Second, Due: due, Message: fullMessage("w/b")}}},
			{"the other is delivered", func(tx broker.StoreTx) error { return tx.DeliveredWill("b", "1") },
				[]broker.StoredWill{{ClientID: "b", ID: "1", Delay: time.Second, Due: due, Message: fullMessage("w/b"), Delivered: true}}},
			{"and connects again", func(tx broker.StoreTx) error { return tx.PutWill(other) }, []broker.StoredWill{other}},
		}
		for _, step := range steps {
			inBroker(t, db, step.do)
			got, err := db.Broker(testAccount).Wills(context.Background())
			if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
				t.Errorf("%s (-want +got):\n%s%v", step.name, diff, err)
			}
		}
	})
}

func TestBrokerVersions(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		for _, want := range []int64{0, 1000, 1 << 40} {
			if want > 0 {
				inBroker(t, db, func(tx broker.StoreTx) error { return tx.PutVersions(want) })
			}
			if got, err := db.Broker(testAccount).Versions(context.Background()); got != want || err != nil {
				t.Error(got, err)
			}
		}
		if got, err := db.Broker("999999999999").Versions(context.Background()); got != 0 || err != nil {
			t.Error("another account:", got, err)
		}
	})
}

func TestBrokerRetainedExpire(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000).UTC()
	eachEngine(t, func(t *testing.T, db *DB) {
		b := db.Broker(testAccount)
		inBroker(t, db, func(tx broker.StoreTx) (err error) {
			for topic, expires := range map[string]time.Time{"ever": {}, "now": at, "later": at.Add(time.Millisecond), "renewed": at} {
				err = errors.Join(err, tx.PutRetained(&message.Message{Topic: topic, Expires: expires}, at))
			}
			return errors.Join(err, tx.PutRetained(&message.Message{Topic: "renewed"}, at))
		})
		inBroker(t, db, func(tx broker.StoreTx) error {
			count, err := tx.ExpireRetained(at)
			if count != 1 {
				t.Errorf("%d expired", count)
			}
			return err
		})
		page, err := b.RetainedFrom(context.Background(), "", "", 10)
		var topics []string
		for _, m := range page {
			topics = append(topics, m.Message.Topic)
		}
		if diff := cmp.Diff([]string{"ever", "later", "renewed"}, topics); diff != "" || err != nil {
			t.Errorf("left (-want +got):\n%s%v", diff, err)
		}
	})
}

func TestBrokerSubmitTellsTheOutcome(t *testing.T) {
	db := openTest(t, filepath.Join(t.TempDir(), "thingd.db"))
	var got []string
	done := make(chan struct{})
	failure := errors.New("no")
	note := func(name string) func(error) {
		return func(err error) { got = append(got, fmt.Sprint(name, " ", err)) }
	}
	b := db.Broker(testAccount)
	b.Submit(func(tx broker.StoreTx) error { return tx.PutReceived("c", 1) }, note("first"))
	b.Submit(func(broker.StoreTx) error { return failure }, note("second"))
	b.Submit(func(tx broker.StoreTx) error { return tx.PutReceived("c", 2) }, func(err error) {
		note("third")(err)
		close(done)
	})
	<-done
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b.Submit(func(broker.StoreTx) error { return nil }, note("closed"))
	if diff := cmp.Diff([]string{"first <nil>", "second no", "third <nil>", "closed " + ErrClosed.Error()}, got); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkBrokerQueue is the life of a QoS 1 message of 256 bytes to a persistent
// session: stored, delivered, forgotten.
func BenchmarkBrokerQueue(b *testing.B) {
	for _, bench := range []struct {
		name     string
		sessions int
		backlog  int64 // messages that wait in each queue before one goes
	}{{"online", 1000, 0}, {"backlog", 1000, 20}} {
		b.Run(bench.name, func(b *testing.B) {
			db, err := Open(context.Background(), filepath.Join(b.TempDir(), "thingd.db"), quiet())
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			benchmarkQueue(b, db.Broker(testAccount), bench.sessions, bench.backlog)
		})
	}
}

func benchmarkQueue(b *testing.B, store *Broker, sessions int, backlog int64) {
	m := &message.Message{Topic: "dt/factory/line-7/press-12/temperature", Payload: make([]byte, 256), QoS: mqtt.QoS1,
		Origin: message.Origin{Kind: message.FromDevice, ClientID: "press-12", Principal: strings.Repeat("ab", 32)}}
	failed := make(chan error, 1)
	done := func(err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
	ids := make([]string, sessions)
	for i := range ids {
		ids[i] = fmt.Sprintf("dashboard-%d", i)
	}
	b.ResetTimer()
	for i := range b.N {
		id, number := ids[i%sessions], int64(i/sessions+1)
		store.Submit(func(tx broker.StoreTx) error {
			return tx.Enqueue(id, broker.StoredMessage{Number: number, QoS: mqtt.QoS1, Message: m})
		}, done)
		if number > backlog {
			store.Submit(func(tx broker.StoreTx) error { return tx.Dequeue(id, number-backlog) }, done)
		}
	}
	if err := store.Update(context.Background(), func(broker.StoreTx) error { return nil }); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
