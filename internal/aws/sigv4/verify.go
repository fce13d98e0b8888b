package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync"
	"time"
)

// keysMax bounds the derived keys a Verifier remembers; when they are full it
// forgets all of them. A key saves four HMACs and lives for a day at most.
const keysMax = 4096

// Verifier checks signatures against secrets. It may be used by many goroutines.
type Verifier struct {
	now func() time.Time

	mu   sync.Mutex
	keys map[keyName][]byte // guarded by mu
}

type keyName struct {
	secret string
	scope  Scope
}

// NewVerifier makes a Verifier that reads the time from now.
func NewVerifier(now func() time.Time) *Verifier {
	return &Verifier{now: now, keys: map[keyName][]byte{}}
}

// Verify says whether s was made with this secret, over this request, at a time
// that is still good. The error is a fault with CodeInvalid.
func (v *Verifier) Verify(s *Signature, secret string) error {
	if err := s.checkTime(v.now()); err != nil {
		return err
	}
	if err := s.checkBody(); err != nil {
		return err
	}
	key := v.key(secret, s.Scope)
	variants := s.variants()
	for _, form := range variants {
		want := hmacOf(key, s.stringToSign(s.canonical(form)))
		if subtle.ConstantTimeCompare(want, s.signature) == 1 {
			return nil
		}
	}
	return s.mismatch(variants[0])
}

// checkTime: header signatures are good for SkewMax around their date,
// presigned ones until they expire.
func (s *Signature) checkTime(now time.Time) error {
	life := SkewMax
	if s.Expires > 0 {
		life = s.Expires
	}
	const stamp = timeFormat
	if last := s.Time.Add(life); now.After(last) {
		return invalid("Signature expired: %s is now earlier than %s, the time here being %s.",
			s.Time.Format(stamp), now.Add(-life).UTC().Format(stamp), now.UTC().Format(stamp))
	}
	if s.Time.After(now.Add(SkewMax)) {
		return invalid("Signature not yet current: %s is still later than %s, the time here being %s.",
			s.Time.Format(stamp), now.Add(SkewMax).UTC().Format(stamp), now.UTC().Format(stamp))
	}
	return nil
}

// checkBody compares the body that came with the hash that was signed. Words
// such as UNSIGNED-PAYLOAD are not hashes, and promise nothing.
func (s *Signature) checkBody() error {
	const hexLen = 2 * sha256.Size
	if len(s.PayloadHash) != hexLen || s.bodyHash == "" || strings.EqualFold(s.PayloadHash, s.bodyHash) {
		return nil
	}
	return invalid("The body does not have the hash that X-Amz-Content-Sha256 says.")
}

func (s *Signature) stringToSign(canonical string) string {
	return strings.Join([]string{
		algorithm, s.Time.Format(timeFormat), s.Scope.String(), HashOf([]byte(canonical)),
	}, "\n")
}

// mismatch shows what was expected, because the difference to what the client
// signed is the only way to find the mistake. Tokens stay hidden.
func (s *Signature) mismatch(form variant) error {
	const longest = 4096 // bytes
	canonical := s.canonical(form)
	if s.SessionToken != "" {
		canonical = strings.ReplaceAll(canonical, s.SessionToken, "[hidden]")
		canonical = strings.ReplaceAll(canonical, escape(s.SessionToken, false), "[hidden]")
	}
	if len(canonical) > longest {
		canonical = canonical[:longest] + "..."
	}
	return invalid("The signature does not match this request and the secret of its access key. "+
		"Check the secret and how the request is signed. The canonical request is\n%s\nand its string to sign begins with %s %s %s.",
		canonical, algorithm, s.Time.Format(timeFormat), s.Scope)
}

func (v *Verifier) key(secret string, scope Scope) []byte {
	name := keyName{secret, scope}
	v.mu.Lock()
	defer v.mu.Unlock()
	if key := v.keys[name]; key != nil {
		return key
	}
	if len(v.keys) >= keysMax {
		clear(v.keys)
	}
	key := SigningKey(secret, scope)
	v.keys[name] = key
	return key
}

// SigningKey is the key that a secret yields for a scope.
func SigningKey(secret string, scope Scope) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{scope.Date, scope.Region, scope.Service, terminator} {
		key = hmacOf(key, part)
	}
	return key
}

func hmacOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
