package s3gate_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// Both addressing styles reach the same objects.
func TestAddressing(t *testing.T) {
	h := open(t)
	h.root(t)
	styles := map[string]func(*s3.Options){
		"path":                    func(o *s3.Options) { o.UsePathStyle = true },
		"virtual-hosted":          nil,
		"virtual-hosted below s3": func(o *s3.Options) { o.BaseEndpoint = aws.String("https://s3." + host) },
		"address": func(o *s3.Options) {
			o.BaseEndpoint, o.UsePathStyle = aws.String(h.server.URL), true
		},
	}
	for name, change := range styles {
		t.Run(name, func(t *testing.T) {
			c := h.client(h.rootKey(t), change)
			put(t, c, "pot/"+name, name)
			if got := get(t, c, "pot/"+name); got != name {
				t.Errorf("got %q", got)
			}
			buckets, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
			if err != nil || len(buckets.Buckets) != 1 || *buckets.Buckets[0].Name != bucket {
				t.Errorf("buckets %+v, %v", buckets, err)
			}
		})
	}
}

func TestObjectKeepsItsMetadata(t *testing.T) {
	h := open(t)
	c := h.root(t)
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("leaf"), Body: strings.NewReader("green"),
		ContentType: aws.String("text/plain"), ContentEncoding: aws.String("br"), Metadata: map[string]string{"color": "dark green"},
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, Tagging: aws.String("kind=fern"),
	})
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("leaf"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("leaf")})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{*head.ContentLength, *head.ContentType + " " + *head.ContentEncoding, head.Metadata, len(*head.ChecksumSHA256), *tags.TagSet[0].Key, *tags.TagSet[0].Value}
	want := []any{int64(5), "text/plain br", map[string]string{"color": "dark green"}, 44, "kind", "fern"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each way of sending a body arrives, and arrives unwrapped.
func TestBodies(t *testing.T) {
	h := open(t)
	c := h.root(t)
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	for name, data := range map[string][]byte{"empty": {}, "small": []byte("fern"), "big": big} {
		t.Run("ok/"+name+" with a trailing checksum", func(t *testing.T) {
			// Over TLS a stream that cannot be sought is sent as
			// STREAMING-UNSIGNED-PAYLOAD-TRAILER.
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket), Key: aws.String(name), Body: io.MultiReader(bytes.NewReader(data)), ContentLength: aws.Int64(int64(len(data))),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := get(t, c, name); got != string(data) {
				t.Errorf("got %d bytes back, want %d", len(got), len(data))
			}
		})
		t.Run("ok/"+name+" with a signed hash", func(t *testing.T) {
			signed := h.client(h.rootKey(t), func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
			_, err := signed.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket), Key: aws.String(name), Body: bytes.NewReader(data),
			}, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
			if err != nil {
				t.Fatal(err)
			}
			if got := get(t, c, name); got != string(data) {
				t.Errorf("got %d bytes back, want %d", len(got), len(data))
			}
		})
	}
}

func TestPresigned(t *testing.T) {
	h := open(t)
	c := h.root(t)
	presign := s3.NewPresignClient(c)
	putting, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("by hand/ä+b"), Metadata: map[string]string{"from": "curl"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.send(t, http.MethodPut, putting.URL, putting.SignedHeader, "hello").StatusCode; got != http.StatusOK {
		t.Fatalf("presigned PUT answered %d", got)
	}
	getting, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("by hand/ä+b")})
	if err != nil {
		t.Fatal(err)
	}
	answer := h.send(t, http.MethodGet, getting.URL, getting.SignedHeader, "")
	if got := readAll(t, answer.Body); got != "hello" || answer.Header.Get("X-Amz-Meta-From") != "curl" {
		t.Errorf("presigned GET answered %q with %v", got, answer.Header)
	}
	h.clock = func() time.Time { return time.Now().Add(20 * time.Minute) }
	if got := h.send(t, http.MethodGet, getting.URL, getting.SignedHeader, "").StatusCode; got != http.StatusForbidden {
		t.Errorf("a presigned URL past its time answered %d", got)
	}
}

