// Package s3gate serves S3 from the data folder: objects are plain files, and
// the protocol is spoken by an embedded versitygw behind thingd's own HTTPS
// door. Nobody else imports versitygw or what it needs.
//
// A request takes two steps.
//
// In front, the [Gate] reads what the client sent, as it was sent: it tells the
// addressing style (path or virtual-hosted), checks the signature with package
// sigv4 against the keys and sessions of package iam, works out from method, path
// and query which s3: actions on which ARNs the request comes to, and asks the
// caller's policies about each. Small bodies are read here and compared with
// their signed hash.
//
// Behind, versitygw gets a request in one form: path style, the path escaped
// AWS's way, without the client's signature but signed anew with a secret that
// is made at start and known to this process alone. It
// listens on a Unix socket that only the owner may open. That it gets a new
// signature instead of the old one has three reasons: a virtual-hosted request
// can be rewritten after it was verified; one judge of signatures decides for the
// whole server, so what signs an API call signs an S3 call too; and the key that
// was authorized is, byte for byte, the key that versitygw acts on. Bodies that
// are signed chunk by chunk (aws-chunked) keep their chunks: an in-process note
// carries the client's signing key to the reader that checks and unwraps them,
// so objects are streamed from the socket to the disk without being held.
//
// # What is on disk
//
// DIR/s3/BUCKET/KEY is the object, its metadata are extended attributes of the
// file (or files under DIR/s3-attributes where the file system has none). An
// answer 200 is sent after fsync of the data, the attributes and the directories
// that lead to them; the data reaches the disk before the name does, so a power
// cut leaves the old object or the new one. See [disk].
//
// # What is not like AWS
//
// A file system cannot hold "a" and "a/b" at once, nor keys with empty, "." or
// ".." segments or segments over 227 bytes: these are refused. Permissions come
// from IAM policies alone: bucket policies, ACLs, versioning and object lock are
// refused rather than stored and ignored. Nobody gets in without a signature.
package s3gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/iam"
	"thingd/internal/policy"
)

// IAM says whose an access key is and what its owner may do.
type IAM interface {
	// Find gives the actor and secret of an access key and, for temporary
	// credentials, its session token.
	Find(ctx context.Context, accessKeyID, sessionToken string) (iam.Actor, string, error)
	// Check refuses with fault.CodeAccessDenied what the actor's policies do not
	// allow.
	Check(ctx context.Context, a *iam.Actor, action, resource string, more policy.Values) error
}

var _ IAM = (*iam.Service)(nil)

// Config is what a Gate needs.
type Config struct {
	Dir     string   // the data folder; objects are kept in its folder s3
	Account string   // ID of the account that owns all buckets
	Region  string   // where the buckets are said to be
	Hosts   []string // names of this server: BUCKET.HOST and BUCKET.s3.HOST name a bucket
	IAM     IAM

	Now func() time.Time // default: time.Now
	Log *slog.Logger     // default: slog.Default
}

// requestsMax bounds the requests under way; one more is told to slow down, which
// SDKs do by themselves.
const requestsMax = 256

// Gate answers S3 requests. It is an http.Handler that may be used by many
// goroutines.
type Gate struct {
	config   Config
	hosts    []string // lower case, longest first
	verifier *sigv4.Verifier
	inner    *inner
	slots    chan struct{}
}

// New prepares the folder for objects. versitygw itself starts with the first
// request. New must not run beside code that depends on the working directory:
// versitygw's backend changes it for a moment.
func New(c Config) (*Gate, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	backend, err := openDisk(dir)
	if err != nil {
		return nil, fmt.Errorf("open the S3 folder: %w", err)
	}
	return &Gate{
		config: c, hosts: hostsOf(c.Hosts), verifier: sigv4.NewVerifier(c.Now),
		inner: newInner(backend, dir, c), slots: make(chan struct{}, requestsMax),
	}, nil
}

// Close ends the requests under way.
func (g *Gate) Close() error { return g.inner.close() }

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	default:
		answerError(w, r, errSlowDown)
		return
	}
	if err := g.serve(w, r); err != nil {
		g.refuse(w, r, err)
	}
}

func (g *Gate) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	call, err := g.read(r)
	if err != nil {
		return err
	}
	signer, err := g.authenticate(r)
	if err != nil {
		return err
	}
	if err := call.takeSignedQuery(signer); err != nil {
		return err
	}
	if err := call.decide(); err != nil {
		return err
	}
	if !call.stream {
		if err := call.readBody(r, signer); err != nil {
			return err
		}
	}
	if err := g.authorize(r.Context(), signer.actor, call); err != nil {
		return err
	}
	return g.inner.pass(w, r, call, signer)
}

func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var known *apiError
	if !errors.As(err, &known) {
		known = fromFault(err)
	}
	if known.status == http.StatusInternalServerError {
		g.config.Log.Error("S3 request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	answerError(w, r, known)
}

// makeDir makes a folder that is the owner's alone, durably.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncPath(filepath.Dir(dir))
}
