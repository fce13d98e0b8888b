package shadow

import (
	"strconv"
	"time"
)

// updated is the body of update/accepted: what the request said, and the
// metadata of exactly that.
func updated(next shadow, r request) []byte {
	w := newWriter(2 * len(next.desired.text))
	w.raw("state", appendState, echo(r))
	w.raw("metadata", appendMetadata, echo(r))
	w.number("version", next.Version)
	return w.end(r)
}

// echo is the state of the request without what was ignored in it.
func echo(r request) value {
	if r.state.kind != object {
		return r.state
	}
	shown := value{kind: object}
	if r.desired.kind != none {
		shown.members = append(shown.members, member{"desired", r.desired})
	}
	if r.reported.kind != none {
		shown.members = append(shown.members, member{"reported", r.reported})
	}
	return shown
}

// got is the body of get/accepted.
func got(s shadow, r request) []byte {
	w := newWriter(4 * s.size())
	w.open("state")
	w.sections(s.document)
	if d := s.delta(); d.kind != none {
		w.raw("delta", appendState, d)
	}
	w.close()
	w.metadata(s.document)
	w.number("version", s.Version)
	return w.end(r)
}

// differs is the body of update/delta, nil where nothing differs. It tells all
// that differs, whatever this update was about.
func differs(next shadow, r request) []byte {
	d := next.delta()
	if d.kind == none {
		return nil
	}
	w := newWriter(4 * len(next.desired.text))
	w.number("version", next.Version)
	w.number("timestamp", r.now.Unix())
	w.raw("state", appendState, d)
	w.raw("metadata", appendMetadata, d)
	w.token(r.token)
	return w.finish()
}

// changed is the body of update/documents. There is nothing previous to the
// first update of a shadow.
func changed(old, next shadow, r request) []byte {
	w := newWriter(4 * (old.size() + next.size()))
	if old.live() {
		w.document("previous", old)
	} else {
		w.key("previous")
		w.out = append(w.out, "null"...)
	}
	w.document("current", next)
	return w.end(r)
}

// deleted is the body of delete/accepted. The version is the deleted one.
func deleted(old shadow, r request) []byte {
	w := newWriter(0)
	w.number("version", old.Version)
	return w.end(r)
}

// rejected is the body of any rejection.
func rejected(err error, token *string, now time.Time) []byte {
	code, message := status(err)
	w := newWriter(0)
	w.number("code", int64(code))
	w.key("message")
	w.out = appendText(w.out, message)
	w.number("timestamp", now.Unix())
	w.token(token)
	return w.finish()
}

// writer writes one JSON object, member by member.
type writer struct{ out []byte }

// newWriter begins an object; most of its members take room bytes.
func newWriter(room int) *writer {
	return &writer{append(make([]byte, 0, room+192), '{')}
}

func (w *writer) key(name string) {
	if w.out[len(w.out)-1] != '{' {
		w.out = append(w.out, ',')
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

func (w *writer) open(name string) {
	w.key(name)
	w.out = append(w.out, '{')
}

func (w *writer) close() { w.out = append(w.out, '}') }

func (w *writer) number(name string, n int64) {
	w.key(name)
	w.out = strconv.AppendInt(w.out, n, 10)
}

func (w *writer) raw(name string, how func([]byte, value) []byte, v value) {
	w.key(name)
	w.out = how(w.out, v)
}

// sections writes the sections that there are.
func (w *writer) sections(d document) {
	if d.desired.text != "" {
		w.key("desired")
		w.out = append(w.out, d.desired.text...)
	}
	if d.reported.text != "" {
		w.key("reported")
		w.out = append(w.out, d.reported.text...)
	}
}

func (w *writer) metadata(d document) {
	w.open("metadata")
	if d.desired.text != "" {
		w.raw("desired", appendMetadata, d.desired.value)
	}
	if d.reported.text != "" {
		w.raw("reported", appendMetadata, d.reported.value)
	}
	w.close()
}

// document writes a whole shadow, as update/documents shows it.
func (w *writer) document(name string, s shadow) {
	w.open(name)
	w.open("state")
	w.sections(s.document)
	w.close()
	w.metadata(s.document)
	w.number("version", s.Version)
	w.close()
}

func (w *writer) token(token *string) {
	if token != nil {
		w.key("clientToken")
		w.out = appendText(w.out, *token)
	}
}

// end writes what closes nearly every body: the time of the reply, in seconds,
// and the client's token.
func (w *writer) end(r request) []byte {
	w.number("timestamp", r.now.Unix())
	w.token(r.token)
	return w.finish()
}

func (w *writer) finish() []byte {
	w.close()
	return w.out
}
