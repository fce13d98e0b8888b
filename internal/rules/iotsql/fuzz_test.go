package iotsql

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

func FuzzEvaluate(f *testing.F) {
	for _, row := range table[statementRow](f, "statements.jsonl") {
		f.Add(row.SQL, row.message().Payload, row.Version == string(V20151008))
	}
	for _, function := range Functions() {
		for _, example := range function.Examples {
			f.Add("SELECT VALUE "+example.Expression, []byte(`{"a":[1,"b",null],"s":"12"}`), false)
		}
	}
	f.Fuzz(func(t *testing.T, sql string, payload []byte, older bool) {
		version := V20160323
		if older {
			version = V20151008
		}
		q, err := Parse(sql, version)
		if err != nil {
			checkPlace(t, sql, err)
			return
		}
		message := testMessage("plant/7/rpm", string(payload))
		first, err := q.Evaluate(testEnv(), message)
		if err != nil {
			checkAbort(t, err)
			return
		}
		if first.JSON && utf8.Valid(payload) && !json.Valid(first.Payload) {
			t.Fatalf("%s\n%q is not JSON", sql, first.Payload)
		}
		second, err := q.Evaluate(testEnv(), message.Prepared()) // reads members that the first left out
		if err != nil || !bytes.Equal(first.Payload, second.Payload) || first.Unmet.String() != second.Unmet.String() {
			t.Fatalf("%s\nfirst %q, then %q, %v", sql, first.Payload, second.Payload, err)
		}
	})
}

// checkPlace says whether an error points into the text.
func checkPlace(t *testing.T, text string, err error) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatalf("%s\nnot a syntax error: %v", text, err)
	}
	if syntax.Line < 1 || syntax.Line > len(text)+1 || syntax.Column < 1 || syntax.Column > len(text)+1 {
		t.Fatalf("%s\nnot a place: %v", text, err)
	}
}

func checkAbort(t *testing.T, err error) {
	t.Helper()
	var lookup *LookupError
	if !errors.As(err, &lookup) && !errors.Is(err, ErrLimit) {
		t.Fatalf("neither a lookup nor a limit: %v", err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("a/${topic()}/${get({'k}': 'v'}, 'k}')}", []byte("{}"))
	f.Add("$${${@a + 1}", []byte("abc"))
	f.Fuzz(func(t *testing.T, text string, payload []byte) {
		template, err := ParseTemplate(text)
		if err != nil {
			checkPlace(t, text, err)
			return
		}
		if _, err := template.Render(testEnv(), testMessage("t", string(payload))); err != nil {
			checkAbort(t, err)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.50,-0,1e5,"\u00e9\ud83d\ude00"],"b":null,"a":true}`, ` [ ] `, `"\ud800"`, `01`, `{"a":1,}`, `[1 2]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := readJSON(text, V20151008)
		if ok && !json.Valid([]byte(text)) {
			t.Fatalf("%q was read", text)
		}
		if !ok {
			if json.Valid([]byte(text)) && utf8.ValidString(text) && bytes.Count([]byte(text), []byte("[")) < payloadDepth && bytes.Count([]byte(text), []byte("{")) < payloadDepth/2 {
				t.Fatalf("%q was not read", text)
			}
			return
		}
		out, ok := appendJSON(nil, v, resultMax)
		if !ok {
			return
		}
		again, ok := readJSON(string(out), V20151008)
		back, _ := appendJSON(nil, again, resultMax)
		if !ok || !bytes.Equal(out, back) {
			t.Fatalf("%q became %q, then %q", text, out, back)
		}
	})
}
