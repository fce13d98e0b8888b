package journal

import (
	"slices"
	"strings"
	"unicode/utf8"

	"thingd/internal/why"
)

// Much of an event is in strangers' words. These are the longest texts kept, in
// bytes, and the most variables.
const (
	nameMax      = 256 // client ID, principal, host name and the like
	resourceMax  = 1024
	detailMax    = 1024
	statementMax = 4096
	variablesMax = 32
	partsMax     = 8 // of a phrase
	phraseDepth  = 10
)

// clip bounds an event and makes its texts fit for a database.
func clip(e why.Event) why.Event {
	for _, name := range []*string{&e.ClientID, &e.Principal, &e.Source, &e.Door, &e.Server, &e.Action} {
		*name = clipText(*name, nameMax)
	}
	e.Step, e.Cause = why.Step(clipText(string(e.Step), nameMax)), why.Cause(clipText(string(e.Cause), nameMax))
	e.Disconnect = why.Disconnect(clipText(string(e.Disconnect), nameMax))
	e.Resource = clipText(e.Resource, resourceMax)
	e.Detail = clipText(e.Detail, detailMax)
	e.Reason = clipPhrase(e.Reason, phraseDepth)
	e.Statement = clipText(e.Statement, statementMax)
	e.Variables = slices.Clone(e.Variables[:min(len(e.Variables), variablesMax)]) // the caller's stay as they are
	for i, v := range e.Variables {
		e.Variables[i].Name, e.Variables[i].Value = clipText(v.Name, nameMax), clipText(v.Value, nameMax)
	}
	return e
}

// clipQuery treats what is looked for as it was treated when it was recorded.
func clipQuery(q Query) Query {
	q.ClientID, q.Principal = clipText(q.ClientID, nameMax), clipText(q.Principal, nameMax)
	q.Cause = why.Cause(clipText(string(q.Cause), nameMax))
	if q.Limit <= 0 {
		q.Limit = limitDefault
	}
	q.Limit = min(q.Limit, limitMax)
	return q
}

// clipText gives at most limit bytes of UTF-8 without NUL, which PostgreSQL does
// not take. A text that was cut ends in an ellipsis and shares no memory with the
// whole.
func clipText(text string, limit int) string {
	if len(text) > limit {
		cut := limit - len("…")
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.ReplaceAll(text, "\x00", "\uFFFD")
}

// clipPhrase bounds the words in a phrase. Its forms are our own; that it has few
// parts and is not deep is for those that nobody has thought of.
func clipPhrase(p why.Phrase, depth int) why.Phrase {
	p.Text = clipText(p.Text, detailMax)
	if depth == 0 {
		return why.Words(clipText(p.String(), detailMax))
	}
	p.Of = slices.Clone(p.Of[:min(len(p.Of), partsMax)])
	for i := range p.Of {
		p.Of[i] = clipPhrase(p.Of[i], depth-1)
	}
	return p
}
