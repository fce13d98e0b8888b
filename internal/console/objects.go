package console

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// s3 speaks to the embedded S3 as the visitor: each request is signed with the
// visitor's own access key, so that the same policies decide as for any tool.
type s3 struct {
	v   *visit
	key sigv4.Credentials
}

func (v *visit) s3() (s3, error) {
	_, secret, err := v.IAM.Find(v.r.Context(), v.session.key, "")
	return s3{v, sigv4.Credentials{AccessKeyID: v.session.key, SecretAccessKey: secret}}, err
}

// s3Request is one request about a bucket or an object.
type s3Request struct {
	method, bucket, key string
	query               url.Values
	header              http.Header
	body                io.Reader
	length              int64 // of body
}

// unsigned stands for the hash of a body that is not known beforehand. The
// request does not leave the process.
const unsigned = "UNSIGNED-PAYLOAD"

// do sends a request; the caller closes the answer's body. What S3 refuses is a
// fault in its own words.
func (c s3) do(r s3Request) (*http.Response, error) {
	at, err := url.Parse(c.v.ObjectsURL)
	if err != nil {
		return nil, fmt.Errorf("the address of the embedded S3: %w", err)
	}
	at.Path, at.RawPath = r.path(), escaped(r.path())
	at.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20")
	out, err := http.NewRequestWithContext(c.v.r.Context(), r.method, at.String(), r.body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		out.Header = r.header
	}
	out.ContentLength, out.RemoteAddr = r.length, c.v.r.RemoteAddr
	out.Header.Set("X-Amz-Content-Sha256", unsigned)
	sigv4.Sign(out, nil, c.key, "s3", c.v.Scope.Region, c.v.Now())
	answer, err := c.v.Objects.RoundTrip(out)
	if err != nil {
		return nil, fmt.Errorf("the embedded S3: %w", err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, s3Fault(answer)
}

func (r s3Request) path() string {
	if r.bucket == "" {
		return "/"
	}
	if r.key == "" {
		return "/" + r.bucket
	}
	return "/" + r.bucket + "/" + r.key
}

// escaped writes a path as S3 signs it: everything but letters, digits and -._~/
// in percent signs.
func escaped(path string) string {
	var out strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// s3Codes are the codes of S3 that a page answers otherwise than as a mistake in
// a form.
var s3Codes = map[string]fault.Code{
	"AccessDenied": fault.CodeForbidden, "NoSuchBucket": fault.CodeNotFound, "NoSuchKey": fault.CodeNotFound,
	"BucketNotEmpty": fault.CodeDeleteConflict, "BucketAlreadyOwnedByYou": fault.CodeAlreadyExists, "BucketAlreadyExists": fault.CodeAlreadyExists,
	"InternalError": fault.Internal, "SlowDown": fault.CodeThrottling,
}

// s3Statuses stand in for the code where an answer has no body, as to HEAD.
var s3Statuses = map[int]fault.Code{http.StatusForbidden: fault.CodeForbidden, http.StatusNotFound: fault.CodeNotFound}

// s3Fault reads an error of S3.
func s3Fault(answer *http.Response) error {
	var problem struct{ Code, Message string }
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if xml.Unmarshal(text, &problem) != nil || problem.Message == "" {
		problem.Message = "S3 answered " + http.StatusText(answer.StatusCode)
	}
	if code, known := s3Codes[problem.Code]; known {
		return fault.New(code, "%s", problem.Message)
	}
	if code, known := s3Statuses[answer.StatusCode]; known {
		return fault.New(code, "%s", problem.Message)
	}
	return fault.InvalidRequest("%s", problem.Message)
}

// decode sends a request and reads the XML that comes back.
func (c s3) decode(r s3Request, into any) error {
	answer, err := c.do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	const answerMax = 8 << 20 // a page of keys, each of at most 1024 bytes in percent signs
	return xml.NewDecoder(io.LimitReader(answer.Body, answerMax)).Decode(into)
}

// exec sends a request whose answer says nothing.
func (c s3) exec(r s3Request) error {
	answer, err := c.do(r)
	if err == nil {
		answer.Body.Close()
	}
	return err
}

// bucket is a row of the list of buckets.
type bucket struct {
	Name    string
	Created time.Time `xml:"CreationDate"`
}

// bucketList is a part of the list of buckets (ListBuckets).
type bucketList struct {
	Buckets []bucket `xml:"Buckets>Bucket"`
	Next    string   `xml:"ContinuationToken"`
}

const (
	bucketsSize = 50    // of a page
	bucketsMax  = 10000 // that S3 lists at once
)

// buckets lists at most so many buckets, those behind a token.
func (c s3) buckets(token string, most int) (list bucketList, err error) {
	query := url.Values{"max-buckets": {strconv.Itoa(most)}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	return list, c.decode(s3Request{method: http.MethodGet, query: query}, &list)
}

// createBucket makes a bucket with all defaults.
func (c s3) createBucket(name string) error {
	if name == "" {
		return c.v.wrong("bucket.name.hint")
	}
	r := s3Request{method: http.MethodPut, bucket: name}
	if c.v.Scope.Region != "us-east-1" { // which S3 wants not to be named
		text := `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` + c.v.Scope.Region + `</LocationConstraint></CreateBucketConfiguration>`
		r.body, r.length = bytes.NewReader([]byte(text)), int64(len(text))
	}
	return c.exec(r)
}

// object is a row of a bucket's page.
type object struct {
	Key      string
	Size     int64
	Modified time.Time `xml:"LastModified"`
}

// listing is a part of a bucket's content (ListObjectsV2).
type listing struct {
	EncodingType string
	Next         string   `xml:"NextContinuationToken"`
	Folders      []string `xml:"CommonPrefixes>Prefix"`
	Objects      []object `xml:"Contents"`
}

const objectsSize = 100 // of a page

// list lists what lies in a folder of a bucket.
func (c s3) list(bucket, prefix, token string) (listing, error) {
	query := url.Values{
		"list-type": {"2"}, "delimiter": {"/"}, "prefix": {prefix}, "max-keys": {strconv.Itoa(objectsSize)}, "encoding-type": {"url"},
	}
	if token != "" {
		query.Set("continuation-token", token)
	}
	var l listing
	if err := c.decode(s3Request{method: http.MethodGet, bucket: bucket, query: query}, &l); err != nil {
		return l, err
	}
	if l.EncodingType == "url" {
		l.unescape()
	}
	return l, nil
}

// unescape reads the keys, which XML could not all carry as they are.
func (l *listing) unescape() {
	plain := func(text string) string {
		if out, err := url.QueryUnescape(text); err == nil {
			return out
		}
		return text
	}
	for i := range l.Folders {
		l.Folders[i] = plain(l.Folders[i])
	}
	for i := range l.Objects {
		l.Objects[i].Key = plain(l.Objects[i].Key)
	}
}

// put stores an object as it comes.
func (c s3) put(bucket, key, contentType string, body io.Reader, length int64) error {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return c.exec(s3Request{method: http.MethodPut, bucket: bucket, key: key, header: header, body: body, length: length})
}
