package shadow

import (
	"math"
	"strconv"
	"time"
)

// verb is what a request asks for, spelled as in its topic.
type verb string

const (
	updating verb = "update"
	getting  verb = "get"
	deleting verb = "delete"
)

// request is what a client asked, once it is known to make sense.
type request struct {
	verb  verb
	now   time.Time
	token *string // the client token, nil when there was none

	// Of updates alone. state is what the client sent, for its echo.
	state             value
	desired, reported value
	version           *int64 // the version that the client expects, nil for any
}

// read judges the payload of a request. Even a refused request comes with its
// client token where it had a valid one: the refusal carries it back.
func (l Limits) read(v verb, payload []byte, now time.Time) (request, error) {
	r := request{verb: v, now: now}
	if len(payload) == 0 && v == updating {
		return r, errNoPayload()
	}
	if len(payload) == 0 {
		return r, nil
	}
	if len(payload) > l.payloadBytes() {
		return r, errTooLarge()
	}
	root, err := parse(payload, now.Unix())
	if err == nil && root.kind != object {
		err = errJSON()
	}
	if err != nil {
		return r, ignoredFor(deleting, v, err)
	}
	var tokenErr error
	r.token, tokenErr = l.clientToken(root)
	if v == updating {
		if err := r.readState(root); err != nil {
			return r, err
		}
	}
	if tokenErr != nil {
		return r, tokenErr
	}
	if v == updating {
		return r, r.readRest(root, l)
	}
	return r, nil
}

// ignoredFor drops an error for one verb: the content of a delete does not
// matter, valid or not.
func ignoredFor(lenient, v verb, err error) error {
	if v == lenient {
		return nil
	}
	return err
}

// readState takes the state and its sections out of an update.
func (r *request) readState(root value) error {
	r.state = root.get("state")
	r.desired, r.reported = r.state.get("desired"), r.state.get("reported")
	switch {
	case r.state.kind == none:
		return errNoState()
	case r.state.kind == null:
		r.desired, r.reported = r.state, r.state // null for both: remove
		return nil
	case r.state.kind != object:
		return errState()
	case !isSection(r.desired):
		return errDesired()
	case !isSection(r.reported):
		return errReported()
	}
	for _, m := range r.state.members {
		switch m.key {
		case "desired", "reported", "delta": // a delta is the service's to say; it is dropped
		default:
			return errNode(m.key)
		}
	}
	return nil
}

func isSection(v value) bool { return v.kind == none || v.kind == null || v.kind == object }

// readRest takes what is judged after the client token.
func (r *request) readRest(root value, l Limits) error {
	var err error
	if r.version, err = expectedVersion(root); err != nil {
		return err
	}
	if r.desired.depth() > l.Depth || r.reported.depth() > l.Depth {
		return errDepth()
	}
	if r.desired.hasNullInArray() || r.reported.hasNullInArray() {
		return errJSON()
	}
	return nil
}

// clientToken reads "clientToken". A null counts as none, as serializers write
// it for a field that was not set.
func (l Limits) clientToken(root value) (*string, error) {
	v := root.get("clientToken")
	switch {
	case v.kind == none, v.kind == null:
		return nil, nil
	case v.kind != text, len(v.text) > l.TokenBytes:
		return nil, errClientToken()
	}
	return &v.text, nil
}

// expectedVersion reads "version", a whole number without sign, fraction and
// exponent. One that is larger than any version can be equals none.
func expectedVersion(root value) (*int64, error) {
	v := root.get("version")
	if v.kind == none || v.kind == null {
		return nil, nil
	}
	if v.kind != number || digits([]byte(v.text)) != len(v.text) {
		return nil, errVersion()
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		n = math.MaxInt64
	}
	return &n, nil
}
