package s3gate_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"thingd/internal/aws/sigv4"
)

// chunked makes a body of signed chunks (Amazon S3 API, "Signature calculations:
// transferring a payload in multiple chunks").
type chunked struct {
	key   []byte
	date  string
	scope string
	last  string // the signature before
}

func (c *chunked) sign(kind string, hashes ...string) string {
	text := strings.Join(append([]string{"AWS4-HMAC-SHA256-" + kind, c.date, c.scope, c.last}, hashes...), "\n")
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(text))
	c.last = hex.EncodeToString(mac.Sum(nil))
	return c.last
}

func (c *chunked) body(data []byte, trailer string) []byte {
	var b bytes.Buffer
	for len(data) > 0 {
		n := min(len(data), 64<<10)
		c.chunk(&b, data[:n])
		data = data[n:]
	}
	if trailer == "" {
		c.chunk(&b, nil)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "0;chunk-signature=%s\r\n", c.sign("PAYLOAD", sigv4.HashOf(nil), sigv4.HashOf(nil)))
	fmt.Fprintf(&b, "%s\r\nx-amz-trailer-signature:%s\r\n\r\n", trailer, c.sign("TRAILER", sigv4.HashOf([]byte(trailer+"\n"))))
	return b.Bytes()
}

func (c *chunked) chunk(b *bytes.Buffer, data []byte) {
	fmt.Fprintf(b, "%x;chunk-signature=%s\r\n%s\r\n", len(data), c.sign("PAYLOAD", sigv4.HashOf(nil), sigv4.HashOf(data)), data)
}

// sendChunks puts data in signed chunks; spoil may change the body on its way.
func (h *house) sendChunks(t testing.TB, key string, data []byte, trailer, httpChunks bool, spoil func([]byte)) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, h.server.URL+"/plants/"+key, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "aws-chunked")
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(data)))
	r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	line := ""
	if trailer {
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		line = "x-amz-checksum-crc32:" + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
	}
	root, now := h.rootKey(t), h.clock().UTC()
	sigv4.Sign(r, nil, sigv4.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}, "s3", region, now)
	scope := sigv4.Scope{Date: now.Format("20060102"), Region: region, Service: "s3"}
	_, seed, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	c := chunked{key: sigv4.SigningKey(root.SecretAccessKey, scope), date: r.Header.Get("X-Amz-Date"), scope: scope.String(), last: seed}
	body := c.body(data, line)
	if spoil != nil {
		spoil(body)
	}
	with, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	with.Header = r.Header
	if httpChunks {
		with.ContentLength = -1
	}
	answer, err := h.http().Do(with)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, answer.Body)
	return answer.StatusCode
}

func TestSignedChunks(t *testing.T) {
	h := open(t)
	c := h.root(t)
	data := make([]byte, 200<<10)
	_, _ = rand.Read(data)
	tests := []struct {
		name    string
		data    []byte
		trailer bool
		http    bool // chunks of HTTP around the others
		spoil   func([]byte)
		want    int
	}{
		{"ok/chunks", data, false, false, nil, 200},
		{"ok/chunks in HTTP's chunks", data, false, true, nil, 200},
		{"ok/chunks and trailer in HTTP's chunks", data, true, true, nil, 200},
		{"ok/empty in HTTP's chunks", nil, true, true, nil, 200},
		{"ok/chunks and trailer", data, true, false, nil, 200},
		{"ok/empty", nil, false, false, nil, 200},
		{"refused/a byte of a chunk changed", data, false, false, func(b []byte) { b[1000]++ }, 403},
		{"refused/a byte of the last chunk changed", data, true, false, func(b []byte) { b[len(data)]++ }, 403},
		{"refused/a byte of the trailer changed", data, true, false, func(b []byte) { b[len(b)-110]++ }, 403},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key := fmt.Sprintf("chunks/%d", i)
			put(t, c, key, "before")
			if got := h.sendChunks(t, key, test.data, test.trailer, test.http, test.spoil); got/100 != test.want/100 {
				t.Errorf("answered %d, want %d", got, test.want)
			}
			want := string(test.data)
			if test.want != 200 {
				want = "before"
			}
			if got := get(t, c, key); got != want {
				t.Errorf("the object has %d other bytes", len(got))
			}
		})
	}
}
