package rules

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/rules/iotsql"
)

// Firing is what happened to one message in one rule, for people who wonder.
type Firing struct {
	At       time.Time
	TraceID  string
	Topic    string
	ClientID string
	Outcome  Outcome
	Why      string // of an outcome other than Matched
	Payload  string // the beginning of what came in
	Output   string // the beginning of what the statement made of it
	Actions  []ActionResult
	// ErrorAction is nil where it did not run.
	ErrorAction *ActionResult
	Took        time.Duration // until the last action was done
}

// ActionResult is what became of one action.
type ActionResult struct {
	Action   string // "S3Action"
	Resource string // bucket, topic, URL …
	Error    string // "": it succeeded
	Tries    int
}

// Outcome is what a statement said to a message.
type Outcome string

// The outcomes.
const (
	Matched         Outcome = "matched"
	NotMatched      Outcome = "not matched"      // WHERE was not true
	StatementFailed Outcome = "statement failed" // a lookup, or a limit
	Dropped         Outcome = "dropped"          // the queue was full
)

// How much is remembered of each rule. Misses are remembered once a second at
// most: more of them nobody reads, and wording one costs more than missing.
const (
	firingsKept = 20
	missesKept  = 5
	excerptMax  = 1024 // bytes of a payload
	missEvery   = time.Second
)

// history remembers the last firings of a rule.
type history struct {
	mu       sync.Mutex
	firings  []Firing // oldest first
	misses   []Firing
	dropped  time.Time // when a drop was noted last
	complain time.Time // when the log last heard of a failure
}

func (h *history) add(f Firing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.firings = last(append(h.firings, f), firingsKept)
}

// miss remembers a message that did not match.
func (h *history) miss(f Firing, why iotsql.Unmet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.misses); n > 0 && f.At.Sub(h.misses[n-1].At) < missEvery {
		return
	}
	f.Why = why.String()
	h.misses = last(append(h.misses, f), missesKept)
}

// drop remembers a message that was dropped, one a second: there may be many.
func (h *history) drop(f Firing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.At.Sub(h.dropped) < missEvery {
		return
	}
	h.dropped = f.At
	h.firings = last(append(h.firings, f), firingsKept)
}

// mayComplain says whether the log may hear of a failure again.
func (h *history) mayComplain(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.complain) < missEvery {
		return false
	}
	h.complain = now
	return true
}

// last keeps the last n.
func last(all []Firing, n int) []Firing {
	if len(all) > n {
		all = slices.Delete(all, 0, len(all)-n)
	}
	return all
}

// newestFirst gives everything that is remembered.
func (h *history) newestFirst() []Firing {
	h.mu.Lock()
	all := slices.Concat(h.firings, h.misses)
	h.mu.Unlock()
	slices.SortStableFunc(all, func(a, b Firing) int { return b.At.Compare(a.At) })
	return all
}

// excerpt is the beginning of a payload as text.
func excerpt(payload []byte) string {
	if len(payload) <= excerptMax {
		return strings.ToValidUTF8(string(payload), "\uFFFD")
	}
	return strings.ToValidUTF8(string(payload[:excerptMax]), "\uFFFD") + "…"
}

// Firings gives the last firings of a rule, newest first; none are kept over a
// restart. The error is the one of Get.
func (s *Service) Firings(name string) ([]Firing, error) {
	st := s.state(name)
	if st == nil {
		return nil, denied(name)
	}
	return st.history.newestFirst(), nil
}

// complain logs a failure, at most one a second and rule.
func (s *Service) complain(st *state, words string, args ...any) {
	if st.history.mayComplain(s.now()) {
		s.log.Warn(words, args...)
	}
}

// metrics are the counts of a rule.
type metrics struct {
	topicMatch, executed, parseError, throttled, dropped, failed atomic.Int64

	mu      sync.Mutex
	actions map[string]*ActionCounts
}

// ActionCounts are AWS's metrics Success, Failure, ErrorActionSuccess and
// ErrorActionFailure of one type of action in one rule.
type ActionCounts struct{ Success, Failure, ErrorActionSuccess, ErrorActionFailure int64 }

func (m *metrics) action(name string, ok, errorAction bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.actions[name]
	if c == nil {
		c = &ActionCounts{}
		if m.actions == nil {
			m.actions = map[string]*ActionCounts{}
		}
		m.actions[name] = c
	}
	switch {
	case errorAction && ok:
		c.ErrorActionSuccess++
	case errorAction:
		c.ErrorActionFailure++
	case ok:
		c.Success++
	default:
		c.Failure++
	}
}

// Counts are AWS's metrics of one rule since the start of the server.
type Counts struct {
	TopicMatch      int64 // messages that its filter selected
	Executed        int64 // statements run (RulesExecuted)
	ParseError      int64 // payloads that were not JSON
	Throttled       int64 // QoS 0 messages dropped because memory was full (RuleMessageThrottled)
	Dropped         int64 // messages of QoS 1 and 2 dropped because too many waited
	Waiting         int64 // messages that wait now; of QoS 0, those in memory
	StatementFailed int64
	Actions         map[string]ActionCounts // by name: "S3Action"
}

// Stats are the counts of everything.
type Stats struct {
	Rules    map[string]Counts // by name
	NotFound int64             // Basic Ingest for rules that do not run (RuleNotFound)
	Orphaned int64             // firings dropped because their rule was deleted or disabled
	Waiting  int               // messages in memory

	// Owed are the firings of QoS 1 and 2 that have not ended, and the bytes of
	// their payloads: what an acknowledgement promised, or is about to.
	Owed, OwedBytes int
}

// Stats counts.
func (s *Service) Stats() Stats {
	waiting, owed := s.queue.waiting()
	all := Stats{
		Rules: map[string]Counts{}, NotFound: s.notFound.Load(), Orphaned: s.orphaned.Load(),
		Waiting: waiting, Owed: owed.messages, OwedBytes: owed.bytes,
	}
	for name, st := range *s.running.Load() {
		c := st.metrics.counts()
		c.Waiting = int64(s.queue.waitingFor(&st.line))
		all.Rules[name] = c
	}
	return all
}

func (m *metrics) counts() Counts {
	c := Counts{
		TopicMatch: m.topicMatch.Load(), Executed: m.executed.Load(), ParseError: m.parseError.Load(),
		Throttled: m.throttled.Load(), Dropped: m.dropped.Load(), StatementFailed: m.failed.Load(), Actions: map[string]ActionCounts{},
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, counts := range m.actions {
		c.Actions[name] = *counts
	}
	return c
}
