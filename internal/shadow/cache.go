package shadow

import (
	"container/list"
	"sync"
)

// cache keeps the shadows last used, parsed, up to a weight in bytes; the
// longest unused goes first. What it holds may be behind the database where
// other nodes write to it too: whoever uses it compares revisions before
// anything comes of it.
type cache struct {
	mu      sync.Mutex
	max     int
	weight  int
	order   list.List // of cached; the last used in front
	entries map[ID]*list.Element
}

type cached struct {
	id     ID
	shadow shadow
	weight int
}

// perEntry is the memory of an entry apart from its document, in bytes.
const perEntry = 512

func (c *cache) get(id ID) (shadow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[id]
	if !ok {
		return shadow{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).shadow, true
}

func (c *cache) put(id ID, s shadow) {
	weight := perEntry + s.document.weight()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(id)
	if c.entries == nil {
		c.entries = map[ID]*list.Element{}
	}
	c.entries[id] = c.order.PushFront(&cached{id, s, weight})
	c.weight += weight
	for c.weight > c.max {
		c.remove(c.order.Back().Value.(*cached).id)
	}
}

func (c *cache) drop(id ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(id)
}

func (c *cache) remove(id ID) {
	if e, ok := c.entries[id]; ok {
		c.order.Remove(e)
		delete(c.entries, id)
		c.weight -= e.Value.(*cached).weight
	}
}
