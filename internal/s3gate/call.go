package s3gate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"thingd/internal/aws/sigv4"
)

// call is a request as it is judged, and as versitygw will see it.
type call struct {
	address
	method string
	query  url.Values  // without the signature
	header http.Header // without the signature

	needs   []permission
	deletes bool   // the body names the keys to delete
	stream  bool   // the body is object data and is not held
	body    []byte // where it is not streamed
}

// queryMax bounds the parameters of a query.
const queryMax = 200

// read takes a request apart.
func (g *Gate) read(r *http.Request) (*call, error) {
	a, err := addressOf(g.hosts, r)
	if err != nil {
		return nil, err
	}
	if strings.Count(r.URL.RawQuery, "&") >= queryMax {
		return nil, invalidArgument("A query has at most %d parameters.", queryMax)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidArgument("The query cannot be read.")
	}
	if !oneVersion(query.Get("versionId")) {
		return nil, errNoSuchVersion
	}
	query.Del("versionId")
	return &call{address: a, method: r.Method, query: query, header: headerOf(r)}, nil
}

// oneVersion says whether a version ID names the only version of an object.
func oneVersion(id string) bool { return id == "" || id == "null" }

// headerOf copies what versitygw should see of a header.
func headerOf(r *http.Request) http.Header {
	h := r.Header.Clone()
	for _, name := range []string{
		"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "Expect", "Cookie", "Connection", "Upgrade", noteHeader,
	} {
		h.Del(name)
	}
	keepEncoding(h)
	return h
}

// keepEncoding drops aws-chunked from Content-Encoding: it is about the way here,
// and the object is not encoded so.
func keepEncoding(h http.Header) {
	var kept []string
	for _, encoding := range strings.Split(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && encoding != "aws-chunked" {
			kept = append(kept, encoding)
		}
	}
	h.Del("Content-Encoding")
	if len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
}

// signatureQuery are the parameters that sign; everything else in a query that
// begins like a header is one.
var signatureQuery = map[string]bool{
	"x-amz-algorithm": true, "x-amz-credential": true, "x-amz-date": true,
	"x-amz-expires": true, "x-amz-signature": true, "x-amz-signedheaders": true,
	"x-amz-security-token": true, "x-amz-content-sha256": true,
}

// takeSignedQuery removes the signature from the query. SDKs that presign move
// headers such as x-amz-meta-color there, from where they come back.
func (c *call) takeSignedQuery(s *signer) error {
	for name, values := range c.query {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		delete(c.query, name)
		if signatureQuery[lower] || !s.signature.Presigned {
			continue
		}
		if len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") {
			return invalidArgument("The query parameter %s cannot be a header.", lower)
		}
		c.header.Set(name, values[0])
	}
	return nil
}

// bodyMax bounds bodies that are held: the longest is a CompleteMultipartUpload
// of 10,000 parts with checksums.
const bodyMax = 4 << 20 // bytes

// readBody holds a body that is no object data and compares it with its signed
// hash.
func (c *call) readBody(r *http.Request, s *signer) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, bodyMax))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errorf(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too large.")
	case err != nil:
		return errorf(http.StatusBadRequest, "IncompleteBody", "The body ended early.")
	}
	c.body = body
	switch hash := s.payload; {
	case hash == sigv4.UnsignedPayload:
		return nil
	case strings.HasPrefix(hash, streaming):
		return notImplemented("Only object data may be sent in signed chunks.")
	case !sameHash(hash, body):
		return errorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return nil
}

func sameHash(hash string, body []byte) bool {
	want, err := hex.DecodeString(hash)
	got := sha256.Sum256(body)
	return err == nil && bytes.Equal(want, got[:])
}
