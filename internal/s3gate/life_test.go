package s3gate_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"thingd/internal/s3gate"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's keeper of idle workers looks up every ten seconds only, and sees
		// then that its server has ended.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// Its clock for the header Date runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// What was put is there after a restart, and the working directory stays.
func TestRestart(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Run("first", func(t *testing.T) { put(t, openAt(t, dir).root(t), "kept", "data") })
	t.Run("second", func(t *testing.T) {
		h := openAt(t, dir)
		if got := get(t, h.client(h.rootKey(t), nil), "kept"); got != "data" {
			t.Errorf("got %q", got)
		}
	})
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("working directory %s became %s, %v", before, after, err)
	}
}

// A data folder whose path does not fit into the address of a socket is served.
func TestLongDataFolder(t *testing.T) {
	dir := t.TempDir() + "/" + strings.Repeat("long", 30)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, openAt(t, dir).root(t), "k", "v")
}

func TestManyAtOnce(t *testing.T) {
	h := open(t)
	c := h.root(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 8 {
				key, data := fmt.Sprintf("deep/%d/%d", i%4, j), strings.Repeat("x", i*1000+j)
				put(t, c, key, data)
				out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
				if err != nil {
					t.Error(err)
					return
				}
				readAll(t, out.Body)
			}
		})
	}
	all.Wait()
}

// BenchmarkNew is what a Gate adds to the start of a server.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		gate, err := s3gate.New(s3gate.Config{Dir: b.TempDir(), Account: account, Region: region})
		if err != nil {
			b.Fatal(err)
		}
		if err := gate.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
