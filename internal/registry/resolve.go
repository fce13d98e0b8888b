package registry

import (
	"thingd/internal/arn"
	"thingd/internal/fault"
)

// Resolve gives the name of a resource that a caller names by its name, by its
// ARN or by both, which must then agree. kind is the kind of the ARN: thing,
// thinggroup, billinggroup. An ARN of elsewhere is NotFound.
func (s *Service) Resolve(kind, name, resource string) (string, error) {
	if resource == "" {
		if name == "" {
			return "", fault.InvalidRequest("the %s must be given by name or ARN", kind)
		}
		return name, nil
	}
	parsed, err := arn.Parse(resource)
	if err != nil {
		return "", err
	}
	found, named := parsed.Kind()
	switch {
	case found != kind || named == "":
		return "", fault.InvalidRequest("%s is not the ARN of a %s", resource, kind)
	case !parsed.In(s.scope, "iot"):
		return "", fault.NotFound("Resource %s not found", resource)
	case name != "" && name != named:
		return "", fault.InvalidRequest("the name %s and the ARN %s are of different resources", name, resource)
	}
	return named, nil
}
