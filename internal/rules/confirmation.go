package rules

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"thingd/internal/fault"
)

// confirmationTimeout bounds the request that asks a URL's owner to confirm.
const confirmationTimeout = 10 * time.Second

// ask makes a new token and waits for it to come back.
func (d *Destination) ask(now time.Time) (token string) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	token = base64.RawURLEncoding.EncodeToString(secret[:])
	d.Status, d.TokenHash, d.TokenEnds = InProgress, hashOf(token), now.Add(tokenLife)
	d.Reason = fmt.Sprintf("Awaiting confirmation. Confirmation message sent on %s", now.UTC().Format(time.RFC3339))
	return token
}

// hashOf is what is kept of a token.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// ConfirmDestination enables the destination that waits for a token
// (ConfirmTopicRuleDestination). The token itself is the permission: a browser
// that follows enableUrl signs nothing.
func (s *Service) ConfirmDestination(ctx context.Context, token string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		d, found, err := tx.DestinationOfToken(hashOf(token))
		if err != nil {
			return err
		}
		if d = d.at(s.now()); !found || d.Status != InProgress {
			return fault.InvalidRequest("the confirmation token is not valid")
		}
		d.Status, d.Reason, d.TokenHash, d.Updated = Enabled, "", "", s.timestamp()
		return tx.PutDestination(d)
	})
	if err == nil {
		s.destinationsChanged(ctx)
	}
	return err
}

// Awaits says whether a destination of the account waits for a token.
func (s *Service) Awaits(ctx context.Context, token string) (found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		_, found, err = tx.DestinationOfToken(hashOf(token))
		return err
	})
	return found, err
}

// sendConfirmation asks the owner of a URL, in the background.
func (s *Service) sendConfirmation(d Destination, token string) {
	if token == "" {
		return
	}
	s.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, confirmationTimeout)
		defer cancel()
		if err := s.postConfirmation(ctx, d, token); err != nil {
			s.confirmationFailed(d, err)
		}
	})
}

// confirmation is the body of the request that asks.
type confirmation struct {
	ARN       string `json:"arn"`
	Token     string `json:"confirmationToken"`
	EnableURL string `json:"enableUrl"`
	Type      string `json:"messageType"`
}

func (s *Service) postConfirmation(ctx context.Context, d Destination, token string) error {
	to, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	query := to.Query()
	query.Set("confirmationToken", token)
	to.RawQuery = query.Encode()
	const kind = "DestinationConfirmation"
	body, err := json.Marshal(confirmation{s.DestinationARN(d), token, s.baseURL() + "/confirmdestination/" + token, kind})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-amz-rules-engine-message-type", kind)
	r.Header.Set("x-amz-rules-engine-destination-arn", `"`+s.DestinationARN(d)+`"`)
	answer, err := s.web.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 16<<10) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the endpoint answered %s", answer.Status)
	}
	return nil
}

// confirmationFailed notes that the owner could not be asked, unless somebody
// else changed the destination meanwhile.
func (s *Service) confirmationFailed(d Destination, cause error) {
	ctx, cancel := context.WithTimeout(context.Background(), confirmationTimeout)
	defer cancel()
	err := s.store.Update(ctx, func(tx Tx) error {
		now, found, err := tx.Destination(d.ID)
		if err != nil || !found || now.TokenHash != d.TokenHash || now.Status != InProgress {
			return err
		}
		now.Status, now.Reason, now.Updated = Failed, "Could not send the confirmation message: "+cause.Error(), s.timestamp()
		return tx.PutDestination(now)
	})
	if err != nil {
		s.log.Error("the state of a topic rule destination could not be kept", "destination", d.ID, "error", err)
	}
}
