package broker

import "thingd/internal/message"

// Collect gives every message that filter selects to c, with tag. A message that
// several filters of c select comes once, with all their tags. There is no policy
// between.
func (b *Broker) Collect(filter string, c message.Collector, tag any) (remove func()) {
	s := &subscription{filter: filter, collector: c, tag: tag}
	b.tree.Add(filter, s)
	return func() { b.tree.Remove(filter, s) }
}

// collected are the tags by which one collector gets the messages of a topic.
type collected struct {
	by   message.Collector
	tags []any
}

// collect adds a collector's subscription to the route, as one handler for all
// of them.
func (r *route) collect(sub *subscription) {
	for _, c := range r.collected {
		if c.by == sub.collector {
			c.tags = append(c.tags, sub.tag)
			return
		}
	}
	c := &collected{by: sub.collector, tags: []any{sub.tag}}
	r.collected = append(r.collected, c)
	r.handlers = append(r.handlers, c.take)
}

func (c *collected) take(m Message, done Done) { c.by.Collect(m, c.tags, done) }
