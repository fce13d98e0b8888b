package gateway

import (
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"thingd/internal/broker"
)

// LocalConfig is what the plain door serves.
type LocalConfig struct {
	API     http.Handler
	Objects Objects
	Broker  *broker.Broker
	Doors   func() *Stats
	RootCA  []byte // PEM
	Host    string // of the data endpoint
}

// Local answers on the plain door: health, metrics, the root CA, a start page,
// and the AWS API for tools on this machine. A Host header that is not this
// machine's is refused, so that a web page cannot reach it by DNS rebinding.
func Local(c LocalConfig) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok) // the door opens when everything is ready
	mux.Handle("GET /metrics", metrics(c.Broker.Stats(), c.Doors))
	mux.HandleFunc("GET /root-ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(c.RootCA)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { startPage(w, r, c) })
	own := map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true, "/root-ca.pem": true, "/": true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "this door answers to localhost alone", http.StatusForbidden)
			return
		}
		// The AWS front routes on the path as it was sent; ServeMux would clean it.
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if own[r.URL.Path] && reads && !signed(r) {
			mux.ServeHTTP(w, r)
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

var startTemplate = template.Must(template.New("start").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>thingd</title>
<h1>thingd is running</h1>
<p>The data endpoint is <code>{{.Host}}</code>. {{.Connections}} clients are connected.</p>
<p>Clients must trust this server's <a href="/root-ca.pem">root CA</a>:
<code>curl -O http://{{.Here}}/root-ca.pem</code></p>
<p>See also <a href="/metrics">metrics</a>. The web console is not built yet; use the AWS CLI and <code>thingd --help</code>.</p>
</html>
`))

func startPage(w http.ResponseWriter, r *http.Request, c LocalConfig) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = startTemplate.Execute(w, map[string]any{
		"Host": c.Host, "Here": r.Host, "Connections": c.Broker.Stats().Connections.Load(),
	})
}
