package s3gate_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"thingd/internal/aws/sigv4"
)

// Policies decide about each operation by its action and resource.
func TestPoliciesDecide(t *testing.T) {
	h := open(t)
	root := h.root(t)
	put(t, root, "public/a", "a")
	put(t, root, "secret/a", "a")
	b := aws.String(bucket)
	reads := h.client(h.user(t, "reader", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::plants/public/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::plants","Condition":{"StringLike":{"s3:prefix":"public/*"}}},
		{"Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::plants/mine/*"}]}`), nil)
	tests := []struct {
		name string
		do   func() error
		want string
	}{
		{"ok/get", func() error {
			_, err := reads.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b, Key: aws.String("public/a")})
			return err
		}, ""},
		{"denied/get elsewhere", func() error {
			_, err := reads.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b, Key: aws.String("secret/a")})
			return err
		}, "AccessDenied"},
		{"denied/put where it may read", func() error {
			_, err := reads.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: aws.String("public/a"), Body: strings.NewReader("")})
			return err
		}, "AccessDenied"},
		{"ok/list a prefix", func() error {
			_, err := reads.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b, Prefix: aws.String("public/")})
			return err
		}, ""},
		{"denied/list all", func() error {
			_, err := reads.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b})
			return err
		}, "AccessDenied"},
		{"denied/list buckets", func() error { _, err := reads.ListBuckets(t.Context(), &s3.ListBucketsInput{}); return err }, "AccessDenied"},
		{"ok/copy what it may read", func() error {
			_, err := reads.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: b, Key: aws.String("mine/a"), CopySource: aws.String("plants/public/a")})
			return err
		}, ""},
		{"denied/copy what it may not read", func() error {
			_, err := reads.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: b, Key: aws.String("mine/b"), CopySource: aws.String("/plants%2Fsecret/a")})
			return err
		}, "AccessDenied"},
		{"ok/delete objects", func() error { return deleteAll(t, reads, "mine/a", "mine/zz") }, ""},
		{"denied/delete objects of others", func() error { return deleteAll(t, reads, "mine/a", "public/a") }, "AccessDenied"},
		{"denied/tag while putting", func() error {
			_, err := reads.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: aws.String("mine/t"), Body: strings.NewReader(""), Tagging: aws.String("a=b")})
			return err
		}, "AccessDenied"},
		{"refused/a bucket policy would not be kept", func() error {
			_, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: b, Policy: aws.String("{}")})
			return err
		}, "NotImplemented"},
		{"refused/versioning", func() error {
			_, err := root.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: b, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
			return err
		}, "NotImplemented"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantCode(t, test.do(), test.want) })
	}
	if got := get(t, root, "public/a"); got != "a" {
		t.Errorf("a refused request changed an object: %q", got)
	}
}

func deleteAll(t testing.TB, c *s3.Client, keys ...string) error {
	t.Helper()
	var objects []types.ObjectIdentifier
	for _, key := range keys {
		objects = append(objects, types.ObjectIdentifier{Key: aws.String(key)})
	}
	_, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: objects}})
	return err
}

func TestCredentials(t *testing.T) {
	h := open(t)
	h.root(t)
	session := h.session(t, "device", allow(`"s3:PutObject"`, "arn:aws:s3:::plants/*"))
	list := func(key aws.Credentials) error {
		_, err := h.client(key, nil).ListBuckets(t.Context(), &s3.ListBucketsInput{})
		return err
	}
	puts := func(key aws.Credentials) error {
		_, err := h.client(key, nil).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("v")})
		return err
	}
	wrong, stranger, tokenless, forged := h.rootKey(t), h.rootKey(t), session, session
	wrong.SecretAccessKey += "x"
	stranger.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	tokenless.SessionToken = ""
	forged.SessionToken += "x"
	wantCode(t, list(wrong), "SignatureDoesNotMatch")
	wantCode(t, list(stranger), "InvalidAccessKeyId")
	wantCode(t, puts(session), "")
	wantCode(t, list(session), "AccessDenied")
	wantCode(t, puts(tokenless), "InvalidAccessKeyId")
	wantCode(t, puts(forged), "InvalidAccessKeyId")
	wantCode(t, puts(wrong), "SignatureDoesNotMatch")

	h.clock = func() time.Time { return time.Now().Add(2 * time.Hour) }
	wantCode(t, puts(session), "ExpiredToken")
	wantCode(t, puts(h.rootKey(t)), "RequestTimeTooSkewed")
}

// Without a signature nobody gets in, whatever the request.
func TestAnonymousRequestsAreRefused(t *testing.T) {
	h := open(t)
	put(t, h.root(t), "a", "a")
	for _, method := range []string{"GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"} {
		for _, path := range []string{"/", "/plants", "/plants/a", "/plants/a?acl", "/plants/?list-type=2"} {
			if got := h.send(t, method, h.server.URL+path, nil, "").StatusCode; got != http.StatusForbidden {
				t.Errorf("%s %s answered %d, want 403", method, path, got)
			}
		}
	}
}

func TestOwns(t *testing.T) {
	h := open(t)
	tests := []struct {
		name, host, path, authorization string
		want                            bool
	}{
		{"s3/signed", host, "/plants", "AWS4-HMAC-SHA256 Credential=AK/20300102/r/s3/aws4_request, SignedHeaders=host, Signature=00", true},
		{"s3/presigned", host, "/plants/k?X-Amz-Credential=AK%2F20300102%2Fr%2Fs3%2Faws4_request", "", true},
		{"s3/anonymous to a bucket", "plants." + host + ":8443", "/k", "", true},
		{"s3/anonymous to a bucket below s3", "plants.s3." + host, "/k", "", true},
		{"other/signed for iot", host, "/things", "AWS4-HMAC-SHA256 Credential=AK/20300102/r/iot/aws4_request, SignedHeaders=host, Signature=00", false},
		{"other/signed for iot at a bucket's name", "plants." + host, "/things", "AWS4-HMAC-SHA256 Credential=AK/20300102/r/iot/aws4_request, SignedHeaders=host, Signature=00", false},
		{"other/anonymous", host, "/topics/a", "", false},
		{"other/anonymous to another host", "plants.elsewhere.test", "/", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+test.host+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			if got := h.gate.Owns(r); got != test.want {
				t.Errorf("Owns is %v", got)
			}
		})
	}
}

// raw signs and sends a request as it is, which no SDK would.
func (h *house) raw(t testing.TB, method, target, body string, header map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.server.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", sigv4.HashOf([]byte(body)))
	for name, value := range header {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	key := h.rootKey(t)
	sigv4.Sign(r, []byte(body), sigv4.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}, "s3", region, h.clock())
	answer, err := h.http().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func TestStrangeRequests(t *testing.T) {
	h := open(t)
	put(t, h.root(t), "a", "a")
	wrongHash := map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}
	tests := []struct {
		name, method, target, body string
		header                     map[string]string
		want                       int
	}{
		{"ok/get", "GET", "/plants/a", "", nil, 200},
		{"ok/the only version", "GET", "/plants/a?versionId=null", "", nil, 200},
		{"ok/location", "GET", "/plants/?location", "", nil, 200},
		{"refused/another version", "DELETE", "/plants/a?versionId=01ARZ3NDEKTSV4RRFFQ69G5FAV", "", nil, 404},
		{"refused/two subresources", "GET", "/plants/a?acl&tagging", "", nil, 400},
		{"refused/body of another hash", "PUT", "/plants/b", "data", wrongHash, 400},
		{"refused/small body of another hash", "PUT", "/plants?tagging", "data", wrongHash, 400},
		{"ok/no body and nothing said of it", "GET", "/plants/a", "", map[string]string{"X-Amz-Content-Sha256": ""}, 200},
		{"refused/unknown method", "PATCH", "/plants/a", "", nil, 501},
		{"refused/bucket of the backend", "GET", "/.vgwlocks", "", nil, 400},
		{"refused/folder of the backend", "GET", "/plants/.sgwtmp/multipart", "", nil, 400},
		{"refused/folder above", "GET", "/..", "", nil, 400},
		{"refused/database", "GET", "/plants/..%2F..%2Fthingd.db", "", nil, 400},
		{"refused/database, other bucket", "GET", "/..%2Fthingd.db", "", nil, 400},
		{"refused/empty segment", "PUT", "/plants/a//b", "", nil, 400},
		{"refused/NUL", "PUT", "/plants/a%00b", "", nil, 400},
		{"refused/backslash", "PUT", "/plants/..%5Ca", "", nil, 400},
		{"ok/prefix above finds nothing", "GET", "/plants?prefix=..%2F..%2F", "", nil, 200},
		{"refused/not XML", "POST", "/plants?delete", "<", nil, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := h.raw(t, test.method, test.target, test.body, test.header)
			body := readAll(t, answer.Body)
			if answer.StatusCode != test.want {
				t.Errorf("%d, want %d: %s", answer.StatusCode, test.want, body)
			}
			if strings.Contains(body, h.dir) || strings.Contains(body, "thingd.db") && !strings.Contains(body, "<Resource>") {
				t.Errorf("the answer tells of the data folder: %s", body)
			}
		})
	}
	if get(t, h.client(h.rootKey(t), nil), "a") != "a" {
		t.Error("the object is another")
	}
}
