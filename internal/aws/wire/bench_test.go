package wire_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// What a server pays before it is ready.
func BenchmarkMountEverything(b *testing.B) {
	for b.Loop() {
		openMux()
	}
}

func BenchmarkCall(b *testing.B) {
	mux := openMux()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/things/t/jobs/j", strings.NewReader(""))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
