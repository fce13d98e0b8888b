package s3gate

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"

	"thingd/internal/aws/sigv4"
)

// inner is versitygw on its socket and the proxy that speaks to it.
type inner struct {
	backend backend.Backend
	dir     string // the data folder
	account string
	region  string
	secret  string // of the one access key that versitygw knows
	log     *slog.Logger
	notes   notes
	proxy   *httputil.ReverseProxy
	carrier *http.Transport

	mu     sync.Mutex
	server *s3api.S3ApiServer // nil until the first request
	failed error              // why it cannot serve
	socket string
	served chan struct{} // closed when the server has ended
}

func newInner(b backend.Backend, dir string, c Config) *inner {
	in := &inner{backend: b, dir: dir, account: c.Account, region: c.Region, secret: rand.Text(), log: c.Log}
	in.carrier = &http.Transport{
		DialContext:        in.dial,
		DisableCompression: true,
		MaxConnsPerHost:    requestsMax,
		// A few stay open between requests; versitygw is next door.
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     30 * time.Second,
	}
	in.proxy = &httputil.ReverseProxy{
		Rewrite:        func(*httputil.ProxyRequest) {}, // pass has written it
		Transport:      in.carrier,
		ModifyResponse: func(r *http.Response) error { r.Header.Del("Server"); return nil },
		ErrorHandler:   in.broken,
		ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return in
}

func (in *inner) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", in.socket)
}

// start runs versitygw once. The socket's name ends up in a folder that is the
// owner's alone.
func (in *inner) start() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.server != nil || in.failed != nil {
		return in.failed
	}
	in.failed = in.listen()
	return in.failed
}

func (in *inner) listen() error {
	socket, err := socketPath(in.dir)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	root := middlewares.RootUserConfig{Access: in.account, Secret: in.secret}
	single := auth.NewIAMServiceSingle(auth.Account{Access: in.account, Secret: in.secret, Role: auth.RoleAdmin})
	server, err := s3api.New(in.backend, root, in.region, single, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithDisableACL(),
		s3api.WithSocketPerm(0o600), s3api.WithConcurrencyLimiter(2*requestsMax, 2*requestsMax),
		s3api.WithMiddleware("/", in.notes.unwrap), s3api.WithOnListen(func() { close(ready) }))
	if err != nil {
		return fmt.Errorf("start versitygw: %w", err)
	}
	ended := make(chan error, 1)
	in.served = make(chan struct{})
	go func() {
		defer close(in.served)
		ended <- server.ServeMultiPort([]string{socket})
	}()
	select {
	case <-ready:
	case err := <-ended:
		return fmt.Errorf("listen on %s: %w", socket, err)
	}
	in.server, in.socket = server, socket
	return nil
}

// socketMax is what fits into the address of a Unix socket on every system.
const socketMax = 100 // bytes

// socketPath finds a place for the socket: in the data folder, or where its path
// is too long for a socket, in a new folder for temporary files.
func socketPath(dir string) (string, error) {
	if path := filepath.Join(dir, "s3.sock"); len(path) <= socketMax {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "thingd-s3-") // 0700
	if err != nil {
		return "", fmt.Errorf("make a folder for the S3 socket: %w", err)
	}
	return filepath.Join(dir, "s3.sock"), nil
}

var errClosed = errors.New("the S3 gate is closed")

// close ends the server. Requests under way have ten seconds to end.
func (in *inner) close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.carrier.CloseIdleConnections()
	in.failed = errClosed
	defer in.backend.Shutdown()
	if in.server == nil {
		return nil
	}
	err := in.server.ShutDown()
	in.server = nil
	<-in.served
	_ = os.Remove(in.socket)
	if folder := filepath.Dir(in.socket); folder != in.dir {
		_ = os.Remove(folder)
	}
	return err
}

// pass lets versitygw answer a call that was allowed.
func (in *inner) pass(w http.ResponseWriter, r *http.Request, c *call, s *signer) error {
	if err := in.start(); err != nil {
		return err
	}
	out := r.Clone(r.Context())
	out.Header = c.header
	out.URL = &url.URL{
		Scheme: "http", Host: "s3", Path: c.path(), RawPath: escapePath(c.path()),
		RawQuery: strings.ReplaceAll(c.query.Encode(), "+", "%20"),
	}
	out.RequestURI = ""
	out.Header.Set(contentHash, sigv4.UnsignedPayload)
	sigv4.Sign(out, nil, sigv4.Credentials{AccessKeyID: in.account, SecretAccessKey: in.secret}, "s3", in.region, time.Now())
	if c.stream {
		defer in.notes.leave(out, s)()
	} else {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
		out.TransferEncoding = nil
	}
	in.proxy.ServeHTTP(w, out)
	return nil
}

// broken answers where versitygw did not.
func (in *inner) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client is gone
	}
	in.log.Warn("S3 request was cut off", "method", r.Method, "path", r.URL.Path, "error", err)
	answerError(w, r, errInternal)
}

// contentHash is the header that says how the body was signed.
const contentHash = "X-Amz-Content-Sha256"

// escapePath escapes a path as AWS signs it (Signature Version 4, UriEncode): all
// but the unreserved characters of RFC 3986 and the slash.
func escapePath(path string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}
