package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// Limits of the http action (AWS IoT Core quotas, "Rules engine HTTP action").
const (
	httpBudget    = 3 * time.Second // for all tries
	httpTries     = 3
	httpAnswerMax = 16384 // bytes
	urlMax        = 2000  // bytes
)

// compileHTTP posts the payload to a URL that belongs to a confirmed
// destination, alone or several messages at a time.
func compileHTTP(c *compiler, spec *iot.Action) prepare {
	a := spec.Http
	if a == nil {
		return nil
	}
	h := &httpAction{t: c.t, url: c.text("url", a.Url), batch: c.batch(a)}
	c.action.URL, c.action.Batching = h.url.template, h.batch != nil
	if a.ConfirmationUrl != "" {
		c.action.Confirmation = c.text("confirmationUrl", a.ConfirmationUrl).template
	}
	for _, header := range a.Headers {
		if !headerName.MatchString(header.Key) {
			c.refuse("%q is not the name of an HTTP header", header.Key)
		}
		h.headers = append(h.headers, namedParameter{header.Key, c.text("headers."+header.Key, header.Value)})
	}
	if a.Auth != nil && a.Auth.Sigv4 != nil {
		h.sign = a.Auth.Sigv4
		c.role(h.sign.RoleArn)
	}
	return h.prepare
}

// headerName is what HTTP allows (RFC 9110 5.1: a token).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$")

// isControl says whether a character may not be in a header's value.
func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

type namedParameter struct {
	name  string
	value *parameter
}

type httpAction struct {
	t       *Targets
	url     *parameter
	headers []namedParameter
	sign    *iot.SigV4Authorization
	batch   *batchLimits // nil: one message at a time
}

// CheckURL says whether the http action may ever use a URL: AWS takes https on
// the ports 443 and 8443, by name or IPv4 address.
func (t *Targets) CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || len(text) > urlMax {
		return fault.InvalidRequest("%q is not a URL of at most %d bytes", text, urlMax)
	}
	if t.AnyURL && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	switch {
	case u.Scheme != "https":
		return fault.InvalidRequest("%q does not begin with https://", text)
	case u.Port() != "" && u.Port() != "443" && u.Port() != "8443":
		return fault.InvalidRequest("%q has a port other than 443 and 8443", text)
	case strings.Contains(u.Hostname(), ":"):
		return fault.InvalidRequest("%q has an IPv6 address", text)
	}
	return nil
}

func (h *httpAction) prepare(r *rendering) send {
	to := r.text(h.url)
	r.resource, r.budget, r.tries = to, httpBudget, httpTries
	header := http.Header{}
	for _, p := range h.headers {
		value := r.text(p.value)
		if strings.ContainsFunc(value, isControl) {
			return r.fail("header %s has a value that HTTP does not allow", p.name)
		}
		header.Set(p.name, value)
	}
	if r.err == nil {
		r.err = h.t.CheckURL(to)
	}
	if r.err == nil && !h.t.Destination(to) {
		return r.fail("%s does not belong to an enabled destination", to)
	}
	payload := r.Payload
	if h.batch == nil {
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", contentType(r.JSON))
		}
		return func(ctx context.Context) error { return h.post(ctx, to, header, payload) }
	}
	part, err := batchPart(r.Event)
	if err != nil {
		return r.fail("%v", err)
	}
	key := batchKey{action: h, source: h.t.Scope.IoT("rule", r.Rule), url: to, topic: r.Message.Topic}
	if h.batch.acrossTopics {
		key.topic = ""
	}
	header.Set("Content-Type", contentType(true))
	return func(ctx context.Context) error { return h.t.batches.send(ctx, key, part, header) }
}

func contentType(json bool) string {
	if json {
		return "application/json"
	}
	return "application/octet-stream"
}

// post sends once.
func (h *httpAction) post(ctx context.Context, to string, header http.Header, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return &Failure{Text: unreachable(err), cause: err}
	}
	r.Header = header.Clone()
	if err := h.authorize(ctx, r, body); err != nil {
		return err
	}
	answer, err := h.t.web.Do(r)
	if err != nil {
		// A peer that hung up may have taken the message, and the time is up once.
		again := !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil
		return &Failure{Text: unreachable(err), Again: again, cause: err}
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(answer.Body, httpAnswerMax+1))
	switch {
	case err != nil:
		return &Failure{Text: unreachable(err), cause: err}
	case n > httpAnswerMax:
		return &Failure{Text: unreachable(fmt.Errorf("the response has more than %d bytes", httpAnswerMax))}
	case answer.StatusCode/100 != 2:
		text := fmt.Sprintf("HttpAction failed to make a request to the specified endpoint. StatusCode: %d. Reason: %s.",
			answer.StatusCode, http.StatusText(answer.StatusCode))
		return &Failure{Text: text, Again: againWorthy(answer.StatusCode)}
	}
	return nil
}

func unreachable(err error) string {
	return fmt.Sprintf("HttpAction failed to make a request to the specified endpoint. Reason: %v.", err)
}

// authorize signs a request where the action says so.
func (h *httpAction) authorize(ctx context.Context, r *http.Request, body []byte) error {
	if h.sign == nil {
		return nil
	}
	c, err := h.t.credentials(ctx, h.sign.RoleArn)
	if err != nil {
		return err
	}
	keys := sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	sigv4.Sign(r, body, keys, h.sign.ServiceName, h.sign.SigningRegion, h.t.Now())
	return nil
}

// batchPart is a payload as an element of a batch. A text that is not JSON
// becomes a string; bytes that are no text cannot be in a batch.
func batchPart(ev *Event) ([]byte, error) {
	if ev.JSON && len(ev.Payload) > 0 {
		return ev.Payload, nil
	}
	if !utf8.Valid(ev.Payload) {
		return nil, errors.New("the payload is not UTF-8; encode it in base64 to send it in a batch")
	}
	return jsonString(ev.Payload), nil
}
