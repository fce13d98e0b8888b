package action

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// clients keeps the sessions of roles. One more than sessionsMax, and it starts
// over: a rule set uses a handful of roles.
type clients struct {
	mu       sync.Mutex
	sessions map[sessionKey]*session
}

// sessionKey says whose a session is: a role's, taken on for a rule.
type sessionKey struct{ role, source string }

const (
	sessionsMax  = 1000
	sessionLeast = 5 * time.Minute // what must be left of a session that is used
)

// session is a role's credentials. Its mutex is held while they are asked for,
// so that a flood of messages asks once.
type session struct {
	mu   sync.Mutex
	have Credentials
	ok   bool
}

// credentials gives the session of a role.
func (t *Targets) credentials(ctx context.Context, role string) (Credentials, error) {
	if t.Credentials == nil {
		return Credentials{}, fault.InvalidRequest("role %s cannot be assumed: roles are not configured", role)
	}
	s := t.clients.session(sessionKey{role, SourceOf(ctx)})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ok && (s.have.Expires.IsZero() || t.Now().Add(sessionLeast).Before(s.have.Expires)) {
		return s.have, nil
	}
	fresh, err := t.Credentials(ctx, role)
	s.have, s.ok = fresh, err == nil
	return fresh, err
}

func (c *clients) session(key sessionKey) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.sessions[key]
	if !ok {
		if c.sessions == nil || len(c.sessions) >= sessionsMax {
			c.sessions = map[sessionKey]*session{}
		}
		s = &session{}
		c.sessions[key] = s
	}
	return s
}

// forget drops the sessions of a role: the service did not know one, because the
// role was made anew, or this server's keys were.
func (c *clients) forget(role string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.sessions, func(key sessionKey, _ *session) bool { return key.role == role })
}

// signer is who signs requests to an endpoint on behalf of a role.
func (t *Targets) signer(ctx context.Context, e Endpoint, role string) (Credentials, error) {
	if e.Credentials.AccessKeyID != "" {
		return e.Credentials, nil
	}
	if role == "" {
		return Credentials{}, fault.InvalidRequest("no access keys are configured for %s", e.URL)
	}
	return t.credentials(ctx, role)
}

// sdk gives the settings of an AWS SDK client for a service. The SDK does not
// try again by itself: the engine does.
func (t *Targets) sdk(ctx context.Context, service, role string) (aws.Config, error) {
	e, err := t.endpoint(service)
	if err != nil {
		return aws.Config{}, err
	}
	c, err := t.signer(ctx, e, role)
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region: e.Region, BaseEndpoint: aws.String(e.URL), HTTPClient: t.Client,
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	}, nil
}

// outcome makes a role's session be asked for anew where a service did not
// believe it, and passes the error on as one worth another try.
func (t *Targets) outcome(role string, err error) error {
	if role == "" || !stale(err) {
		return err
	}
	t.clients.forget(role)
	return err
}

// answerMax bounds what is read of an answer whose content nobody wants.
const answerMax = 64 << 10 // bytes

// order is a request to a service that the SDK has no client for.
type order struct {
	service, role string // who signs it, and for what
	method, url   string
	contentType   string // default: application/json
	body          []byte
}

// post sends a signed JSON request to a service.
func (t *Targets) post(ctx context.Context, service, role, path string, body []byte) ([]byte, error) {
	e, err := t.endpoint(service)
	if err != nil {
		return nil, err
	}
	return t.request(ctx, e, order{service: service, role: role, method: http.MethodPost, url: e.URL + path, body: body})
}

// request sends one signed request and reads the answer. Anything but 2xx is a
// *statusError.
func (t *Targets) request(ctx context.Context, e Endpoint, o order) ([]byte, error) {
	c, err := t.signer(ctx, e, o.role)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, o.method, o.url, bytes.NewReader(o.body))
	if err != nil {
		return nil, fault.InvalidRequest("%s is not a URL", o.url).Because(err)
	}
	r.Header.Set("Content-Type", cmp.Or(o.contentType, "application/json"))
	sigv4.Sign(r, o.body, sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, o.service, e.Region, t.Now())
	answer, err := t.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerMax))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		return nil, t.outcome(o.role, &statusError{answer.StatusCode, http.StatusText(answer.StatusCode), short(text)})
	}
	return text, nil
}

// statusError is an answer that is no success.
type statusError struct {
	status int
	name   string
	body   string
}

// Error gives the status and the beginning of the answer.
func (e *statusError) Error() string {
	if e.body == "" {
		return fmt.Sprintf("status %d %s", e.status, e.name)
	}
	return fmt.Sprintf("status %d %s: %s", e.status, e.name, e.body)
}

// short is the beginning of an answer, for a failure's text.
func short(text []byte) string {
	const most = 512 // bytes
	return string(bytes.ToValidUTF8(text[:min(most, len(text))], nil))
}
