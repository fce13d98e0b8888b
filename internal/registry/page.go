package registry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"thingd/internal/fault"
)

// Page says which part of a list is wanted.
type Page struct {
	Token string // from the page before; "" is the first page
	Size  int    // most entries of this page; 0 is PageSize, more than PageSizeMax is PageSizeMax
}

// The sizes of pages.
const (
	PageSize    = 50  // AWS's default (unconfirmed)
	PageSizeMax = 250 // entries; AWS's bound for the registry
)

// Limit gives the size of the page in entries, with its default and bound.
func (p Page) Limit() int {
	switch {
	case p.Size <= 0:
		return PageSize
	case p.Size > PageSizeMax:
		return PageSizeMax
	default:
		return p.Size
	}
}

// List is one listing with its filters. A page's token carries the last key of
// the page, so that a page costs the same at the end of a list as at its start
// and deletions in between make nothing appear twice; and it carries a digest of
// the list, so that a token of one list is refused by another.
type List []string

// cursor is the content of a token.
type cursor struct {
	List string   `json:"l"`
	Keys []string `json:"k"`
	Sum  string   `json:"s"` // of the keys: a damaged token must not be a random place
}

// Token makes the token for the page after these keys: standard base64, the one
// alphabet that AWS's models allow for markers.
func (l List) Token(keys ...string) string {
	text, _ := json.Marshal(cursor{List: digest(l), Keys: keys, Sum: digest(keys)}) // strings always marshal
	return base64.StdEncoding.EncodeToString(text)
}

// Keys reads a token: n keys, all "" for the first page.
func (l List) Keys(token string, n int) ([]string, error) {
	if token == "" {
		return make([]string, n), nil
	}
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, badToken()
	}
	var c cursor
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, badToken()
	}
	if c.List != digest(l) || len(c.Keys) != n || c.Sum != digest(c.Keys) {
		return nil, badToken()
	}
	return c.Keys, nil
}

func badToken() error {
	return fault.InvalidRequest("the token is not one of this list; use the token of the page before, with the same filters")
}

func digest(words []string) string {
	h := sha256.New()
	for _, word := range words {
		text, _ := json.Marshal(word) // quoted, so that words cannot run together
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// after reads a token of one key.
func (l List) after(p Page) (string, error) {
	keys, err := l.Keys(p.Token, 1)
	if err != nil {
		return "", err
	}
	return keys[0], nil
}

// cut takes the first limit entries of rows, which were read one more than the
// page holds, and gives the token of the next page if there is one.
func cut[T any](l List, rows []T, limit int, keys func(T) []string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], l.Token(keys(rows[limit-1])...)
}
