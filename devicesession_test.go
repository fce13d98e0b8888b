package thingd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"thingd/internal/credentials"
	"thingd/internal/iam"
	"thingd/internal/pki"
	"thingd/internal/registry"
)

// deviceSession has a device ask for credentials, as curl does, and gives AWS's
// own configuration with them.
func deviceSession(t *testing.T, h *house, d device) (aws.Config, time.Time) {
	t.Helper()
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: h.trust(&d)}}
	answer, err := web.Get(fmt.Sprintf("https://localhost:%d/role-aliases/edge/credentials", h.Port))
	must(t, err)
	defer answer.Body.Close()
	var told struct {
		Credentials struct {
			AccessKeyID, SecretAccessKey, SessionToken string
			Expiration                                 time.Time
		}
	}
	must(t, json.NewDecoder(answer.Body).Decode(&told))
	c := told.Credentials
	return aws.Config{
		Region: h.Region, BaseEndpoint: aws.String("http://" + h.HTTP), RetryMaxAttempts: 1,
		Credentials: sdkcredentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	}, c.Expiration
}

// What a role alias gives to a device works in AWS's own clients until it
// expires, or until the certificate that it was given for is withdrawn.
func TestDevicesSessionEnds(t *testing.T) {
	const (
		trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`
		allow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","iot:ListThings","iot:Publish"],"Resource":"*"}}`
	)
	h := start(t)
	_, err := h.registry.CreateThing(t.Context(), registry.NewThing{Name: "sensor"})
	must(t, err)
	_, err = h.iam.CreateRole(t.Context(), iam.Role{Name: "edge", Trust: trust})
	must(t, err)
	must(t, h.iam.PutInline(t.Context(), iam.ByRole, "edge", "all", allow))
	must(t, h.aliases.Create(t.Context(), credentials.RoleAlias{Name: "edge", RoleARN: "arn:aws:iam::123456789012:role/edge", Duration: 900 * time.Second}, nil))

	for name, tc := range map[string]struct {
		end     func(device)
		iot, s3 string
	}{
		"when its time is over": {func(device) { h.ahead.Add(int64(901 * time.Second)) }, "403 ExpiredTokenException", "400 ExpiredToken"},
		"when its certificate is detached from its thing": {func(d device) {
			must(t, h.registry.DetachThingPrincipal(t.Context(), "sensor", d.arn))
		}, "403 UnrecognizedClientException", "403 InvalidAccessKeyId"},
		"when its certificate is revoked": {func(d device) { must(t, h.pki.SetStatus(t.Context(), d.id, pki.Revoked)) },
			"403 UnrecognizedClientException", "403 InvalidAccessKeyId"},
		"not when another thing is attached": {func(d device) {
			_, err := h.registry.CreateThing(t.Context(), registry.NewThing{Name: "other"})
			must(t, err)
			must(t, h.registry.AttachThingPrincipal(t.Context(), "other", d.arn, false))
		}, "<nil>", "404 NoSuchBucket"},
		"with its certificate": {func(d device) { must(t, h.pki.SetStatus(t.Context(), d.id, pki.Inactive)) },
			"403 UnrecognizedClientException", "403 InvalidAccessKeyId"},
		"with the deletion of its certificate": {func(d device) {
			must(t, h.registry.DetachThingPrincipal(t.Context(), "sensor", d.arn))
			must(t, h.pki.SetStatus(t.Context(), d.id, pki.Revoked))
			must(t, h.pki.Delete(t.Context(), d.id, true))
		}, "403 UnrecognizedClientException", "403 InvalidAccessKeyId"},
	} {
		t.Run(name, func(t *testing.T) {
			d := h.device(t, everything)
			must(t, h.registry.AttachThingPrincipal(t.Context(), "sensor", d.arn, false))
			config, until := deviceSession(t, h, d)
			if left := until.Sub(h.now()); left < 890*time.Second || left > 900*time.Second {
				t.Errorf("the session lasts %v, want 15 minutes", left)
			}
			objects := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
			control := sdk.NewFromConfig(config)
			// The client signs with the real clock, which the server's may be ahead of.
			data := iotdataplane.NewFromConfig(config)
			ask := func() (string, string) {
				_, published := data.Publish(t.Context(), &iotdataplane.PublishInput{Topic: aws.String("t"), Payload: []byte("x")})
				_, listed := control.ListThings(t.Context(), &sdk.ListThingsInput{})
				_, put := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k"), Body: bytes.NewReader(nil)})
				if exception(listed) != exception(published) {
					t.Errorf("the control plane says %s, the data plane %s", exception(listed), exception(published))
				}
				return exception(listed), exception(put)
			}
			if listed, put := ask(); listed != "<nil>" || put != "404 NoSuchBucket" {
				t.Fatalf("before the end: %s, %s", listed, put)
			}
			tc.end(d)
			defer h.ahead.Store(0)
			if listed, put := ask(); listed != tc.iot || put != tc.s3 {
				t.Errorf("after the end: %s, %s; want %s, %s", listed, put, tc.iot, tc.s3)
			}
		})
	}
}
