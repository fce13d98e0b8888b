package console

import (
	"context"
	"strconv"
	"sync"
	"time"

	"thingd/internal/broker"
	"thingd/internal/rules"
)

const (
	sampleEvery = 5 * time.Second
	samplesKept = int(time.Hour / sampleEvery)
)

// sample is what the server did in one interval: numbers as of its end, and
// rates a second.
type sample struct {
	At                    int64 // seconds since 1970
	Connections, Sessions int64
	In, Out               float64 // messages
	Rules, Failures       float64 // statements run; of them and their actions
	Refused, Dropped      float64
	// Half and Most are the times, in milliseconds, within which half and 99 of a
	// hundred acknowledgements were sent that wait for the disk; nil: there were
	// none.
	Half, Most *float64
}

// columns writes samples as the page draws them, one list for each line. An hour
// is half as long as with a name at each number.
func columns(all []sample) map[string][]any {
	c := map[string][]any{}
	for _, s := range all {
		for name, value := range map[string]any{
			"at": s.At, "connections": s.Connections, "sessions": s.Sessions, "in": s.In, "out": s.Out, "rules": s.Rules,
			"failures": s.Failures, "refused": s.Refused, "dropped": s.Dropped, "half": s.Half, "most": s.Most,
		} {
			c[name] = append(c[name], value)
		}
	}
	return c
}

// counters are the metrics that samples are made of, since the server's start.
type counters struct {
	at                                         time.Time
	in, out, rules, failures, refused, dropped int64
	acknowledged                               broker.LatencyCounts
}

// samples keeps those of the last hour, the oldest first. Its zero value is
// ready.
type samples struct {
	mu     sync.Mutex
	kept   []sample
	number int64 // of all there ever were
	last   counters
}

// count reads the metrics.
func (c *Console) count() counters {
	b, now := c.Broker.Stats(), counters{at: c.Now()}
	now.in, now.out = b.PublishIn.Load(), b.PublishOut.Load()
	now.refused = b.ConnectRefused.Load() + b.PublishDenied.Load() + b.PublishInvalid.Load() + b.PublishThrottled.Load() +
		b.SubscribeRefused.Load() + b.ReceiveDenied.Load()
	now.dropped = b.DroppedSlow.Load() + b.DroppedFull.Load() + b.DroppedExpired.Load() + b.DroppedTooLarge.Load() + b.StoreFailures.Load()
	now.acknowledged = b.Acknowledge.Counts()
	for _, r := range c.Rules.Stats().Rules {
		now.rules += r.Executed
		now.failures += failuresOf(r)
		now.dropped += r.Throttled + r.Dropped
	}
	return now
}

// failuresOf counts what went wrong in a rule.
func failuresOf(r rules.Counts) int64 {
	n := r.StatementFailed
	for _, a := range r.Actions {
		n += a.Failure
	}
	return n
}

// sample takes one.
func (c *Console) sample() {
	now := c.count()
	c.samples.mu.Lock()
	defer c.samples.mu.Unlock()
	before := c.samples.last
	c.samples.last = now
	took := now.at.Sub(before.at).Seconds()
	if before.at.IsZero() || took <= 0 {
		return // rates need two looks
	}
	rate := func(now, before int64) float64 { return rounded(max(float64(now-before), 0) / took) } // rules go, and their counts with them
	stats := c.Broker.Stats()
	one := sample{
		At: now.at.Unix(), Connections: stats.Connections.Load(), Sessions: stats.Sessions.Load(),
		In: rate(now.in, before.in), Out: rate(now.out, before.out), Rules: rate(now.rules, before.rules),
		Failures: rate(now.failures, before.failures), Refused: rate(now.refused, before.refused), Dropped: rate(now.dropped, before.dropped),
	}
	waited := now.acknowledged.Since(before.acknowledged)
	one.Half, one.Most = milliseconds(waited, 0.5), milliseconds(waited, 0.99)
	if len(c.samples.kept) == samplesKept {
		c.samples.kept = append(c.samples.kept[:0], c.samples.kept[1:]...)
	}
	c.samples.kept = append(c.samples.kept, one)
	c.samples.number++
}

// rounded keeps three digits: nobody sees more in a chart.
func rounded(x float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	return short
}

func milliseconds(counts broker.LatencyCounts, share float64) *float64 {
	within, ok := counts.Quantile(share)
	if !ok {
		return nil
	}
	return new(rounded(float64(within) / float64(time.Millisecond)))
}

// since gives the samples after the number-th, and the number of the last one.
func (s *samples) since(number int64) ([]sample, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(s.number-number, int64(len(s.kept)))
	return append([]sample(nil), s.kept[int64(len(s.kept))-n:]...), s.number
}

// Run takes samples for the overview until ctx ends.
func (c *Console) Run(ctx context.Context) {
	c.sample()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.sample()
		case <-ctx.Done():
			return
		}
	}
}

// mayWatch asks for the right to see the metrics, in CloudWatch's words.
func (v *visit) mayWatch() error { return v.may("cloudwatch:GetMetricData", "*") }

// overviewStream sends the last hour, and then each sample as it is taken.
func (v *visit) overviewStream() error {
	if err := v.mayWatch(); err != nil {
		return err
	}
	events, err := v.openEvents()
	if err != nil {
		return err
	}
	defer events.close()
	list, number := v.samples.since(0)
	for ok := events.send("samples", columns(list)); ok && events.next(time.Second); {
		if list, number = v.samples.since(number); len(list) > 0 {
			ok = events.send("samples", columns(list))
		}
	}
	return nil
}
