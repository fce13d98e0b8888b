package action

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"thingd/internal/aws/iot"
)

// batchLimits say when a batch is sent: at the first that is reached.
type batchLimits struct {
	open         time.Duration // 5 to 200 ms
	messages     int           // 2 to 10
	bytes        int           // 100 to 131072
	acrossTopics bool
}

func (c *compiler) batch(a *iot.HttpAction) *batchLimits {
	if a.EnableBatching == nil || !*a.EnableBatching {
		return nil
	}
	limits := &batchLimits{open: 20 * time.Millisecond, messages: 10, bytes: 5120}
	if b := a.BatchConfig; b != nil {
		if b.MaxBatchOpenMs != nil {
			limits.open = time.Duration(*b.MaxBatchOpenMs) * time.Millisecond
		}
		if b.MaxBatchSize != nil {
			limits.messages = *b.MaxBatchSize
		}
		if b.MaxBatchSizeBytes != nil {
			limits.bytes = *b.MaxBatchSizeBytes
		}
		limits.acrossTopics = b.BatchAcrossTopics != nil && *b.BatchAcrossTopics
	}
	return limits
}

// batches gathers the messages of http actions. There are as many open batches
// as there are deliveries waiting in them, which the engine bounds.
type batches struct {
	mu      sync.Mutex
	open    map[batchKey]*batch
	running sync.WaitGroup
}

// batchKey says which messages may go together.
type batchKey struct {
	action     *httpAction
	source     string // ARN of the rule
	url, topic string
}

// batch is what goes together. It changes under the lock of batches until it is
// taken out of their map; err is set before done is closed.
type batch struct {
	parts  [][]byte
	bytes  int
	header http.Header // of the last message
	timer  *time.Timer
	done   chan struct{}
	err    error
}

// send puts a part into the open batch and waits for what becomes of it.
func (m *batches) send(ctx context.Context, key batchKey, part []byte, header http.Header) error {
	b := m.add(key, part, header)
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *batches) add(key batchKey, part []byte, header http.Header) *batch {
	limits := key.action.batch
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.open[key]
	if b != nil && b.bytes+len(part)+2 > limits.bytes {
		m.post(key, b)
		b = nil
	}
	if b == nil {
		b = m.begin(key)
	}
	b.parts, b.bytes, b.header = append(b.parts, part), b.bytes+len(part)+1, header
	if len(b.parts) >= limits.messages || b.bytes >= limits.bytes {
		m.post(key, b)
	}
	return b
}

// begin opens a batch, which its timer ends at the latest.
func (m *batches) begin(key batchKey) *batch {
	b := &batch{done: make(chan struct{})}
	if m.open == nil {
		m.open = map[batchKey]*batch{}
	}
	m.open[key] = b
	b.timer = time.AfterFunc(key.action.batch.open, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.open[key] == b {
			m.post(key, b)
		}
	})
	return b
}

// post takes a batch out of the map and sends it.
func (m *batches) post(key batchKey, b *batch) {
	delete(m.open, key)
	b.timer.Stop()
	m.running.Go(func() {
		defer close(b.done)
		ctx, cancel := context.WithTimeout(ForRule(context.Background(), key.source), httpBudget)
		defer cancel()
		body := append([]byte("["), bytes.Join(b.parts, []byte(","))...)
		b.err = key.action.post(ctx, key.url, b.header, append(body, ']'))
	})
}

// close sends every open batch and waits for all of them.
func (m *batches) close() {
	m.mu.Lock()
	for key, b := range m.open {
		m.post(key, b)
	}
	m.mu.Unlock()
	m.running.Wait()
}

func jsonString(text []byte) []byte {
	quoted, _ := json.Marshal(string(text)) // a string always marshals
	return quoted
}
