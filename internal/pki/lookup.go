package pki

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"sync"
)

// cacheMax bounds the records kept for connects, about 400 bytes each. When it
// is full some record makes place; the next connect reads it again.
const cacheMax = 20_000

// Lookup finds the record of the certificate that a client proved to have; found
// is false where none is registered. The record comes without PEM. Lookup changes
// nothing and is quick for certificates that were seen before.
func (s *Service) Lookup(ctx context.Context, leaf *x509.Certificate) (cert Certificate, found bool, err error) {
	key := sha256.Sum256(leaf.Raw)
	if cert, found := s.cache.get(key); found {
		return cert, true, nil
	}
	return s.read(ctx, key)
}

// read is Lookup in the store.
func (s *Service) read(ctx context.Context, key [sha256.Size]byte) (cert Certificate, found bool, err error) {
	seen := s.cache.state()
	err = s.store.View(ctx, func(tx Tx) (err error) {
		cert, found, err = tx.Certificate(CertificateID(hex.EncodeToString(key[:])))
		return err
	})
	if err != nil || !found {
		return Certificate{}, false, err
	}
	cert.PEM = ""
	s.cache.put(key, cert, seen)
	return cert, true, nil
}

// Forget drops what is remembered of a certificate that another node changed.
func (s *Service) Forget(id CertificateID) {
	var key [sha256.Size]byte
	if n, err := hex.Decode(key[:], []byte(id)); err == nil && n == len(key) {
		s.cache.drop(key)
	}
}

// cache remembers records by the hash of the certificate. The zero value is
// empty and ready.
type cache struct {
	mu      sync.RWMutex
	records map[[sha256.Size]byte]Certificate
	changes uint64 // counts drops, so that a record read before one is not kept after it
}

func (c *cache) get(key [sha256.Size]byte) (Certificate, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	cert, ok := c.records[key]
	return cert, ok
}

func (c *cache) state() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changes
}

// put keeps a record that was read in the given state of the cache.
func (c *cache) put(key [sha256.Size]byte, cert Certificate, seen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != seen {
		return
	}
	if c.records == nil {
		c.records = map[[sha256.Size]byte]Certificate{}
	}
	if len(c.records) >= cacheMax {
		for some := range c.records {
			delete(c.records, some)
			break
		}
	}
	c.records[key] = cert
}

func (c *cache) drop(key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.records, key)
}
