package edgefleet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"thingd/internal/registry"
)

// pageSize is the number of entries of a page where nobody says (unconfirmed),
// and AWS's bound.
const pageSize = 100

func limitOf(p registry.Page) int {
	if p.Size <= 0 || p.Size > pageSize {
		return pageSize
	}
	return p.Size
}

// listing is a list of one kind of row.
type listing[T any] struct {
	kind  string
	read  func(Tx, Query) ([]T, error)
	place func(T, Sort) Place
}

// page reads a page and the token of the next.
func (l listing[T]) page(ctx context.Context, s *Service, q Query, p registry.Page) (rows []T, next string, err error) {
	if q.Sort == "" {
		q.Sort = ByCreation
	}
	list := registry.List{l.kind, fmt.Sprintf("%+v", q)}
	keys, err := list.Keys(p.Token, 2)
	if err != nil {
		return nil, "", err
	}
	if p.Token != "" {
		q.After = &Place{keys[0], keys[1]}
	}
	limit := limitOf(p)
	q.Limit = limit + 1
	err = s.store.View(ctx, func(tx Tx) error {
		rows, err = l.read(tx, q)
		return err
	})
	if err != nil || len(rows) <= limit {
		return rows, "", err
	}
	last := l.place(rows[limit-1], q.Sort)
	return rows[:limit], list.Token(last.Value, last.Key), nil
}

// placeOf is the place of a row in the orders that all lists have.
func placeOf(by Sort, name string, created, modified time.Time) Place {
	switch by {
	case ByCreation:
		return Place{strconv.FormatInt(created.UnixMilli(), 10), Key(name)}
	case ByChange:
		return Place{strconv.FormatInt(modified.UnixMilli(), 10), Key(name)}
	}
	return Place{Key(name), Key(name)}
}
