package sigv4

import "thingd/internal/fault"

// The ways in which a signature fails, spelled like AWS's exceptions without
// their suffix.
const (
	CodeMissing      fault.Code = "MissingAuthenticationToken" // no signature at all
	CodeIncomplete   fault.Code = "IncompleteSignature"        // one that cannot be read
	CodeInvalid      fault.Code = "InvalidSignature"           // wrong, or not valid now
	CodeUnrecognized fault.Code = "UnrecognizedClient"         // unknown access key or token
	CodeExpiredToken fault.Code = "ExpiredToken"               // temporary credentials past their time
)

// Unrecognized is for whoever looks up secrets: nobody has this access key, or
// its session token is another.
func Unrecognized() error {
	return fault.New(CodeUnrecognized, "The security token included in the request is invalid.")
}

// ExpiredToken is for whoever looks up secrets: the session is over. Clients
// fetch new credentials when they read its name.
func ExpiredToken() error {
	return fault.New(CodeExpiredToken, "The security token included in the request is expired.")
}

func missing() error {
	return fault.New(CodeMissing, "The request is not signed: it has neither an Authorization header of the form %s nor a signature in its query string. A device presents its certificate instead.", algorithm)
}

func incomplete(format string, args ...any) error {
	return fault.New(CodeIncomplete, format, args...)
}

func invalid(format string, args ...any) error {
	return fault.New(CodeInvalid, format, args...)
}
