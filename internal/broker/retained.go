package broker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// retained bridges the time between a retained PUBLISH and its being in the
// store, so that a subscriber who comes right after finds it.
type retained struct {
	mu      sync.Mutex
	pending map[string]*Message // by topic; an empty payload stands for a deletion

	// How many there are: as counted last, and how many were added since if every
	// one was to a new topic.
	counted   int
	added     int
	changed   bool // since it was counted
	countedAt time.Time
	expiredAt time.Time
}

// get gives what is on its way to the store for a topic.
func (r *retained) get(name string) *Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending[name]
}

// errRetainedFull refuses one more topic.
var errRetainedFull = fault.New(fault.CodeThrottling, "the retained messages have reached their limit")

// retain keeps a message for subscribers to come, or forgets the topic's if the
// payload is empty. [MQTT-3.3.1-5] [MQTT-3.3.1-6] The store gets it with what the
// delivery has for it besides. It says no, and breaks the promise, when there are
// too many.
func (b *Broker) retain(d *delivery) bool {
	m := d.keep()
	if len(m.Payload) > 0 && !b.mayRetain(m.Topic) {
		b.tellRetainedFull(m)
		d.promise.expect()
		d.promise.settle(errRetainedFull)
		return false
	}
	b.retained.add(m)
	d.retains = true
	return true
}

// tellRetainedFull counts a message that is not retained, and tells the journal once
// a second at most.
func (b *Broker) tellRetainedFull(m *Message) {
	b.stats.RetainThrottled.Add(1)
	now := b.Now()
	if !b.quotas.tells(why.StepPublish, now) {
		return
	}
	b.Journal.Record(why.Event{
		Time: now, ClientID: m.Origin.ClientID, Principal: m.Origin.Principal, Source: m.Origin.SourceIP,
		Step: why.StepPublish, Cause: why.RetainedFull,
		Detail: fmt.Sprintf("%d messages are retained, none of them on %s", b.Limits.Retained, m.Topic),
	})
}

func (r *retained) add(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[m.Topic] = m
	r.changed = true
	if len(m.Payload) > 0 {
		r.added++
	}
}

func (r *retained) settled(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending[m.Topic] == m {
		delete(r.pending, m.Topic)
	}
}

// mayRetain says whether there is room for a topic. Counting is dear: it is done
// only when there may be no room, and a topic that is kept already needs none.
func (b *Broker) mayRetain(name string) bool {
	if b.retained.fits(b.Limits.Retained) {
		return true
	}
	if pending := b.retained.get(name); pending != nil && len(pending.Payload) > 0 {
		return true
	}
	found, err := b.Store.Retained(context.Background(), name)
	b.failed("read a retained message", err)
	if found != nil {
		return true
	}
	if err := b.flushed(context.Background()); err != nil {
		return false
	}
	return b.countRetained(context.Background()) == nil && b.retained.fits(b.Limits.Retained)
}

func (r *retained) fits(limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counted+r.added < limit
}

// countRetained counts what the store has.
func (b *Broker) countRetained(ctx context.Context) error {
	r := &b.retained
	r.mu.Lock()
	r.changed, r.countedAt = false, b.Now()
	before := r.added
	r.mu.Unlock()
	count, err := b.Store.CountRetained(ctx)
	b.failed("count retained messages", err)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.counted, r.added = count, r.added-before
	for _, m := range r.pending {
		if len(m.Payload) > 0 {
			r.added++
		}
	}
	r.mu.Unlock()
	b.stats.RetainedMessages.Store(int64(count))
	return nil
}

// recountEvery is how often the number of retained messages is brought up to
// date for the metrics, while they change.
const recountEvery = 10 * time.Second

func (b *Broker) recountRetained(now time.Time) {
	r := &b.retained
	r.mu.Lock()
	due := r.changed && now.Sub(r.countedAt) >= recountEvery
	r.mu.Unlock()
	if due {
		_ = b.countRetained(context.Background()) // logged and counted there
	}
}

// expireRetainedEvery is how often expired messages leave the store.
const expireRetainedEvery = time.Minute

