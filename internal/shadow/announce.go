package shadow

import (
	"sync/atomic"

	"thingd/internal/message"
)

// announce tells everybody who subscribed what a request came to, and then the
// one who asked. Subscribers of the same connection get delta and documents
// before accepted.
func (s *Service) announce(p *pending, o outcome) {
	s.publish(s.messages(p, o), func(err error) {
		s.release(p)
		if o.err != nil {
			err = o.err
		}
		p.done(o.reply, err)
		s.answered.Done()
	})
}

// messages lists what an outcome says on MQTT. A request by HTTPS that failed
// says nothing there, nor does a get.
func (s *Service) messages(p *pending, o outcome) []message.Message {
	quiet := !p.mqtt
	switch {
	case o.err != nil && quiet:
		return nil
	case o.err != nil:
		return []message.Message{p.message("/rejected", rejected(o.err, p.request.token, p.request.now))}
	case p.request.verb == getting && quiet:
		return nil
	}
	var all []message.Message
	if o.delta != nil {
		all = append(all, p.message("/delta", o.delta))
	}
	if o.documents != nil {
		all = append(all, p.message("/documents", o.documents))
	}
	return append(all, p.message("/accepted", o.reply))
}

// message is one answer. It keeps the trace of what caused it, and the count of
// rules behind it: a rule that republishes answers as requests must come to an
// end.
func (p *pending) message(suffix string, payload []byte) message.Message {
	return message.Message{
		Topic:   p.topic + suffix,
		Payload: payload,
		QoS:     message.QoS1,
		Origin:  message.Origin{Kind: message.FromService, TraceID: p.origin.TraceID, Rules: p.origin.Rules},
	}
}

// publish publishes messages in order; done is called once, when all of them
// are where they must survive, with the first error if there is one.
func (s *Service) publish(messages []message.Message, done func(error)) {
	if len(messages) == 0 {
		done(nil)
		return
	}
	t := &tally{done: done}
	t.left.Store(int32(len(messages)))
	for _, m := range messages {
		s.publisher.Publish(m, t.one)
	}
}

// tally waits for several outcomes without a goroutine.
type tally struct {
	left  atomic.Int32
	first atomic.Pointer[error]
	done  func(error)
}

func (t *tally) one(err error) {
	if err != nil {
		t.first.CompareAndSwap(nil, &err)
	}
	if t.left.Add(-1) > 0 {
		return
	}
	if first := t.first.Load(); first != nil {
		t.done(*first)
		return
	}
	t.done(nil)
}
