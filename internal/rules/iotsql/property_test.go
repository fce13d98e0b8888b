package iotsql

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const propertyPayload = `{"n":7,"m":-2,"d":2.5,"t":true,"f":false,"s":"12","w":"word","b":"True","z":null,"l":[1,"12",2.5,null],"o":{"n":1}}`

// operandText draws an operand that has its own value whatever stands around it.
func operandText(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		"n", "m", "d", "t", "f", "s", "w", "b", "z", "l", "o", "missing", "1", "0", "2.5", "'12'", "'x'", "true", "NULL", "[1]", "{'n': 1}",
	}).Draw(t, "operand")
}

// written is an expression in two spellings: as short as precedence allows, and
// with every parenthesis.
type written struct {
	short, full string
	strength    int
}

// level is a row of the table of precedence.
type level struct {
	operators []string
	chains    bool
}

func levels() []level {
	return []level{
		{[]string{"OR"}, true},
		{[]string{"AND"}, true},
		{nil, false}, // NOT
		{[]string{"=", "<>", "<", "<=", ">", ">=", "IN"}, false},
		{[]string{"+", "-"}, true},
		{[]string{"*", "/", "%"}, true},
	}
}

func expressionText(t *rapid.T, depth int) written {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		text := operandText(t)
		return written{text, text, len(levels())}
	}
	strength := rapid.IntRange(0, len(levels())-1).Draw(t, "level")
	row := levels()[strength]
	if row.operators == nil {
		of := expressionText(t, depth-1)
		return written{"NOT " + wrap(of, strength), "(NOT " + of.full + ")", strength}
	}
	operator := rapid.SampledFrom(row.operators).Draw(t, "operator")
	left, right := expressionText(t, depth-1), expressionText(t, depth-1)
	least := strength
	if !row.chains {
		least++
	}
	return written{
		wrap(left, least) + " " + operator + " " + wrap(right, strength+1),
		"(" + left.full + " " + operator + " " + right.full + ")", strength,
	}
}

// wrap puts an operand in parentheses where it binds too weakly.
func wrap(w written, least int) string {
	if w.strength < least {
		return "(" + w.short + ")"
	}
	return w.short
}

func value(t *rapid.T, expression string) Value {
	q, err := Parse("SELECT VALUE "+expression, V20160323)
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	result, err := q.Evaluate(testEnv(), testMessage("t", propertyPayload))
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	return result.Value
}

func TestPrecedence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := expressionText(t, 4)
		if short, full := value(t, "("+e.short+")"), value(t, e.full); short.String() != full.String() {
			t.Fatalf("%s is %s\n%s is %s", e.short, short, e.full, full)
		}
	})
}

func TestOperatorsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := expressionText(t, 2).full, expressionText(t, 2).full
		is := func(format string) string {
			return value(t, "("+strings.NewReplacer("{A}", a, "{B}", b).Replace(format)+")").String()
		}
		for _, same := range [][2]string{
			{"{A} = {B}", "{B} = {A}"},
			{"{A} <> {B}", "NOT ({A} = {B})"},
			{"{A} < {B}", "{B} > {A}"},
			{"{A} <= {B}", "NOT ({A} > {B})"},
			{"{A} AND {B}", "{B} AND {A}"},
			{"{A} OR {B}", "NOT (NOT {A} AND NOT {B})"},
			{"{A} IN [{B}]", "{A} = {B}"},
			{"{A} * {B}", "{B} * {A}"},
		} {
			left, right := is(same[0]), is(same[1])
			unknown := same[0] == "{A} IN [{B}]" && (is("isUndefined({A})") == "true" || is("isUndefined({B})") == "true")
			if left != right && !unknown {
				t.Fatalf("A: %s\nB: %s\n%s is %s\n%s is %s", a, b, same[0], left, same[1], right)
			}
		}
	})
}

func TestWhereIsItsValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := expressionText(t, 3)
		q, err := Parse("SELECT * FROM 't' WHERE "+e.short, V20160323)
		if err != nil {
			t.Fatal(err)
		}
		result, err := q.Evaluate(testEnv(), testMessage("t", propertyPayload))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := toBool(value(t, e.full))
		if result.Matched != want {
			t.Fatalf("%s: matched %v, but its value is %s", e.short, result.Matched, value(t, e.full))
		}
		if !result.Matched && result.Unmet.Operand == "" {
			t.Fatalf("%s: no word on why not", e.short)
		}
	})
}

// document draws what encoding/json can read without loss.
func document(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 6).Draw(t, "kind"); {
	case kind == 0:
		return nil
	case kind == 1:
		return rapid.Bool().Draw(t, "boolean")
	case kind == 2:
		return float64(rapid.IntRange(-1e9, 1e9).Draw(t, "number")) / 64
	case kind <= 4 || depth == 0:
		return rapid.String().Draw(t, "string")
	case kind == 5:
		list := make([]any, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range list {
			list[i] = document(t, depth-1)
		}
		return list
	}
	members := map[string]any{}
	for range rapid.IntRange(0, 20).Draw(t, "size") {
		members[rapid.String().Draw(t, "name")] = document(t, depth-1)
	}
	return members
}

func TestDocumentsPassUnchanged(t *testing.T) {
	q := query(t, "SELECT *", V20160323)
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"d": document(t, 4)}
		payload, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		result, err := q.Evaluate(testEnv(), testMessage("t", string(payload)))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(result.Payload, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestStringsSurviveTheirFunctions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		cut := rapid.IntRange(-2, 12).Draw(t, "cut")
		payload, err := json.Marshal(map[string]any{"s": s, "i": cut})
		if err != nil {
			t.Fatal(err)
		}
		for _, expression := range []string{
			"substring(s, 0, i) + substring(s, i) = s",
			"get_or_default(decode(encode('\"' + s, 'base64'), 'base64'), 0) = '\"' + s OR startswith(s, 'x')",
			"replace(s, '', '') = s",
			"length(lpad(s, 3)) = length(s) + 3",
			"numbytes(s) >= length(s)",
			"s = '' OR indexof(s, substring(s, i)) >= 0",
			"regexp_replace(s, 'qqqq', '$0') = s",
			"length(sha256(s)) = 64",
		} {
			q, err := Parse("SELECT VALUE "+expression, V20160323)
			if err != nil {
				t.Fatal(err)
			}
			result, err := q.Evaluate(testEnv(), testMessage("t", string(payload)))
			if err != nil {
				t.Fatal(err)
			}
			if !result.Value.Truth() && !strings.HasSuffix(s, `"`) {
				t.Fatalf("%s is %s for %s", expression, result.Value, payload)
			}
		}
	})
}

func TestTextsOfTemplatesAreTheirParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringMatching(`[a-z/{}'" ]{0,8}`).Draw(t, "before")
		after := rapid.StringMatching(`[a-z/{}'" ]{0,8}`).Draw(t, "after")
		e := expressionText(t, 2)
		template, err := ParseTemplate(fmt.Sprintf("%s${%s}%s", before, e.short, after))
		if err != nil {
			t.Fatal(err)
		}
		got, err := template.Render(testEnv(), testMessage("t", propertyPayload))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := (&evaluation{}).toText(value(t, e.full))
		if want := before + text + after; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
