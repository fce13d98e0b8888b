package thingd

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"thingd/internal/aws/sigv4"
	"thingd/internal/edgefleet"
	"thingd/internal/fault"
	"thingd/internal/iam"
)

// openFleets makes the device fleets.
func (s *Server) openFleets(context.Context) error {
	s.fleets = edgefleet.New(edgefleet.Config{
		Store: s.db.EdgeFleets(s.config.Account), Scope: s.scope, Credentials: s.aliases, IAM: s.iam,
		Artifacts: artifacts{s}, Now: s.now, Log: s.log,
	})
	return nil
}

// artifacts finds the artifacts of models in the embedded S3.
type artifacts struct{ s *Server }

var _ edgefleet.Artifacts = artifacts{}

// Open implements edgefleet.Artifacts.
func (a artifacts) Open(ctx context.Context, who iam.Credentials, bucket, key string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL("http://"+insideHost, bucket, key), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload)
	signer := sigv4.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}
	sigv4.Sign(r, nil, signer, "s3", a.s.config.Region, a.s.now())
	answer, err := inside{objects: a.s.objects}.RoundTrip(r)
	if err != nil || answer.StatusCode == http.StatusOK {
		return bodyOf(answer), err
	}
	answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusNotFound:
		return nil, fault.NotFound("there is no object %s in bucket %s", key, bucket)
	case http.StatusForbidden:
		return nil, fault.New(fault.CodeAccessDenied, "the role's policies do not allow s3:GetObject on object %s of bucket %s", key, bucket)
	}
	return nil, fmt.Errorf("S3 answers %d", answer.StatusCode)
}

func bodyOf(answer *http.Response) io.ReadCloser {
	if answer == nil {
		return nil
	}
	return answer.Body
}
