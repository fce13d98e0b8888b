package topic

import (
	"sync"
	"sync/atomic"
)

// Tree finds the subscribers of a topic name. It is safe for use by many
// goroutines; its zero value with Rules set is an empty tree.
//
// Generation lets callers keep what Match found: an answer is good for as long
// as the generation has not moved.
type Tree[T comparable] struct {
	Rules Rules

	mu         sync.RWMutex
	root       node[T]
	size       int
	generation atomic.Uint64
}

type node[T comparable] struct {
	children map[string]*node[T] // by level, wildcards included
	here     []T                 // subscribers of the filter that ends here
}

// Add subscribes to filter, which must be well formed and not shared. Adding
// the same subscriber to the same filter again changes nothing.
func (t *Tree[T]) Add(filter string, subscriber T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := &t.root
	for last := false; !last; {
		var level string
		level, filter, last = next(filter)
		child := n.children[level]
		if child == nil {
			if n.children == nil {
				n.children = map[string]*node[T]{}
			}
			child = &node[T]{}
			n.children[level] = child
		}
		n = child
	}
	for _, s := range n.here {
		if s == subscriber {
			return
		}
	}
	// A fresh slice: a reader may hold the old one.
	n.here = append(n.here[:len(n.here):len(n.here)], subscriber)
	t.size++
	t.generation.Add(1)
}

// Remove ends a subscription and says whether there was one.
func (t *Tree[T]) Remove(filter string, subscriber T) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.root.remove(filter, subscriber) {
		return false
	}
	t.size--
	t.generation.Add(1)
	return true
}

// remove takes the subscriber away below n and prunes what became empty.
func (n *node[T]) remove(filter string, subscriber T) bool {
	level, rest, last := next(filter)
	child := n.children[level]
	if child == nil {
		return false
	}
	found := false
	if !last {
		found = child.remove(rest, subscriber)
	} else {
		child.here, found = without(child.here, subscriber)
	}
	if len(child.here) == 0 && len(child.children) == 0 {
		delete(n.children, level)
	}
	return found
}

func without[T comparable](all []T, one T) ([]T, bool) {
	for i, s := range all {
		if s == one {
			rest := make([]T, 0, len(all)-1)
			return append(append(rest, all[:i]...), all[i+1:]...), true
		}
	}
	return all, false
}

// Match appends to found every subscriber whose filter selects name; one that
// subscribed with several matching filters is there several times.
func (t *Tree[T]) Match(name string, found []T) []T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	dollar := name != "" && name[0] == '$'
	return t.root.match(name, !dollar, t.Rules.MatchParent, found)
}

func (n *node[T]) match(name string, wild, parent bool, found []T) []T {
	level, rest, last := next(name)
	if wild {
		if all := n.children["#"]; all != nil {
			found = append(found, all.here...)
		}
		if any := n.children["+"]; any != nil {
			found = any.deeper(rest, last, parent, found)
		}
	}
	if level == "+" || level == "#" {
		return found // a name cannot hold wildcards; do not match them as text
	}
	if exact := n.children[level]; exact != nil {
		found = exact.deeper(rest, last, parent, found)
	}
	return found
}

// deeper goes on below a node that took one level of the name.
func (n *node[T]) deeper(rest string, last, parent bool, found []T) []T {
	if !last {
		return n.match(rest, true, parent, found)
	}
	found = append(found, n.here...)
	if parent {
		if all := n.children["#"]; all != nil {
			found = append(found, all.here...)
		}
	}
	return found
}

// Generation moves with every change of the tree.
func (t *Tree[T]) Generation() uint64 { return t.generation.Load() }

// Len gives the number of subscriptions.
func (t *Tree[T]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.size
}