func (h *house) send(t testing.TB, method, url string, header http.Header, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		if name != "Host" && name != "Content-Length" {
			r.Header[name] = values
		}
	}
	answer, err := h.http().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func TestMultipart(t *testing.T) {
	h := open(t)
	c := h.root(t)
	up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket), Key: aws.String("tree/trunk"), ContentType: aws.String("application/wood"),
	})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 11<<20)
	_, _ = rand.Read(data)
	var parts []types.CompletedPart
	for i, part := range [][]byte{data[:5<<20], data[5<<20 : 10<<20], data[10<<20:]} {
		number := aws.Int32(int32(i + 1))
		out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: number, Body: bytes.NewReader(part),
		})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	}
	listed, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId})
	if err != nil || len(listed.Parts) != 3 || *listed.Bucket != bucket {
		t.Fatalf("parts %+v, %v", listed, err)
	}
	done, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *done.Bucket != bucket || *done.Key != "tree/trunk" || !strings.HasSuffix(*done.ETag, `-3"`) {
		t.Errorf("completed %+v", done)
	}
	if got := get(t, c, "tree/trunk"); got != string(data) {
		t.Errorf("got %d other bytes", len(got))
	}
	ranged, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("tree/trunk"), Range: aws.String("bytes=5242870-5242889")})
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, ranged.Body); got != string(data[5242870:5242890]) || *ranged.ContentRange != "bytes 5242870-5242889/11534336" {
		t.Errorf("range read %d bytes, %s", len(got), *ranged.ContentRange)
	}
	copied, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("copy")})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
		Bucket: copied.Bucket, Key: copied.Key, UploadId: copied.UploadId, PartNumber: aws.Int32(1),
		CopySource: aws.String(bucket + "/tree/trunk"), CopySourceRange: aws.String("bytes=3-9"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: copied.Bucket, Key: copied.Key, UploadId: copied.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.CopyPartResult.ETag, ChecksumCRC32: part.CopyPartResult.ChecksumCRC32}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, "copy"); got != string(data[3:10]) {
		t.Errorf("copied part is %q", got)
	}
}

// The name of an upload is a path to the backend: what is none of its names must
// touch nothing.
func TestUploadNamesStayInside(t *testing.T) {
	h := open(t)
	c := h.root(t)
	put(t, c, "precious", "data")
	for _, id := range []string{"../../../..", "../../../../..", "..", ".", "x/../../..", "00000000-0000-0000-0000-000000000000"} {
		_, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("k"), UploadId: aws.String(id)})
		wantCode(t, err, "NoSuchUpload")
	}
	if got := get(t, c, "precious"); got != "data" {
		t.Errorf("got %q", got)
	}
}

func TestListsInPages(t *testing.T) {
	h := open(t)
	c := h.root(t)
	folder := filepath.Join(h.dir, "s3", bucket, "many")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 1001 { // as another program would put them there; 1001 uploads take long
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("many/")})
	var sizes []int
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if *page.Name != bucket {
			t.Errorf("the list is of bucket %q", *page.Name)
		}
		sizes = append(sizes, len(page.Contents))
	}
	if diff := cmp.Diff([]int{1000, 1}, sizes); diff != "" {
		t.Error(diff)
	}
	folders, err := c.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String(bucket), Delimiter: aws.String("/")})
	if err != nil || len(folders.CommonPrefixes) != 1 || *folders.CommonPrefixes[0].Prefix != "many/" {
		t.Errorf("folders %+v, %v", folders, err)
	}
}

func TestCopyAndDelete(t *testing.T) {
	h := open(t)
	c := h.root(t)
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("a b/ü+"), Body: strings.NewReader("seed"),
		ContentType: aws.String("text/seed"), Metadata: map[string]string{"x": "y"}, Tagging: aws.String("k=v"),
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/a%20b/%C3%BC%2B")})
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy")})
	if err != nil {
		t.Fatal(err)
	}
	if *head.ContentType != "text/seed" || head.Metadata["x"] != "y" || *head.ETag != *out.CopyObjectResult.ETag {
		t.Errorf("copy has %+v", head)
	}
	tags, err := c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("copy")})
	if err != nil || len(tags.TagSet) != 1 {
		t.Errorf("copy has tags %+v, %v", tags, err)
	}
	_, err = c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/copy")})
	wantCode(t, err, "InvalidRequest")
	_, err = c.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/copy"),
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"new": "1"},
	})
	if err != nil || get(t, c, "copy") != "seed" {
		t.Errorf("copy onto itself: %v", err)
	}
	deleted, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("a b/ü+")}, {Key: aws.String("copy")}, {Key: aws.String("never was")}},
	}})
	if err != nil || len(deleted.Deleted) != 3 || len(deleted.Errors) != 0 {
		t.Fatalf("deleted %+v, %v", deleted, err)
	}
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Error(err)
	}
	_, err = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	wantCode(t, err, "NoSuchBucket")
	if err != nil && strings.Contains(err.Error(), h.dir) {
		t.Errorf("the error tells where the data folder is: %v", err)
	}
}
