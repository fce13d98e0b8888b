package iotsql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func query(t testing.TB, sql string, version Version) *Query {
	t.Helper()
	q, err := Parse(sql, version)
	if err != nil {
		t.Fatalf("%s\n%v", sql, err)
	}
	return q
}

// evaluate runs a statement of 2016-03-23.
func evaluate(t testing.TB, sql, payload string) Result {
	t.Helper()
	result, err := query(t, sql, V20160323).Evaluate(testEnv(), testMessage("plant/7/rpm", payload))
	if err != nil {
		t.Fatalf("%s\n%v", sql, err)
	}
	return result
}

func TestPayloads(t *testing.T) {
	const deep = payloadDepth + 10
	for _, test := range []struct{ name, sql, in, want string }{
		{"spaces are not kept", "SELECT *", " {\"b\" : 1,\n\"a\": [ 1 ] } ", `{"b":1,"a":[1]}`},
		{"large integers keep their digits", "SELECT *", `{"n":12345678901234567890123456789}`, `{"n":12345678901234567890123456789}`},
		{"decimals keep their zeros", "SELECT *", `{"n":21.50}`, `{"n":21.50}`},
		{"integers beyond 34 digits are rounded", "SELECT *", `{"n":12345678901234567890123456789012345}`, `{"n":1.234567890123456789012345678901234E+34}`},
		{"numbers out of range are left out", "SELECT *", `{"n":1e5000,"m":1}`, `{"m":1}`},
		{"the last of two members counts", "SELECT *", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"escapes", "SELECT *", `{"a":"\u00e9\ud83d\ude00\n\/\ud800x\u0001<"}`, "{\"a\":\"é😀\\n/\uFFFDx\\u0001<\"}"},
		{"text passes as it is", "SELECT *", "hello", "hello"},
		{"a scalar is no JSON payload", "SELECT *", " 80 ", " 80 "},
		{"broken JSON passes as it is", "SELECT *", `{"a":1`, `{"a":1`},
		{"JSON too deep passes as it is", "SELECT *", strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep),
			strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep)},
		{"nothing passes as nothing", "SELECT *", "", ""},
		{"nothing and an item", "SELECT *, 1 AS a", "", `{"a":1}`},
		{"text and an item", "SELECT *, 1 AS a", "abc", `{"payload":"YWJj","a":1}`},
		{"text as a member", "SELECT * AS m", "abc", `{"m":"YWJj"}`},
		{"VALUE of everything", "SELECT VALUE *", "abc", "abc"},
		{"member of text", "SELECT a", "abc", "{}"},
		{"array and an item", "SELECT *, 1 AS a", "[1]", `{"a":1}`},
		{"array through a subquery", "SELECT VALUE (SELECT VALUE v FROM *)", `[{"v":1},{"w":2},{"v":3}]`, "[1,3]"},
		{"base64 of the bytes received", "SELECT encode(*, 'base64') AS e", "{ }", `{"e":"eyB9"}`},
		{"base64 of base64", "SELECT VALUE decode(*, 'base64')", "eyJhIjoxfQ==", `{"a":1}`},
		{"base64 of what is no UTF-8", "SELECT VALUE decode('/w==', 'base64')", "{}", "\"\uFFFD\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := evaluate(t, test.sql, test.in)
			if diff := cmp.Diff(test.want, string(result.Payload)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOlderVersion(t *testing.T) {
	for _, test := range []struct{ name, sql, in, want string }{
		{"whole decimals stay decimals", "SELECT a, a + 1 AS b, 1e3 AS c", `{"a":10.0}`, `{"a":10.0,"b":11.0,"c":1E+3}`},
		{"casts", "SELECT cast(true AS Double) AS a, cast('3' AS Double) AS b, cast(3 AS Double) AS c", "{}", `{"a":1.0,"b":3.0,"c":3}`},
		{"arrays are no JSON payload", "SELECT *", " [1]", " [1]"},
		{"functions without a stated version", "SELECT principal() AS p, regexp_matches('a', 'a') AS r", "{}", `{"p":"4f0c","r":true}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, err := query(t, test.sql, V20151008).Evaluate(testEnv(), testMessage("t", test.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(result.Payload)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExpressions(t *testing.T) {
	const payload = `{"a":{"b":[{"c":1},{"c":2}],"end":5},"value":7,"l":[{"k":1,"in":[1,5]},{"k":4,"in":[4]}],"set":3,"s":"añb"}`
	for _, test := range []struct{ expression, want string }{
		{"a.b[1].c", "2"},
		{"a['end']", "5"},
		{"a.end", "5"},
		{"set", "3"},
		{"s[1]", `"ñ"`},
		{"get(s, 2)", `"b"`},
		{"get(s, 3)", "Undefined"},
		{"a.b.c", "Undefined"},
		{"null.x", "Undefined"},
		{"-(- 3)", "3"},
		{"-'3'", "Undefined"},
		{"+'3'", "Undefined"},
		{"NOT NOT true", "true"},
		{"NOT 1 = 2 AND true", "true"},
		{"1 = 1 OR 1 = 2 AND 1 = 2", "true"},
		{"2 * 3 % 4", "2"},
		{"1 != 2", "true"},
		{"'it''s'", `"it's"`},
		{`"a\b"`, `"a\\b"`},
		{"7 / 2.0", "3"}, // 2.0 is the Int 2
		{"-7 / 2", "-3"},
		{"-7 % 3", "-1"},
		{"1.5 % 0", "Undefined"},
		{"9999999999999999999999999999999999 + 1", "Undefined"},
		{"9999999999999999999999999999999999 * 1.5", "1.500000000000000000000000000000000E+34"},
		{"0.1 + 0.2", "0.3"},
		{"1 / 3.0", "0"},
		{"1.5 / 0.7", "2.142857142857142857142857142857143"},
		{"'1E+3' > 5", "Undefined"},
		{"'1e3' > 5", "true"},
		{"[1, [2]] = [1, [2.0]]", "true"},
		{"{'a': [missing]}", `{"a":[null]}`},
		{"{'a': missing, 'b': 1, 'b': 2}", `{"b":2}`},
		{"2 IN [1, 2]", "true"},
		{"NULL IN [1, NULL]", "true"},
		{"missing IN [1]", "Undefined"},
		{"1 IN 1", "Undefined"},
		{"CASE 1 WHEN '1' THEN 'a' WHEN 1 THEN 'b' END", `"b"`},
		{"CASE NULL WHEN NULL THEN 'a' ELSE 'b' END", `"a"`},
		{"value - 1", "6"},
		{"(SELECT VALUE k FROM l WHERE 5 IN in_)", "[]"},
		{"(SELECT VALUE k FROM l AS e WHERE EXISTS (SELECT * FROM e.in AS i WHERE i = e.k))", "[1,4]"},
		{"(SELECT VALUE e FROM [1, 'a', NULL] AS e)", `[1,"a",null]`},
		{"(SELECT * FROM [1, 2])", "[1,2]"},
		{"(SELECT *, 9 AS z FROM l WHERE k = 4)", `[{"k":4,"in":[4],"z":9}]`},
		{"(SELECT nope FROM l)", "[{},{}]"},
		{"(SELECT VALUE nope FROM l)", "[]"},
		{"(SELECT VALUE value FROM l)", "[]"},
		{"(SELECT a FROM 5)", "Undefined"},
		{"(SELECT VALUE x.end FROM a AS x)", "5"},
		{"EXISTS (SELECT * FROM a WHERE b = 1)", "false"},
		{"EXISTS (SELECT * FROM missing)", "false"},
		{"cast('x' AS Int)", "Undefined"},
		{"cast(-1.5 AS Integer)", "-2"},
		{"cast('TRUE' AS Bool)", "true"},
		{"cast([1,'a'] AS Text)", `"[1,\"a\"]"`},
		{"cast(0.1 AS Double)", "0.1"},
		{"cast(1.50 AS Decimal)", "1.50"},
		{"substring(s, '1.9')", `"ñb"`},
		{"regexp_replace('a-b', '(?<x>a)-(b)', '$2\\$${x}')", `"b$a"`},
		{"regexp_replace('ab', '(a)(b)', '$12')", `"a2"`},
		{"regexp_replace('ab', 'x*', '-')", `"-a-b-"`},
		{"replace('abc', '', '-')", `"-a-b-c-"`},
		{"regexp_matches('aa', '(a)\\1')", "Undefined"},
		{"regexp_matches('a', '.{999}.{999}.{999}.{999}.{999}')", "Undefined"},
		{"regexp_matches('a', get(['a'], 0))", "true"},
		{"regexp_matches('a', get(['('], 0))", "Undefined"},
		{"concat([1], NULL)", "Undefined"},
		{"get_or_default(get_or_default(missing, missing), 1)", "1"},
		{"abs()", "Undefined"},
		{"abs(1, 2)", "Undefined"},
		{"md2('abc')", `"da853b0d3f88d99b30283a69e6ded6bb"`},
		{"md2('message digest')", `"ab4f496bfb2a530b219ff33031fe06b0"`},
		{"get_mqtt_property('response_topic')", `"reply/dev-7"`},
		{"time_to_epoch('2023-02-30', 'uuuu-MM-dd')", "1677542400000"},
		{"parse_time('HH', 1e30)", "Undefined"},
		{"parse_time('HH', 0, get(['Asia/Tokyo'], 0))", `"09"`},
		{"get_secret('plain', 'SecretString', 'r')", `"hunter2"`},
	} {
		t.Run(test.expression, func(t *testing.T) {
			result := evaluate(t, "SELECT VALUE "+test.expression, payload)
			if diff := cmp.Diff(test.want, result.Value.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestItems(t *testing.T) {
	for _, test := range []struct{ name, sql, want string }{
		{"named by the last of a path", "SELECT o.x, o.y.z", `{"x":1,"z":2}`},
		{"named by a function as written", "SELECT clientId(), abs(-1)", `{"clientId":"dev-7","abs":1}`},
		{"named by an expression as written", "SELECT n  + 1, [1], get(l, 0), l[0]", `{"n  + 1":8,"[1]":[1],"get":5,"l[0]":5}`},
		{"named by a subquery as written", "SELECT (SELECT VALUE x FROM o)", `{"(SELECT VALUE x FROM o)":1}`},
		{"named by a variable", "SET @v = 3 SELECT @v", `{"v":3}`},
		{"named by a string", "SELECT n AS 'a.b'", `{"a.b":7}`},
		{"named by keywords", "SELECT n AS from, n AS value.end", `{"from":7,"value":{"end":7}}`},
		{"last of a name wins", "SELECT 1 AS a, 2 AS b, 3 AS a", `{"a":3,"b":2}`},
		{"dotted names share objects", "SELECT 1 AS a.b, 2 AS a.c, 3 AS a.d.e, missing AS z.z", `{"a":{"b":1,"c":2,"d":{"e":3}}}`},
		{"dotted names leave the payload alone", "SELECT o AS p, 5 AS p.x, o", `{"p":{"x":5,"y":{"z":2}},"o":{"x":1,"y":{"z":2}}}`},
		{"dotted names replace what is no object", "SELECT 1 AS a, 2 AS a.b", `{"a":{"b":2}}`},
		{"the field value", "SELECT value", `{"value":1}`},
		{"the field value, with others", "SELECT value, n", `{"value":1,"n":7}`},
		{"the field value, renamed", "SELECT value AS v", `{"v":1}`},
		{"the field value, less something", "SELECT value - 2 AS v, value-3 AS w", `{"v":-1,"w":-2}`},
		{"a negative VALUE", "SELECT VALUE -n", "-7"},
		{"the field value, multiplied", "SELECT value * 2 AS v", `{"v":2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := evaluate(t, test.sql, `{"n":7,"o":{"x":1,"y":{"z":2}},"l":[5],"value":1}`)
			if diff := cmp.Diff(test.want, string(result.Payload)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestManyMembers(t *testing.T) {
	in := manyMembers(200)
	result := evaluate(t, "SELECT *, 5 AS m3, 6 AS extra", in)
	want := strings.Replace(in, `"m3":0`, `"m3":5`, 1)
	want = strings.TrimSuffix(want, "}") + `,"extra":6}`
	if diff := cmp.Diff(want, string(result.Payload)); diff != "" {
		t.Error(diff)
	}
}

func TestUnmetSaysWhichOperand(t *testing.T) {
	for _, test := range []struct{ where, want string }{
		{"t > 30", "`t > 30` is false: 21 > 30"},
		{"on AND (room = 'A' AND t < 20) AND t > 30", "`room = 'A'` is false: \"B\" = \"A\""},
		{"missing > 5", "`missing > 5` is Undefined: Undefined > 5"},
		{"t", "`t` is 21"},
		{"NOT on", "`NOT on` is false"},
		{"t = 1 OR t = 2", "`t = 1 OR t = 2` is false"},
	} {
		result := evaluate(t, "SELECT * FROM 't' WHERE "+test.where, `{"t":21,"room":"B","on":"true"}`)
		if result.Matched || result.Unmet.String() != test.want {
			t.Errorf("%s: got %v, %s; want %s", test.where, result.Matched, result.Unmet, test.want)
		}
	}
	result := evaluate(t, "SELECT *\nFROM 't'\nWHERE on AND t > 30", `{"t":21,"on":true}`)
	if result.Unmet.Line != 3 || result.Unmet.Column != 14 {
		t.Errorf("got line %d, column %d", result.Unmet.Line, result.Unmet.Column)
	}
}

func TestNotJSONIsNoted(t *testing.T) {
	for _, test := range []struct {
		sql, payload string
		want         bool
	}{
		{"SELECT *", "abc", false},
		{"SELECT encode(*, 'base64') AS e", "abc", false},
		{"SELECT a", "abc", true},
		{"SELECT * FROM 't' WHERE a = 1", "abc", true},
		{"SELECT a", "", false},
		{"SELECT a", "{}", false},
	} {
		if got := evaluate(t, test.sql, test.payload).NotJSON; got != test.want {
			t.Errorf("%s over %q: got %v", test.sql, test.payload, got)
		}
	}
}

func TestDecimalDivision(t *testing.T) {
	env := testEnv()
	env.DecimalDivision = true
	result, err := query(t, "SELECT 7 / 2 AS a, 8 / 2 AS b, (75 - 32) * 5 / 9 AS c", V20160323).Evaluate(env, testMessage("t", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":3.5,"b":4,"c":23.88888888888888888888888888888889}`
	if diff := cmp.Diff(want, string(result.Payload)); diff != "" {
		t.Error(diff)
	}
}

func TestZeroEnvWorks(t *testing.T) {
	result, err := query(t, "SELECT timestamp(), rand(), accountid(), newuuid()", V20160323).Evaluate(&Env{}, Message{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"timestamp":0,"rand":0,"newuuid":"00000000-0000-4000-8000-000000000000"}`
	if diff := cmp.Diff(want, string(result.Payload)); diff != "" {
		t.Error(diff)
	}
}

func TestNoLookupsFailsEveryLookup(t *testing.T) {
	for _, call := range []string{
		"get_thing_shadow('x', 'r')", "get_registry_data('DescribeThing', 'x', 'r')", "get_dynamodb('t', 'k', 1, 'r')",
		"get_secret('s', 'SecretString', 'r')", "aws_lambda('f', {})", "machinelearning_predict('m', 'r', {})",
		"decode('', 'proto', 'b', 'k', 'f', 'm')",
	} {
		if _, err := query(t, "SELECT "+call, V20160323).Evaluate(nil, Message{}); !errors.Is(err, ErrNoLookup) {
			t.Errorf("%s: got %v", call, err)
		}
	}
}

func TestMissingArgumentsMakeNoLookup(t *testing.T) {
	for _, call := range []string{
		"get_thing_shadow(missing, 'r')", "get_registry_data('DeleteThing', 'x', 'r')", "get_registry_data('DescribeThing', NULL, 'r')",
		"get_dynamodb('t', 'k', NULL, 'r')", "get_dynamodb('t', 'k', 1, 's', [], 'r')", "get_secret(missing, 'SecretString', 'r')",
		"get_secret('s', 'Text', 'r')", "aws_lambda('f', missing)", "aws_lambda(missing, 1)", "machinelearning_predict('m', 'r', 1)",
		"decode(missing, 'proto', 'b', 'k', 'f', 'm')", "decode('', 'proto', missing, 'k', 'f', 'm')",
	} {
		result, err := query(t, "SELECT VALUE "+call, V20160323).Evaluate(nil, Message{})
		if err != nil || result.Value.Kind() != Undefined {
			t.Errorf("%s: got %s, %v", call, result.Value, err)
		}
	}
}

func TestMessagesFromElsewhere(t *testing.T) {
	result, err := query(t, "SELECT clientid(), principal(), sourceip(), traceid(), topic(), get_user_properties('a') AS u, "+
		"get_mqtt_property('format_indicator') AS f", V20160323).Evaluate(testEnv(), Message{Topic: "$aws/rules/R"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"clientid":"n/a","topic":"","f":"UNSPECIFIED_BYTES"}`
	if diff := cmp.Diff(want, string(result.Payload)); diff != "" {
		t.Error(diff)
	}
}

func TestFailingLookupsAbort(t *testing.T) {
	const role = "'arn:aws:iam::123456789012:role/r'"
	for _, test := range []struct{ name, sql, want string }{
		{"shadow missing", "SELECT get_thing_shadow('x', " + role + ")", "get_thing_shadow: there is no such thing"},
		{"shadow not JSON", "SELECT get_thing_shadow('broken', " + role + ")", "get_thing_shadow: the answer is not JSON"},
		{"in WHERE", "SELECT * FROM 't' WHERE get_thing_shadow('x', " + role + ").version > 1", "get_thing_shadow: there is no such thing"},
		{"in SET", "SET @s = get_thing_shadow('x', " + role + ") SELECT 1", "get_thing_shadow: there is no such thing"},
		{"secret missing", "SELECT get_secret('x', 'SecretString', " + role + ")", "get_secret: there is no such thing"},
		{"secret without keys", "SELECT get_secret('plain', 'SecretString', 'k', " + role + ")", "get_secret: the secret is not JSON and has no keys"},
		{"secret of another type", "SELECT get_secret('keytab', 'SecretString', " + role + ")", "get_secret: the secret is not a SecretString"},
		{"binary secret by key", "SELECT get_secret('keytab', 'SecretBinary', 'k', " + role + ")", "get_secret: a binary secret has no keys"},
		{"second get_dynamodb", "SELECT get_dynamodb('sites', 'id', 7, " + role + ") AS a, get_dynamodb('sites', 'id', 7, " + role + ") AS b",
			"get_dynamodb: called more than 1 times in one statement"},
		{"third protobuf", "SELECT " + strings.Repeat("decode('CAc=', 'proto', 'b', 'k', 'car', 'Car'),", 2) + "decode('CAc=', 'proto', 'b', 'k', 'car', 'Car')",
			"decode: called more than 2 times in one statement"},
		{"protobuf of another type", "SELECT decode('CAc=', 'proto', 'b', 'k', 'car', 'Bus')", "decode: car.proto has no message Bus"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, err := query(t, test.sql, V20160323).Evaluate(testEnv(), testMessage("t", "{}"))
			var lookup *LookupError
			if !errors.As(err, &lookup) || err.Error() != test.want || result.Matched {
				t.Errorf("got %v, %v; want %s", result.Matched, err, test.want)
			}
		})
	}
}

func TestLookupsAreNotMadeForMissesBefore(t *testing.T) {
	result := evaluate(t, "SELECT * FROM 't' WHERE t > 30 AND get_thing_shadow('x', 'r').version > 1", `{"t":21}`)
	if result.Matched {
		t.Error("matched")
	}
}

func TestLookupErrorsShowTheirCause(t *testing.T) {
	_, err := query(t, "SELECT get_thing_shadow('x', 'r')", V20160323).Evaluate(testEnv(), testMessage("t", "{}"))
	if !errors.Is(err, errNobody) {
		t.Errorf("got %v", err)
	}
}

// contextLookups gives back whether its context has ended.
type contextLookups struct{ NoLookups }

func (contextLookups) ThingShadow(ctx context.Context, _, _, _ string) ([]byte, error) {
	return []byte("{}"), ctx.Err()
}

func TestLookupsGetTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := query(t, "SELECT get_thing_shadow('x', 'r')", V20160323).Evaluate(&Env{Context: ctx, Lookups: contextLookups{}}, Message{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEvaluationsAreBounded(t *testing.T) {
	numbers := `{"l":[` + strings.TrimSuffix(strings.Repeat("1,", 20000), ",") + "]}"
	text := `{"s":"` + strings.Repeat("a", 100000) + `"}`
	for _, test := range []struct{ name, sql, payload string }{
		{"every pair", "SET @l = l SELECT (SELECT VALUE (SELECT VALUE 1 FROM @l) FROM @l)", numbers},
		{"IN of IN", "SET @l = l SELECT (SELECT VALUE 2 IN @l FROM @l)", numbers},
		{"comparing arrays", "SET @l = l SELECT (SELECT VALUE @l = @l FROM @l)", numbers},
		{"joining arrays", "SET @l = l SELECT (SELECT VALUE concat(@l, @l) FROM @l)", numbers},
		{"shared values", "SET @l = l SELECT VALUE (SELECT VALUE @l FROM @l)", numbers},
		{"texts of shared values", "SET @l = l SELECT (SELECT VALUE upper(@l) FROM @l)", numbers},
		{"patterns", "SELECT (SELECT VALUE regexp_matches('a', 'a' + x) FROM l AS x)", numbers},
		{"lookups", "SELECT (SELECT VALUE get_thing_shadow('lamp-1', 'r') FROM l)", numbers},
		{"replacing", "SELECT replace(s, 'a', s)", text},
		{"replacing by pattern", "SELECT regexp_replace(s, 'a', '" + strings.Repeat("$0", 500) + "')", text},
		{"a pattern of many states", "SELECT regexp_matches(s, '(a{0,30}){0,30}b')", text},
		{"matches of many groups", "SELECT regexp_replace(s, 'a" + strings.Repeat("()", 300) + "', '')", text},
		{"doubling", "SELECT " + strings.Repeat("replace(", 10) + "s" + strings.Repeat(", 'a', 'aaaaaaaaaa')", 10), text},
		{"a large variable", "SET @a = [s, s] SELECT @a", text},
		{"variables large together", "SET @a = s, @b = s SELECT @a", text},
		{"a large transform", "SELECT transform('enrichArray', {'a': s}, [{}, {}])", text},
		{"a large result", "SELECT " + strings.Repeat("s AS a, ", 3) + "[s,s,s,s,s,s,s,s,s,s,s] AS b", text},
		{"copies for dotted names", "SELECT " + strings.Repeat("* AS a, 1 AS a.b, ", 4000) + "1", manyMembers(2000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := query(t, test.sql, V20160323).Evaluate(testEnv(), testMessage("t", test.payload))
			if !errors.Is(err, ErrLimit) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func manyMembers(count int) string {
	var out strings.Builder
	for i := range count {
		fmt.Fprintf(&out, `,"m%d":0`, i)
	}
	return "{" + strings.TrimPrefix(out.String(), ",") + "}"
}

func TestDefaultsDoNotHideLimits(t *testing.T) {
	_, err := query(t, "SELECT get_or_default(replace(s, 'a', s), 1)", V20160323).
		Evaluate(testEnv(), testMessage("t", `{"s":"`+strings.Repeat("a", 100000)+`"}`))
	if !errors.Is(err, ErrLimit) {
		t.Errorf("got %v", err)
	}
}

func TestLongTemplates(t *testing.T) {
	template, err := ParseTemplate(strings.Repeat("${s}", 20))
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.Render(testEnv(), testMessage("t", `{"s":"`+strings.Repeat("a", 100000)+`"}`))
	if !errors.Is(err, ErrLimit) {
		t.Errorf("got %v", err)
	}
}

func TestQueriesAndPreparedMessagesAreShared(t *testing.T) {
	message := testMessage("t", `{"a":10.0,"l":[{"b":1},{"b":2}]}`).Prepared()
	newer := query(t, "SELECT a, (SELECT VALUE b FROM l WHERE regexp_matches(b, '[12]')) AS b", V20160323)
	older := query(t, "SELECT a", V20151008)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for q, want := range map[*Query]string{newer: `{"a":10,"b":[1,2]}`, older: `{"a":10.0}`} {
				result, err := q.Evaluate(testEnv(), message)
				if err != nil || string(result.Payload) != want {
					t.Errorf("got %s, %v; want %s", result.Payload, err, want)
				}
			}
		})
	}
	all.Wait()
}

func TestValuesForActions(t *testing.T) {
	result := evaluate(t, "SELECT VALUE *", `{"s":"x","n":1.5,"l":[1,null],"t":true}`)
	v := result.Value
	n, isNumber := v.Member("n").Number()
	got := map[string]any{
		"kind": v.Kind().String(), "s": v.Member("s").Text(), "n": n.Float64(), "number": isNumber, "t": v.Member("t").Truth(),
		"l": len(v.Member("l").Elements()), "last": v.Member("l").Elements()[1].Kind(), "none": v.Member("x").Kind(),
	}
	want := map[string]any{"kind": "Object", "s": "x", "n": 1.5, "number": true, "t": true, "l": 2, "last": Null, "none": Undefined}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var names []string
	for name := range v.Members() {
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"s", "n", "l", "t"}, names); diff != "" {
		t.Error(diff)
	}
}
