package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// stormReport is what a server did while it was asked for too much.
type stormReport struct {
	head
	Connect    phase `json:"connect"`
	Reconnect  phase `json:"reconnect"`
	Subscribe  phase `json:"subscribe"`
	Flood      phase `json:"flood"`
	Queues     phase `json:"queues"`
	AliveAfter int   `json:"answer_pings_after"`
	RSSAfter   int64 `json:"server_rss_after"`
}

// phase is one kind of overload.
type phase struct {
	usage
	Asked   int        `json:"asked"`
	Done    int64      `json:"done"`
	Tries   int64      `json:"tries,omitempty"`
	PeakRSS int64      `json:"server_rss_peak"`
	Pings   *quantiles `json:"pings_of_others,omitempty"`
	Missing int64      `json:"pings_missing,omitempty"`
	Error   string     `json:"first_error,omitempty"`
}

// storm holds the connections through the phases.
type storm struct {
	*config
	clients []*client
}

// runStorm opens n connections, breaks them all at once and opens them again, all at
// once; subscribes to much; floods subscribers that do not read; and floods the
// queues of persistent sessions that are away. Clients that have nothing to do with
// it send pings meanwhile.
func runStorm(cfg *config) (any, error) {
	s := &storm{config: cfg, clients: make([]*client, cfg.n)}
	rep := &stormReport{head: cfg.head()}
	rep.Connect = s.phase(cfg.n, func(p *counter) { s.connectAll(p) })
	rep.Reconnect = s.phase(cfg.n, func(p *counter) {
		for _, c := range s.clients {
			if c != nil {
				c.abort()
			}
		}
		s.connectAll(p)
	})
	rep.Subscribe = s.phase(cfg.n, s.subscribeAll)
	watched := max(cfg.n/100, 1)
	rep.Flood = s.watched(watched, func(p *counter) { s.flood(p, watched, false) })
	rep.Queues = s.watched(watched, func(p *counter) { s.flood(p, watched, true) })
	time.Sleep(cfg.settle)
	rep.AliveAfter, rep.RSSAfter = s.alive(), sampleProcs(cfg.pids).rss
	for _, c := range s.clients {
		if c != nil {
			c.close()
		}
	}
	if rep.Connect.Done < int64(cfg.n) || rep.Reconnect.Done < int64(cfg.n) {
		return rep, fmt.Errorf("not every connection came (back)")
	}
	return rep, nil
}

// counter is what a phase counts.
type counter struct {
	done, tries atomic.Int64
	failed      atomic.Pointer[string]
}

func (p *counter) fail(err error) {
	text := err.Error()
	p.failed.CompareAndSwap(nil, &text)
}

