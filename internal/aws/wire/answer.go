package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strconv"

	"thingd/internal/fault"
)

// answer sends what an operation gave.
func (x *exchange) answer(out reflect.Value) {
	op := x.call.endpoint.op
	status, header, body := op.Status, map[string]string(nil), []byte(nil)
	switch x.mount.service.Protocol {
	case JSON:
		body = x.mount.jsonOutput(op, out)
	case Query:
		body = x.mount.xmlOutput(op, out, x.id)
	default:
		status, header, body = x.mount.restOutput(op, out)
	}
	if op.Acknowledged {
		body = []byte(`{"message":"OK","traceId":"` + x.id + `"}`)
	}
	x.observe(Served{Status: status, output: reflect.Indirect(out)})
	x.send(status, header, body)
}

// refuse sends an error, and logs what its receiver must not read.
func (x *exchange) refuse(err error) {
	p := Error(x.mount.service, x.operation(), err)
	// A caller who has gone is no failure of ours.
	if fault.Is(err, fault.Internal) && x.r.Context().Err() == nil {
		x.log(err)
	}
	x.observe(Served{Status: p.Status, Exception: p.Name, Err: err})
	x.send(p.Status, map[string]string{"x-amzn-ErrorType": p.Name}, p.body(x.mount.service, x.id))
}

// observe completes s and passes it on.
func (x *exchange) observe(s Served) {
	s.RequestID, s.Service, s.Operation = x.id, x.mount.service.Name, x.operationName()
	s.Caller, s.SourceIP = CallerFrom(x.r.Context()), SourceIP(x.r.Context())
	s.Took = x.mux.opts.Now().Sub(x.began)
	s.schema, s.input = x.mount.schema, x.in
	x.mux.opts.Observe(s)
}

func (x *exchange) operationName() string {
	if op := x.operation(); op != nil {
		return op.Name
	}
	return ""
}

func (x *exchange) operation() *Operation {
	if x.call.endpoint == nil {
		return nil
	}
	return x.call.endpoint.op
}

// panicked is a panic on its way to the log.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func stack() string {
	buf := make([]byte, 16<<10)
	return string(buf[:runtime.Stack(buf, false)])
}

func (x *exchange) log(err error) {
	x.mux.opts.Log.ErrorContext(x.r.Context(), "request failed",
		"requestId", x.id, "service", x.mount.service.Name, "operation", x.operationName(), "error", err)
}

// body is the problem in the service's form.
func (p Problem) body(s *Service, requestID string) []byte {
	if s.Protocol == Query {
		return xmlError(s.XMLNamespace, p.Name, p.Message, requestID, p.Status)
	}
	b := []byte("{")
	if s.Protocol == JSON {
		b = append(append(append(b, `"__type":`...), appendString(nil, p.Name)...), ',')
	}
	b = append(append(appendString(b, p.messageName), ':'), appendString(nil, p.Message)...)
	for _, name := range []string{"resourceId", "resourceArn"} {
		if value, ok := p.Members[name]; ok {
			b = append(append(appendString(append(b, ','), name), ':'), appendString(nil, value)...)
		}
	}
	if tracesCalls(s) {
		b = append(append(b, `,"traceId":`...), appendString(nil, requestID)...)
	}
	return append(b, '}')
}

// tracesCalls: error bodies of the data plane repeat the request ID.
func tracesCalls(s *Service) bool { return s.Name == "iot-data" }

var contentTypes = map[Protocol]string{
	RESTJSON: "application/json",
	JSON:     "application/x-amz-json-1.1",
	Query:    "text/xml",
}

// send writes the answer.
func (x *exchange) send(status int, header map[string]string, body []byte) {
	h := x.w.Header()
	for name, value := range header {
		h[name] = []string{value}
	}
	// SDKs do not care how it is spelled, people who compare with AWS do.
	h["x-amzn-RequestId"] = []string{x.id}
	if tracesCalls(x.mount.service) {
		x.plainHeaders(h)
	} else {
		h["Content-Type"] = []string{contentTypes[x.mount.service.Protocol]}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		x.w.Write(body) // a client that has gone is nobody to tell
	}
}

// plainHeaders writes the data plane's header names the way AWS's broker does,
// because tutorials show them so: lower case, but for x-amzn-RequestId. Go keeps
// names as they are where they are not set through its own methods; a nil value
// under the usual name keeps it from adding its own.
func (x *exchange) plainHeaders(h http.Header) {
	expectAnswer(x.r.Context())
	h["content-type"] = []string{contentTypes[x.mount.service.Protocol]}
	h["Content-Type"] = nil
	h["date"] = []string{x.mux.opts.Now().UTC().Format(http.TimeFormat)}
	h["Date"] = nil
	if !x.r.Close && x.r.ProtoMajor == 1 && x.r.ProtoMinor == 1 {
		h["connection"] = []string{"keep-alive"}
	}
}
