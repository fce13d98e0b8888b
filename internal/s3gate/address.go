package s3gate

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// address is what a request is about: nothing (the list of buckets), a bucket or
// an object.
type address struct {
	bucket string
	key    string
}

// path is the address in path style. Keys may end in a slash; buckets never do.
func (a address) path() string {
	switch {
	case a.bucket == "":
		return "/"
	case a.key == "":
		return "/" + a.bucket
	}
	return "/" + a.bucket + "/" + a.key
}

// arn names the bucket or object in policies.
func (a address) arn() string {
	if a.key == "" {
		return "arn:aws:s3:::" + a.bucket
	}
	return "arn:aws:s3:::" + a.bucket + "/" + a.key
}

// hostsOf are the hosts to compare with, the longest first, so that of
// iot.example.com and example.com the nearer one counts.
func hostsOf(names []string) []string {
	hosts := make([]string, 0, len(names))
	for _, name := range names {
		if net.ParseIP(name) == nil && name != "" { // nothing stands before an address
			hosts = append(hosts, strings.ToLower(name))
		}
	}
	slices.SortFunc(hosts, func(a, b string) int { return len(b) - len(a) })
	return hosts
}

// bucketOf gives the bucket that stands in a Host header: BUCKET.HOST or
// BUCKET.s3.HOST. s3.HOST and HOST name none.
func bucketOf(hosts []string, host string) (bucket string, s3Host bool) {
	host = strings.ToLower(host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if slices.Contains(hosts, host) {
		return "", false
	}
	for _, known := range hosts {
		before, ok := strings.CutSuffix(host, "."+known)
		switch {
		case !ok:
		case before == "s3":
			return "", true
		default:
			return strings.TrimSuffix(before, ".s3"), true
		}
	}
	return "", false
}

// addressOf reads the address of a request in either style.
func addressOf(hosts []string, r *http.Request) (address, error) {
	sent := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	bucket, _ := bucketOf(hosts, r.Host)
	if bucket == "" {
		bucket, sent, _ = strings.Cut(sent, "/")
	}
	key, err := url.PathUnescape(sent)
	if err != nil {
		return address{}, invalidArgument("The path cannot be read.")
	}
	a := address{bucket, key}
	return a, a.check()
}

// bucketPattern is the rule for names of general purpose buckets, as far as it
// keeps them apart from paths and addresses.
var bucketPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]|\.[a-z0-9]){1,61}[a-z0-9]$`)

const (
	keyMax = 1024 // bytes (Amazon S3 user guide, "Naming objects")
	// segmentMax is what file systems take, 255 bytes, less what the backend puts
	// around a name while it replaces a file.
	segmentMax = 227
)

// reserved is where the backend keeps uploads that are not complete.
const reserved = ".sgwtmp"

func (a address) check() error {
	switch {
	case a.bucket == "" && a.key == "":
		return nil
	case !bucketPattern.MatchString(a.bucket) || len(a.bucket) > 63 || net.ParseIP(a.bucket) != nil:
		return errorf(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	case a.key == "":
		return nil
	}
	return checkKey(a.key)
}

// checkKey lets in the keys that are one file each. Two keys that a file system
// would take for the same could be used to go around a policy, and ".." to leave
// the folder.
func checkKey(key string) error {
	switch {
	case len(key) > keyMax:
		return errorf(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	case !utf8.ValidString(key) || strings.ContainsAny(key, "\x00\\"):
		return invalidArgument("Object keys must be UTF-8 without NUL and backslash.")
	}
	segments := strings.Split(strings.TrimSuffix(key, "/"), "/")
	for _, segment := range segments {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return invalidArgument("Object keys with empty, '.' or '..' segments cannot be stored.")
		case len(segment) > segmentMax:
			return errorf(http.StatusBadRequest, "KeyTooLongError", "Between two slashes an object key has at most 227 bytes.")
		}
	}
	if segments[0] == reserved {
		return invalidArgument("Object keys must not begin with %s/.", reserved)
	}
	return nil
}
