package s3gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// bucketsFolder is the folder of the data folder with a folder for each bucket.
const bucketsFolder = "s3"

// disk is versitygw's POSIX backend with two things mended.
//
// That backend works relative to the working directory, which it changes for the
// whole process. disk changes it back and gives every bucket by its full path;
// where the backend says a bucket's name in return, disk says the short one. What
// disk does not pass on is not implemented.
//
// And that backend never calls fsync. disk does: the data of a file before it gets
// its name (see attributes), the file's metadata and the folders above it before
// the caller is told. After a deletion the folders are written. Between the two
// it trusts, as databases do, that a journaling file system keeps the order of
// changes to metadata.
type disk struct {
	backend.BackendUnsupported
	posix *posix.Posix
	root  string
}

var _ backend.Backend = (*disk)(nil)

// openDisk prepares the folders below the data folder.
func openDisk(dir string) (*disk, error) {
	root := filepath.Join(dir, bucketsFolder)
	if err := makeDir(root); err != nil {
		return nil, err
	}
	metadata, err := attributesOf(dir, root)
	if err != nil {
		return nil, err
	}
	return newDisk(root, metadata)
}

// newDisk serves the buckets below root.
func newDisk(root string, metadata meta.MetadataStorer) (*disk, error) {
	options := posix.PosixOpts{
		ForceNoObjLockFile: true, // nobody else writes here; locks in memory do
		Concurrency:        requestsMax,
		IOBufferSize:       128 << 10,
	}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	p, err := newPosix(root, metadata, options)
	if err != nil {
		return nil, err
	}
	return &disk{posix: p, root: root}, nil
}

// workingDirectory guards what the process has one of: two gates that are opened at
// a time would each go back to where the other has gone.
var workingDirectory sync.Mutex

// newPosix keeps the working directory, which posix.New changes to root.
func newPosix(root string, metadata meta.MetadataStorer, options posix.PosixOpts) (*posix.Posix, error) {
	workingDirectory.Lock()
	defer workingDirectory.Unlock()
	before, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	p, err := posix.New(root, metadata, options)
	return p, errors.Join(err, os.Chdir(before))
}

// Shutdown implements backend.Backend.
func (d *disk) Shutdown() { d.posix.Shutdown() }

func (d *disk) String() string { return "POSIX" }

// full gives the path of a bucket. The front has let in good names alone; that
// none leaves the folder is checked here once more.
func (d *disk) full(bucket *string) (*string, error) {
	if bucket == nil {
		return nil, s3err.GetAPIError(s3err.ErrInvalidRequest)
	}
	if (address{bucket: *bucket}).check() != nil || *bucket == "" {
		return nil, s3err.GetBucketErr(s3err.ErrInvalidBucketName, *bucket)
	}
	path := filepath.Join(d.root, *bucket)
	return &path, nil
}

// place gives the path of a bucket for an operation on an object.
func (d *disk) place(bucket, key *string) (*string, error) {
	if key == nil || checkKey(*key) != nil {
		return nil, s3err.GetAPIError(s3err.ErrBadRequest)
	}
	return d.full(bucket)
}

// said turns the path of a bucket in an error into its name.
func said(err error) error {
	var about s3err.BucketError
	if errors.As(err, &about) {
		about.BucketName = filepath.Base(about.BucketName)
		return about
	}
	return err
}

// isCode says whether err is this error of versitygw's.
func isCode(err error, code s3err.ErrorCode) bool { return errors.Is(err, s3err.GetAPIError(code)) }

// ListBuckets implements backend.Backend.
func (d *disk) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{Owner: s3response.CanonicalUser{ID: in.Owner}, Prefix: in.Prefix}
	entries, err := os.ReadDir(d.root) // sorted by name
	if err != nil {
		return out, fmt.Errorf("list buckets: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || (address{bucket: name}).check() != nil ||
			!strings.HasPrefix(name, in.Prefix) || name <= in.ContinuationToken {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		if in.MaxBuckets > 0 && len(out.Buckets.Bucket) == int(in.MaxBuckets) {
			out.ContinuationToken = out.Buckets.Bucket[in.MaxBuckets-1].Name
			break
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, s3response.ListAllMyBucketsEntry{Name: name, CreationDate: info.ModTime()})
	}
	return out, nil
}

// HeadBucket implements backend.Backend.
func (d *disk) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return nil, err
	}
	out, err := d.posix.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	return out, said(err)
}

