package shadow

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseWritesBack(t *testing.T) {
	many := `{"k0":0` + strings.Repeat(`,"k0":1`, 20) + `,"k1":2}`
	for name, c := range map[string]struct{ in, want string }{
		"ok/white space goes":         {" { \"a\" : [ 1 , 2 ] ,\r\n\t\"b\" : { } } ", `{"a":[1,2],"b":{}}`},
		"ok/numbers keep their text":  {`[0,-0,1.50,1E+2,-1e-9,12345678901234567890]`, `[0,-0,1.50,1E+2,-1e-9,12345678901234567890]`},
		"ok/words":                    {`[true,false,null]`, `[true,false,null]`},
		"ok/only needed escapes":      {`"\u003c\/\u0022\\\b\f\n\r\t\u001f\u007f\u2028"`, "\"</\\\"\\\\\\b\\f\\n\\r\\t\\u001f\x7f\u2028\""},
		"ok/pairs of surrogates":      {`"\ud83d\ude00"`, `"😀"`},
		"ok/half pairs are replaced":  {`"\ud83d\u0041\ude00"`, `"` + "\uFFFDA\uFFFD" + `"`},
		"ok/keys keep their order":    {`{"b":1,"a":2}`, `{"b":1,"a":2}`},
		"ok/last of equal keys":       {`{"a":1,"b":2,"\u0061":3}`, `{"a":3,"b":2}`},
		"ok/last of many equal keys":  {many, `{"k0":1,"k1":2}`},
		"ok/scalar":                   {`5`, `5`},
		"ok/empty key":                {`{"":{"":1}}`, `{"":{"":1}}`},
		"ok/as deep as may be parsed": {strings.Repeat("[", parseDepth) + strings.Repeat("]", parseDepth), strings.Repeat("[", parseDepth) + strings.Repeat("]", parseDepth)},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := parse([]byte(c.in), 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(appendState(nil, v))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`,
		`{a:1}`, `{'a':1}`, `{1:1}`, "01", "-", "1.", ".5", "1e", "1e+", "+1", "0x1", "NaN", "Infinity", "tru", "truex", "nul",
		`"`, `"a`, "\"\n\"", `"\x"`, `"\u12"`, `"\u12g4"`, `"\u+123"`, `"\`, "1 1", "{}{}", "\uFEFF{}", "// x\n1",
	} {
		if _, err := parse([]byte(in), 0); err == nil || err.Error() != errJSON().Error() {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := parse([]byte("\"\xff\""), 0); err == nil || err.Error() != errEncoding().Error() {
		t.Errorf("not UTF-8: %v", err)
	}
	deep := strings.Repeat(`{"a":[`, 100_000)
	if _, err := parse([]byte(deep), 0); err == nil || err.Error() != errDepth().Error() {
		t.Errorf("too deep: %v", err)
	}
}

// FuzzParse compares the parser with the standard library's: the same texts are
// JSON, and mean the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.50,{"b":null}],"a":"\ud800\u0041"}`, `[[[]]]`, `"\u00e9"`, `-0.1e+5`, `{"a":1`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := parse(in, 7)
		if err != nil {
			if json.Valid(in) && err.Error() == errJSON().Error() {
				t.Fatalf("valid JSON was refused: %q", in)
			}
			return
		}
		if !json.Valid(in) {
			t.Fatalf("invalid JSON was taken: %q", in)
		}
		out := appendState(nil, v)
		if want, got := decoded(t, in), decoded(t, out); !cmp.Equal(want, got) {
			t.Fatalf("%q became %q", in, out)
		}
		again, err := parse(out, 7)
		if err != nil || !cmp.Equal(v, again, compareShadows) {
			t.Fatalf("%q does not read back: %v", out, err)
		}
		if !json.Valid(appendMetadata(nil, v)) {
			t.Fatalf("the metadata of %q is not JSON", in)
		}
	})
}

func decoded(t *testing.T, in []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzRead sends anything as a request, and plays what is taken.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"state":{"desired":{"a":{"b":null}},"reported":null},"clientToken":"t","version":1}`,
		`{"state":null}`, `{"state":{"delta":{},"desired":{"a":[1,{"b":2}]}}}`, ``,
	} {
		f.Add(string(updating), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, v string, payload []byte) {
		limits := Limits{}.withDefaults()
		r, err := limits.read(verb(v), payload, at(100))
		if r.token != nil && len(*r.token) > limits.TokenBytes {
			t.Fatalf("token %q", *r.token)
		}
		if err != nil {
			if code, _ := status(err); code == 500 {
				t.Fatal(err)
			}
			return
		}
		r.verb = updating
		next, o := limits.play(ID{Thing: "pump7"}, shadow{}, r)
		if o.err != nil {
			return
		}
		for _, text := range [][]byte{o.reply, o.documents, o.delta} {
			if text != nil && !json.Valid(text) {
				t.Fatalf("%q", text)
			}
		}
		back, err := next.record().shadow()
		if err != nil || !cmp.Equal(next, back, compareShadows) {
			t.Fatalf("a stored shadow comes back different: %v\n%s", err, cmp.Diff(next, back, compareShadows))
		}
	})
}
