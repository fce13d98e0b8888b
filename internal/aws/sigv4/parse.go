package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseHeader reads
//
//	AWS4-HMAC-SHA256 Credential=AKID/date/region/service/aws4_request, SignedHeaders=a;b, Signature=hex
func parseHeader(r *http.Request, auth string) (*Signature, error) {
	name, rest, _ := strings.Cut(auth, " ")
	if name != algorithm {
		return nil, incomplete("Signatures must be %s, not %q.", algorithm, clip(name))
	}
	parts, err := authorizationParts(rest)
	if err != nil {
		return nil, err
	}
	s := &Signature{
		SessionToken: r.Header.Get("X-Amz-Security-Token"),
		PayloadHash:  r.Header.Get("X-Amz-Content-Sha256"),
		request:      requestOf(r),
	}
	if err := s.fill(parts["Credential"], parts["SignedHeaders"], parts["Signature"]); err != nil {
		return nil, err
	}
	return s, s.setTime(headerDate(r.Header))
}

// authorizationParts splits Name=value pairs at commas.
func authorizationParts(list string) (map[string]string, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || !slices.Contains([]string{"Credential", "SignedHeaders", "Signature"}, name) {
			return nil, incomplete("The Authorization header has %q where Credential, SignedHeaders or Signature is expected.", clip(part))
		}
		if _, twice := parts[name]; twice {
			return nil, incomplete("The Authorization header has %s twice.", name)
		}
		parts[name] = strings.TrimSpace(value)
	}
	return parts, nil
}

// headerDate prefers X-Amz-Date. Date is HTTP's own and has another form.
func headerDate(h http.Header) string {
	if date := h.Get("X-Amz-Date"); date != "" {
		return date
	}
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t.UTC().Format(timeFormat)
	}
	return h.Get("Date")
}

// parseQuery reads the X-Amz- parameters of a presigned request.
func parseQuery(r *http.Request) (*Signature, error) {
	if strings.Count(r.URL.RawQuery, "&") >= queryMax {
		return nil, incomplete("A signed query string has at most %d parameters.", queryMax)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, incomplete("The query string cannot be read: %v.", err)
	}
	if got := query.Get("X-Amz-Algorithm"); got != algorithm {
		return nil, incomplete("X-Amz-Algorithm must be %s, not %q.", algorithm, clip(got))
	}
	s := &Signature{
		SessionToken: query.Get("X-Amz-Security-Token"),
		PayloadHash:  presignedHash(r, query),
		Presigned:    true,
		request:      requestOf(r),
	}
	if err := s.fill(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")); err != nil {
		return nil, err
	}
	if err := s.setExpires(query); err != nil {
		return nil, err
	}
	return s, s.setTime(query.Get("X-Amz-Date"))
}

func presignedHash(r *http.Request, query url.Values) string {
	if hash := query.Get("X-Amz-Content-Sha256"); hash != "" {
		return hash
	}
	return r.Header.Get("X-Amz-Content-Sha256")
}

func (s *Signature) setExpires(query url.Values) error {
	if !query.Has("X-Amz-Expires") {
		return nil
	}
	seconds, err := strconv.ParseUint(query.Get("X-Amz-Expires"), 10, 32)
	s.Expires = time.Duration(seconds) * time.Second
	if err != nil || s.Expires == 0 || s.Expires > ExpiresMax {
		return incomplete("X-Amz-Expires must be from 1 to %d seconds.", int(ExpiresMax.Seconds()))
	}
	return nil
}

// fill sets what both forms have.
func (s *Signature) fill(credential, signedHeaders, signature string) error {
	if err := s.setCredential(credential); err != nil {
		return err
	}
	if err := s.setHeaders(signedHeaders); err != nil {
		return err
	}
	raw, err := hex.DecodeString(signature)
	if err != nil || len(raw) != 32 {
		return incomplete("The signature must be 64 hexadecimal digits.")
	}
	s.signature = raw
	return nil
}

// setCredential reads AKID/date/region/service/aws4_request.
func (s *Signature) setCredential(credential string) error {
	parts := strings.Split(credential, "/")
	if len(credential) > credentialMax || len(parts) != 5 || slices.Contains(parts, "") || parts[4] != terminator {
		return incomplete("The credential must have the form ACCESS-KEY-ID/YYYYMMDD/REGION/SERVICE/%s, not %q.", terminator, clip(credential))
	}
	s.AccessKeyID = parts[0]
	s.Scope = Scope{Date: parts[1], Region: parts[2], Service: parts[3]}
	return nil
}

func (s *Signature) setHeaders(list string) error {
	names := strings.Split(list, ";")
	if len(names) > headersMax {
		return incomplete("A request has at most %d signed headers.", headersMax)
	}
	// Without the host a captured request could be sent to another server.
	if !slices.Contains(names, "host") {
		return incomplete("The signed headers must name host.")
	}
	for _, name := range names {
		if name == "" || name != strings.ToLower(name) {
			return incomplete("The signed header %q must be written in lower case.", clip(name))
		}
	}
	s.SignedHeaders = names
	return nil
}

func (s *Signature) setTime(date string) error {
	t, err := time.Parse(timeFormat, date)
	if err != nil {
		return incomplete("The date of the signature must have the form YYYYMMDDThhmmssZ, not %q.", clip(date))
	}
	if t.Format(dateFormat) != s.Date {
		return invalid("The credential is of %s, but the request is dated %s.", clip(s.Date), date)
	}
	s.Time = t
	return nil
}

// clip keeps what is repeated to the caller short.
func clip(s string) string {
	const longest = 128 // bytes
	if len(s) > longest {
		return s[:longest] + "..."
	}
	return s
}
