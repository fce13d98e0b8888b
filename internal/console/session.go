package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"sync"
	"time"

	"thingd/internal/iam"
)

const (
	sessionLife = 12 * time.Hour // from signing in
	sessionMax  = 256            // signed in at once; the oldest goes
)

// session is one signed-in browser. It knows the access key and not its rights:
// those are asked for with every request, so that a key turned off ends it.
type session struct {
	key  string // access key ID
	csrf string
	born time.Time
	from string // cookie of the session that this one was opened from, in another account

	mu    sync.Mutex
	flash string // what the next page says at its top
}

// say leaves a sentence for the next page.
func (s *session) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flash = text
}

// said takes it.
func (s *session) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.flash
	s.flash = ""
	return text
}

// sessions are kept in memory, under the hash of their cookie.
type sessions struct {
	now func() time.Time
	mu  sync.Mutex
	all map[[32]byte]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[32]byte]*session{}}
}

// add makes a session for an access key and gives its cookie's value. from is the
// cookie to go back to in the end; "" for none.
func (s *sessions) add(key, from string) string {
	token := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom()
	s.all[sha256.Sum256([]byte(token))] = &session{key: key, csrf: rand.Text(), born: s.now(), from: from}
	return token
}

// makeRoom drops what has ended and, if that is not enough, the oldest.
func (s *sessions) makeRoom() {
	var oldest [32]byte
	var when time.Time
	for id, one := range s.all {
		if s.now().Sub(one.born) > sessionLife {
			delete(s.all, id)
		} else if when.IsZero() || one.born.Before(when) {
			oldest, when = id, one.born
		}
	}
	if len(s.all) >= sessionMax {
		delete(s.all, oldest)
	}
}

// find gives the session of a cookie; nil where there is none.
func (s *sessions) find(token string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(token))]
	if one == nil || s.now().Sub(one.born) > sessionLife {
		return nil
	}
	return one
}

func (s *sessions) remove(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(token)))
}

// cookieName is a name of this door's own: browsers do not tell the ports of one
// host apart, and two servers may run on this machine.
func cookieName(r *http.Request) string {
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "80"
	}
	return "thingd-session-" + port
}

// setCookie signs the browser in. The door is plain HTTP on loopback, so the
// cookie cannot be Secure; Strict keeps it from requests of other sites.
func setCookie(w http.ResponseWriter, r *http.Request, token string) {
	cookie := &http.Cookie{
		Name: cookieName(r), Value: token, Path: Root, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// redeem uses the one-time link up and signs in as the account's root.
func (c *Console) redeem(ctx context.Context, token string) (iam.Actor, bool, error) {
	c.mu.Lock()
	right := c.once != "" && c.Now().Before(c.ends) && subtle.ConstantTimeCompare([]byte(token), []byte(c.once)) == 1
	if right {
		c.once = ""
	}
	c.mu.Unlock()
	if !right {
		return iam.Actor{}, false, nil
	}
	root, err := c.IAM.RootKey(ctx)
	if err != nil {
		return iam.Actor{}, false, err
	}
	actor, err := c.IAM.SignIn(ctx, root.ID, root.Secret)
	return actor, err == nil, err
}
