package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// bodyMaxDefault bounds request bodies, in bytes, where Mount says nothing else.
const bodyMaxDefault = 1 << 20

// Options are what a Mux needs of others.
type Options struct {
	Authenticator Authenticator    // required
	Authorizer    Authorizer       // required
	Now           func() time.Time // required; dates the answers that carry a date
	Log           *slog.Logger     // of failures that callers do not see; default slog.Default()
	NewID         func() string    // request IDs; default random UUIDs
	Observe       func(Served)     // told of every answer, before it is sent; default nobody
}

// Served is a request with its answer, for metrics and for operators who ask why
// something was refused.
type Served struct {
	RequestID string
	Service   string // such as "iot"; "" where none was meant
	Operation string // such as "CreateThing"; "" where there is none
	Caller    Caller // Anonymous where nobody was believed
	SourceIP  string
	Status    int           // HTTP
	Exception string        // what the caller reads; "" for success
	Err       error         // the whole reason, more than the caller reads; nil for success
	Took      time.Duration // from the head of the request to here

	schema        *schema
	input, output reflect.Value // structures; the zero Value where there is none
}

// Member is the value of the string member with this AWS name ("thingName") of
// the request or, where it has none, of the answer and the structures in it: what
// a request made may be named there alone ("certificateId"). It is "" where
// there is none.
func (s Served) Member(name string) string {
	if s.input.IsValid() {
		if value := s.schema.stringMember(s.input, name); value != "" {
			return value
		}
	}
	if !s.output.IsValid() {
		return ""
	}
	if value := s.schema.stringMember(s.output, name); value != "" {
		return value
	}
	for _, part := range s.output.Fields() {
		if part = reflect.Indirect(part); part.Kind() == reflect.Struct && part.Type() != timeType {
			if value := s.schema.stringMember(part, name); value != "" {
				return value
			}
		}
	}
	return ""
}

// Mux serves AWS services over HTTP, all behind one address.
type Mux struct {
	opts    Options
	mounts  []*mount
	nowhere *mount // speaks for requests that no service claims
}

// mount is a service with what implements it.
type mount struct {
	*schema
	endpoints []*endpoint
	byName    map[string]*endpoint
	routes    router
	bodyMax   int64
}

// NewMux makes a Mux without services.
func NewMux(opts Options) *Mux {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Observe == nil {
		opts.Observe = func(Served) {}
	}
	if opts.NewID == nil {
		opts.NewID = newUUID
	}
	return &Mux{opts: opts, nowhere: &mount{schema: newSchema(&Service{Protocol: RESTJSON}), bodyMax: bodyMaxDefault}}
}

// MountOption changes how one service is served.
type MountOption func(*mount)

// BodyMax bounds the bodies of the service's requests, in bytes; the default is
// 1 MiB. Larger ones are refused before they are read.
func BodyMax(bytes int64) MountOption { return func(m *mount) { m.bodyMax = bytes } }

// Mount serves s by the methods of impl: each operation by the one that is named
// exactly like it, of type
//
//	func(ctx context.Context, in *iot.CreateThingRequest) (*iot.CreateThingResponse, error)
//
// or with only the error where the operation has no output. An operation without
// a method is answered with NotImplementedException; a method of another type is
// a mistake in thingd and panics. Mount before serving.
func (m *Mux) Mount(s *Service, impl any, opts ...MountOption) {
	mt := &mount{schema: newSchema(s), byName: map[string]*endpoint{}, bodyMax: bodyMaxDefault}
	for i := range s.Operations {
		e := bind(s, &s.Operations[i], impl)
		mt.endpoints = append(mt.endpoints, e)
		mt.byName[e.op.Name] = e
		if s.Protocol == RESTJSON {
			mt.routes.add(e)
		}
	}
	for _, opt := range opts {
		opt(mt)
	}
	m.mounts = append(m.mounts, mt)
}

// Covered is one line of Coverage.
type Covered struct {
	Service     string // such as "iot"
	Operation   string
	Implemented bool
	Deprecated  bool
}

// Coverage lists every operation of every mounted service, in their order.
func (m *Mux) Coverage() []Covered {
	var all []Covered
	for _, mt := range m.mounts {
		for _, e := range mt.endpoints {
			all = append(all, Covered{mt.service.Name, e.op.Name, e.implemented(), e.op.Deprecated})
		}
	}
	return all
}

// ServeHTTP answers one request, whatever happens.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := m.opts.NewID()
	ctx := context.WithValue(r.Context(), requestIDKey, id)
	ctx = context.WithValue(ctx, sourceIPKey, sourceIP(r))
	x := &exchange{mux: m, w: w, r: r.WithContext(ctx), id: id, mount: m.nowhere, began: m.opts.Now()}
	defer x.recover()
	if err := x.serve(); err != nil {
		x.refuse(err)
	}
}

