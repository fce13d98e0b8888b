package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type shadowReport struct {
	head
	usage
	Updates    int64      `json:"updates"`
	PerS       float64    `json:"updates_per_s"`
	PerCPU     float64    `json:"updates_per_server_cpu_s"`
	Rejected   int64      `json:"rejected"`
	Delta      *quantiles `json:"update_to_delta"`
	Unanswered int64      `json:"unanswered"`
	Error      string     `json:"error,omitempty"`
}

// shadowThing is one thing: it updates its own shadow and hears what comes of
// it. Each update makes desired and reported differ, so each brings a delta.
type shadowThing struct {
	client *client
	prefix string // of its shadow topics
	room   chan struct{}

	sent, answered, rejected atomic.Int64
	mu                       sync.Mutex
	delta                    hist
}

// runShadow has n things update their shadows, each with at most -window updates
// unanswered, or all together at -rate. The token of an update is its time, which
// comes back in the delta.
func runShadow(cfg *config) (any, error) {
	things := make([]*shadowThing, cfg.n)
	err := cfg.each(cfg.n, func(i int) (err error) {
		things[i], err = cfg.openThing(i)
		return err
	})
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for _, t := range things {
		go t.read()
		writers.Go(func() { t.write(cfg, stop) })
	}
	time.Sleep(cfg.warmup)
	before := sumThings(things)
	m := startMeter(cfg.pids)
	time.Sleep(cfg.duration)
	report := &shadowReport{head: cfg.head(), usage: m.stop()}
	after := sumThings(things)
	close(stop)
	writers.Wait()
	time.Sleep(time.Second) // the last answers
	last := sumThings(things)
	report.Updates = after.answered - before.answered
	report.PerS = float64(report.Updates) / report.Seconds
	report.PerCPU = per(float64(report.Updates), report.ServerCPU)
	report.Rejected, report.Unanswered = last.rejected, last.sent-last.answered-last.rejected
	var all hist
	for _, t := range things {
		t.mu.Lock()
		all.merge(&t.delta)
		t.mu.Unlock()
		t.client.close()
	}
	report.Delta = all.quantiles()
	return report, nil
}

func (cfg *config) openThing(i int) (*shadowThing, error) {
	c, err := cfg.connect(session{index: i, role: "thing", clean: true, bufferSize: 16 << 10, pause: cfg.pause})
	if err != nil {
		return nil, err
	}
	t := &shadowThing{
		client: c, prefix: fmt.Sprintf("$aws/things/load-%s-%d/shadow/update", cfg.run, i),
		room: make(chan struct{}, max(cfg.window, 1)),
	}
	for _, suffix := range []string{"/accepted", "/rejected", "/delta"} {
		if err := c.subscribe(cfg, t.prefix+suffix, 0); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *shadowThing) write(cfg *config, stop <-chan struct{}) {
	var pace <-chan time.Time
	if cfg.rate > 0 {
		tick := time.NewTicker(time.Duration(float64(time.Second) * float64(cfg.n) / cfg.rate))
		defer tick.Stop()
		pace = tick.C
	}
	for n := 1; ; n++ {
		if pace != nil {
			select {
			case <-pace:
			case <-stop:
				return
			}
		}
		select {
		case t.room <- struct{}{}:
		case <-stop:
			return
		}
		payload := fmt.Sprintf(`{"state":{"desired":{"level":%d},"reported":{"level":%d}},"clientToken":"%d"}`, n, n-1, time.Now().UnixNano())
		packet, pidOff, _ := encodePublish(cfg.mqtt, t.prefix, 1, []byte(payload))
		id := uint16(n%65000 + 1)
		packet[pidOff], packet[pidOff+1] = byte(id>>8), byte(id)
		t.sent.Add(1)
		if _, err := t.client.conn.Write(packet); err != nil {
			return
		}
	}
}

// read counts answers until the connection closes.
func (t *shadowThing) read() {
	for {
		header, body, ok, err := t.client.in.next()
		if err != nil {
			return
		}
		if !ok {
			if t.client.in.fill() != nil {
				return
			}
			continue
		}
		if header&0xF0 != ptPublish {
			continue
		}
		topicLen := int(body[0])<<8 | int(body[1])
		topic, payload := string(body[2:2+topicLen]), body[2+topicLen:]
		switch {
		case strings.HasSuffix(topic, "/delta"):
			t.measure(payload)
		case strings.HasSuffix(topic, "/accepted"):
			t.answered.Add(1)
			<-t.room
		case strings.HasSuffix(topic, "/rejected"):
			t.rejected.Add(1)
			<-t.room
		}
	}
}

// measure takes the time that has passed since the update that a delta is of.
func (t *shadowThing) measure(payload []byte) {
	now := time.Now().UnixNano()
	_, after, ok := bytes.Cut(payload, []byte(`"clientToken":"`))
	token, _, _ := bytes.Cut(after, []byte(`"`))
	sent, err := strconv.ParseInt(string(token), 10, 64)
	if !ok || err != nil {
		return
	}
	t.mu.Lock()
	t.delta.add(now - sent)
	t.mu.Unlock()
}

type thingSums struct{ sent, answered, rejected int64 }

func sumThings(things []*shadowThing) (s thingSums) {
	for _, t := range things {
		s.sent += t.sent.Load()
		s.answered += t.answered.Load()
		s.rejected += t.rejected.Load()
	}
	return s
}
