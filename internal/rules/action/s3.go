package action

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"thingd/internal/aws/iot"
)

// compileS3 puts one object per message (s3:PutObject). A key without templates
// is overwritten each time; two messages within a millisecond share a
// ${timestamp()}. The payload is stored byte for byte, without a content type of
// its own (unconfirmed).
func compileS3(c *compiler, spec *iot.Action) prepare {
	a := spec.S3
	if a == nil {
		return nil
	}
	bucket, key, role, t := c.text("bucketName", a.BucketName), c.text("key", a.Key), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		b, k := r.text(bucket), r.text(key)
		r.resource = b
		r.detail("Bucket", b)
		r.quoted("Key", k)
		if b == "" || k == "" {
			return r.fail("bucketName and key must not be empty after substitution")
		}
		put := &s3.PutObjectInput{Bucket: aws.String(b), Key: aws.String(k)}
		if a.CannedAcl != string(types.ObjectCannedACLPrivate) { // the default: buckets without ACLs refuse even that word
			put.ACL = types.ObjectCannedACL(a.CannedAcl)
		}
		payload := r.Payload
		return func(ctx context.Context) error { return t.putObject(ctx, role, put, payload) }
	}
}

func (t *Targets) putObject(ctx context.Context, role string, put *s3.PutObjectInput, payload []byte) error {
	config, err := t.sdk(ctx, "s3", role)
	if err != nil {
		return err
	}
	own := *put
	own.Body = bytes.NewReader(payload)
	_, err = s3.NewFromConfig(config, pathStyle).PutObject(ctx, &own)
	return t.outcome(role, err)
}

// pathStyle puts the bucket into the path: servers other than AWS have no host
// name per bucket.
func pathStyle(o *s3.Options) { o.UsePathStyle = true }
