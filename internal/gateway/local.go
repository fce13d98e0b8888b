package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"thingd/internal/aws/sigv4"
	"thingd/internal/bridge"
	"thingd/internal/broker"
	"thingd/internal/rules"
)

// LocalConfig is what the plain door serves.
type LocalConfig struct {
	API     http.Handler
	Objects Objects
	Broker  *broker.Broker
	Doors   func() *Stats
	Rules   func() rules.Stats
	Bridge  func() []bridge.View  // integrations
	Others  func() []AccountStats // further accounts; nil: there are none
	RootCA  []byte                // PEM
	Console http.Handler          // of / and of everything under /console/
}

// Local answers on the plain door: health, metrics, the root CA, the console,
// and the AWS API for tools on this machine. A Host header that is not this
// machine's is refused, so that a web page cannot reach it by DNS rebinding.
func Local(c LocalConfig) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok) // the door opens when everything is ready
	mux.Handle("GET /metrics", metrics(c))
	mux.HandleFunc("GET /root-ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(c.RootCA)
	})
	mux.Handle("GET /{$}", c.Console)
	own := map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true, "/root-ca.pem": true, "/": true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "this door answers to localhost alone", http.StatusForbidden)
			return
		}
		// The AWS front routes on the path as it was sent; ServeMux would clean it.
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if own[r.URL.Path] && reads && !sigv4.Signed(r) {
			mux.ServeHTTP(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/console/") && !sigv4.Signed(r) {
			c.Console.ServeHTTP(w, r)
			return
		}
		if c.Objects.Owns(r) {
			c.Objects.ServeHTTP(w, r)
			return
		}
		c.API.ServeHTTP(w, r)
	})
}

func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
