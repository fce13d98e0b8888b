package broker

import "thingd/internal/mqtt"

// outAliases are the topic aliases of one connection's messages to its client. A
// client that does not ask for them has none. [MQTT 5.0 3.3.2.3.4] They are guarded
// by the outbox, whose order is the order in which the client hears of them.
type outAliases struct {
	max int
	of  map[string]uint16
}

// aliasedMin and aliasedMax are the lengths of the topics that get an alias, in bytes:
// it takes three itself, and a client must not make the server keep much.
const (
	aliasedMin = 4
	aliasedMax = 1024
)

// use puts an alias in the place of the topic, or beside it where the client does not
// know it yet; undo takes that back, because the packet is not sent.
func (a *outAliases) use(p *mqtt.Publish) (undo func()) {
	if alias, ok := a.of[string(p.Topic)]; ok {
		p.TopicAlias, p.Topic = alias, p.Topic[:0]
		return nothingToUndo
	}
	if len(a.of) >= a.max || len(p.Topic) < aliasedMin || len(p.Topic) > aliasedMax {
		return nothingToUndo
	}
	if a.of == nil {
		a.of = map[string]uint16{}
	}
	topic := string(p.Topic)
	p.TopicAlias = uint16(len(a.of) + 1)
	a.of[topic] = p.TopicAlias
	return func() { delete(a.of, topic) }
}

func nothingToUndo() {}
