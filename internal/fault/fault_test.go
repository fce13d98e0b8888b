package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestCodeOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Code
	}{
		{"nothing wrong", nil, ""},
		{"a fault", NotFound("thing %s not found", "x"), CodeNotFound},
		{"a wrapped fault", fmt.Errorf("load: %w", VersionConflict("no")), CodeVersionConflict},
		{"no fault", io.EOF, Internal},
	}
	for _, test := range tests {
		if got := CodeOf(test.err); got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// The caller reads the message; the cause is for the log.
func TestCauseStaysHidden(t *testing.T) {
	err := InvalidRequest("the payload is no JSON").Because(io.ErrUnexpectedEOF).About("id", "arn")
	if err.Message != "the payload is no JSON" || err.ResourceID != "id" || err.ResourceARN != "arn" {
		t.Errorf("%+v", err)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if err.Error() != "InvalidRequest: the payload is no JSON: unexpected EOF" {
		t.Error(err.Error())
	}
}
