package s3gate

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// The backend's own copies read the source bucket out of the header, which
// cannot hold a path. So a copy is a read and a write here.

// copyMax is the longest object that one request copies (CopyObject).
const copyMax = 5 << 30 // bytes

// source is an object that is being copied.
type source struct {
	*s3.GetObjectOutput
	bucket, key *string
	size        int64
}

// openSource opens BUCKET/KEY, escaped, if it meets the conditions.
func (d *disk) openSource(ctx context.Context, header *string, if_ backend.PreConditions) (*source, error) {
	text := ""
	if header != nil {
		text = *header
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil, s3err.GetInvalidArgumentErr(s3err.InvalidArgCopySourceEncoding, text)
	}
	bucket, key, _ := strings.Cut(plain, "/")
	out, err := d.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	src := &source{GetObjectOutput: out, bucket: &bucket, key: &key}
	if out.ContentLength != nil {
		src.size = *out.ContentLength
	}
	err = backend.EvaluatePreconditions(value(out.ETag), value(out.LastModified), if_)
	if err == nil && src.size > copyMax {
		err = s3err.GetCopySourceObjectTooLargeErr(copyMax)
	}
	if err != nil {
		src.close()
		return nil, err
	}
	return src, nil
}

func (s *source) close() {
	if s.Body != nil {
		_ = s.Body.Close()
	}
}

// body is the object's data; folders have none.
func (s *source) body() io.Reader {
	if s.Body == nil || s.size == 0 {
		return strings.NewReader("")
	}
	return s.Body
}

func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

// CopyObject implements backend.Backend.
func (d *disk) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	src, err := d.openSource(ctx, in.CopySource, backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	defer src.close()
	replace := in.MetadataDirective == types.MetadataDirectiveReplace
	if !replace && *src.bucket == value(in.Bucket) && *src.key == value(in.Key) {
		return s3response.CopyObjectOutput{}, s3err.GetAPIError(s3err.ErrInvalidCopyDest)
	}
	put := copyInput(in, src, replace)
	if put.Tagging, err = d.tagsFor(ctx, in, src); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	out, err := d.PutObject(ctx, put)
	if err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	return s3response.CopyObjectOutput{CopyObjectResult: d.copyResult(ctx, in, out)}, nil
}

// copyInput is the write of a copy, with the source's metadata or new ones.
func copyInput(in s3response.CopyObjectInput, src *source, replace bool) s3response.PutObjectInput {
	put := s3response.PutObjectInput{
		Bucket: in.Bucket, Key: in.Key, Body: src.body(), ContentLength: &src.size,
		ContentType: src.ContentType, ContentEncoding: src.ContentEncoding, ContentLanguage: src.ContentLanguage,
		ContentDisposition: src.ContentDisposition, CacheControl: src.CacheControl, Expires: src.ExpiresString,
		Metadata: src.Metadata, ChecksumAlgorithm: in.ChecksumAlgorithm,
	}
	if replace {
		put.ContentType, put.ContentEncoding, put.ContentLanguage = in.ContentType, in.ContentEncoding, in.ContentLanguage
		put.ContentDisposition, put.CacheControl, put.Expires = in.ContentDisposition, in.CacheControl, in.Expires
		put.Metadata = in.Metadata
	}
	if put.ChecksumAlgorithm == "" {
		put.ChecksumAlgorithm = algorithmOf(src)
	}
	return put
}

// algorithmOf is the checksum that an object already has; a copy keeps it where
// it is one over the whole object.
func algorithmOf(src *source) types.ChecksumAlgorithm {
	switch {
	case src.ChecksumType == types.ChecksumTypeComposite:
		return ""
	case src.ChecksumCRC32 != nil:
		return types.ChecksumAlgorithmCrc32
	case src.ChecksumCRC32C != nil:
		return types.ChecksumAlgorithmCrc32c
	case src.ChecksumSHA1 != nil:
		return types.ChecksumAlgorithmSha1
	case src.ChecksumSHA256 != nil:
		return types.ChecksumAlgorithmSha256
	}
	return ""
}

// tagsFor gives the tags of a copy in the form of x-amz-tagging.
func (d *disk) tagsFor(ctx context.Context, in s3response.CopyObjectInput, src *source) (*string, error) {
	if in.TaggingDirective == types.TaggingDirectiveReplace {
		return in.Tagging, nil
	}
	tags, err := d.GetObjectTagging(ctx, *src.bucket, *src.key, "")
	if err != nil || len(tags) == 0 {
		return nil, ignoreNoTags(err)
	}
	form := url.Values{}
	for key, tag := range tags {
		form.Set(key, tag)
	}
	text := form.Encode()
	return &text, nil
}

func ignoreNoTags(err error) error {
	if err == nil || isCode(err, s3err.ErrBucketTaggingNotFound) {
		return nil
	}
	return err
}

func (d *disk) copyResult(ctx context.Context, in s3response.CopyObjectInput, out s3response.PutObjectOutput) *s3response.CopyObjectResult {
	changed := time.Now()
	if head, err := d.HeadObject(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key}); err == nil && head.LastModified != nil {
		changed = *head.LastModified
	}
	return &s3response.CopyObjectResult{
		ETag: &out.ETag, LastModified: &changed, ChecksumType: out.ChecksumType,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
	}
}

// UploadPartCopy implements backend.Backend.
func (d *disk) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	if _, err := d.upload(in.Bucket, in.Key, in.UploadId); err != nil {
		return s3response.CopyPartResult{}, err
	}
	src, err := d.openSource(ctx, in.CopySource, backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	defer src.close()
	start, length, err := backend.ParseCopySourceRange(src.size, value(in.CopySourceRange))
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	length = min(length, src.size-start)
	body := src.body()
	if _, err := io.CopyN(io.Discard, body, start); err != nil {
		return s3response.CopyPartResult{}, fmt.Errorf("go to the range to copy: %w", err)
	}
	out, err := d.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber,
		Body: io.LimitReader(body, length), ContentLength: &length,
	})
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	return s3response.CopyPartResult{
		ETag: out.ETag, LastModified: time.Now(), ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	}, nil
}
