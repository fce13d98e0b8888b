package wire

import (
	"cmp"
	"errors"
	"slices"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
)

// Codes that only this door knows.
const (
	codeViolation        fault.Code = "ConstraintViolation" // the input fails its constraints
	codeUnknownOperation fault.Code = "UnknownOperation"
)

// spelling is how a code leaves the door. The families of services have their
// own words for the same thing, and their models say which.
type spelling struct {
	names    []string // exceptions that may stand for it, the best first; the code's own comes last
	fallback string   // exception of a service that models none of them; "" means the code's own
	query    string   // the same for Query services; "" means the bare code
	status   int      // where no model says it
	outside  bool     // arises before any operation does: the models' errors of that name mean something else
}

var spellings = map[fault.Code]spelling{
	codeViolation: {
		names:    []string{"InvalidRequestException", "ValidationException"},
		fallback: "ValidationException", query: "ValidationError", status: 400,
	},
	fault.CodeInvalidRequest: {
		names:    []string{"InvalidRequestException", "ValidationException", "InvalidInputException"},
		fallback: "ValidationException", query: "ValidationError", status: 400,
	},
	fault.CodeValidation: {
		names:    []string{"ValidationException", "InvalidRequestException", "InvalidInputException"},
		fallback: "ValidationException", query: "ValidationError", status: 400,
	},
	fault.CodeMalformedPolicy: {names: []string{"MalformedPolicyException", "MalformedPolicyDocumentException"}, status: 400},
	fault.CodeNotFound:        {names: []string{"ResourceNotFoundException", "ResourceNotFound", "NoSuchEntityException"}, status: 404},
	fault.CodeAlreadyExists: {
		names:  []string{"ResourceAlreadyExistsException", "EntityAlreadyExistsException", "ConflictException", "ResourceInUse"},
		status: 409,
	},
	fault.CodeConflict: {
		names:  []string{"ConflictException", "ConflictingResourceUpdateException", "ConcurrentModificationException", "ResourceInUse"},
		status: 409,
	},
	fault.CodeConflictingUpdate: {
		names:  []string{"ConflictingResourceUpdateException", "ConflictException", "ConcurrentModificationException"},
		status: 409,
	},
	fault.CodeVersionConflict: {
		names:  []string{"VersionConflictException", "ConflictException", "ConcurrentModificationException"},
		status: 409,
	},
	fault.CodeDeleteConflict:       {names: []string{"DeleteConflictException", "ConflictException", "ResourceInUse"}, status: 409},
	fault.CodeLimitExceeded:        {names: []string{"LimitExceededException", "ServiceQuotaExceededException", "ResourceLimitExceeded"}, status: 410},
	fault.CodeServiceQuotaExceeded: {names: []string{"ServiceQuotaExceededException", "LimitExceededException", "ResourceLimitExceeded"}, status: 402},
	fault.CodeForbidden: {
		names:    []string{"ForbiddenException", "AccessDeniedException"},
		fallback: "AccessDeniedException", query: "AccessDenied", status: 403,
	},
	fault.CodeAccessDenied: {
		names:    []string{"AccessDeniedException", "ForbiddenException"},
		fallback: "AccessDeniedException", query: "AccessDenied", status: 403,
	},
	fault.Internal: {
		names: []string{"InternalFailureException", "InternalServerException", "InternalException", "ServiceFailureException"},
		query: "InternalFailure", status: 500,
	},

	fault.CodeInvalidQuery:           {status: 400},
	fault.CodeSQLParse:               {status: 400},
	fault.CodeInvalidAggregation:     {status: 400},
	fault.CodeIndexNotReady:          {status: 400},
	fault.CodeInvalidResponse:        {status: 400},
	fault.CodeCertificateValidation:  {status: 400},
	fault.CodeRegistrationCode:       {status: 400},
	fault.CodeRegistrationFailure:    {status: 400},
	fault.CodeTaskAlreadyExists:      {status: 400},
	fault.CodeThrottling:             {status: 400},
	fault.CodeUnauthorized:           {status: 401},
	fault.CodeNotConfigured:          {status: 404},
	fault.CodeMethodNotAllowed:       {status: 405},
	fault.CodeCertificateState:       {status: 406},
	fault.CodeCertificateConflict:    {status: 409},
	fault.CodeInvalidStateTransition: {status: 409},
	fault.CodeTransferConflict:       {status: 409},
	fault.CodeVersionsLimitExceeded:  {status: 409},
	fault.CodeTransferCompleted:      {status: 410},
	fault.CodeTerminalState:          {status: 410},
	fault.CodeEntityTooLarge:         {status: 413},
	fault.CodeUnsupportedEncoding:    {status: 415},
	fault.CodeNotImplemented:         {status: 501},
	fault.CodeServiceUnavailable:     {status: 503},
	fault.CodeGatewayTimeout:         {status: 504},

	codeSerialization:      {query: "MalformedInput", status: 400, outside: true},
	codeUnknownOperation:   {query: "InvalidAction", status: 404, outside: true},
	sigv4.CodeMissing:      {status: 403, outside: true},
	sigv4.CodeIncomplete:   {status: 403, outside: true},
	sigv4.CodeInvalid:      {query: "SignatureDoesNotMatch", status: 403, outside: true},
	sigv4.CodeUnrecognized: {query: "InvalidClientTokenId", status: 403, outside: true},
	sigv4.CodeExpiredToken: {status: 403, outside: true},
}

// Problem is an error as one service words it.
type Problem struct {
	Name    string // of the exception, such as "ResourceNotFoundException"; the code for Query services
	Status  int    // HTTP
	Message string

	// Members are further members of the error's body: resourceId, resourceArn.
	Members map[string]string

	messageName string // the member that holds the message
}

// Error words err as s does, for its operation op, which may be nil. An error
// that is no fault becomes an internal failure without a word of what it was:
// who calls logs it.
func Error(s *Service, op *Operation, err error) Problem {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code == fault.Internal {
		f = fault.New(fault.Internal, "An internal failure occurred. The server's log has the reason under the request ID.")
	}
	p := name(s, op, f.Code)
	p.Message = f.Message
	p.Members = map[string]string{}
	if f.ResourceID != "" {
		p.Members["resourceId"] = f.ResourceID
	}
	if f.ResourceARN != "" {
		p.Members["resourceArn"] = f.ResourceARN
	}
	return p
}

// name picks the exception for a code: one that the operation models, else one
// that the service has, else what such a service says.
func name(s *Service, op *Operation, code fault.Code) Problem {
	sp := spellings[code]
	own := string(code) + "Exception"
	if !sp.outside {
		if shape := modelled(s, op, append(slices.Clone(sp.names), own)); shape != nil {
			return Problem{Name: shape.wireName(s.Protocol), Status: shape.Status, messageName: shape.Message}
		}
	}
	p := Problem{Name: cmp.Or(sp.fallback, own), Status: cmp.Or(sp.status, 400), messageName: "message"}
	switch {
	case s.Protocol == Query:
		p.Name = cmp.Or(sp.query, string(code))
	case s.Protocol == JSON && p.Status < 500:
		p.Status = 400 // the only status that JSON 1.1 has for clients' mistakes
	}
	return p
}

// modelled finds the first candidate among the operation's errors, else among
// the service's.
func modelled(s *Service, op *Operation, candidates []string) *ErrorShape {
	if op != nil {
		for _, candidate := range candidates {
			if slices.Contains(op.Errors, candidate) {
				return s.errorShape(candidate)
			}
		}
	}
	for _, candidate := range candidates {
		if shape := s.errorShape(candidate); shape != nil {
			return shape
		}
	}
	return nil
}
