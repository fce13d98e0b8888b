package s3gate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"thingd/internal/aws/sigv4"
)

// fuzzed lets the Gate answer a well signed request made of anything.
func (h *house) fuzzed(t testing.TB, method, path, query, source string) (status int, body string) {
	t.Helper()
	plain, err := url.PathUnescape(path)
	if err != nil {
		return 0, ""
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+host+"/", nil)
	if err != nil {
		return 0, ""
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = plain, path, query
	r.RequestURI, r.Body = r.URL.RequestURI(), http.NoBody
	r.RemoteAddr = "192.0.2.1:1"
	r.Header.Set("X-Amz-Content-Sha256", sigv4.UnsignedPayload)
	if source != "" {
		r.Header.Set("X-Amz-Copy-Source", source)
	}
	key := h.rootKey(t)
	sigv4.Sign(r, nil, sigv4.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}, "s3", region, h.clock())
	answer := httptest.NewRecorder()
	h.gate.ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}
