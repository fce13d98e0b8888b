package wire

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// target is the operation that a request means.
type target struct {
	mount    *mount
	endpoint *endpoint // nil where there is none
	labels   map[string]string
	form     url.Values
	unknown  error // why there is none
}

// candidates are the services that a request may be for. The signature's scope
// says it best. A device certificate opens the data planes alone; without
// either they come first, because custom authorizers and curl speak to them.
func (m *Mux) candidates(r *http.Request, sig *sigv4.Signature) []*mount {
	if sig != nil {
		return m.where(func(s *Service) bool { return s.signs(sig.Service) })
	}
	devices := m.where(func(s *Service) bool { return s.Devices })
	if CallerFrom(r.Context()).Kind == Certificate {
		return devices
	}
	return append(devices, m.where(func(s *Service) bool { return !s.Devices })...)
}

func (m *Mux) where(is func(*Service) bool) []*mount {
	var found []*mount
	for _, mt := range m.mounts {
		if is(mt.service) {
			found = append(found, mt)
		}
	}
	return found
}

// readBody reads as much as the most patient of the candidates takes.
func readBody(w http.ResponseWriter, r *http.Request, mounts []*mount) ([]byte, error) {
	most := int64(bodyMaxDefault)
	for i, mt := range mounts {
		if i == 0 || mt.bodyMax > most {
			most = mt.bodyMax
		}
	}
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(most)
	}
	if err != nil {
		return nil, serialization("The request body ended too early.")
	}
	return body, nil
}

func tooLarge(most int64) error {
	return fault.New(fault.CodeEntityTooLarge, "The request body is larger than %d bytes.", most)
}

// resolve finds the operation among the candidates.
func resolve(mounts []*mount, r *http.Request, body []byte) target {
	// Only POST: a presigned GET covers no headers, so it must not be turned into
	// another operation by adding one.
	if name := r.Header.Get("X-Amz-Target"); name != "" && r.Method == http.MethodPost && anySpeaks(mounts, JSON) {
		return resolveTarget(mounts, name)
	}
	if form, ok := queryForm(mounts, r, body); ok {
		return resolveAction(mounts, form)
	}
	return resolvePath(mounts, r)
}

// resolveTarget reads "Prefix.Operation". The prefix of some services ends in
// an API version, which clients disagree about.
func resolveTarget(mounts []*mount, name string) target {
	prefix, op, _ := strings.Cut(name, ".")
	unknown := target{unknown: fault.New(codeUnknownOperation, "There is no operation %q.", clip(name))}
	for _, mt := range mounts {
		if mt.service.Protocol != JSON || !strings.EqualFold(prefix, mt.service.TargetPrefix) {
			continue
		}
		unknown.mount = mt
		if e := mt.byName[op]; e != nil {
			return target{mount: mt, endpoint: e}
		}
	}
	return unknown
}

// queryForm gives the parameters of a Query call: of the form in the body, or of
// the query string.
func queryForm(mounts []*mount, r *http.Request, body []byte) (url.Values, bool) {
	if r.URL.EscapedPath() != "/" && r.URL.EscapedPath() != "" || !anySpeaks(mounts, Query) {
		return nil, false
	}
	form := r.URL.Query()
	isForm := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if r.Method == http.MethodPost && isForm && strings.Count(string(body), "&") < formKeysMax {
		// What of a broken form can be read is enough to say what is missing.
		posted, _ := url.ParseQuery(string(body))
		for name, values := range posted {
			form[name] = values
		}
	}
	return form, form.Has("Action")
}

// anySpeaks says whether one of the services uses the protocol.
func anySpeaks(mounts []*mount, p Protocol) bool {
	return slices.ContainsFunc(mounts, func(mt *mount) bool { return mt.service.Protocol == p })
}

// resolveAction prefers the service whose version the form names: unsigned
// calls have no other hint.
func resolveAction(mounts []*mount, form url.Values) target {
	action, version := form.Get("Action"), form.Get("Version")
	unknown := target{unknown: fault.New(codeUnknownOperation, "Could not find operation %s for version %s.", clip(action), clip(version))}
	for _, mt := range mounts {
		if mt.service.Protocol != Query {
			continue
		}
		if unknown.mount == nil || version == mt.service.Version {
			unknown.mount = mt
		}
		if e := mt.byName[action]; e != nil && (version == "" || version == mt.service.Version) {
			return target{mount: mt, endpoint: e, form: form}
		}
	}
	return unknown
}

// resolvePath asks the REST services in turn. A path that is known with another
// method is 405 where the service has an error for it.
func resolvePath(mounts []*mount, r *http.Request) target {
	unknown := target{unknown: fault.New(codeUnknownOperation, "There is no operation at %s %s.", clip(r.Method), clip(r.URL.EscapedPath()))}
	for _, mt := range mounts {
		if mt.service.Protocol != RESTJSON {
			continue
		}
		found, known := mt.routes.find(r.Method, r.URL.EscapedPath())
		if found.endpoint != nil {
			return target{mount: mt, endpoint: found.endpoint, labels: found.labels}
		}
		if known && unknown.mount == nil && mt.service.errorShape("MethodNotAllowedException") != nil {
			unknown.mount = mt
			unknown.unknown = fault.New(fault.CodeMethodNotAllowed, "The method %s is not allowed on %s.", clip(r.Method), clip(r.URL.EscapedPath()))
		}
	}
	return unknown
}

// clip keeps what is repeated to the caller short.
func clip(s string) string {
	const longest = 256 // bytes
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return s
}
