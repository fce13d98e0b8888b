package iam

import "sync"

// memoryMax bounds each kind of thing remembered from the store. When it is
// full some entry makes place; who needs it reads it again.
const memoryMax = 10_000

// memory remembers what was read from the store in one generation of it. The
// zero value is empty and ready.
type memory[T any] struct {
	mu         sync.RWMutex
	generation uint64
	entries    map[string]T
}

func (m *memory[T]) get(key string, generation uint64) (T, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.generation != generation {
		var none T
		return none, false
	}
	entry, ok := m.entries[key]
	return entry, ok
}

// put keeps what was read while the store was at the generation.
func (m *memory[T]) put(key string, entry T, generation uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if generation < m.generation {
		return
	}
	if generation > m.generation || m.entries == nil {
		m.generation, m.entries = generation, map[string]T{}
	}
	if len(m.entries) >= memoryMax {
		for some := range m.entries {
			delete(m.entries, some)
			break
		}
	}
	m.entries[key] = entry
}
