package wire

import "strings"

// Protocol is how a service puts operations on HTTP.
type Protocol string

// The protocols of the services that thingd serves.
const (
	RESTJSON Protocol = "rest-json" // method and path name the operation, members go where the model binds them
	JSON     Protocol = "json"      // POST /, X-Amz-Target names the operation (AWS JSON 1.1)
	Query    Protocol = "query"     // a form whose Action names the operation, XML comes back
)

// Service is the wire interface of one AWS service: what its model says, as
// tables. The packages beside this one hold a generated value each. It is never
// written after start.
type Service struct {
	Name         string   // the model's name, such as "iot-data"
	ID           string   // the SDKs' name, such as "IoT Data Plane"
	Version      string   // API version, a date
	Protocol     Protocol // how operations travel
	JSONVersion  string   // of the JSON protocol: "1.1"
	TargetPrefix string   // before the dot of X-Amz-Target
	XMLNamespace string   // of Query answers
	SigningNames []string // service names in SigV4 scopes that mean this service
	ActionPrefix string   // before the colon of policy actions, such as "iot"
	Devices      bool     // whether client certificates may call it
	Operations   []Operation
	Errors       []ErrorShape
	Shapes       []Shape // those with constraints, sorted by name
}

// Operation is one row of a service: how a call arrives and what it takes.
type Operation struct {
	Name          string
	Method        string
	URI           string // "{label}" is a path segment, "{label+}" all that follow
	Status        int    // of success
	In            any    // nil pointer to the input structure
	Out           any    // nil pointer to the output structure; nil where there is none
	ResultWrapper string // Query: the element around the output
	Errors        []string
	Anonymous     bool // may be called without a signature
	Deprecated    bool
	Acknowledged  bool // answers {"message":"OK","traceId":...} although the model has no output
}

// ErrorShape is an error as the model has it.
type ErrorShape struct {
	Name    string   // "ResourceNotFoundException"
	Code    string   // what Query services write instead: "NoSuchEntity"
	Status  int      // HTTP
	Message string   // the member that holds the text: "message" or "Message"
	Members []string // the others: "resourceId", "resourceArn"
}

// Shape is what a member's value must satisfy. Rows exist only for shapes that
// constrain something, themselves or in what they hold.
type Shape struct {
	Name           string
	Min, Max       float64 // of the length of strings (characters), blobs (bytes), lists and maps; of the value of numbers
	HasMin, HasMax bool
	Pattern        string // as in the model: Java's syntax, the whole value must match
	Enum           []string
	Of             string // lists: the elements' shape
	Key, Value     string // maps
	Sensitive      bool   // violations do not show the value
}

// wireName is the name under which the error travels in this protocol.
func (e *ErrorShape) wireName(p Protocol) string {
	if p == Query && e.Code != "" {
		return e.Code
	}
	return e.Name
}

// Operation finds a row by name; nil where the model has none.
func (s *Service) Operation(name string) *Operation {
	for i := range s.Operations {
		if s.Operations[i].Name == name {
			return &s.Operations[i]
		}
	}
	return nil
}

// Action is the operation's name in policies, such as "iot:CreateThing".
func (s *Service) Action(op *Operation) string { return s.ActionPrefix + ":" + op.Name }

// signs says whether a SigV4 scope with this service name means s. Clients
// disagree about case ("IoTSecuredTunneling").
func (s *Service) signs(scope string) bool {
	for _, name := range s.SigningNames {
		if strings.EqualFold(name, scope) {
			return true
		}
	}
	return false
}

// errorShape finds an error by its model name; nil where the service has none.
func (s *Service) errorShape(name string) *ErrorShape {
	for i := range s.Errors {
		if s.Errors[i].Name == name {
			return &s.Errors[i]
		}
	}
	return nil
}
