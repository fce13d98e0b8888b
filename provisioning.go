package thingd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/function"
	"thingd/internal/iam"
	"thingd/internal/provisioning"
	"thingd/internal/rules/action"
)

// openProvisioning hangs fleet provisioning on its topics.
func (s *Server) openProvisioning(ctx context.Context) error {
	s.provisioning = provisioning.New(provisioning.Config{
		Store: s.db.Provisioning(s.config.Account), Scope: s.scope, Registry: s.registry, PKI: s.pki, Access: s.access,
		Functions: &function.Caller{URLs: s.config.Functions}, Objects: taskFiles{s}, Leases: s.leases, Now: s.now, Log: s.log,
	})
	s.onClose(s.provisioning.Close)
	if err := s.provisioning.Resume(ctx); err != nil {
		return err
	}
	handler, err := s.provisioning.Handler()
	if err != nil {
		return err
	}
	for _, filter := range provisioning.Filters() {
		s.broker.Handle(filter, handler)
	}
	return nil
}

// taskFiles are the files of registration tasks in S3: this server's own, or the
// one that a setting names (--endpoint s3=URL).
type taskFiles struct{ s *Server }

var _ provisioning.Objects = taskFiles{}

// Get implements provisioning.Objects: the task's role must trust us for this
// task, whose ARN is aws:SourceArn there (its form is unconfirmed), and must be
// allowed to read. A foreign S3 that comes with an access key of its own does not know our roles; it
// decides by that key.
func (f taskFiles) Get(ctx context.Context, jobARN, bucket, key, roleARN string) (provisioning.Object, error) {
	place := f.place()
	signer := place.Credentials
	if signer.AccessKeyID == "" {
		c, err := f.s.iam.AssumeForService(ctx, iam.ServiceOrder{
			RoleARN: roleARN, Service: ruleService, SourceARN: jobARN, SessionName: "registration",
		})
		if err != nil {
			return provisioning.Object{}, err
		}
		signer = action.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL(place.URL, bucket, key), nil)
	if err != nil {
		return provisioning.Object{}, err
	}
	answer, err := f.send(r, signer, place.Region)
	if err != nil {
		return provisioning.Object{}, err
	}
	return provisioning.Object{Body: answer.Body, Length: lengthOf(answer), Version: answer.Header.Get("ETag")}, nil
}

// lengthOf reads the header itself: an answer from inside has no connection that
// would count.
func lengthOf(answer *http.Response) int64 {
	if n, err := strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64); err == nil {
		return n
	}
	return answer.ContentLength
}

// Put implements provisioning.Objects.
func (f taskFiles) Put(ctx context.Context, bucket, key string, body io.ReadSeeker) error {
	length, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	place := f.place()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, fileURL(place.URL, bucket, key), io.NopCloser(body))
	if err != nil {
		return err
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "application/x-ndjson")
	owner, err := f.owner(ctx, place)
	if err != nil {
		return err
	}
	answer, err := f.send(r, owner, place.Region)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Presign implements provisioning.Objects.
func (f taskFiles) Presign(ctx context.Context, bucket, key string, life time.Duration) (string, error) {
	place := f.place()
	base := place.URL
	if base == "http://"+insideHost { // as seen from outside
		base = "https://" + f.s.credentialsHost()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL(base, bucket, key), nil)
	if err != nil {
		return "", err
	}
	owner, err := f.owner(ctx, place)
	if err != nil {
		return "", err
	}
	return sigv4.Presign(r, signerOf(owner), "s3", place.Region, f.s.now(), life).String(), nil
}

// place says where S3 is.
func (f taskFiles) place() action.Endpoint {
	e := f.s.ruleEndpoints()["s3"]
	if e.Region == "" {
		e.Region = f.s.config.Region
	}
	return e
}

// owner gives the key of a foreign S3, or the account's own.
func (f taskFiles) owner(ctx context.Context, place action.Endpoint) (action.Credentials, error) {
	if place.Credentials.AccessKeyID != "" {
		return place.Credentials, nil
	}
	key, err := f.s.iam.RootKey(ctx)
	return action.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, err
}

func signerOf(c action.Credentials) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

// send signs a request to S3, without reading its body, and refuses any answer
// but success.
func (f taskFiles) send(r *http.Request, c action.Credentials, region string) (*http.Response, error) {
	r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload)
	sigv4.Sign(r, nil, signerOf(c), "s3", region, f.s.now())
	answer, err := inside{objects: f.s.objects}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return nil, fmt.Errorf("S3 answers %d to %s %s: %s", answer.StatusCode, r.Method, r.URL.Path, text)
	}
	return answer, nil
}

// fileURL is the address of an object, path style.
func fileURL(base, bucket, key string) string {
	u := url.URL{Path: "/" + bucket + "/" + key}
	return strings.TrimSuffix(base, "/") + u.EscapedPath()
}
