// Package wire is the part of the AWS front that every service shares: it finds
// the operation a request means, checks who sends it, decodes and validates the
// input, calls the method named like the operation, and writes the answer or
// AWS's form of the error.
//
//	mux := wire.NewMux(wire.Options{Authenticator: door, Authorizer: door, Now: time.Now})
//	mux.Mount(iot.Service, things) // has CreateThing, DescribeThing, ...
//	mux.Mount(sts.Service, identities)
//	http.Serve(listener, mux)
//
// An operation is a method with the operation's name and generated shapes:
//
//	func (t *Things) CreateThing(ctx context.Context, in *iot.CreateThingRequest) (*iot.CreateThingResponse, error)
//
// Its input has passed the model's constraints. In shapes, absent is "", nil or
// the zero time; numbers and booleans that may be absent are pointers. It says
// what goes wrong with a fault, which leaves in the service's own words; any
// other error is logged under the request's ID and hidden. [CallerFrom],
// [RequestID] and [SourceIP] tell about the request.
//
// All services share one address. The service name in the signature's scope
// tells them apart; a device certificate, which comes without one, reaches the
// data planes only. What differs between services (protocol, routes, shapes,
// errors) is in the tables of a [Service], generated from the service models.
//
// A request takes these steps, in AWS's order: signature, permission,
// constraints, and then whatever the operation itself has to say.
package wire