// exchange is one request on its way through.
type exchange struct {
	mux   *Mux
	w     http.ResponseWriter
	r     *http.Request
	id    string
	mount *mount // whose words the answer uses
	call  target
	body  []byte
	in    reflect.Value // what was asked for, once it is read
	began time.Time
}

// serve does the steps in the order in which AWS does them: who is it, may they,
// does the input make sense, and only then what the operation itself says.
func (x *exchange) serve() error {
	sig, err := x.route()
	if err != nil {
		return err
	}
	if err := x.authenticate(sig); err != nil {
		return err
	}
	if x.call.endpoint == nil {
		return x.call.unknown
	}
	in, wrong, err := x.decode()
	if err != nil {
		return err
	}
	x.in = in.Elem()
	if err := x.authorize(in); err != nil {
		return err
	}
	// What nobody implements is said before what is wrong with the input: mending
	// that would be in vain.
	if x.call.endpoint.implemented() {
		if err := wrong.fault(); err != nil {
			return err
		}
	}
	out, err := x.call.endpoint.call(x.r.Context(), in)
	if err != nil {
		return err
	}
	x.answer(out)
	return nil
}

// route finds out which operation is meant and reads the body, which signatures
// cover.
func (x *exchange) route() (*sigv4.Signature, error) {
	sig, err := sigv4.Parse(x.r)
	if err != nil && !fault.Is(err, sigv4.CodeMissing) {
		x.adopt(x.mux.candidates(x.r, nil))
		return nil, err
	}
	mounts := x.mux.candidates(x.r, sig)
	if len(mounts) == 0 && sig != nil {
		return nil, fault.New(sigv4.CodeInvalid, "Credential should be scoped to a service that is served here, not to '%s'.", clip(sig.Service))
	}
	x.adopt(mounts)
	if x.body, err = readBody(x.w, x.r, mounts); err != nil {
		return nil, err
	}
	if sig != nil {
		sig.SetBody(x.body)
	}
	x.call = resolve(mounts, x.r, x.body)
	if x.call.mount != nil {
		x.mount = x.call.mount
	}
	return sig, nil
}

// adopt answers in the words of the likeliest service.
func (x *exchange) adopt(mounts []*mount) {
	if len(mounts) > 0 {
		x.mount = mounts[0]
	}
}

// authenticate finds out who calls. A caller that the listener knows already
// needs no signature, but one that is there counts.
func (x *exchange) authenticate(sig *sigv4.Signature) error {
	ctx := x.r.Context()
	if sig == nil && x.call.endpoint != nil && x.call.endpoint.op.Anonymous {
		return nil
	}
	caller := CallerFrom(ctx)
	if sig != nil || caller.Kind == Anonymous {
		var err error
		if caller, err = x.mux.opts.Authenticator.Authenticate(ctx, x.r, sig); err != nil {
			return err
		}
	}
	x.r = x.r.WithContext(WithCaller(ctx, caller))
	return x.admit(caller)
}

// admit keeps devices, however they proved who they are, to the data planes:
// their policies know no other actions.
func (x *exchange) admit(caller Caller) error {
	if caller.Kind == AccessKey || caller.Kind != Anonymous && x.mount.service.Devices {
		return nil
	}
	return fault.New(fault.CodeAccessDenied, "This operation needs a request signed with an access key.")
}

// authorize asks whether the caller may. Operations that need no signature need
// no permission either: their input holds the proof.
func (x *exchange) authorize(in reflect.Value) error {
	op := x.call.endpoint.op
	if op.Anonymous {
		return nil
	}
	ctx := x.r.Context()
	return x.mux.opts.Authorizer.Authorize(ctx, CallerFrom(ctx), Call{
		Service:   x.mount.service,
		Operation: op,
		Input:     in.Interface(),
		members:   func(name string) string { return x.mount.stringMember(in.Elem(), name) },
	})
}

func (sc *schema) stringMember(in reflect.Value, name string) string {
	for _, m := range sc.plan(in.Type()).members {
		if m.name == name && in.Field(m.index).Kind() == reflect.String {
			return in.Field(m.index).String()
		}
	}
	return ""
}

func (x *exchange) decode() (reflect.Value, *violations, error) {
	op := x.call.endpoint.op
	switch x.mount.service.Protocol {
	case JSON:
		return x.mount.jsonInput(op, x.body)
	case Query:
		return x.mount.queryInput(op, x.call.form)
	}
	return x.mount.restInput(op, x.r, x.call.labels, x.body)
}

// recover turns a panic into an internal failure. The connection stays usable
// unless the answer had begun.
func (x *exchange) recover() {
	caught := recover()
	if caught == nil {
		return
	}
	if err, ok := caught.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(caught)
	}
	x.refuse(&panicked{value: caught, stack: stack()})
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