// phase runs do and looks at the server's memory meanwhile.
func (s *storm) phase(asked int, do func(*counter)) phase {
	var count counter
	m, stop, peak := startMeter(s.pids), make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for {
			most = max(most, sampleProcs(s.pids).rss)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	do(&count)
	close(stop)
	p := phase{usage: m.stop(), Asked: asked, Done: count.done.Load(), Tries: count.tries.Load(), PeakRSS: <-peak}
	if text := count.failed.Load(); text != nil {
		p.Error = *text
	}
	return p
}

// connectAll opens every connection, and tries again until -timeout is over. Every
// tenth has a persistent session.
func (s *storm) connectAll(p *counter) {
	late := time.Now().Add(s.timeout)
	_ = s.each(s.n, func(i int) error {
		for {
			p.tries.Add(1)
			c, err := s.connect(session{index: i, role: "s", clean: i%10 > 0, expiry: uint32(600 * (1 - min(i%10, 1)))})
			s.clients[i] = c
			if err == nil {
				p.done.Add(1)
				return nil
			}
			p.fail(err)
			if time.Now().After(late) {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// subscribeAll has every connection subscribe to -subscribe filters.
func (s *storm) subscribeAll(p *counter) {
	_ = s.each(s.n, func(i int) error {
		for k := range s.subscribe {
			if c := s.clients[i]; c == nil {
				return nil
			} else if err := c.subscribe(s.config, fmt.Sprintf("storm/%s/%d/%d", s.run, i, k), byte(k%2)); err != nil {
				p.fail(err)
				return err
			}
		}
		p.done.Add(1)
		return nil
	})
}

// watched is a phase during which others send pings.
func (s *storm) watched(asked int, do func(*counter)) phase {
	var others sync.WaitGroup
	var mu sync.Mutex
	var took hist
	var missing int64
	stop := make(chan struct{})
	for i := s.n - 1; i >= 0 && i > s.n-51; i-- {
		c := s.clients[i]
		if c == nil {
			continue
		}
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
				began := time.Now()
				ok := c.ping(s.timeout)
				mu.Lock()
				if took.add(int64(time.Since(began))); !ok {
					missing++
				}
				mu.Unlock()
				if !ok {
					return
				}
			}
		})
	}
	p := s.phase(asked, do)
	close(stop)
	others.Wait()
	p.Pings, p.Missing = took.quantiles(), missing
	return p
}

// flood publishes for -duration to clients that subscribe and do not read, or whose
// persistent sessions are away. done counts acknowledged messages.
func (s *storm) flood(p *counter, readers int, away bool) {
	topic := "storm/" + s.run + "/flood"
	for i := range readers {
		at := i
		if away {
			at = i * 10 // the persistent ones
		}
		c := s.clients[at%s.n]
		if c == nil {
			continue
		}
		qos := byte(1)
		if !away {
			qos = byte(i % 2)
		}
		if err := c.subscribe(s.config, topic, qos); err != nil {
			p.fail(err)
		}
		if away {
			c.abort()
			s.clients[at%s.n] = nil
		}
	}
	var publishing sync.WaitGroup
	late := time.Now().Add(s.duration)
	for i := range s.peers {
		publishing.Go(func() {
			if err := s.publishUntil(late, i, topic, p); err != nil {
				p.fail(err)
			}
		})
	}
	publishing.Wait()
}

// publishUntil sends windows of QoS 1 messages, each after the last is acknowledged.
func (s *storm) publishUntil(late time.Time, index int, topic string, p *counter) error {
	c, err := s.connect(session{index: index, role: "p", clean: true})
	if err != nil {
		return err
	}
	defer c.close()
	packet, pidOff, _ := encodePublish(s.mqtt, topic, 1, make([]byte, s.size))
	var all []byte
	for id := range s.window {
		packet[pidOff], packet[pidOff+1] = byte((id+1)>>8), byte(id+1)
		all = append(all, packet...)
	}
	for time.Now().Before(late) {
		c.conn.SetDeadline(time.Now().Add(s.timeout))
		if _, err := c.conn.Write(all); err != nil {
			return err
		}
		for range s.window {
			if _, err := c.in.await(ptPuback); err != nil {
				return err
			}
			p.done.Add(1)
		}
	}
	return nil
}

// alive counts the connections that answer a ping.
func (s *storm) alive() int {
	var alive atomic.Int64
	_ = s.each(s.n, func(i int) error {
		if c := s.clients[i]; c != nil && c.ping(s.timeout) {
			alive.Add(1)
		}
		return nil
	})
	return int(alive.Load())
}

// ping says whether the server answers.
func (c *client) ping(timeout time.Duration) bool {
	c.conn.SetDeadline(time.Now().Add(timeout))
	if _, err := c.conn.Write([]byte{ptPingreq, 0}); err != nil {
		return false
	}
	_, err := c.in.await(ptPingresp)
	return err == nil
}

// abort breaks the link: the server sees a reset.
func (c *client) abort() {
	if tcp, ok := c.in.link.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		tcp.Close()
		return
	}
	c.conn.Close()
}
