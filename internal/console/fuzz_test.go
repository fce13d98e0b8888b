package console

import (
	"encoding/json"
	"reflect"
	"testing"

	"thingd/internal/fault"
)

// FuzzPolicyRows turns whatever is sent as a policy document into rows and back.
// Where the form can show it, it says the same afterwards.
func FuzzPolicyRows(f *testing.F) {
	for _, seed := range []string{
		newDocument, mayAll, `{"Statement":{"Effect":"Allow","Action":["a","b"],"Resource":"*","Sid":"x"}}`,
		`{"Statement":[{"Effect":"Allow","NotAction":"a","Resource":"a,b"}],"Statement":1}`, `{"Statement":[[]]}`, `{"Statement":`, "\xff", `[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		mistakeIn(document, fault.InvalidRequest("statement 1"))
		frame, rows, err := rowsOf(document)
		if err != nil {
			return
		}
		for _, one := range rows {
			one.Kept()
		}
		after := documentIn(frame, rows)
		var was, is any
		must(t, json.Unmarshal([]byte(document), &was))
		must(t, json.Unmarshal([]byte(after), &is))
		if !reflect.DeepEqual(was, is) {
			t.Errorf("%s became %s", document, after)
		}
	})
}

// FuzzPolicyForm makes a document of whatever a browser sends.
func FuzzPolicyForm(f *testing.F) {
	f.Add(newDocument, "Allow", "iot:*", "*", "")
	f.Add("{", "Deny", "a,,b", " ", `{"Effect":"Allow","NotAction":"x"}`)
	f.Add(`{"Statement":{}}`, "x", "", "", `{"Effect":1,"Effect":2}`)
	f.Fuzz(func(t *testing.T, frame, effect, action, resource, raw string) {
		document := documentIn(frame, []row{{statement{effect, action, resource}, raw, false}})
		if !json.Valid([]byte(document)) {
			t.Errorf("%q is no JSON", document)
		}
	})
}
