package s3gate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// uploadPattern is how the backend names uploads. It makes a path of what
// clients send as the name of one, and removes that path when they abort.
var uploadPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// upload gives the path of a bucket for an operation on a multipart upload.
func (d *disk) upload(bucket, key, id *string) (*string, error) {
	if id == nil || !uploadPattern.MatchString(*id) {
		name := ""
		if id != nil {
			name = *id
		}
		return nil, s3err.GetNoSuchUploadErr(name)
	}
	return d.place(bucket, key)
}

// uploadsOf is the folder of a key's uploads.
func uploadsOf(bucket, key string) string {
	return filepath.Join(bucket, posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))))
}

// CreateMultipartUpload implements backend.Backend.
func (d *disk) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	bucket, err := d.place(in.Bucket, in.Key)
	if err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	name := *in.Bucket
	in.Bucket = bucket
	out, err := d.posix.CreateMultipartUpload(ctx, in)
	if err != nil {
		return out, said(err)
	}
	out.Bucket = name
	return out, syncObject(*bucket, filepath.Join(uploadsOf(*bucket, *in.Key), out.UploadId))
}

// UploadPart implements backend.Backend.
func (d *disk) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	bucket, err := d.upload(in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return nil, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.UploadPart(ctx, &input)
	if err != nil {
		return out, said(err)
	}
	return out, d.syncPart(*bucket, *in.Key, *in.UploadId, *in.PartNumber)
}

// syncPart writes a part. The folders above its upload's are on disk already.
func (d *disk) syncPart(bucket, key, id string, number int32) error {
	folder := filepath.Join(uploadsOf(bucket, key), id)
	return syncObject(folder, filepath.Join(folder, fmt.Sprint(number)))
}

// CompleteMultipartUpload implements backend.Backend.
func (d *disk) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	bucket, err := d.upload(in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	input := *in
	input.Bucket = bucket
	out, version, err := d.posix.CompleteMultipartUpload(ctx, &input)
	if err != nil {
		return out, "", said(err)
	}
	out.Bucket = in.Bucket
	return out, version, syncObject(*bucket, filepath.Join(*bucket, *in.Key))
}

// AbortMultipartUpload implements backend.Backend.
func (d *disk) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	bucket, err := d.upload(in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return err
	}
	input := *in
	input.Bucket = bucket
	if err := d.posix.AbortMultipartUpload(ctx, &input); err != nil {
		return said(err)
	}
	return syncName(*bucket, filepath.Join(uploadsOf(*bucket, *in.Key), *in.UploadId))
}

// ListMultipartUploads implements backend.Backend.
func (d *disk) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return s3response.ListMultipartUploadsResult{}, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.ListMultipartUploads(ctx, &input)
	out.Bucket = *in.Bucket
	return out, said(err)
}

// ListParts implements backend.Backend.
func (d *disk) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	bucket, err := d.upload(in.Bucket, in.Key, in.UploadId)
	if err != nil {
		return s3response.ListPartsResult{}, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.ListParts(ctx, &input)
	out.Bucket = *in.Bucket
	return out, said(err)
}
