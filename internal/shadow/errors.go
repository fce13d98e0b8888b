package shadow

import "thingd/internal/fault"

// The refusals, in the words of the service (developer guide, "Device Shadow
// error messages"). Clients match these texts.
func errJSON() error        { return fault.InvalidRequest("Invalid JSON") }
func errNoPayload() error   { return fault.InvalidRequest("Missing update payload") }
func errNoState() error     { return fault.InvalidRequest("Missing required node: state") }
func errState() error       { return fault.InvalidRequest("State node must be an object") }
func errDesired() error     { return fault.InvalidRequest("Desired node must be an object") }
func errReported() error    { return fault.InvalidRequest("Reported node must be an object") }
func errVersion() error     { return fault.InvalidRequest("Invalid version") }
func errClientToken() error { return fault.InvalidRequest("Invalid clientToken") }

// errDepth says 6 whatever the limit is: the text of the service never
// followed its own quota.
func errDepth() error {
	return fault.InvalidRequest("JSON contains too many levels of nesting; maximum is 6")
}

// errNode quotes no more of a member's name than helps to find it.
func errNode(name string) error {
	return fault.InvalidRequest("State contains an invalid node: '%s'", cut(name, 128))
}

// errAbsent names the thing for a classic shadow and the shadow for a named one.
func errAbsent(id ID) error {
	name := id.Name
	if name == "" {
		name = id.Thing
	}
	return fault.NotFound("No shadow exists with name: '%s'", name)
}

func errConflict() error { return fault.New(fault.CodeConflict, "Version conflict") }

func errTooLarge() error {
	return fault.New(fault.CodeEntityTooLarge, "The payload exceeds the maximum size allowed")
}

// errEncoding has the odd wording of the service.
func errEncoding() error {
	return fault.New(fault.CodeUnsupportedEncoding, "Unsupported documented encoding; supported encoding is UTF-8")
}

// errTooMany has AWS's usual words for throttling; the shadow guide gives none.
func errTooMany() error { return fault.New(fault.CodeThrottling, "Rate exceeded") }

func errClosed() error { return fault.New(fault.CodeServiceUnavailable, "Service is shutting down") }
