package s3gate

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/versity/versitygw/s3response"
)

// A file system without extended attributes keeps metadata in files.
func TestSidecar(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s3", "data") // the folder's name comes twice
	root, folder := filepath.Join(dir, bucketsFolder), filepath.Join(dir, "s3-attributes")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	metadata, err := openSidecar(folder, root)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDisk(root, metadata)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Shutdown()
	bucket, key, kind, size := "plants", "bed/rose", "text/flower", int64(3)
	err = d.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{}, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced,
	}, []byte(`{"Owner":"me"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.PutObject(t.Context(), s3response.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: strings.NewReader("red"), ContentLength: &size, ContentType: &kind, Metadata: map[string]string{"a": "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = out.Body.Close()
	got, want := []any{string(data), *out.ContentType, out.Metadata}, []any{"red", kind, map[string]string{"a": "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := d.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Error(err)
	}
	if err := d.DeleteBucket(t.Context(), bucket); err != nil {
		t.Error(err)
	}
	for _, left := range []string{root, folder} {
		entries, err := os.ReadDir(left)
		if err != nil || len(entries) != 0 {
			t.Errorf("%s still holds %v, %v", left, entries, err)
		}
	}
}
