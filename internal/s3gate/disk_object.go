package s3gate

import (
	"context"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// PutObject implements backend.Backend.
func (d *disk) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	bucket, err := d.place(in.Bucket, in.Key)
	if err != nil {
		return s3response.PutObjectOutput{}, err
	}
	in.Bucket = bucket
	out, err := d.posix.PutObject(ctx, in)
	if err != nil {
		return out, said(err)
	}
	return out, syncObject(*bucket, filepath.Join(*bucket, *in.Key))
}

// HeadObject implements backend.Backend.
func (d *disk) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	bucket, err := d.place(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.HeadObject(ctx, &input)
	return out, said(err)
}

// GetObject implements backend.Backend.
func (d *disk) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	bucket, err := d.place(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.GetObject(ctx, &input)
	return out, said(err)
}

// GetObjectAttributes implements backend.Backend.
func (d *disk) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	bucket, err := d.place(in.Bucket, in.Key)
	if err != nil {
		return s3response.GetObjectAttributesResponse{}, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.GetObjectAttributes(ctx, &input)
	return out, said(err)
}

// DeleteObject implements backend.Backend.
func (d *disk) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	bucket, err := d.place(in.Bucket, in.Key)
	if err != nil {
		return nil, err
	}
	input := *in
	input.Bucket, input.VersionId = bucket, nil // there is one version
	out, err := d.posix.DeleteObject(ctx, &input)
	if err != nil {
		return out, said(err)
	}
	return out, syncName(*bucket, filepath.Join(*bucket, *in.Key))
}

// DeleteObjects implements backend.Backend. Errors are told for each key.
func (d *disk) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var out s3response.DeleteResult
	for _, object := range in.Delete.Objects {
		_, err := d.DeleteObject(ctx, &s3.DeleteObjectInput{
			Bucket: in.Bucket, Key: object.Key, VersionId: object.VersionId, IfMatch: object.ETag,
		})
		if err != nil {
			out.Error = append(out.Error, s3err.ObjectDeleteError(object.Key, object.VersionId, err))
			continue
		}
		out.Deleted = append(out.Deleted, types.DeletedObject{Key: object.Key, VersionId: object.VersionId})
	}
	return out, nil
}

// ListObjects implements backend.Backend.
func (d *disk) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return s3response.ListObjectsResult{}, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.ListObjects(ctx, &input)
	out.Name = in.Bucket
	return out, said(err)
}

// ListObjectsV2 implements backend.Backend.
func (d *disk) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return s3response.ListObjectsV2Result{}, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.ListObjectsV2(ctx, &input)
	out.Name = in.Bucket
	return out, said(err)
}

// ListObjectVersions implements backend.Backend.
func (d *disk) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return s3response.ListVersionsResult{}, err
	}
	input := *in
	input.Bucket = bucket
	out, err := d.posix.ListObjectVersions(ctx, &input)
	out.Name = in.Bucket
	return out, said(err)
}

// GetObjectTagging implements backend.Backend.
func (d *disk) GetObjectTagging(ctx context.Context, bucket, key, _ string) (map[string]string, error) {
	path, err := d.place(&bucket, &key)
	if err != nil {
		return nil, err
	}
	out, err := d.posix.GetObjectTagging(ctx, *path, key, "")
	return out, said(err)
}

// PutObjectTagging implements backend.Backend.
func (d *disk) PutObjectTagging(ctx context.Context, bucket, key, _ string, tags map[string]string) error {
	path, err := d.place(&bucket, &key)
	if err != nil {
		return err
	}
	return said(d.posix.PutObjectTagging(ctx, *path, key, "", tags))
}

// DeleteObjectTagging implements backend.Backend.
func (d *disk) DeleteObjectTagging(ctx context.Context, bucket, key, _ string) error {
	path, err := d.place(&bucket, &key)
	if err != nil {
		return err
	}
	return said(d.posix.DeleteObjectTagging(ctx, *path, key, ""))
}
