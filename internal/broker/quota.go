package broker

import (
	"strings"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// quotas are the rates that all connections share. A rate of 0 is no bound.
type quotas struct {
	mu         sync.Mutex
	connects   bucket
	publishes  bucket
	sends      bucket
	retains    bucket
	subscribes bucket
	queued     bucket
	byClient   buckets // of CONNECTs, by client ID
	byTopic    buckets // of retained messages, by topic

	told map[why.Step]time.Time // when the journal last heard of them
}

// take takes one of what the account has in a second.
func (q *quotas) take(of *bucket, now time.Time, rate int) bool { return q.takeMany(of, now, rate, 1) }

// takeMany takes n of them; of a smaller rate, all.
func (q *quotas) takeMany(of *bucket, now time.Time, rate, n int) bool {
	if rate <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return of.take(now, rate, min(n, rate))
}

// takeOf takes one of what a client or a topic has in a second.
func (q *quotas) takeOf(of *buckets, name string, now time.Time, rate int) bool {
	if rate <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return of.take(name, now, rate)
}

// spend takes n for what is not refused.
func (q *quotas) spend(of *bucket, now time.Time, rate, n int) {
	if rate <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	of.spend(now, rate, n)
}

// tells says whether the journal shall hear of an excess that concerns all: once a
// second at most.
func (q *quotas) tells(step why.Step, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.told[step]) < time.Second {
		return false
	}
	if q.told == nil {
		q.told = map[why.Step]time.Time{}
	}
	q.told[step] = now
	return true
}

// forget lets go of clients and topics that have their whole second again.
func (q *quotas) forget(now time.Time, l Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.byClient.forget(now, l.ConnectRate)
	q.byTopic.forget(now, l.TopicRetainRate)
}

// mayConnect says why a CONNECT comes too fast, or is one too many; nil if it is not.
func (c *conn) mayConnect() *ending {
	b, now, l := c.b, c.b.Now(), &c.b.Limits
	switch {
	case !b.quotas.takeOf(&b.quotas.byClient, c.clientID, now, l.ConnectRate):
		return b.throttled(why.TooFast, tooManyASecond(l.ConnectRate, why.Say("CONNECT packets"), why.Say("with this client ID")))
	case !b.quotas.take(&b.quotas.connects, now, l.AccountConnectRate):
		return b.throttled(why.TooFast, tooManyASecond(l.AccountConnectRate, why.Say("CONNECT packets"), why.Say("in all")))
	case !b.hasRoomFor(c.clientID):
		return b.throttled(why.TooManyConnections, why.Say("%d clients are connected", l.AccountConnections))
	}
	return nil
}

// throttled refuses a CONNECT for a quota, and counts it.
func (b *Broker) throttled(cause why.Cause, detail why.Phrase) *ending {
	b.stats.ConnectThrottled.Add(1)
	return &ending{reason: mqtt.QuotaExceeded, disconnect: why.Throttled, cause: cause, step: why.StepConnect, detail: detail}
}

// hasRoomFor says whether one more client may be connected; one that is takes its own
// place. Those who connect at the same moment may find the same room.
func (b *Broker) hasRoomFor(clientID string) bool {
	most := b.Limits.AccountConnections
	if most <= 0 || b.stats.Connections.Load() < int64(most) {
		return true
	}
	s := b.session(clientID)
	return s != nil && s.conn.Load() != nil
}

// mayPublishNow takes a message from the rates of the connection and of the account.
func (c *conn) mayPublishNow(topic []byte, now time.Time) bool {
	b := c.b
	if !c.rate.take(now, b.Limits.PublishRate, 1) {
		return false
	}
	rate := b.Limits.AccountPublishRate
	return rate <= 0 || b.quotas.takeMany(&b.quotas.publishes, now, rate, weightOf(string(topic)))
}

// shadowUpdateWeight is how many messages AWS counts for an update of a shadow over
// MQTT: the request and what it makes the shadow service publish.
const shadowUpdateWeight = 4

func weightOf(topic string) int {
	if strings.HasPrefix(topic, "$aws/things/") && strings.HasSuffix(topic, "/update") && strings.Contains(topic, "/shadow/") {
		return shadowUpdateWeight
	}
	return 1
}

