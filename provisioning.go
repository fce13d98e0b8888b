package thingd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/iam"
	"thingd/internal/provisioning"
)

// openProvisioning hangs fleet provisioning on its topics.
func (s *Server) openProvisioning(ctx context.Context) error {
	s.provisioning = provisioning.New(provisioning.Config{
		Store: s.db.Provisioning(s.config.Account), Scope: s.scope, Registry: s.registry, PKI: s.pki, Access: s.access,
		Invoke: provisioning.Webhooks(s.config.Functions).Invoke, Objects: taskFiles{s}, Now: s.now, Log: s.log,
	})
	s.onClose(s.provisioning.Close)
	if err := s.provisioning.RecoverTasks(ctx); err != nil {
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

// taskFiles are the files of registration tasks in the embedded S3.
type taskFiles struct{ s *Server }

var _ provisioning.Objects = taskFiles{}

// Get implements provisioning.Objects: the task's role must be allowed to read.
func (f taskFiles) Get(ctx context.Context, bucket, key, roleARN string) (io.ReadCloser, int64, error) {
	c, err := f.s.iam.AssumeForService(ctx, iam.ServiceOrder{RoleARN: roleARN, Service: ruleService, SessionName: "registration"})
	if err != nil {
		return nil, 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL("http://"+insideHost, bucket, key), nil)
	if err != nil {
		return nil, 0, err
	}
	answer, err := f.send(r, sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken})
	if err != nil {
		return nil, 0, err
	}
	return answer.Body, answer.ContentLength, nil
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
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, fileURL("http://"+insideHost, bucket, key), io.NopCloser(body))
	if err != nil {
		return err
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "application/x-ndjson")
	owner, err := f.owner(ctx)
	if err != nil {
		return err
	}
	answer, err := f.send(r, owner)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Presign implements provisioning.Objects.
func (f taskFiles) Presign(ctx context.Context, bucket, key string, life time.Duration) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL("https://"+f.s.credentialsHost(), bucket, key), nil)
	if err != nil {
		return "", err
	}
	owner, err := f.owner(ctx)
	if err != nil {
		return "", err
	}
	return sigv4.Presign(r, owner, "s3", f.s.config.Region, f.s.now(), life).String(), nil
}

// owner gives the account's own key.
func (f taskFiles) owner(ctx context.Context) (sigv4.Credentials, error) {
	key, err := f.s.iam.RootKey(ctx)
	return sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, err
}

// send signs a request to the embedded S3, without reading its body, and refuses
// any answer but success.
func (f taskFiles) send(r *http.Request, c sigv4.Credentials) (*http.Response, error) {
	r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload)
	sigv4.Sign(r, nil, c, "s3", f.s.config.Region, f.s.now())
	answer, err := inside{f.s.objects}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return nil, fmt.Errorf("S3 answers %d to %s %s: %s", answer.StatusCode, r.Method, r.URL.Path, text)
	}
	return answer, nil
}

// fileURL is the address of an object, path style.
func fileURL(base, bucket, key string) string {
	u := url.URL{Path: "/" + bucket + "/" + key}
	return base + u.EscapedPath()
}
