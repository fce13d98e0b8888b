package console

import (
	"net/http"
	"strings"

	"thingd/internal/fault"
)

// signInPage is what the sign-in form shows.
type signInPage struct {
	Next    string
	Problem told
	Key     string
}

// signIn shows the form or, with the token of the one-time link, signs in.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r, lang: languageOf(r)}
	page := signInPage{Next: nextOf(r.URL.Query().Get("next"))}
	token := r.URL.Query().Get("once")
	if token == "" || r.Method != http.MethodGet {
		v.show(http.StatusOK, page)
		return
	}
	actor, ok, err := c.redeem(r.Context(), token)
	if err != nil {
		v.fail(err)
		return
	}
	if !ok {
		page.Problem = v.told(v.text("signin.used"))
		v.show(http.StatusForbidden, page)
		return
	}
	c.Log.Info("console: signed in", "who", actor.ARN, "by", "one-time link", "from", r.RemoteAddr)
	v.welcome(actor.AccessKeyID, Root)
}

// signInWithKey takes an access key and its secret.
func (c *Console) signInWithKey(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r, lang: languageOf(r)}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		v.fail(fault.InvalidRequest("the form cannot be read"))
		return
	}
	key := v.form("key")
	at, actor, err := c.admit(r.Context(), key, v.form("secret"))
	if err != nil && fault.CodeOf(err) == fault.Internal {
		v.fail(err)
		return
	}
	if err != nil {
		c.Log.Warn("console: a sign-in failed", "key", key, "from", r.RemoteAddr)
		v.show(http.StatusForbidden, signInPage{Next: nextOf(v.form("next")), Problem: v.told(v.text("signin.wrong")), Key: key})
		return
	}
	v.Console = at
	at.Log.Info("console: signed in", "who", actor.ARN, "by", "access key", "from", r.RemoteAddr)
	v.welcome(key, nextOf(v.form("next")))
}

// welcome sets the cookie. The next page is asked for by this one and not by a
// redirect: a Strict cookie is not sent along a chain that another site began,
// such as a terminal in the browser in which the link was followed.
func (v *visit) welcome(key, next string) {
	setCookie(v.w, v.r, v.sessions.add(key, ""))
	v.w.Header().Set("Refresh", "0; url="+next)
	v.r.URL.RawQuery = ""
	if err := v.render("welcome", next); err != nil {
		v.fail(err)
	}
}

func (v *visit) show(status int, page signInPage) {
	if err := v.renderWith(status, "signin", page); err != nil {
		v.fail(err)
	}
}

// nextOf keeps the way back within the console.
func nextOf(next string) string {
	if !strings.HasPrefix(next, Root) || strings.HasPrefix(next, Root+"signin") || strings.ContainsAny(next, "\\;, \r\n") {
		return Root
	}
	return next
}

// signOut ends the session. Who came from another account is there again.
func (v *visit) signOut() error {
	if cookie, err := v.r.Cookie(cookieName(v.r)); err == nil {
		v.sessions.remove(cookie.Value)
	}
	setCookie(v.w, v.r, v.session.from)
	to := Root + "signin"
	if v.session.from != "" {
		to = Root + "settings/accounts"
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}
