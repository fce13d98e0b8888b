package iotsql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
)

// testEnv is the surroundings that the tables of testdata and the examples of
// the function reference assume.
func testEnv() *Env {
	return &Env{
		Now:       func() time.Time { return time.UnixMilli(1700000000123) },
		Random:    func() uint64 { return 0x2a2a2a2a2a2a2a2a },
		AccountID: "123456789012",
		Lookups:   testLookups{},
	}
}

// testMessage is the message the tables assume, but for topic and payload.
func testMessage(topic, payload string) Message {
	return Message{
		Topic: topic, Payload: []byte(payload),
		ClientID: "dev-7", Principal: "4f0c", SourceIP: "192.0.2.44", TraceID: "0b6f3a52-93c4-4f3e-8a55-0d5b9f6f6c11",
		Properties: Properties{
			UTF8Payload: true, ContentType: "application/json", ResponseTopic: "reply/dev-7", CorrelationData: []byte("abc"),
			User: []UserProperty{{"site", "oslo"}, {"tag", "a"}, {"tag", "b"}},
		},
	}
}

// testLookups knows one of everything.
type testLookups struct{ NoLookups }

var errNobody = errors.New("there is no such thing")

func (testLookups) ThingShadow(_ context.Context, thing, name, _ string) ([]byte, error) {
	switch thing + "/" + name {
	case "lamp-1/":
		return []byte(`{"state":{"reported":{"on":true}},"version":3}`), nil
	case "lamp-1/night":
		return []byte(`{"state":{"reported":{"on":false}}}`), nil
	case "broken/":
		return []byte(`{"state":`), nil
	}
	return nil, errNobody
}

func (testLookups) RegistryData(_ context.Context, api, thing, _ string) ([]byte, error) {
	return fmt.Appendf(nil, `{"thingName":%q,"thingTypeName":"lamp"}`, thing), nil
}

func (testLookups) DynamoDBItem(_ context.Context, key DynamoDBKey, _ string) ([]byte, error) {
	if key.Table != "sites" || key.PartitionName != "id" || key.Partition.String() != "7" {
		return nil, errNobody
	}
	return []byte(`{"id":7,"city":"Oslo"}`), nil
}

func (testLookups) Secret(_ context.Context, id, _ string) (Secret, error) {
	switch id {
	case "broker":
		return Secret{Text: `{"user":"ann"}`}, nil
	case "plain":
		return Secret{Text: "hunter2"}, nil
	case "keytab":
		return Secret{Binary: []byte{1, 2}}, nil
	}
	return Secret{}, errNobody
}

func (testLookups) InvokeLambda(_ context.Context, _ string, payload []byte) ([]byte, error) {
	return payload, nil
}

func (testLookups) Predict(_ context.Context, _ string, record map[string]string, _ string) ([]byte, error) {
	return json.Marshal(map[string]string{"predictedLabel": record["t"]})
}

func (testLookups) Object(context.Context, string, string) ([]byte, error) {
	// car.proto: syntax = "proto3"; message Car { int32 doors = 1; }
	return []byte("\n\x29\n\x09car.proto\"\x14\n\x03Car\x12\x0d\n\x05doors\x18\x01 \x01(\x05b\x06proto3"), nil
}

// table reads a file of JSON lines.
func table[T any](t testing.TB, name string) []T {
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows []T
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row T
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		rows = append(rows, row)
	}
	return rows
}

// statementRow is a row of testdata/statements.jsonl. Rows with choice are ours
// where AWS says nothing or contradicts itself.
type statementRow struct {
	N       int
	SQL     string
	Topic   string
	In      json.RawMessage
	Raw     *string
	Out     json.RawMessage
	OutRaw  *string
	No      bool
	Err     string
	Version string `json:"v"`
	Basic   string
	Choice  bool
}

func (row statementRow) message() Message {
	payload := string(row.In)
	if row.Raw != nil {
		payload = *row.Raw
	}
	if row.Basic != "" {
		return testMessage("$aws/rules/"+row.Basic+"/"+row.Topic, payload)
	}
	return testMessage(row.Topic, payload)
}

func TestStatements(t *testing.T) {
	for _, row := range table[statementRow](t, "statements.jsonl") {
		t.Run(fmt.Sprint(row.N), func(t *testing.T) {
			if row.Version == "" {
				row.Version = string(V20160323)
			}
			query, err := Parse(row.SQL, Version(row.Version))
			if row.Err != "" {
				if !fault.Is(err, fault.CodeSQLParse) {
					t.Fatalf("%s\ngot %v, want %s", row.SQL, err, row.Err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s\n%v", row.SQL, err)
			}
			row.check(t, query)
		})
	}
}

func (row statementRow) check(t *testing.T, query *Query) {
	message := row.message()
	if row.Basic == "" && !query.Matches(message.Topic) {
		if !row.No {
			t.Fatalf("%s does not match %s", query.Topic(), message.Topic)
		}
		return
	}
	result, err := query.Evaluate(testEnv(), message)
	if err != nil {
		t.Fatalf("%s\n%v", row.SQL, err)
	}
	switch {
	case result.Matched == row.No:
		t.Fatalf("%s\nmatched %v: %s", row.SQL, result.Matched, result.Unmet)
	case row.No:
	case row.OutRaw != nil:
		if diff := cmp.Diff(*row.OutRaw, string(result.Payload)); diff != "" {
			t.Errorf("%s\n%s", row.SQL, diff)
		}
	default:
		if diff := cmp.Diff(parsed(t, row.Out), parsed(t, result.Payload)); diff != "" {
			t.Errorf("%s\n%s", row.SQL, diff)
		}
	}
}

func parsed(t testing.TB, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func TestTemplates(t *testing.T) {
	type row struct {
		N        int
		Template string
		Topic    string
		In       json.RawMessage
		Text     string
		SQL      string
		Choice   bool
	}
	for _, row := range table[row](t, "templates.jsonl") {
		t.Run(fmt.Sprint(row.N), func(t *testing.T) {
			message := testMessage(row.Topic, string(row.In))
			parse := ParseTemplate
			if row.SQL != "" {
				query, err := Parse(row.SQL, V20160323)
				if err != nil {
					t.Fatal(err)
				}
				result, err := query.Evaluate(testEnv(), message)
				if err != nil {
					t.Fatal(err)
				}
				message.Variables, parse = result.Variables, query.ParseTemplate
			}
			template, err := parse(row.Template)
			if err != nil {
				t.Fatal(err)
			}
			text, err := template.Render(testEnv(), message)
			if err != nil || text != row.Text {
				t.Errorf("%s gives %q, %v; want %q", row.Template, text, err, row.Text)
			}
		})
	}
}

func TestFunctionExamples(t *testing.T) {
	for _, f := range Functions() {
		if len(f.Examples) == 0 || f.Doc == "" || f.Group == "" {
			t.Errorf("%s has no example, doc or group", f.Name)
		}
		for _, example := range f.Examples {
			t.Run(example.Expression, func(t *testing.T) {
				version := example.Version
				if version == "" {
					version = V20160323
				}
				query, err := Parse("SELECT VALUE "+example.Expression+" FROM 'plant/#'", version)
				if err != nil {
					t.Fatal(err)
				}
				result, err := query.Evaluate(testEnv(), testMessage("plant/7/rpm", "{}"))
				if err != nil {
					t.Fatal(err)
				}
				if got := result.Value.String(); got != example.Result {
					t.Errorf("got %s, want %s", got, example.Result)
				}
			})
		}
	}
}