// GetBucketAcl implements backend.Backend.
func (d *disk) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return nil, err
	}
	out, err := d.posix.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket})
	return out, said(err)
}

// CreateBucket implements backend.Backend.
func (d *disk) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	bucket, err := d.full(in.Bucket)
	if err != nil {
		return err
	}
	if in.ObjectLockEnabledForBucket != nil && *in.ObjectLockEnabledForBucket {
		return s3err.GetAPIError(s3err.ErrNotImplemented)
	}
	input := *in
	input.Bucket = bucket
	if err := d.posix.CreateBucket(ctx, &input, acl); err != nil {
		return said(err)
	}
	return syncPath(d.root)
}

// DeleteBucket implements backend.Backend.
func (d *disk) DeleteBucket(ctx context.Context, bucket string) error {
	path, err := d.full(&bucket)
	if err != nil {
		return err
	}
	if err := d.posix.DeleteBucket(ctx, *path); err != nil {
		return said(err)
	}
	return syncPath(d.root)
}

// GetBucketPolicy implements backend.Backend: there never is one.
func (d *disk) GetBucketPolicy(_ context.Context, bucket string) ([]byte, error) {
	return nil, s3err.GetBucketErr(s3err.ErrNoSuchBucketPolicy, bucket)
}

// DeleteBucketPolicy implements backend.Backend.
func (d *disk) DeleteBucketPolicy(context.Context, string) error { return nil }

// GetObjectLockConfiguration implements backend.Backend: there never is one.
func (d *disk) GetObjectLockConfiguration(context.Context, string) ([]byte, error) {
	return nil, s3err.GetAPIError(s3err.ErrObjectLockConfigurationNotFound)
}

// GetBucketVersioning implements backend.Backend.
func (d *disk) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	return inBucket(d, bucket, func(path string) (s3response.GetBucketVersioningOutput, error) {
		return d.posix.GetBucketVersioning(ctx, path)
	})
}

// PutBucketOwnershipControls implements backend.Backend.
func (d *disk) PutBucketOwnershipControls(ctx context.Context, bucket string, to types.ObjectOwnership) error {
	return onBucket(d, bucket, func(path string) error { return d.posix.PutBucketOwnershipControls(ctx, path, to) })
}

// GetBucketOwnershipControls implements backend.Backend.
func (d *disk) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	return inBucket(d, bucket, func(path string) (types.ObjectOwnership, error) {
		return d.posix.GetBucketOwnershipControls(ctx, path)
	})
}

// PutBucketCors implements backend.Backend.
func (d *disk) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	return onBucket(d, bucket, func(path string) error { return d.posix.PutBucketCors(ctx, path, cors) })
}

// GetBucketCors implements backend.Backend.
func (d *disk) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	return inBucket(d, bucket, func(path string) ([]byte, error) { return d.posix.GetBucketCors(ctx, path) })
}

// DeleteBucketCors implements backend.Backend.
func (d *disk) DeleteBucketCors(ctx context.Context, bucket string) error {
	return onBucket(d, bucket, func(path string) error { return d.posix.DeleteBucketCors(ctx, path) })
}

// PutBucketTagging implements backend.Backend.
func (d *disk) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return onBucket(d, bucket, func(path string) error { return d.posix.PutBucketTagging(ctx, path, tags) })
}

// GetBucketTagging implements backend.Backend.
func (d *disk) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	return inBucket(d, bucket, func(path string) (map[string]string, error) { return d.posix.GetBucketTagging(ctx, path) })
}

// DeleteBucketTagging implements backend.Backend.
func (d *disk) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return onBucket(d, bucket, func(path string) error { return d.posix.DeleteBucketTagging(ctx, path) })
}

// inBucket runs do with the path of a bucket.
func inBucket[T any](d *disk, bucket string, do func(path string) (T, error)) (T, error) {
	path, err := d.full(&bucket)
	if err != nil {
		var none T
		return none, err
	}
	out, err := do(*path)
	return out, said(err)
}

// onBucket runs do with the path of a bucket.
func onBucket(d *disk, bucket string, do func(path string) error) error {
	_, err := inBucket(d, bucket, func(path string) (struct{}, error) { return struct{}{}, do(path) })
	return err
}
