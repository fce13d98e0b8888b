// Package fault is the one kind of error that crosses package walls with a
// meaning. A noun says what is wrong in the caller's words and picks a Code;
// each door (the AWS front, MQTT, the shadow and job topics) maps the code once
// to its own form. Every other error is internal: logged, and hidden from the
// caller.
//
//	return Thing{}, fault.NotFound("Thing %s not found", name)
//
// Codes are spelled like the AWS exceptions without their suffix, because that
// is what most doors answer with.
package fault

import (
	"errors"
	"fmt"
)

// Code says what kind of thing went wrong, in the words of the AWS service
// models (exception names without "Exception").
type Code string

// The codes. The status behind each is the control plane's; data planes differ
// where their doors say so.
const (
	Internal                   Code = "InternalFailure"             // 500, never shown in detail
	CodeInvalidRequest         Code = "InvalidRequest"              // 400
	CodeValidation             Code = "Validation"                  // 400, the newer API families
	CodeMalformedPolicy        Code = "MalformedPolicy"             // 400
	CodeSQLParse               Code = "SqlParse"                    // 400
	CodeInvalidQuery           Code = "InvalidQuery"                // 400
	CodeInvalidAggregation     Code = "InvalidAggregation"          // 400
	CodeIndexNotReady          Code = "IndexNotReady"               // 400
	CodeInvalidResponse        Code = "InvalidResponse"             // 400
	CodeCertificateValidation  Code = "CertificateValidation"       // 400
	CodeRegistrationCode       Code = "RegistrationCodeValidation"  // 400
	CodeRegistrationFailure    Code = "ResourceRegistrationFailure" // 400
	CodeTaskAlreadyExists      Code = "TaskAlreadyExists"           // 400
	CodeThrottling             Code = "Throttling"                  // 400; 429 on the data planes
	CodeUnauthorized           Code = "Unauthorized"                // 401
	CodeServiceQuotaExceeded   Code = "ServiceQuotaExceeded"        // 402
	CodeForbidden              Code = "Forbidden"                   // 403, data planes
	CodeAccessDenied           Code = "AccessDenied"                // 403, IAM said no
	CodeNotFound               Code = "ResourceNotFound"            // 404
	CodeNotConfigured          Code = "NotConfigured"               // 404
	CodeMethodNotAllowed       Code = "MethodNotAllowed"            // 405
	CodeCertificateState       Code = "CertificateState"            // 406
	CodeAlreadyExists          Code = "ResourceAlreadyExists"       // 409
	CodeConflict               Code = "Conflict"                    // 409
	CodeConflictingUpdate      Code = "ConflictingResourceUpdate"   // 409
	CodeCertificateConflict    Code = "CertificateConflict"         // 409
	CodeDeleteConflict         Code = "DeleteConflict"              // 409
	CodeInvalidStateTransition Code = "InvalidStateTransition"      // 409
	CodeTransferConflict       Code = "TransferConflict"            // 409
	CodeVersionConflict        Code = "VersionConflict"             // 409
	CodeVersionsLimitExceeded  Code = "VersionsLimitExceeded"       // 409
	CodeLimitExceeded          Code = "LimitExceeded"               // 410
	CodeTransferCompleted      Code = "TransferAlreadyCompleted"    // 410
	CodeTerminalState          Code = "TerminalState"               // 410
	CodeEntityTooLarge         Code = "RequestEntityTooLarge"       // 413
	CodeUnsupportedEncoding    Code = "UnsupportedDocumentEncoding" // 415
	CodeNotImplemented         Code = "NotImplemented"              // 501
	CodeServiceUnavailable     Code = "ServiceUnavailable"          // 503
	CodeGatewayTimeout         Code = "GatewayTimeout"              // 504
)

// Error is what a caller may be told.
type Error struct {
	Code    Code
	Message string // for the caller: what is wrong and, where it helps, what to do

	// Form and Of are what Message was made of, for doors that speak other
	// languages than English.
	Form string
	Of   []any

	// ResourceID and ResourceARN name the resource that is in the way, for
	// codes such as CodeAlreadyExists. AWS clients read them.
	ResourceID  string
	ResourceARN string

	cause error // for the log only
}

// Error gives the message and, for the log, its cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap gives the cause, so that errors.Is sees through a fault.
func (e *Error) Unwrap() error { return e.cause }

// New makes a fault. A %w in format keeps its error as the cause, but the
// caller then reads that error's text: use Because for causes that are not
// theirs to see.
func New(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Form: format, Of: args, cause: errors.Unwrap(err)}
}

// Because adds the cause that only the log shows.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// About names the resource that the fault is about.
func (e *Error) About(id, arn string) *Error {
	e.ResourceID, e.ResourceARN = id, arn
	return e
}

// InvalidRequest is a request that can never succeed as it is.
func InvalidRequest(format string, args ...any) *Error {
	return New(CodeInvalidRequest, format, args...)
}

// NotFound is a resource that does not exist.
func NotFound(format string, args ...any) *Error { return New(CodeNotFound, format, args...) }

// AlreadyExists is a name that is taken; say About whom.
func AlreadyExists(format string, args ...any) *Error {
	return New(CodeAlreadyExists, format, args...)
}

// VersionConflict is an expected version that is not the current one.
func VersionConflict(format string, args ...any) *Error {
	return New(CodeVersionConflict, format, args...)
}

// DeleteConflict is something that still hangs on what should go.
func DeleteConflict(format string, args ...any) *Error {
	return New(CodeDeleteConflict, format, args...)
}

// LimitExceeded is a quota that is used up.
func LimitExceeded(format string, args ...any) *Error {
	return New(CodeLimitExceeded, format, args...)
}

// Forbidden is a caller whose policies do not allow it.
func Forbidden(format string, args ...any) *Error { return New(CodeForbidden, format, args...) }

// NotImplemented is an operation that thingd knows of and does not have.
func NotImplemented(format string, args ...any) *Error {
	return New(CodeNotImplemented, format, args...)
}

// CodeOf gives the code of the fault in err's chain: "" for no error, Internal
// for an error that is no fault.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Code
	}
	return Internal
}

// Is says whether err is a fault of this code.
func Is(err error, code Code) bool { return CodeOf(err) == code }
