package sigv4

import (
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials sign requests.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // of temporary credentials, else ""
}

// Sign adds the headers that sign r, whose body is given. It signs the host, the
// content type and every x-amz- header that r has by then.
func Sign(r *http.Request, body []byte, c Credentials, service, region string, at time.Time) {
	at = at.UTC()
	r.Header.Set("X-Amz-Date", at.Format(timeFormat))
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	s := outgoing(r, c, service, region, at)
	s.SignedHeaders = headersToSign(r.Header)
	s.PayloadHash = r.Header.Get("X-Amz-Content-Sha256")
	s.SetBody(body)
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKeyID+"/"+s.Scope.String()+
		", SignedHeaders="+strings.Join(s.SignedHeaders, ";")+
		", Signature="+s.make(c.SecretAccessKey))
}

// Presign gives the URL under which r, without a body, may be sent by anybody
// for as long as expires says. Only the host is signed, besides the query.
func Presign(r *http.Request, c Credentials, service, region string, at time.Time, expires time.Duration) *url.URL {
	at = at.UTC()
	s := outgoing(r, c, service, region, at)
	s.SignedHeaders = []string{"host"}
	s.Presigned = true
	query := r.URL.Query()
	query.Set("X-Amz-Algorithm", algorithm)
	query.Set("X-Amz-Credential", c.AccessKeyID+"/"+s.Scope.String())
	query.Set("X-Amz-Date", at.Format(timeFormat))
	query.Set("X-Amz-Expires", strconv.Itoa(int(expires.Seconds())))
	query.Set("X-Amz-SignedHeaders", "host")
	if c.SessionToken != "" {
		query.Set("X-Amz-Security-Token", c.SessionToken)
	}
	s.request.query = query.Encode()
	signed := *r.URL
	signed.RawQuery = s.request.query + "&X-Amz-Signature=" + s.make(c.SecretAccessKey)
	return &signed
}

func outgoing(r *http.Request, c Credentials, service, region string, at time.Time) *Signature {
	s := &Signature{
		Scope:        Scope{Date: at.Format(dateFormat), Region: region, Service: service},
		AccessKeyID:  c.AccessKeyID,
		SessionToken: c.SessionToken,
		Time:         at,
		request:      requestOf(r),
	}
	if s.request.host == "" {
		s.request.host = r.URL.Host
	}
	return s
}

// make computes the signature of the request as it is.
func (s *Signature) make(secret string) string {
	form := variant{host: s.request.host, path: s.request.path}
	return hex.EncodeToString(hmacOf(SigningKey(secret, s.Scope), s.stringToSign(s.canonical(form))))
}

func headersToSign(h http.Header) []string {
	names := []string{"host"}
	for name := range maps.Keys(h) {
		name = strings.ToLower(name)
		if name == "content-type" || strings.HasPrefix(name, "x-amz") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
