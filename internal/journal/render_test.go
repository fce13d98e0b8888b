package journal

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/why"
)

var update = flag.Bool("update", false, "write testdata/render.txt anew")

func TestRender(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 15, 30, 0, time.UTC)
	entries := []Entry{
		{Number: 1, Count: 1, Event: why.Event{Time: at.Add(-time.Hour), Source: "203.0.113.9:40112", Door: "mqtts",
			Step: why.StepConnect, Cause: why.NotMQTT, Detail: "the first byte is 0x47"}},
		{Number: 5, Count: 12, Since: at.Add(-50 * time.Second), Event: why.Event{Time: at, ClientID: "press-12",
			Principal: "8b1f0c2e5d7a", Source: "10.0.0.7:51234", Door: "mqtts", Server: "iot.example.com",
			Step: why.StepConnect, Cause: why.PolicyImplicitDeny, Disconnect: why.AuthError, Action: "iot:Connect",
			Resource:  "arn:aws:iot:us-east-1:111122223333:client/press-12",
			Detail:    "policy FleetPolicy allows iot:Connect on client/${iot:Connection.Thing.ThingName}, but the certificate is attached to no thing, so that the variable has no value",
			Statement: "{\n\t\"Sid\": \"Connect\",\n\t\"Effect\": \"Allow\"\n}",
			Variables: []why.Variable{{Name: "iot:ClientId", Value: "press-12"}, {Name: "iot:Connection.Thing.ThingName", Missing: true},
				{Name: "iot:Connection.Thing.IsAttached", Missing: true}}}},
		{Number: 3, Count: 1, Event: why.Event{Time: at.Add(-time.Minute), ClientID: "evil\x1b[2J\u202e\xffé", Source: "[2001:db8::1]:9",
			Door: "wss", Step: why.StepPublish, Cause: why.TopicReserved, Action: "iot:Publish", Resource: "topic/$x\r\nfake line"}},
		{Number: 4, Count: 1, Event: why.Event{Time: at.Add(-30 * time.Second), ClientID: "press-12", Principal: "8b1f0c2e5d7a",
			Source: "10.0.0.7:51234", Door: "mqtts", Step: why.StepConnection, Cause: why.ClosedByAPI, Disconnect: why.APIInitiated}},
		{Number: 2, Count: 812, Since: at.Add(-2 * time.Minute), Event: why.Event{Time: at.Add(-2 * time.Minute),
			Step: why.StepConnection, Cause: why.ServerStopping, Disconnect: why.ServerInitiated, Detail: crowded.String()}},
		{Number: 6, Count: 1, Event: why.Event{Time: at, Principal: "AKIDEXAMPLE", Step: why.StepHTTP, Cause: "OF_THE_FUTURE"}},
		{Number: 7, Count: 1, Event: why.Event{Time: at.Add(time.Second), ClientID: "press-13", Principal: "8b1f0c2e5d7a", Step: why.StepConnect, Cause: why.CertificateInactive}},
	}
	var got bytes.Buffer
	if err := Render(&got, entries); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/render.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRenderNothing(t *testing.T) {
	var got bytes.Buffer
	if err := Render(&got, nil); err != nil {
		t.Fatal(err)
	}
	if want := "No refusals or disconnects are on record.\n"; got.String() != want {
		t.Errorf("got %q", got.String())
	}
}

// A newline or an escape sequence of a stranger's must not pass for ours.
func FuzzRender(f *testing.F) {
	f.Add("a\x1b[31m", "b\r\n", "c\u202e")
	f.Fuzz(func(t *testing.T, client, detail, statement string) {
		var got bytes.Buffer
		e := Entry{Count: 1, Event: why.Event{ClientID: client, Detail: detail, Statement: statement, Cause: why.TooFast, Step: why.StepPublish}}
		if err := Render(&got, []Entry{e}); err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(got.Bytes()) {
			if printable(string(bytes.TrimSuffix(line, []byte("\n")))) != string(bytes.TrimSuffix(line, []byte("\n"))) {
				t.Fatalf("%q", line)
			}
		}
	})
}
