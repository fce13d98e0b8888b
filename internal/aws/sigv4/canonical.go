package sigv4

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// variant is one of the ways in which clients build what they sign.
type variant struct {
	host string
	path string
	skip []string // query parameters that are not signed
}

// canonical is the text whose hash is signed (AWS, "Create a canonical
// request").
func (s *Signature) canonical(v variant) string {
	var b strings.Builder
	b.WriteString(s.request.method + "\n")
	b.WriteString(s.canonicalPath(v.path) + "\n")
	b.WriteString(canonicalQuery(s.request.query, v.skip) + "\n")
	for _, name := range s.SignedHeaders {
		b.WriteString(name + ":" + s.headerValue(name, v.host) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.SignedHeaders, ";") + "\n")
	b.WriteString(s.payload())
	return b.String()
}

// canonicalPath escapes the path as sent once more, which is the rule for all
// services but S3.
func (s *Signature) canonicalPath(sent string) string {
	if sent == "" {
		return "/"
	}
	if s.Service == "s3" {
		return sent
	}
	return escape(sent, true)
}

// canonicalQuery sorts the parameters and escapes them AWS's way.
func canonicalQuery(raw string, skip []string) string {
	var params []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = unescapeQuery(name), unescapeQuery(value)
		if !slices.Contains(skip, name) {
			// 0x00 sorts before every byte that an escaped name can hold, so
			// "a" comes before "a-b" as it must.
			params = append(params, escape(name, false)+"\x00"+escape(value, false))
		}
	}
	slices.Sort(params)
	return strings.ReplaceAll(strings.Join(params, "&"), "\x00", "=")
}

// unescapeQuery leaves alone what is no valid escape: the signature then simply
// does not match.
func unescapeQuery(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// escape writes every byte but the unreserved ones of RFC 3986 as %XX.
func escape(s string, keepSlash bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved(c) || c == '/' && keepSlash {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
	}
	return b.String()
}

func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '_' || c == '.' || c == '~'
}

// headerValue is a header as it is signed: values trimmed, runs of spaces made
// one, several values joined by commas.
func (s *Signature) headerValue(name, host string) string {
	if name == "host" {
		return host
	}
	values := s.request.header[http.CanonicalHeaderKey(name)]
	if len(values) == 0 && name == "content-length" && s.request.length >= 0 {
		return strconv.FormatInt(s.request.length, 10)
	}
	trimmed := make([]string, len(values))
	for i, value := range values {
		trimmed[i] = strings.Join(strings.FieldsFunc(value, isSpace), " ")
	}
	return strings.Join(trimmed, ",")
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' }

// payload is what stands for the body. S3 clients that presign do not know the
// body yet; everybody else signs its hash.
func (s *Signature) payload() string {
	switch {
	case s.PayloadHash != "":
		return s.PayloadHash
	case s.Presigned && s.Service == "s3":
		return UnsignedPayload
	case s.bodyHash != "":
		return s.bodyHash
	}
	return HashOf(nil)
}

// variants are the canonical forms to try, the likeliest first.
func (s *Signature) variants() []variant {
	var all []variant
	for _, skip := range s.tokenVariants() {
		for _, p := range s.pathVariants() {
			for _, host := range s.hostVariants() {
				all = append(all, variant{host: host, path: p, skip: skip})
			}
		}
	}
	return all
}

// tokenVariants: the device SDKs append the session token to a presigned
// WebSocket URL after signing, other signers sign it.
func (s *Signature) tokenVariants() [][]string {
	if !s.Presigned {
		return [][]string{nil}
	}
	without := []string{"X-Amz-Signature", "X-Amz-Security-Token"}
	if s.SessionToken == "" {
		return [][]string{without}
	}
	return [][]string{without, {"X-Amz-Signature"}}
}

// pathVariants: botocore signs a path without empty and dot segments, and sends
// it as it was.
func (s *Signature) pathVariants() []string {
	sent := s.request.path
	if s.Service == "s3" || sent == "" {
		return []string{sent}
	}
	clean := path.Clean(sent)
	if strings.HasSuffix(sent, "/") && clean != "/" {
		clean += "/"
	}
	if clean == sent {
		return []string{sent}
	}
	return []string{sent, clean}
}

// hostVariants: the JavaScript device SDK signs the port where it is not 443,
// the Python one never does.
func (s *Signature) hostVariants() []string {
	hosts := []string{s.request.host}
	if !s.Presigned {
		return hosts
	}
	bare := withoutPort(s.request.host)
	if bare != s.request.host {
		hosts = append(hosts, bare)
	}
	if s.request.port != "" && bare+":"+s.request.port != s.request.host {
		hosts = append(hosts, bare+":"+s.request.port)
	}
	return hosts
}

// withoutPort keeps the brackets of an IPv6 address.
func withoutPort(host string) string {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return host
	}
	return host[:colon]
}
