package broker

import (
	"context"
	"slices"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// groupQueue holds the messages of a group that no member has. It is guarded by
// group.mu.
type groupQueue struct {
	back    []*shared // from members that left, in the order of their numbers; they go first
	waiting []*shared // waiting in memory
	bytes   int       // of their payload
	stored  int       // waiting in the store alone, behind them; may count too many until it is read
	last    int64     // number of the newest message; they grow by one
	read    int64     // number of the newest message that was in memory
	written int64     // number of the newest message that the store has, or could not take
	replay  int64     // messages up to this number waited while nobody was there
	loading bool      // somebody is reading from the store
	gone    []int64   // numbers of messages that are done with
	told    int64     // when the journal last heard that it is full, Unix seconds
}

// shared is one message of a group.
type shared struct {
	group  *group
	m      *Message
	number int64     // 0: not stored
	until  time.Time // zero: for ever
}

// move is a QoS 2 message on its way to a member's session.
type move struct {
	sub *subscription
	m   *shared
}

// startAt begins the numbers above last: somebody may still settle messages of an
// earlier group of the same name.
func (q *groupQueue) startAt(last int64) { q.last, q.read, q.written = last, last, last }

func (q *groupQueue) size() int { return len(q.back) + len(q.waiting) + q.stored }

func (q *groupQueue) giveBack(m *shared) {
	at := len(q.back)
	for m.number > 0 && at > 0 && q.back[at-1].number > m.number {
		at--
	}
	q.back = slices.Insert(q.back, at, m)
}

// deliver gives a new message to one member, or keeps it for later. For more than
// QoS 0 the caller holds Broker.order.
func (g *group) deliver(d *delivery) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if d.m.QoS == mqtt.QoS0 {
		g.offer(d, &shared{group: g, m: d.m}, false, nil)
		return
	}
	q := &g.queue
	m := &shared{group: g, m: d.keep(), until: d.m.Expires}
	if g.keeps {
		m.number = q.last + 1
		m.until = g.until(d.m, d.now)
	}
	got := busy
	if q.size() == 0 {
		got = g.offer(d, m, false, nil)
	} else if !g.isHere() {
		got = absent
	}
	if got == held && m.number > 0 {
		q.read = m.number
	}
	if got == absent && !g.keeps || got == barred || got == passed || got < held && !g.place(m, got == absent, d.now) {
		return
	}
	if m.number > 0 {
		q.last = m.number
		d.shared = append(d.shared, m)
	}
}

// place puts a message behind those that wait, if there is room. The newest is
// dropped otherwise.
func (g *group) place(m *shared, nobody bool, now time.Time) bool {
	q, limits := &g.queue, &g.b.Limits
	if q.size() >= limits.QueueMessages || m.number == 0 && q.bytes > limits.OutboxBytes {
		g.b.stats.DroppedFull.Add(1)
		if now.Unix() > q.told {
			q.told = now.Unix()
			g.b.tellFull(why.Event{Resource: g.key}, now, q.size(), m.m.Topic)
		}
		return false
	}
	if nobody && !g.b.mayQueue(now) {
		return false
	}
	if nobody {
		q.replay = m.number
	}
	if m.number > 0 && (nobody || q.stored > 0 || len(q.waiting) >= waitingInMemory || q.bytes >= bytesInMemory) {
		q.stored++
		return true
	}
	if m.number > 0 {
		q.read = m.number
	}
	q.push(m)
	return true
}

func (q *groupQueue) push(m *shared) {
	q.waiting = append(q.waiting, m)
	q.bytes += len(m.m.Payload)
}

// until gives how long a message is kept: as long as it says, or else as the
// sessions that it waits for. The caller holds g.mu.
func (g *group) until(m *Message, now time.Time) time.Time {
	if !m.Expires.IsZero() || g.retention == mqtt.NeverExpires {
		return m.Expires
	}
	return now.Add(g.retention)
}

// pump gives what waits to members that have room. The caller holds no locks.
func (g *group) pump(work *batch) {
	g.mu.Lock()
	if g.queue.size() == 0 {
		g.mu.Unlock()
		return
	}
	var moves []move
	for g.next(work, &moves) {
	}
	page := g.wantsPage()
	gone := g.queue.gone
	g.queue.gone = nil
	g.mu.Unlock()
	for _, m := range moves {
		g.b.pass(m)
	}
	g.b.settleShared(g.key, gone)
	if page && g.b.begin() {
		go g.loadPage()
	}
}

// next takes care of the message that comes next, and says whether another may.
// The caller holds g.mu.
func (g *group) next(work *batch, moves *[]move) bool {
	q := &g.queue
	from := &q.back
	if len(*from) == 0 {
		from = &q.waiting
	}
	if len(*from) == 0 {
		return false
	}
	m, now := (*from)[0], g.b.Now()
	got := passed
	if !m.until.IsZero() && !now.Before(m.until) {
		g.b.stats.DroppedExpired.Add(1)
	} else {
		limited := from == &q.waiting && m.number > 0 && m.number <= q.replay
		got = g.offer(&delivery{m: m.m, kept: m.m, now: now, work: work}, m, limited, moves)
	}
	if got == busy || got == absent {
		return false
	}
	if from == &q.waiting {
		q.bytes -= len(m.m.Payload)
	}
	(*from)[0] = nil
	*from = (*from)[1:]
	if got != held && m.number > 0 && !moved(*moves, m) {
		q.gone = append(q.gone, m.number)
	}
	return true
}

