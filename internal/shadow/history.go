package shadow

import (
	"context"
	"time"

	"thingd/internal/message"
)

// The history of a shadow is written behind the acknowledgement, in batches, and
// only so much of it a second. On the way of an update it would double the rows
// of a fleet to serve a question that is asked of one device at a time; so an
// update pays for a lock and two pointers, because the bytes that are kept were
// made for the wire anyway, and the store for a bounded batch. Where a fleet
// changes more slowly than that, which is nearly always, each change is on disk
// about a second after it was acknowledged; a crash loses that second of the
// history, and nothing of the shadow.
//
// Where a fleet changes faster, changes wait in memory and the oldest of them are
// lost, but not those of a shadow that somebody looks at: these are written first,
// for an hour after the last look. See docs/adr/0011-shadow-history-behind.md.
const (
	historyLength = 50        // changes of one shadow
	historyShare  = 512 << 10 // bytes of one shadow's changes
	historyTotal  = 100_000   // changes of all shadows
	historyBytes  = 128 << 20 // bytes of all shadows' changes

	waitingMax   = 16 << 20    // bytes of changes that wait to be written
	writeEvery   = time.Second // from one batch to the next
	writeChanges = 256         // changes of a batch
	writeBytes   = 1 << 20     // bytes of a batch, but for its last change

	watchTime  = time.Hour // that a shadow stays watched
	watchedMax = 16        // shadows at once; the one that ends first goes
	perChange  = 256       // bytes of a change apart from its documents
)

// Change is one accepted update of a shadow, or its deletion.
type Change struct {
	Version     int64
	At          time.Time
	Deleted     bool
	ClientToken string // "" for none
	ClientID    string // of the MQTT connection that asked; "" without one
	Principal   string // certificate ID, or who signed the call, as in lifecycle events; "" where nobody knows

	Request   []byte // what was sent, as it was sent; nil of a deletion
	Documents []byte // the shadow before and after, as on update/documents; nil of a deletion
}

// Weight is what a change takes of the bounds, in bytes.
func (c Change) Weight() int { return perChange + len(c.Request) + len(c.Documents) }

// Entry is a change of a shadow.
type Entry struct {
	ID     ID
	Change Change
}

// Keep says how much of histories is kept.
type Keep struct {
	Changes int
	Bytes   int // as Change.Weight counts
}

// History gives the last changes of a shadow, the newest first, and makes sure of
// those that follow for some time. They go with the shadow: what is left of a
// deleted one is who deleted it.
func (s *Service) History(ctx context.Context, id ID) ([]Change, error) {
	s.writing.Lock() // what is being written is there then
	entries := s.history.takeOf(id, s.now())
	err := s.write(entries)
	s.writing.Unlock()
	if err != nil {
		return nil, err
	}
	return s.store.Changes(ctx, id)
}

// remember notes what an accepted request changed.
func (s *Service) remember(id ID, p *pending, o outcome) {
	if o.err != nil || p.request.verb == getting {
		return
	}
	c := Change{Version: o.version, At: p.request.now, ClientID: p.client(), Principal: p.origin.Principal}
	if p.request.verb == deleting {
		c.Deleted = true
		s.history.drop(id)
	} else {
		c.Request, c.Documents = p.payload, o.documents
	}
	if p.request.token != nil {
		c.ClientToken = *p.request.token
	}
	if p.origin.Kind == message.FromRule {
		c.Principal = "rule"
	}
	if s.history.add(id, c) {
		time.AfterFunc(writeEvery, s.writeSome)
	}
}

// writeSome writes a batch, and sees to it that the next one is written where
// more waits.
func (s *Service) writeSome() {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.write(s.history.take(s.now())); err != nil {
		s.log.Error("the history of shadows could not be written", "error", err)
	}
	if s.history.more() {
		time.AfterFunc(writeEvery, s.writeSome)
	}
}

// write needs s.writing. Now and then it sees whether there is too much of all.
func (s *Service) write(entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	ctx := context.Background() // a batch is many people's
	if err := s.store.AddChanges(ctx, entries, Keep{historyLength, historyShare}); err != nil {
		return err
	}
	for _, e := range entries {
		s.written.Changes++
		s.written.Bytes += e.Change.Weight()
	}
	if !s.trimmed || s.written.Changes > historyTotal/10 || s.written.Bytes > historyBytes/10 {
		s.trimmed, s.written = true, Keep{}
		return s.store.TrimChanges(ctx, Keep{historyTotal, historyBytes})
	}
	return nil
}

// writeAll writes what waits, for Close.
func (s *Service) writeAll(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for entries := s.history.take(s.now()); len(entries) > 0 && ctx.Err() == nil; entries = s.history.take(s.now()) {
		if err := s.write(entries); err != nil {
			return err
		}
	}
	s.history.end()
	return nil
}
