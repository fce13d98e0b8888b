package iotsql

import (
	"errors"
	"fmt"
	"time"
)

// ErrLimit is in the chain of every error that says an evaluation took too many
// steps or too much memory.
var ErrLimit = errors.New("the evaluation is too large")

// LookupError is a lookup that failed and aborted its rule.
type LookupError struct {
	Function string // as in the function reference
	Cause    error
}

// Error names the function and the cause.
func (e *LookupError) Error() string { return e.Function + ": " + e.Cause.Error() }

// Unwrap gives the cause.
func (e *LookupError) Unwrap() error { return e.Cause }

// evaluator is a compiled expression. A failure is noted in the evaluation and
// the value is then without meaning.
type evaluator func(*evaluation) Value

// evaluation is the state of one run of a statement or template.
type evaluation struct {
	env     *Env
	message *Message
	version Version
	names   []string // the members of the payload that are asked for; nil: all

	payload   Value
	hasRead   bool // payload is set
	wanted    bool // a member was asked of a payload that is not JSON
	elements  []Value
	variables []Value
	arguments []Value // of the calls under way, innermost last

	now   time.Time
	ticks bool // now is set

	steps, memory int
	calls         [callLimits]int
	err           error
}

// The functions that may be called only so often.
const (
	callDynamoDB = iota
	callRegistry
	callProtobuf
	callLimits
)

func newEvaluation(env *Env, message *Message, version Version, names []string) *evaluation {
	if env == nil {
		env = &Env{}
	}
	return &evaluation{env: env, message: message, version: version, names: names}
}

// spend counts steps; false once there were too many or the evaluation failed.
func (ev *evaluation) spend(steps int) bool {
	ev.steps += steps
	if ev.steps > stepsMax {
		ev.fail(fmt.Errorf("%w: more than %d steps", ErrLimit, stepsMax))
	}
	return ev.err == nil
}

// charge counts bytes, before they are allocated; false once there were too many
// or the evaluation failed.
func (ev *evaluation) charge(bytes int) bool {
	ev.memory += bytes
	if ev.memory > memoryMax {
		ev.fail(fmt.Errorf("%w: more than %d bytes", ErrLimit, memoryMax))
	}
	return ev.spend(bytes >> 6) // bytes take time as well
}

// fail notes the first failure.
func (ev *evaluation) fail(err error) {
	if ev.err == nil {
		ev.err = err
	}
}

// star is what * stands for: the payload, or the element of the subquery at
// depth.
func (ev *evaluation) star(depth int) Value {
	if depth > 0 {
		return ev.elements[depth-1]
	}
	if !ev.hasRead {
		ev.payload = ev.message.payload(ev.version, ev.names)
		ev.hasRead = true
	}
	return ev.payload
}

// member is what a bare name stands for.
func (ev *evaluation) member(depth int, name string) Value {
	from := ev.star(depth)
	if from.kind == Raw && from.text != "" {
		ev.wanted = true
	}
	return from.Member(name)
}

// timestamp is the one moment of this evaluation.
func (ev *evaluation) timestamp() time.Time {
	if !ev.ticks {
		ev.now, ev.ticks = ev.env.now(), true
	}
	return ev.now
}

// string is a String made on the way, which costs memory.
func (ev *evaluation) string(text string) Value {
	ev.charge(len(text))
	return NewString(text)
}

const valueSize = 64 // bytes of a Value

// array is an Array made on the way.
func (ev *evaluation) array(elements []Value) Value {
	ev.charge(len(elements) * valueSize)
	return array(elements)
}
