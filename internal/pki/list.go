package pki

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"thingd/internal/fault"
)

// pageDefault is AWS's page size for certificates; the model allows 250.
const (
	pageDefault = 25
	pageMax     = 250
)

// Page asks for a part of a list in order of creation.
type Page struct {
	Marker    string // where the page before ended, as its answer said; "" begins
	Size      int    // at most 250; 0 means 25
	Ascending bool   // oldest first
}

// List gives the account's certificates without claims, and the marker of the
// next page, "" at the end (ListCertificates).
func (s *Service) List(ctx context.Context, p Page) ([]Certificate, string, error) {
	return s.certificates(ctx, p, Listing{})
}

// ListByCA gives the certificates registered under a CA (ListCertificatesByCA).
func (s *Service) ListByCA(ctx context.Context, ca CertificateID, p Page) ([]Certificate, string, error) {
	return s.certificates(ctx, p, Listing{CA: ca})
}

// ListOutgoing gives the certificates that wait for another account to accept
// them (ListOutgoingCertificates).
func (s *Service) ListOutgoing(ctx context.Context, p Page) ([]Certificate, string, error) {
	return s.certificates(ctx, p, Listing{Outgoing: true})
}

// ListIncoming gives the certificates that other accounts offer to this one. AWS
// has no operation for it: their owner is told the IDs.
func (s *Service) ListIncoming(ctx context.Context, p Page) ([]Certificate, string, error) {
	return s.certificates(ctx, p, Listing{Incoming: true})
}

func (s *Service) certificates(ctx context.Context, p Page, l Listing) ([]Certificate, string, error) {
	return page(ctx, s.store, p, l, Tx.Certificates, func(c Certificate) Mark { return Mark{c.Created.UnixMilli(), c.ID} })
}

// ListCAs gives the registered CAs, or those with a provisioning template
// (ListCACertificates).
func (s *Service) ListCAs(ctx context.Context, template string, p Page) ([]CA, string, error) {
	return page(ctx, s.store, p, Listing{Template: template}, Tx.CAs, func(c CA) Mark { return Mark{c.Created.UnixMilli(), c.ID} })
}

// page reads one row more than the page has, to know whether another follows.
func page[T any](ctx context.Context, store Store, p Page, l Listing, rows func(Tx, Listing) ([]T, error), mark func(T) Mark) ([]T, string, error) {
	var err error
	if l.After, err = parseMark(p.Marker); err != nil {
		return nil, "", err
	}
	if p.Size <= 0 {
		p.Size = pageDefault
	}
	size := min(p.Size, pageMax)
	l.Limit, l.Ascending = size+1, p.Ascending
	var all []T
	err = store.View(ctx, func(tx Tx) (err error) {
		all, err = rows(tx, l)
		return err
	})
	if err != nil || len(all) <= size {
		return all, "", err
	}
	return all[:size], mark(all[size-1]).token(), nil
}

// token writes a mark as a marker of the API: standard base64, as the service
// model demands.
func (m Mark) token() string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(m.At, 10) + " " + string(m.ID)))
}

func parseMark(token string) (Mark, error) {
	if token == "" {
		return Mark{}, nil
	}
	text, err := base64.StdEncoding.DecodeString(token)
	at, id, found := strings.Cut(string(text), " ")
	ms, numberErr := strconv.ParseInt(at, 10, 64)
	if err != nil || numberErr != nil || !found {
		return Mark{}, fault.InvalidRequest("the marker is not one of ours; begin the list again without it")
	}
	return Mark{ms, CertificateID(id)}, nil
}