// expireRetained forgets retained messages that are not sent any more.
func (b *Broker) expireRetained(now time.Time) {
	r := &b.retained
	r.mu.Lock()
	due := now.Sub(r.expiredAt) >= expireRetainedEvery
	if due {
		r.expiredAt = now
	}
	r.mu.Unlock()
	if !due {
		return
	}
	b.submit("forget expired retained messages", func(tx StoreTx) error {
		count, err := tx.ExpireRetained(now)
		if count > 0 {
			r.mu.Lock()
			r.changed = true
			r.mu.Unlock()
		}
		return err
	}, nil)
}

// sendRetained sends the retained messages that a new subscription asks for.
// AWS looks only for the topic that equals the filter; the standard's profile
// takes wildcards too. Shared subscriptions get none. [MQTT 5.0 4.8.2]
func (c *conn) sendRetained(want mqtt.Subscription, row StoredSubscription, isNew bool) *ending {
	if _, _, shared := topic.Share(want.Filter); shared {
		return nil
	}
	if want.RetainHandling == mqtt.SendNoRetained || want.RetainHandling == mqtt.SendRetainedIfNew && !isNew {
		return nil
	}
	var err error
	if topic.HasWildcard(want.Filter) {
		if c.b.Limits.RetainWildcards {
			err = c.sendRetainedMatching(want.Filter, row)
		}
	} else {
		err = c.sendRetainedOf(want.Filter, row)
	}
	if err != nil {
		failed := storeFailed.because(err)
		return &failed
	}
	return nil
}

func (c *conn) sendRetainedOf(name string, row StoredSubscription) error {
	m := c.b.retained.get(name)
	if m == nil {
		found, err := c.b.Store.Retained(context.Background(), name)
		if err != nil || found == nil {
			return err
		}
		m = &found.Message
	}
	c.sendOneRetained(m, row)
	return nil
}

// sendRetainedMatching walks the store through the topics that begin with the
// filter's part before its first wildcard.
func (c *conn) sendRetainedMatching(filter string, row StoredSubscription) error {
	prefix := filter[:strings.IndexAny(filter, "+#")]
	if c.b.Limits.Topics.MatchParent && strings.HasSuffix(filter, "/#") {
		prefix = strings.TrimSuffix(prefix, "/") // a/# selects a
	}
	seen := c.b.retained.matching(c.b.Limits.Topics, filter)
	for _, m := range seen {
		c.sendOneRetained(m, row)
	}
	for after := ""; ; {
		page, err := c.b.Store.RetainedFrom(context.Background(), prefix, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			m := &page[i].Message
			after = m.Topic
			if _, newer := seen[m.Topic]; !newer && c.b.Limits.Topics.Match(filter, m.Topic) {
				c.sendOneRetained(m, row)
			}
		}
	}
}

// matching gives what is on its way to the store and selected by filter.
func (r *retained) matching(rules topic.Rules, filter string) map[string]*Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]*Message{}
	for name, m := range r.pending {
		if rules.Match(filter, name) {
			found[name] = m
		}
	}
	return found
}

// sendOneRetained sends a kept message with the RETAIN flag. [MQTT-3.3.1-8]
func (c *conn) sendOneRetained(m *Message, row StoredSubscription) {
	now := c.b.Now()
	if len(m.Payload) == 0 || expired(m, now) {
		return
	}
	if !c.rights.Allows("iot:Receive", "topic/"+m.Topic) {
		c.mayNotReceive(now, m.Topic)
		return
	}
	d := delivery{m: m, kept: m, now: now, work: &c.work, frames: &frames{}, promise: newPromise(nothing)}
	ids := appendID(nil, row.ID)
	if qos := min(m.QoS, row.QoS); qos > 0 {
		c.session.give(&d, c, qos, true, ids)
		return
	}
	c.awaitRoom()
	c.send(&d, true, ids)
}

// awaitRoom writes what waits for the reader's own client when its outbox is half
// full: a subscriber shall get all that is retained, however much it is.
func (c *conn) awaitRoom() {
	for c.out.size() > c.b.Limits.OutboxBytes/2 && c.end.Load() == nil {
		c.catchUp()
		if c.out.claim() { // others filled it, and will flush it some time
			c.flush()
		}
		select {
		case <-c.out.rested():
		case <-c.ended:
		}
	}
}

// expired says whether a message is too old to be sent. [MQTT-3.3.2-5]
func expired(m *Message, now time.Time) bool {
	return !m.Expires.IsZero() && !now.Before(m.Expires)
}
