package broker

import "fmt"

// Open gives the number of connections, admitted or not.
func (b *Broker) Open() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

// Leftovers tells what a broker without clients and sessions should not have any
// more; "" when there is nothing.
func (b *Broker) Leftovers() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.sessions)+len(b.conns)+len(b.claims)+len(b.groups)+len(b.wills)+b.tree.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("%d sessions, %d connections, %d claims, %d groups, %d wills, %d subscriptions",
		len(b.sessions), len(b.conns), len(b.claims), len(b.groups), len(b.wills), b.tree.Len())
}