// moved says whether m is the last of the moves: it is settled with its move.
func moved(moves []move, m *shared) bool { return len(moves) > 0 && moves[len(moves)-1].m == m }

// pass makes a QoS 2 message of a group the message of a member's session, in one
// transaction. If the session has ended meanwhile or is full, it waits for the next
// sweep.
func (b *Broker) pass(v move) {
	s, m := v.sub.session, v.m
	d := delivery{m: m.m, kept: m.m, now: b.Now(), promise: newPromise(nothing), left: m}
	b.order.Lock()
	taken := s.enqueue(&d, s.conn.Load(), min(v.sub.qos, m.m.QoS), v.sub.retainAsPublished && m.m.Retain, appendID(nil, v.sub.id))
	if taken {
		b.write(&d)
	}
	b.order.Unlock()
	if !taken {
		m.group.mu.Lock()
		m.group.queue.giveBack(m)
		m.group.mu.Unlock()
	}
}

// settleShared tells the store which of a group's messages are done with.
func (b *Broker) settleShared(filter string, gone []int64) {
	if len(gone) == 0 {
		return
	}
	b.submit("settle a shared subscription", func(tx StoreTx) error {
		for _, number := range gone {
			if err := tx.DequeueShared(filter, number); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// begin counts one more in whom Close waits for, unless the broker is stopping.
func (b *Broker) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopping {
		return false
	}
	b.running.Add(1)
	return true
}

// wrote hears that a message is in the store, or could not be written.
func (g *group) wrote(number int64) {
	g.mu.Lock()
	g.queue.written = max(g.queue.written, number)
	page := g.wantsPage()
	g.mu.Unlock()
	if page && g.b.begin() {
		go g.loadPage()
	}
}

// wantsPage says whether messages must be read from the store, and if so, that the
// caller starts loadPage. The caller holds g.mu.
func (g *group) wantsPage() bool {
	q := &g.queue
	if g.ended || q.loading || q.stored == 0 || len(q.waiting) > 0 || q.written <= q.read || !g.isHere() {
		return false
	}
	q.loading = true
	return true
}

// loadPage brings messages from the store into memory. If that fails, Sweep tries
// again.
func (g *group) loadPage() {
	defer g.b.running.Done()
	g.mu.Lock()
	after, written := g.queue.read, g.queue.written
	g.mu.Unlock()
	page, err := g.b.Store.SharedQueue(context.Background(), g.key, after, pageSize)
	g.b.failed("read the messages of a shared subscription", err)
	g.mu.Lock()
	g.queue.loading = false
	if err == nil && !g.ended && g.queue.read == after {
		g.admit(page, written)
	}
	g.mu.Unlock()
	if err == nil {
		g.pump(nil)
	}
}

// admit puts a page of stored messages into memory. written is what the store had
// at least when the page was read: after a short page, nothing up to there is left.
func (g *group) admit(page []StoredShared, written int64) {
	q := &g.queue
	for _, row := range page {
		q.read = row.Number
		q.stored = max(0, q.stored-1)
		q.push(&shared{group: g, m: row.Message, number: row.Number, until: row.Until})
	}
	if len(page) < pageSize {
		q.read = max(q.read, written)
		q.stored = int(q.last - q.read)
	}
}

// restoreShared brings back what groups had when the server stopped: everything
// that was not acknowledged waits again.
func (b *Broker) restoreShared(ctx context.Context) error {
	var orphans []string
	err := b.Store.SharedQueues(ctx, func(filter string, count int, last int64) {
		b.lastShared = max(b.lastShared, last)
		g := b.groups[filter]
		if g == nil {
			orphans = append(orphans, filter)
			return
		}
		g.queue = groupQueue{stored: count, last: last, written: last, replay: last}
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	return b.Store.Update(ctx, func(tx StoreTx) error {
		for _, filter := range orphans {
			if err := tx.DeleteShared(filter); err != nil {
				return err
			}
		}
		return nil
	})
}

// expireSharedEvery is how often messages that nobody came for leave the store.
const expireSharedEvery = time.Minute

// sweepShared lets groups go on that wait for nothing but time, and forgets what
// they have kept long enough.
func (b *Broker) sweepShared(now time.Time) {
	b.mu.Lock()
	groups := make([]*group, 0, len(b.groups))
	for _, g := range b.groups {
		groups = append(groups, g)
	}
	b.mu.Unlock()
	spilled := slices.DeleteFunc(groups, func(g *group) bool {
		g.pump(nil)
		return !g.hasSpilled()
	})
	if len(spilled) == 0 || now.Sub(b.sharedSwept) < expireSharedEvery {
		return
	}
	b.sharedSwept = now
	ctx := context.Background()
	err := b.Store.Update(ctx, func(tx StoreTx) error { return tx.ExpireShared(now) })
	b.failed("forget messages of shared subscriptions", err)
	for _, g := range spilled {
		g.recount(ctx)
	}
}

func (g *group) hasSpilled() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.stored > 0
}

// recount finds out how many messages wait in the store after some have left it.
func (g *group) recount(ctx context.Context) {
	g.mu.Lock()
	after, written := g.queue.read, g.queue.written
	g.mu.Unlock()
	count, err := g.b.Store.CountShared(ctx, g.key, after, written)
	g.b.failed("count the messages of a shared subscription", err)
	g.mu.Lock()
	defer g.mu.Unlock()
	if q := &g.queue; err == nil && !q.loading && q.read == after {
		q.stored = count + int(q.last-written)
	}
}
