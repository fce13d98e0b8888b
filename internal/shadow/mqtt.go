package shadow

import (
	"strings"

	"thingd/internal/fault"
	"thingd/internal/message"
)

// Filter selects the topics that Handler is for.
const Filter = "$aws/things/+/shadow/#"

// Handler takes the messages of all topics under Filter and serves those that
// are requests: update, get and delete. It parses, and leaves all else to
// another goroutine. A sender that is refused is answered on the rejected topic
// and acknowledged all the same; it is not acknowledged where the service
// failed, so that it sends again.
//
// A last will is for its subscribers alone: a client's death must not change
// its shadow (developer guide, "Device Shadow MQTT topics").
func (s *Service) Handler() message.Handler { return s.handle }

func (s *Service) handle(m message.Message, done message.Done) {
	v, id, ok := parseTopic(m.Topic)
	if !ok || m.Origin.Kind == message.FromWill {
		done(nil)
		return
	}
	p := &pending{topic: m.Topic, mqtt: true, origin: m.Origin, payload: m.Payload}
	p.done = func(_ []byte, err error) { s.acknowledge(p, err, done) }
	p.request = request{verb: v, now: s.now()}
	err := id.check()
	if err == nil {
		p.request, err = s.limits.read(v, m.Payload, p.request.now)
	}
	if err == nil {
		err = s.admit(id, p)
	}
	if err != nil {
		s.publish(s.messages(p, outcome{err: err}), func(failure error) {
			if failure != nil {
				err = failure
			}
			s.acknowledge(p, err, done)
		})
	}
}

// acknowledge ends a request by MQTT.
func (s *Service) acknowledge(p *pending, err error, done message.Done) {
	if err == nil {
		done(nil)
		return
	}
	code, _ := status(err)
	if code < 500 {
		done(nil)
		return
	}
	if !fault.Is(err, fault.CodeServiceUnavailable) {
		s.log.Error("a shadow request failed", "topic", p.topic, "client", p.origin.ClientID, "error", err)
	}
	done(err)
}

// topic is where a request for the shadow is sent.
func (id ID) topic(v verb) string {
	if id.Name == "" {
		return "$aws/things/" + id.Thing + "/shadow/" + string(v)
	}
	return "$aws/things/" + id.Thing + "/shadow/name/" + id.Name + "/" + string(v)
}

// parseTopic takes the topic of a request apart; ok is false for the topics of
// answers and whatever else there may be. The names are not yet checked.
func parseTopic(topic string) (v verb, id ID, ok bool) {
	levels := strings.Split(topic, "/")
	if len(levels) < 5 || levels[0] != "$aws" || levels[1] != "things" || levels[3] != "shadow" {
		return "", ID{}, false
	}
	id.Thing = levels[2]
	last := levels[4:]
	if len(last) == 3 && last[0] == "name" {
		id.Name = last[1]
		if id.Name == "" {
			id.Name = " " // no shadow's name; "" would be the classic one
		}
		last = last[2:]
	}
	if len(last) != 1 {
		return "", ID{}, false
	}
	switch v := verb(last[0]); v {
	case updating, getting, deleting:
		return v, id, true
	}
	return "", ID{}, false
}
