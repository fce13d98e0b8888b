package s3gate

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/policy"
)

// Owns says whether a request on a door that serves several protocols is S3's:
// it is signed for the service s3, or it goes to BUCKET.HOST or s3.HOST without
// being signed for another service or coming from a device with a certificate.
func (g *Gate) Owns(r *http.Request) bool {
	if scope, signed := serviceOf(r); signed {
		return scope == "s3"
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return false
	}
	_, s3Host := bucketOf(g.hosts, r.Host)
	return s3Host
}

// serviceOf reads the service out of KEY/date/region/SERVICE/aws4_request.
func serviceOf(r *http.Request) (service string, signed bool) {
	credential := ""
	if auth := r.Header.Get("Authorization"); auth != "" {
		_, credential, _ = strings.Cut(auth, "Credential=")
		credential, _, _ = strings.Cut(credential, ",")
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		credential = r.URL.Query().Get("X-Amz-Credential")
	} else {
		return "", false
	}
	parts := strings.Split(credential, "/")
	if len(parts) != 5 {
		return "", true
	}
	return parts[3], true
}

// signer is who signed a request and how.
type signer struct {
	actor     *iam.Actor
	signature *sigv4.Signature
	payload   string // hash of the body, or the word that stands for it
	key       []byte // signs the chunks of a body
	seed      string // signature of the request, which the first chunk's follows
}

// authenticate verifies the signature on the request as it was sent.
func (g *Gate) authenticate(r *http.Request) (*signer, error) {
	sig, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	if sig.Service != "s3" {
		return nil, errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The credential is for the service %q, not s3.", sig.Service)
	}
	actor, secret, err := g.config.IAM.Find(r.Context(), sig.AccessKeyID, sig.SessionToken)
	if err != nil {
		return nil, err
	}
	if err := g.verifier.Verify(sig, secret); err != nil {
		return nil, g.signatureError(sig, err)
	}
	s := &signer{actor: actor.With(about(r)), signature: sig, payload: payloadOf(r, sig)}
	if s.payload == "" {
		return nil, errorf(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	s.key, s.seed = sigv4.SigningKey(secret, sig.Scope), seedOf(r)
	return s, nil
}

// signatureError tells clients whose clock is wrong so: they correct it.
func (g *Gate) signatureError(sig *sigv4.Signature, err error) error {
	age := g.config.Now().Sub(sig.Time)
	switch {
	case fault.CodeOf(err) != sigv4.CodeInvalid:
		return err
	case sig.Presigned && age > sig.Expires:
		return errExpired
	case !sig.Presigned && age.Abs() > sigv4.SkewMax:
		return errTooSkewed
	}
	return err
}

// payloadOf is what was signed for the body; "" where a body is not covered. Who
// presigns does not know it yet, and curl says nothing where there is none.
func payloadOf(r *http.Request, sig *sigv4.Signature) string {
	switch {
	case sig.PayloadHash != "":
		return sig.PayloadHash
	case sig.Presigned:
		return sigv4.UnsignedPayload
	case r.ContentLength == 0:
		return sigv4.HashOf(nil)
	}
	return ""
}

func seedOf(r *http.Request) string {
	_, seed, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	seed, _, _ = strings.Cut(seed, ",")
	return strings.TrimSpace(seed)
}

// about are the condition keys that a request brings.
func about(r *http.Request) policy.Values {
	v := policy.Values{}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		v.Set(policy.KeySourceIP, host)
	}
	secure := "false"
	if r.TLS != nil {
		secure = "true"
	}
	v.Set(policy.KeySecureTransport, secure)
	if agent := r.UserAgent(); agent != "" {
		v.Set(policy.KeyUserAgent, agent)
	}
	return v
}

// authorize asks the signer's policies about everything that the call needs.
func (g *Gate) authorize(ctx context.Context, actor *iam.Actor, c *call) error {
	if c.deletes {
		if err := c.needDeletes(); err != nil {
			return err
		}
	}
	more := conditions(c.query)
	for _, need := range c.needs {
		if err := g.config.IAM.Check(ctx, actor, need.action, need.resource, more); err != nil {
			return err
		}
	}
	return nil
}

// conditions are S3's condition keys of a request.
func conditions(query url.Values) policy.Values {
	v := policy.Values{}
	for _, name := range []string{"prefix", "delimiter", "max-keys"} {
		if query.Has(name) {
			v.Set("s3:"+name, query.Get(name))
		}
	}
	return v
}

// deletesMax bounds the keys of one request (DeleteObjects).
const deletesMax = 1000

// deletion is the body of DeleteObjects.
type deletion struct {
	XMLName xml.Name `xml:"Delete"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Objects []struct {
		Key       string
		VersionID string `xml:"VersionId,omitempty"`
	} `xml:"Object"`
	Quiet bool `xml:"Quiet,omitempty"`
}

// needDeletes asks for the right to delete each key. Unlike on AWS one key that
// may not be deleted refuses the whole request: nothing is deleted by halves.
func (c *call) needDeletes() error {
	var d deletion
	decoder := xml.NewDecoder(bytes.NewReader(c.body))
	if err := decoder.Decode(&d); err != nil || len(d.Objects) == 0 || len(d.Objects) > deletesMax {
		return errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	if rest, err := decoder.Token(); rest != nil || err == nil {
		return errorf(http.StatusBadRequest, "MalformedXML", "Something follows the Delete element.")
	}
	for _, object := range d.Objects {
		named := address{c.bucket, object.Key}
		if object.Key == "" {
			return invalidArgument("A key to delete is empty.")
		}
		if err := named.check(); err != nil {
			return err
		}
		if !oneVersion(object.VersionID) {
			return errNoSuchVersion
		}
		c.needs = append(c.needs, permission{"s3:DeleteObject", named.arn()})
	}
	return nil
}

// message is what a fault says to the caller.
func message(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}
