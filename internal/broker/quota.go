package broker

import (
	"sync"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// quotas are the rates that all connections share. A rate of 0 is no bound.
type quotas struct {
	mu         sync.Mutex
	connects   bucket
	publishes  bucket
	retains    bucket
	subscribes bucket
	queued     bucket
	byClient   map[string]*bucket // of CONNECTs, by client ID
}

// clientsCounted bounds the client IDs whose CONNECTs are counted. Beyond, they are
// forgotten and begin anew: the account's rate holds on.
const clientsCounted = 100_000

// take takes one of what the account has in a second.
func (q *quotas) take(of *bucket, now time.Time, rate int) bool {
	if rate <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return of.take(now, rate, 1)
}

// connect counts a CONNECT of a client, and says whether it comes too soon.
func (q *quotas) connect(clientID string, now time.Time, rate int) bool {
	if rate <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byClient == nil || len(q.byClient) >= clientsCounted {
		q.byClient = map[string]*bucket{}
	}
	b := q.byClient[clientID]
	if b == nil {
		b = &bucket{}
		q.byClient[clientID] = b
	}
	return b.take(now, rate, 1)
}

// forget lets go of clients that could connect again by now.
func (q *quotas) forget(now time.Time, rate int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, b := range q.byClient {
		if b.refill(now, rate); b.used == 0 {
			delete(q.byClient, id)
		}
	}
}

// mayConnect says why a CONNECT comes too fast; nil if it does not.
func (c *conn) mayConnect() *ending {
	b, now := c.b, c.b.Now()
	limit, detail := b.Limits.ConnectRate, "more than %d CONNECT packets a second with this client ID"
	if b.quotas.connect(c.clientID, now, limit) {
		limit, detail = b.Limits.AccountConnectRate, "more than %d CONNECT packets a second in all"
		if b.quotas.take(&b.quotas.connects, now, limit) {
			return nil
		}
	}
	b.stats.ConnectThrottled.Add(1)
	end := clientError(why.StepConnect, mqtt.QuotaExceeded, why.TooFast, detail, limit)
	end.disconnect = why.Throttled
	return end
}

// mayPublishNow takes one message from the rates of the connection and of the
// account.
func (c *conn) mayPublishNow(now time.Time) bool {
	b := c.b
	return c.rate.take(now, b.Limits.PublishRate, 1) && b.quotas.take(&b.quotas.publishes, now, b.Limits.AccountPublishRate)
}

// mayRetainNow says why one more retained message comes too fast; nil if it does
// not.
func (c *conn) mayRetainNow(now time.Time) *ending {
	b := c.b
	if b.quotas.take(&b.quotas.retains, now, b.Limits.AccountRetainRate) {
		return nil
	}
	return clientError(why.StepPublish, mqtt.QuotaExceeded, why.TooFast, "more than %d retained messages a second in all", b.Limits.AccountRetainRate)
}

// maySubscribeNow says why one more filter comes too fast; nil if it does not.
func (c *conn) maySubscribeNow() *ending {
	b := c.b
	if b.quotas.take(&b.quotas.subscribes, b.Now(), b.Limits.AccountSubscribeRate) {
		return nil
	}
	b.stats.SubscribeThrottled.Add(1)
	return clientError(why.StepSubscribe, mqtt.QuotaExceeded, why.TooFast, "more than %d filters a second in all", b.Limits.AccountSubscribeRate)
}

// mayQueue says whether one more message may wait for somebody who is away.
func (b *Broker) mayQueue(now time.Time) bool {
	if b.quotas.take(&b.quotas.queued, now, b.Limits.AccountQueueRate) {
		return true
	}
	b.stats.QueueThrottled.Add(1)
	return false
}
