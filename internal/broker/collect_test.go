package broker_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// collector notes what it gets, and with which tags.
type collector struct{ got []string }

func (c *collector) Collect(m message.Message, tags []any, done message.Done) {
	c.got = append(c.got, fmt.Sprint(m.Topic, " ", tags))
	done(nil)
}

func TestACollectorGetsAMessageOnceForAllItsFilters(t *testing.T) {
	w := newWorld(t, broker.AWS())
	one, other := &collector{}, &collector{}
	w.broker.Collect("a/+", one, 1)
	remove := w.broker.Collect("a/b", one, 2)
	w.broker.Collect("a/#", other, 3)
	publish := func(name string) {
		acknowledged := false
		w.broker.Publish(message.Message{Topic: name, QoS: mqtt.QoS1}, func(err error) { acknowledged = err == nil })
		if !acknowledged {
			t.Error("nobody was told about", name)
		}
	}
	publish("a/b")
	publish("a/c")
	publish("b")
	remove()
	publish("a/b")
	want := []string{"a/b [1 2]", "a/c [1]", "a/b [1]"}
	if diff := cmp.Diff(want, one.got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a/b [3]", "a/c [3]", "a/b [3]"}, other.got); diff != "" {
		t.Error(diff)
	}
}

// Each rule that gets a message counts among what the account may be sent, and is not
// refused it.
func TestRulesCountAmongWhatIsSent(t *testing.T) {
	limits := broker.AWS()
	limits.AccountSendRate = 3
	w := newWorld(t, limits)
	c := &collector{}
	defer w.broker.Collect("a/b", c, "one")()
	defer w.broker.Collect("a/+", c, "two")()
	sub := joined(t, w, &mqtt.Connect{ClientID: "sub"})
	subscribe(t, sub, "a/b", 0)
	for range 2 {
		if err := message.Publish(context.Background(), w.broker, message.Message{Topic: "a/b"}); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := sub.next(); err != nil || p.Type() != mqtt.TypePublish {
		t.Errorf("the client hears %s, %v", show(p), err)
	}
	if err := sub.barrier(); err != nil {
		t.Error(err)
	}
	if rules, dropped := len(c.got), w.broker.Stats().SendThrottled.Load(); rules != 2 || dropped != 1 {
		t.Errorf("rules got %d messages, and %d were dropped; want 2 and 1", rules, dropped)
	}
}
