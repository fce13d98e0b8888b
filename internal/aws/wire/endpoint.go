package wire

import (
	"context"
	"fmt"
	"reflect"

	"thingd/internal/fault"
)

// endpoint is an operation of a mounted service, with the method that does it.
type endpoint struct {
	op     *Operation
	method reflect.Value // invalid where nobody implements the operation
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// bind looks for the method of impl that is named like the operation.
func bind(s *Service, op *Operation, impl any) *endpoint {
	e := &endpoint{op: op}
	if impl == nil {
		return e
	}
	method := reflect.ValueOf(impl).MethodByName(op.Name)
	if !method.IsValid() {
		return e
	}
	if want := signature(op); method.Type() != want {
		panic(fmt.Sprintf("wire: %T.%s implements %s %s and must be a %v, but is a %v",
			impl, op.Name, s.ID, op.Name, want, method.Type()))
	}
	e.method = method
	return e
}

// signature is the type that a method must have to implement op.
func signature(op *Operation) reflect.Type {
	in := []reflect.Type{contextType, reflect.TypeOf(op.In)}
	out := []reflect.Type{errorType}
	if op.Out != nil {
		out = []reflect.Type{reflect.TypeOf(op.Out), errorType}
	}
	return reflect.FuncOf(in, out, false)
}

func (e *endpoint) implemented() bool { return e.method.IsValid() }

// call runs the operation. The output is a nil pointer, or the zero Value where
// the operation has none.
func (e *endpoint) call(ctx context.Context, in reflect.Value) (reflect.Value, error) {
	if !e.implemented() {
		return reflect.Value{}, fault.NotImplemented("thingd does not implement %s.", e.op.Name)
	}
	results := e.method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	err, _ := results[len(results)-1].Interface().(error)
	if err != nil || len(results) == 1 {
		return reflect.Value{}, err
	}
	return results[0], nil
}
