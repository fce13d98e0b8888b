package s3gate_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// Keys come back from a list as they were put, and each is another object.
func TestOddKeys(t *testing.T) {
	keys := []string{
		"plain", "with space", "plus+plus", "percent%2Fnot a slash", "percent%25", "question?mark=1&b", "hash#tag",
		"ünïcødé/日本/🌱", "(round)[square]{curly}", "quote\"'`", "semi;colon:at@equals=comma,", "tilde~star*bang!",
		"dots...a/.hidden/..c", "trailing/", "newline\nhere", strings.Repeat("long/", 200), strings.Repeat("n", 220),
	}
	h := open(t)
	c := h.root(t)
	for _, key := range keys {
		data := key
		if strings.HasSuffix(key, "/") {
			data = "" // a folder to the file system
		}
		put(t, c, key, data)
		put(t, c, key, data) // once more: replacing takes another path
	}
	for _, key := range keys {
		want := key
		if strings.HasSuffix(key, "/") {
			want = ""
		}
		if got := get(t, c, key); got != want {
			t.Errorf("key %q holds %q", key, got)
		}
	}
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, object := range list.Contents {
		got = append(got, *object.Key)
	}
	slices.Sort(keys)
	slices.Sort(got)
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the path, query and copy source, nothing outside the folder of the
// buckets is read, made or removed.
func FuzzNothingEscapes(f *testing.F) {
	h := open(f)
	c := h.root(f)
	put(f, c, "a", "a")
	const canary = "canary in the data folder"
	outside := filepath.Join(h.dir, "outside")
	if err := os.WriteFile(outside, []byte(canary), 0o600); err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][4]string{
		{"GET", "/plants/../../outside", "", ""}, {"PUT", "/plants/%2e%2e/%2e%2e/x", "", ""},
		{"DELETE", "/plants/k", "uploadId=../../../../outside", ""}, {"PUT", "/plants/k", "", "plants/../../outside"},
		{"PUT", "/plants/k", "uploadId=../..&partNumber=1", ""}, {"GET", "/plants", "prefix=../../&delimiter=/", ""},
		{"GET", "/plants", "versions&prefix=../../", ""}, {"GET", "/plants", "uploads&key-marker=../..", ""},
		{"GET", "//plants/a", "", ""}, {"PUT", "/%2e%2e", "", ""}, {"GET", "/plants/a", "partNumber=1", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, path, query, source string) {
		before := names(t, h.dir)
		status, body := h.fuzzed(t, method, path, query, source)
		if strings.Contains(body, canary) {
			t.Fatalf("%s %s?%s read a file outside: %d", method, path, query, status)
		}
		if diff := cmp.Diff(before, names(t, h.dir)); diff != "" {
			t.Fatalf("%s %s?%s changed the data folder: %s", method, path, query, diff)
		}
		if got, err := os.ReadFile(outside); err != nil || string(got) != canary {
			t.Fatalf("%s %s?%s changed a file outside: %v", method, path, query, err)
		}
	})
}

// names are the files of the data folder but for those that change by themselves
// and what lies in buckets.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		switch {
		case strings.HasPrefix(name, "/thingd.db"), name == "/s3.sock":
			return nil
		case strings.HasPrefix(name, "/s3/"):
			return fs.SkipDir
		}
		all = append(all, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
