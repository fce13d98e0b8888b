package console

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/policy"
)

// visit is one request of somebody who is signed in.
type visit struct {
	*Console
	w       http.ResponseWriter
	r       *http.Request
	session *session
	actor   *iam.Actor
	lang    string
	audit   []any // what the log says of a change, beside who and what
	refused error // why a form was shown again
	trial   bool  // the POST changed nothing and is not logged
}

// bodyMax bounds a form, bytes: a payload of 128 KiB whose every byte is escaped.
const bodyMax = 512 << 10

// bodyLimit is bodyMax for all but uploads.
func bodyLimit(pattern string) int64 {
	if pattern == uploadPattern || pattern == manifestPattern {
		return uploadMax
	}
	return bodyMax
}

// page wraps a handler of signed-in people: it finds the session, checks the
// CSRF token of changes, logs them, and turns errors into pages.
func (c *Console) page(handle func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Console: c, w: w, r: r, lang: languageOf(r)}
		if err := v.identify(); err != nil {
			v.fail(err)
			return
		}
		if v.session == nil {
			c.askToSignIn(w, r)
			return
		}
		if r.Method == http.MethodPost {
			v.change(handle)
			return
		}
		if err := handle(v); err != nil {
			v.fail(err)
		}
	}
}

// identify finds out who is there. A key that is gone or turned off is nobody.
func (v *visit) identify() error {
	cookie, err := v.r.Cookie(cookieName(v.r))
	if err != nil {
		return nil //nolint:nilerr // no cookie, nobody
	}
	found := v.sessions.find(cookie.Value)
	if found == nil {
		return nil
	}
	actor, _, err := v.IAM.Find(v.r.Context(), found.key, "")
	if err != nil {
		if fault.CodeOf(err) == fault.Internal {
			return err
		}
		v.sessions.remove(cookie.Value)
		return nil
	}
	about := policy.Values{}
	if source, ok := remoteAddr(v.r); ok {
		about.Set(policy.KeySourceIP, source)
	}
	about.Set(policy.KeySecureTransport, "false") // as in the API on this door
	v.session, v.actor = found, actor.With(about)
	// Services that ask who their caller is (iam:PassRole) find the visitor.
	v.r = v.r.WithContext(wire.WithCaller(v.r.Context(), wire.Caller{
		Kind: wire.AccessKey, AccountID: v.Scope.Account, ARN: actor.ARN, UserID: actor.UserID, AccessKeyID: actor.AccessKeyID, Detail: v.actor,
	}))
	return nil
}

// askToSignIn sends people to the form and programs away.
func (c *Console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	to := Root + "signin"
	if r.Method == http.MethodGet && r.Header.Get("HX-Request") == "" && r.Header.Get("Accept") != "text/event-stream" {
		http.Redirect(w, r, to+"?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		return
	}
	w.Header().Set("HX-Redirect", to)
	http.Error(w, "sign in at "+to, http.StatusUnauthorized)
}

// change runs a handler that changes something.
func (v *visit) change(handle func(*visit) error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, bodyLimit(v.r.Pattern))
	err := v.checkToken()
	if err == nil {
		err = handle(v)
	}
	what := append([]any{"who", v.actor.ARN, "key", v.actor.AccessKeyID, "what", v.r.Pattern, "path", v.r.URL.Path}, v.audit...)
	v.auditChange(err)
	if err != nil {
		v.Log.Warn("console: a change was refused", append(what, "error", err)...)
		v.fail(err)
		return
	}
	switch {
	case v.refused != nil:
		v.Log.Warn("console: a change was refused", append(what, "error", v.refused)...)
	case !v.trial:
		v.Log.Info("console: a change was made", what...)
	}
}

// checkToken wants the session's CSRF token in the form or in a header.
func (v *visit) checkToken() error {
	if err := v.r.ParseForm(); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return fault.New(fault.CodeEntityTooLarge, "the form is too large")
		}
		return fault.InvalidRequest("the form cannot be read")
	}
	given := v.r.Header.Get("X-CSRF-Token")
	if given == "" {
		given = v.r.PostForm.Get("csrf")
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(v.session.csrf)) != 1 {
		return v.fault(fault.CodeForbidden, "error.csrf")
	}
	return nil
}

// note adds to what the log says of a change.
func (v *visit) note(name string, value any) { v.audit = append(v.audit, name, value) }

// may asks the policies of whoever is signed in. resource is an ARN or "*".
func (v *visit) may(action, resource string) error {
	return v.IAM.Check(v.r.Context(), v.actor, action, resource, nil)
}

// mayIoT asks about a resource of the IoT service.
func (v *visit) mayIoT(action, kind, name string) error {
	return v.may("iot:"+action, v.Scope.IoT(kind, name))
}

// form gives a field of a form, without blanks around it.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// query gives a parameter of the address.
func (v *visit) query(name string) string { return strings.TrimSpace(v.r.URL.Query().Get(name)) }

// to sends the browser elsewhere in the console after a change; the page there
// says the sentence of the key.
func (v *visit) to(path, key string, args ...any) error {
	if key != "" {
		v.session.say(v.text(key, args...))
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// text gives words of the visitor's language.
func (v *visit) text(key string, args ...any) string { return say(v.lang, key, args...) }

// render writes a page.
func (v *visit) render(name string, data any) error { return v.renderWith(http.StatusOK, name, data) }

func (v *visit) renderWith(status int, name string, data any) error {
	view := &view{visit: v, Page: name, Data: data}
	if v.session != nil {
		view.Flash = v.session.said()
	}
	var page bytes.Buffer
	if err := templates[name]().ExecuteTemplate(&page, "layout", view); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	if status >= http.StatusBadRequest && v.refused == nil {
		v.refused = v.wrong("error")
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", v.lang)
	v.w.WriteHeader(status)
	_, _ = page.WriteTo(v.w)
	return nil
}

// statuses are the codes that are not plain mistakes in a form.
var statuses = map[fault.Code]int{
	fault.Internal:           http.StatusInternalServerError,
	fault.CodeNotFound:       http.StatusNotFound,
	fault.CodeForbidden:      http.StatusForbidden,
	fault.CodeAccessDenied:   http.StatusForbidden,
	fault.CodeEntityTooLarge: http.StatusRequestEntityTooLarge,
	fault.CodeAlreadyExists:  http.StatusConflict,
	fault.CodeDeleteConflict: http.StatusConflict,
}

func statusOf(err error) int {
	if status, ok := statuses[fault.CodeOf(err)]; ok {
		return status
	}
	return http.StatusBadRequest
}

// fail answers with an error.
func (v *visit) fail(err error) {
	if fault.CodeOf(err) == fault.Internal {
		v.Log.Error("console: a request failed", "path", v.r.URL.Path, "error", err)
	}
	status := statusOf(err)
	if v.r.Header.Get("HX-Request") != "" { // a part of a page was asked for: the rest stays as it is
		v.w.Header().Set("HX-Retarget", "#problem")
		v.w.Header().Set("HX-Reselect", "#problem-text")
		v.w.Header().Set("HX-Reswap", "innerHTML")
	}
	if v.r.Header.Get("Accept") == "application/json" {
		http.Error(v.w, v.sentence(err), status)
		return
	}
	if failed := v.renderWith(status, "error", v.tell(err)); failed != nil {
		v.Log.Error("console: the error page failed", "error", failed)
		http.Error(v.w, v.sentence(err), status)
	}
}
