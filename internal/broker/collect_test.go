package broker_test

import (
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
