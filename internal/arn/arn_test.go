package arn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
)

var scope = Scope{Region: "eu-west-1", Account: "111122223333"}

func TestNames(t *testing.T) {
	tests := map[string]string{
		scope.IoT("thing", "pump:7"):            "arn:aws:iot:eu-west-1:111122223333:thing/pump:7",
		scope.IAM("role/r"):                     "arn:aws:iam::111122223333:role/r",
		scope.Of("sagemaker", "device-fleet/f"): "arn:aws:sagemaker:eu-west-1:111122223333:device-fleet/f",
		Scope{Partition: "aws-cn"}.IAM("root"):  "arn:aws-cn:iam:::root",
	}
	for got, want := range tests {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("arn:aws:iot:eu-west-1:111122223333:topic/a:b/c")
	if err != nil {
		t.Fatal(err)
	}
	want := ARN{"aws", "iot", "eu-west-1", "111122223333", "topic/a:b/c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if kind, name := got.Kind(); kind != "topic" || name != "a:b/c" {
		t.Errorf("kind %q, name %q", kind, name)
	}
	if got.String() != "arn:aws:iot:eu-west-1:111122223333:topic/a:b/c" {
		t.Error(got.String())
	}
	if !got.In(scope, "iot") || got.In(scope, "s3") || got.In(Scope{Region: "eu-west-1", Account: "1"}, "iot") {
		t.Error("In is wrong")
	}
	for _, bad := range []string{"", "pump7", "arn:aws:iot:r:a", "arn::iot:r:a:x", "arn:aws::r:a:x", "arn:aws:iot:r:a:", "urn:aws:iot:r:a:x"} {
		if _, err := Parse(bad); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:iot:eu-west-1:111122223333:thing/x")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := Parse(text); err == nil && a.String() != text {
			t.Fatalf("%q became %q", text, a)
		}
	})
}
