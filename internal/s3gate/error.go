package s3gate

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// apiError is an error as S3 clients read it (Amazon S3 API, "Error responses").
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func errorf(status int, code, format string, args ...any) *apiError {
	return &apiError{status, code, fmt.Sprintf(format, args...)}
}

var (
	errAccessDenied  = errorf(http.StatusForbidden, "AccessDenied", "Access Denied")
	errSlowDown      = errorf(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	errInternal      = errorf(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
	errTooSkewed     = errorf(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	errExpired       = errorf(http.StatusForbidden, "AccessDenied", "Request has expired")
	errNoSuchVersion = errorf(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	errNoBucketName  = errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
)

func invalidArgument(format string, args ...any) *apiError {
	return errorf(http.StatusBadRequest, "InvalidArgument", format, args...)
}

func notImplemented(format string, args ...any) *apiError {
	return errorf(http.StatusNotImplemented, "NotImplemented", format, args...)
}

// s3Codes gives S3's names for the ways in which a signature fails.
var s3Codes = map[fault.Code]struct {
	status int
	code   string
}{
	sigv4.CodeIncomplete:   {http.StatusBadRequest, "AuthorizationHeaderMalformed"},
	sigv4.CodeInvalid:      {http.StatusForbidden, "SignatureDoesNotMatch"},
	sigv4.CodeUnrecognized: {http.StatusForbidden, "InvalidAccessKeyId"},
	sigv4.CodeExpiredToken: {http.StatusBadRequest, "ExpiredToken"},
	fault.CodeAccessDenied: {http.StatusForbidden, "AccessDenied"},
}

// fromFault says a fault in S3's words; what is none stays hidden.
func fromFault(err error) *apiError {
	code := fault.CodeOf(err)
	if code == sigv4.CodeMissing {
		return errAccessDenied
	}
	known, ok := s3Codes[code]
	if !ok {
		return errInternal
	}
	return errorf(known.status, known.code, "%s", message(err))
}

// answerError writes S3's error document. Answers to HEAD have no body.
func answerError(w http.ResponseWriter, r *http.Request, e *apiError) {
	id := requestID()
	body, err := xml.Marshal(errorDocument{Code: e.code, Message: e.message, Resource: r.URL.Path, RequestID: id})
	if err != nil {
		body = nil
	}
	w.Header().Set("X-Amz-Request-Id", id)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append([]byte(xml.Header), body...))
	}
}

type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
}

func requestID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
