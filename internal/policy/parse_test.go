package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/fault"
)

func TestParseKeepsWhatIsWritten(t *testing.T) {
	tests := []struct {
		name    string
		dialect Dialect
		text    string
		want    Document
	}{
		{"single statement", IoT, `{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`,
			Document{Version: Version2008, Statements: []Statement{{Effect: Allow, Actions: []string{"iot:*"}, Resources: []string{"*"}}}}},
		{"everything", IoT, `{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"s","Effect":"Deny","NotAction":["iot:Publish","iotjobsdata:*"],
			"NotResource":["arn:aws:iot:*:*:topic/a","arn:aws:iot:us-east-1:111122223333:*"],
			"Condition":{"Bool":{"k":[true,"false"]},"NumericEquals":{"n":1.5}}}]}`,
			Document{Version: Version2012, ID: "i", Statements: []Statement{{
				Sid: "s", Effect: Deny,
				NotActions:   []string{"iot:Publish", "iotjobsdata:*"},
				NotResources: []string{"arn:aws:iot:*:*:topic/a", "arn:aws:iot:us-east-1:111122223333:*"},
				Conditions: []Condition{
					{Operator: "Bool", Key: "k", Values: []string{"true", "false"}},
					{Operator: "NumericEquals", Key: "n", Values: []string{"1.5"}},
				},
			}}}},
		{"trust", Trust, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`,
			Document{Version: Version2012, Statements: []Statement{{
				Effect: Allow, Actions: []string{"sts:AssumeRole"},
				Principals: []PrincipalPattern{{Type: "Service", ID: "credentials.iot.amazonaws.com"}},
			}}}},
		{"identity", Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/*","arn:aws:sqs"]}}`,
			Document{Version: Version2012, Statements: []Statement{{
				Effect: Allow, Actions: []string{"s3:*"}, Resources: []string{"arn:aws:s3:::b/*", "arn:aws:sqs"},
			}}}},
	}
	for _, test := range tests {
		t.Run("ok/"+test.name, func(t *testing.T) {
			got, err := Parse(test.text, test.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, got, cmpopts.IgnoreUnexported(Document{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	one := func(statement string) string { return `{"Version":"2012-10-17","Statement":[` + statement + `]}` }
	withResource := func(r string) string { return one(allow("iot:Publish", r)) }
	withCondition := func(c string) string { return one(allowIf("iot:Publish", "*", c)) }
	tests := []struct {
		name    string
		dialect Dialect
		text    string
		want    string // part of the message
	}{
		{"empty", IoT, ``, "not JSON"},
		{"syntax", IoT, `{"Version":}`, "not JSON"},
		{"two documents", IoT, `{} {}`, "not JSON"},
		{"not UTF-8", IoT, "{\"Id\":\"\xff\"}", "not UTF-8"},
		{"no object", IoT, `[]`, "the document must be an object, not an array"},
		{"unknown member", IoT, `{"Versions":"2012-10-17"}`, `unknown member "Versions" (did you mean Version?)`},
		{"version", IoT, `{"Version":"2012-10-18"}`, `Version must be 2012-10-17 or 2008-10-17, not "2012-10-18"`},
		{"version type", IoT, `{"Version":2012}`, "Version must be a string, not a number"},
		{"no statement", IoT, `{"Version":"2012-10-17"}`, "Statement is missing"},
		{"empty statement", IoT, one(""), "Statement has no statement"},
		{"null statement", IoT, `{"Statement":null}`, "statement 1: the statement must be an object, not null"},
		{"twice", IoT, one(`{"Effect":"Allow","Effect":"Deny"}`), `the member "Effect" appears twice`},
		{"twice in condition", IoT, withCondition(`{"Bool":{"k":true,"k":false}}`), `the member "k" appears twice`},
		{"deep", IoT, strings.Repeat("[", 30) + strings.Repeat("]", 30), "more than 10 levels"},
		{"unknown statement member", IoT, one(`{"effect":"Allow"}`), `unknown member "effect" (did you mean Effect?)`},
		{"sid in place", IoT, one(allow("iot:Publish", "*") + `,{"Sid":"Two","Effect":"allow"}`), `statement 2 (Sid "Two"): Effect must be Allow or Deny, not "allow"`},
		{"no effect", IoT, one(`{"Action":"iot:*","Resource":"*"}`), "Effect is missing"},
		{"no action", IoT, one(`{"Effect":"Allow","Resource":"*"}`), "Action is missing"},
		{"both actions", IoT, one(`{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}`), "both Action and NotAction"},
		{"empty action", IoT, one(`{"Effect":"Allow","Action":[],"Resource":"*"}`), "Action is an empty list"},
		{"action type", IoT, one(`{"Effect":"Allow","Action":["iot:Publish",1],"Resource":"*"}`), "Action 2 must be a string with text, not a number"},
		{"bare service", IoT, one(allow("iot", "*")), `Action 1, "iot": an action is * or service:name; for all of a service write iot:*`},
		{"foreign service", IoT, one(allow("s3:GetObject", "*")), "an IoT policy has actions of iot, iotjobsdata or greengrass only"},
		{"odd action", IoT, one(allow("iot:Pub lish", "*")), "an action is * or service:name"},
		{"no resource", IoT, one(`{"Effect":"Allow","Action":"*"}`), "Resource is missing"},
		{"no ARN", IoT, withResource("topic/a"), `Resource 1, "topic/a": it must be * or an ARN`},
		{"short ARN", IoT, withResource("arn:aws:iot:*:topic/a"), "it must be * or an ARN"},
		{"foreign ARN", IoT, withResource("arn:aws:s3:::b/k"), `the third field must be iot, not "s3"`},
		{"odd partition", IoT, withResource("arn:azure:iot:::a/b"), `the second field must be aws, not "azure"`},
		{"no type", IoT, withResource("arn:aws:iot:*:*:topic"), "it must end in <type>/<name>"},
		{"open variable", IoT, withResource("arn:aws:iot:*:*:topic/${iot:ClientId"), "a ${ is never closed"},
		{"empty variable", IoT, withResource("arn:aws:iot:*:*:topic/${}"), "its name is empty"},
		{"unquoted default", IoT, withResource("arn:aws:iot:*:*:topic/${a, b}"), "in single quotes"},
		{"principal", IoT, one(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`), "Principal is not allowed"},
		{"condition type", IoT, withCondition(`[]`), "Condition must be an object, not an array"},
		{"operator type", IoT, withCondition(`{"Bool":true}`), "Condition Bool must be an object"},
		{"operator", IoT, withCondition(`{"StringIs":{"k":"v"}}`), `"StringIs" is no condition operator`},
		{"null if exists", IoT, withCondition(`{"NullIfExists":{"k":"true"}}`), `"NullIfExists" is no condition operator`},
		{"null of all", IoT, withCondition(`{"ForAllValues:Null":{"k":"true"}}`), "no condition operator"},
		{"value type", IoT, withCondition(`{"Bool":{"k":[null]}}`), "a value must be a string, number or boolean, not null"},
		{"number", IoT, withCondition(`{"NumericEquals":{"k":"0x1p4"}}`), `the value "0x1p4": it must be a number`},
		{"date", IoT, withCondition(`{"DateEquals":{"k":"tomorrow"}}`), "it must be a date"},
		{"bool", IoT, withCondition(`{"Bool":{"k":"yes"}}`), "it must be true or false"},
		{"address", IoT, withCondition(`{"IpAddress":{"k":"10.0.0.0/33"}}`), "it must be an IP address or a network"},
		{"base64", IoT, withCondition(`{"BinaryEquals":{"k":"?"}}`), "it must be base64"},
		{"condition ARN", IoT, withCondition(`{"ArnEquals":{"k":"topic/w"}}`), "it must be * or an ARN"},
		{"condition key", IoT, withCondition(`{"Bool":{"":"true"}}`), "its name is empty"},
		{"too long", IoT, withResource("arn:aws:iot:*:*:topic/" + strings.Repeat("x", 2048)), "size exceeds hard limit (2048)"},
		{"too much space", IoT, strings.Repeat(" ", 404601), "size exceeds hard limit"},
		{"too many statements", Identity, `{"Statement":[` + strings.Repeat(`{},`, 100) + `{}]}`, "more than 100 statements"},
		{"identity resource", Identity, one(allow("s3:*", "bucket")), "it must be * or an ARN"},
		{"identity sid", Identity, one(`{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}`), "letters and digits only"},
		{"trust resource", Trust, one(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}`), "Resource is not allowed"},
		{"trust without principal", Trust, one(`{"Effect":"Allow","Action":"sts:AssumeRole"}`), "Principal is missing"},
		{"trust in nobody", Trust, one(`{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}`), "Principal names nobody"},
		{"trust in what", Trust, one(`{"Effect":"Allow","Principal":{"aws":"*"},"Action":"sts:AssumeRole"}`), "did you mean AWS?"},
		{"same sid", Trust, one(strings.Repeat(`{"Sid":"a","Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},`, 2) + `{"Effect":"Allow","Principal":"*","Action":"*"}`), `the Sid "a" appears twice`},
	}
	for _, test := range tests {
		t.Run("malformed/"+test.name, func(t *testing.T) {
			doc, err := Parse(test.text, test.dialect)
			if doc != nil || !fault.Is(err, fault.CodeMalformedPolicy) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want %q", doc, err, test.want)
			}
		})
	}
}

// TestParseCountsCharacters checks that white space is free and that a character
// is one whatever its bytes.
func TestParseCountsCharacters(t *testing.T) {
	text := func(n int) string {
		return `{"Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*", "Sid": "` + strings.Repeat("é", n) + `"}}`
	}
	frame := len(strings.ReplaceAll(text(0), " ", ""))
	if _, err := Parse(text(2048-frame)+strings.Repeat(" \n", 5000), IoT); err != nil {
		t.Errorf("2048 characters: %v", err)
	}
	if _, err := Parse(text(2049-frame), IoT); err == nil {
		t.Error("2049 characters parsed")
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{e1, e2, e4, `{}`, `[[[[`, `{"Statement":{"Effect":"Allow","Principal":{"AWS":["1"]},"Action":"*"}}`,
		statements(allowIf("iot:Connect", "*", `{"IpAddressIfExists":{"aws:SourceIp":["::/0","${x}"]},"DateLessThan":{"aws:CurrentTime":2026}}`))} {
		f.Add(text, uint8(IoT))
		f.Add(text, uint8(Trust))
	}
	f.Fuzz(func(t *testing.T, text string, dialect uint8) {
		doc, err := Parse(text, Dialect(dialect%3))
		if (doc == nil) == (err == nil) {
			t.Fatalf("got %v, %v", doc, err)
		}
		if err != nil {
			if !fault.Is(err, fault.CodeMalformedPolicy) {
				t.Fatalf("not a MalformedPolicy: %v", err)
			}
			return
		}
		s := NewSet(doc.Compile("p", "arn", "1"))
		q := Request{Action: "iot:Subscribe", Resource: region + "topicfilter/$share/g/a/+", Context: Values{KeyClientID: {"*"}}}
		if e := s.Explain(q); e.Decision != s.Decide(q) || e.Sentence() == "" {
			t.Fatalf("explained %+v, decided %+v", e, s.Decide(q))
		}
	})
}
