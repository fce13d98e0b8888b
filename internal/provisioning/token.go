package provisioning

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/registry"
)

const (
	tokenLife = time.Hour // AWS's
	// tokenBytes is the length of a token before base64: 256 bits, so that it
	// cannot be guessed, and far below the 512 characters that clients have room
	// for.
	tokenBytes = 32
	// tokenBusy bounds how long a token is kept from a second request, should
	// the server end within the first.
	tokenBusy = time.Minute
)

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// newToken makes an ownership token, and what notes whose it is. Only its hash is
// kept: who reads the database cannot use it. The note comes before the
// certificate is kept, so that a certificate that waits for its owner always has
// a token, and is deleted with it if nobody comes.
func (s *Service) newToken() (token string, note func(context.Context, pki.CertificateID) error) {
	raw := make([]byte, tokenBytes)
	_, _ = rand.Read(raw) // never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, func(ctx context.Context, id pki.CertificateID) error {
		row := Token{Hash: hashOf(token), Certificate: id, Expires: s.timestamp().Add(tokenLife)}
		return s.store.Update(ctx, func(tx Tx) error { return tx.PutToken(row) })
	}
}

// badToken is the refusal of a token, which has a code of its own over MQTT.
func badToken(text string) error { return &refusal{400, "InvalidCertificateOwnershipToken", text} }

// takeToken gives the certificate that a token is for and keeps others from
// using it meanwhile.
func (s *Service) takeToken(ctx context.Context, token string) (Token, error) {
	var row Token
	err := s.store.Update(ctx, func(tx Tx) error {
		var found bool
		var err error
		now := s.timestamp()
		if row, found, err = tx.Token(hashOf(token)); err != nil {
			return err
		}
		switch {
		case !found:
			return badToken("Certificate ownership token is invalid or was used.")
		case !now.Before(row.Expires):
			return badToken("Certificate ownership token has expired.")
		case now.Before(row.BusyUntil):
			return fault.New(fault.CodeConflict, "Certificate ownership token is in use by another request.")
		}
		row.BusyUntil = now.Add(tokenBusy)
		return tx.PutToken(row)
	})
	return row, err
}

// giveTokenBack lets the device try again after a failure.
func (s *Service) giveTokenBack(ctx context.Context, row Token) {
	row.BusyUntil = time.Time{}
	err := s.store.Update(context.WithoutCancel(ctx), func(tx Tx) error { return tx.PutToken(row) })
	if err != nil {
		s.log.Error("an ownership token could not be given back", "certificate", row.Certificate, "error", err)
	}
}

// purgeBatch bounds what one transaction of a purge reads.
const purgeBatch = 200

// purgeTokens forgets expired tokens and deletes their certificates where nobody
// did anything with them.
func (s *Service) purgeTokens(ctx context.Context) error {
	for {
		var old []Token
		err := s.store.View(ctx, func(tx Tx) (err error) {
			old, err = tx.ExpiredTokens(s.timestamp(), purgeBatch)
			return err
		})
		if err != nil || len(old) == 0 {
			return err
		}
		for _, row := range old {
			if err := s.deleteUnused(ctx, row.Certificate); err != nil {
				return err
			}
		}
		err = s.store.Update(ctx, func(tx Tx) error {
			for _, row := range old {
				if err := tx.DeleteToken(row.Hash); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// deleteUnused deletes a certificate that was neither activated nor attached.
func (s *Service) deleteUnused(ctx context.Context, id pki.CertificateID) error {
	cert, err := s.pki.Describe(ctx, id)
	if fault.Is(err, fault.CodeNotFound) || err == nil && cert.Status != pki.PendingActivation {
		return nil
	}
	if err != nil {
		return err
	}
	links, _, err := s.registry.PrincipalThings(ctx, s.pki.ARN(id), nil, registry.Page{Size: 1})
	if err != nil || len(links) > 0 {
		return err
	}
	err = s.pki.Delete(ctx, id, false)
	if fault.Is(err, fault.CodeDeleteConflict) || fault.Is(err, fault.CodeNotFound) || fault.Is(err, fault.CodeCertificateState) {
		return nil // attached or activated after all
	}
	return err
}