// mayRetainNow says why one more retained message comes too fast; nothing if it does not.
func (b *Broker) mayRetainNow(topic string, now time.Time) (detail why.Phrase) {
	l := &b.Limits
	switch {
	case !b.quotas.takeOf(&b.quotas.byTopic, topic, now, l.TopicRetainRate):
		detail = tooManyASecond(l.TopicRetainRate, why.Say("retained messages"), why.Say("to %s", topic))
	case !b.quotas.take(&b.quotas.retains, now, l.AccountRetainRate):
		detail = tooManyASecond(l.AccountRetainRate, why.Say("retained messages"), why.Say("in all"))
	default:
		return why.Phrase{}
	}
	b.stats.RetainThrottled.Add(1)
	return detail
}

// MayPublish counts a message that comes over HTTPS among those of the account, and
// refuses it with Throttling when they are too many a second, as AWS does.
func (b *Broker) MayPublish(m Message) error {
	now, detail := b.Now(), why.Phrase{}
	if !b.quotas.take(&b.quotas.publishes, now, b.Limits.AccountPublishRate) {
		detail = tooManyASecond(b.Limits.AccountPublishRate, why.Say("messages"), why.Say("in all"))
	} else if m.Retain {
		detail = b.mayRetainNow(m.Topic, now)
	}
	if detail.IsZero() {
		return nil
	}
	b.stats.PublishThrottled.Add(1)
	if b.quotas.tells(why.StepHTTP, now) {
		event := why.Event{
			Time: now, Principal: m.Origin.Principal, Source: m.Origin.SourceIP, Door: "https", Step: why.StepHTTP, Cause: why.TooFast,
		}
		event.Because(detail)
		b.Journal.Record(event)
	}
	return fault.New(fault.CodeThrottling, "Rate exceeded")
}

// maySubscribeNow says why one more filter comes too fast, or is one too many beside
// the session's; nil if it is not.
func (c *conn) maySubscribeNow(filter string, before int) *ending {
	b, l := c.b, &c.b.Limits
	if !b.quotas.take(&b.quotas.subscribes, b.Now(), l.AccountSubscribeRate) {
		b.stats.SubscribeThrottled.Add(1)
		return clientError(why.StepSubscribe, mqtt.QuotaExceeded, why.TooFast, "%s", tooManyASecond(l.AccountSubscribeRate, why.Say("filters"), why.Say("in all")))
	}
	most := int64(l.AccountSubscriptions)
	if most > 0 && b.stats.Subscriptions.Load()+int64(before) >= most && !c.session.has(filter) {
		return clientError(why.StepSubscribe, mqtt.QuotaExceeded, why.TooManySubscriptions, "all clients have %d filters", most)
	}
	return nil
}

// mayQueue says whether one more message may wait for somebody who is away.
func (b *Broker) mayQueue(now time.Time) bool {
	rate := b.Limits.AccountQueueRate
	if b.quotas.take(&b.quotas.queued, now, rate) {
		return true
	}
	b.stats.QueueThrottled.Add(1)
	if b.quotas.tells(why.StepReceive, now) {
		event := why.Event{Time: now, Step: why.StepReceive, Cause: why.TooFast}
		event.Because(tooManyASecond(rate, why.Say("messages"), why.Say("for clients that are away")))
		b.Journal.Record(event)
	}
	return false
}

func tooManyASecond(rate int, what, whose why.Phrase) why.Phrase {
	return why.Say("more than %d %s a second %s", rate, what, whose)
}

// buckets are rates by name.
type buckets struct {
	all map[string]*bucket
}

// namesCounted bounds them. Beyond, they are forgotten and begin anew: the account's
// rate holds on.
const namesCounted = 100_000

func (b *buckets) take(name string, now time.Time, rate int) bool {
	if b.all == nil || len(b.all) >= namesCounted {
		b.all = map[string]*bucket{}
	}
	one := b.all[name]
	if one == nil {
		one = &bucket{}
		b.all[name] = one
	}
	return one.take(now, rate, 1)
}

func (b *buckets) forget(now time.Time, rate int) {
	for name, one := range b.all {
		if one.refill(now, rate); one.used == 0 {
			delete(b.all, name)
		}
	}
}
