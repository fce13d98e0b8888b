package iotsql

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
)

func TestSyntaxErrorsSayWhereAndWhat(t *testing.T) {
	for _, test := range []struct{ name, sql, want string }{
		{"empty", "", "line 1, column 1: expected SELECT, found the end"},
		{"no items", "SELECT FROM 't'", "line 1, column 8: expected an expression, found `FROM`"},
		{"misspelled FROM", "SELECT * FRM 't/1'", "line 1, column 10: expected `,`, AS, FROM, WHERE or the end, found `FRM`"},
		{"misspelled WHERE", "SELECT * FROM 't' WERE a", "line 1, column 19: expected WHERE or the end, found `WERE`"},
		{"WHERE without condition", "SELECT *\nFROM 't'\nWHERE ", "line 3, column 7: expected an expression, found the end"},
		{"column counts characters", "SELECT 'ä', FROM 't'", "line 1, column 13: expected an expression, found `FROM`"},
		{"open string", "SELECT 'abc FROM", "line 1, column 8: expected an expression, found a string without its closing '"},
		{"filter in double quotes", `SELECT * FROM "t"`, "line 1, column 15: expected a topic filter in single quotes, found `\"t\"`"},
		{"filter without quotes", "SELECT * FROM a/b", "line 1, column 15: expected a topic filter in single quotes, found `a`"},
		{"filter empty", "SELECT * FROM ''", "line 1, column 16: expected a topic filter, found an empty string"},
		{"filter with # inside", "SELECT * FROM 'a/#/b'", "line 1, column 16: # must be the last level of the topic filter `a/#/b`"},
		{"filter with + in a level", "SELECT * FROM 'a/b+'", "line 1, column 16: # and + must be whole levels of the topic filter `a/b+`"},
		{"semicolon", "SELECT * FROM 't';", "line 1, column 18: expected WHERE or the end, found `;`"},
		{"double equals", "SELECT * FROM 't' WHERE a == 1", "line 1, column 28: expected an expression, found `=`"},
		{"LIKE", "SELECT * FROM 't' WHERE a LIKE 'x'", "line 1, column 27: expected an operator or the end, found `LIKE`"},
		{"chained comparison", "SELECT * FROM 't' WHERE 1 < a < 3", "line 1, column 31: expected an operator or the end, found `<`"},
		{"unknown function", "SELECT nosuch(1) FROM 't'", "line 1, column 8: expected the name of a function, found `nosuch`"},
		{"misspelled function", "SELECT is_undefined(a) FROM 't'",
			"line 1, column 8: expected the name of a function, found `is_undefined` (did you mean isUndefined?)"},
		{"misspelled function, by a letter", "SELECT timestmp() FROM 't'",
			"line 1, column 8: expected the name of a function, found `timestmp` (did you mean timestamp?)"},
		{"unknown type", "SELECT cast(a AS Number) FROM 't'",
			"line 1, column 18: expected a type (String, Int, Double, Decimal, Boolean), found `Number`"},
		{"searched CASE", "SELECT CASE WHEN a THEN 1 END FROM 't'", "line 1, column 13: expected the value to compare after CASE, found `WHEN`"},
		{"CASE without WHEN", "SELECT CASE a ELSE 1 END FROM 't'", "line 1, column 15: expected WHEN, found `ELSE`"},
		{"CASE without END", "SELECT CASE a WHEN 1 THEN 2 FROM 't'", "line 1, column 29: expected END, found `FROM`"},
		{"parenthesis not closed", "SELECT (1 + 2 FROM 't'", "line 1, column 15: expected `)` after the expression, found `FROM`"},
		{"call not closed", "SELECT abs(1 FROM 't'", "line 1, column 14: expected `,` or `)` in the arguments, found `FROM`"},
		{"object with bare name", "SELECT {a: 1} FROM 't'", "line 1, column 9: expected a member's name in quotes, found `a`"},
		{"number in a word", "SELECT 1abc FROM 't'", "line 1, column 8: expected an expression, found a number that runs into a word"},
		{"number out of range", "SELECT 1e5000 FROM 't'", "line 1, column 8: the number `1e5000` is out of range"},
		{"variable before SET", "SELECT @x FROM 't'", "line 1, column 8: the variable @x is used before SET assigns it"},
		{"variable used early", "SET @a = @b, @b = 1 SELECT @a FROM 't'", "line 1, column 10: the variable @b is used before SET assigns it"},
		{"variable twice", "SET @a = 1, @a = 2 SELECT @a FROM 't'", "line 1, column 13: the variable @a is assigned twice"},
		{"variable without name", "SET @ = 1 SELECT 1 FROM 't'", "line 1, column 5: expected a variable (@name), found @ without a name"},
		{"role not written out", "SELECT get_thing_shadow('a', role) FROM 't'",
			"line 1, column 30: argument 2 of get_thing_shadow must be a string in quotes"},
		{"lookup as a default", "SELECT get_or_default(a, aws_lambda('f', *)) FROM 't'",
			"line 1, column 26: aws_lambda is not allowed in the default of get_or_default"},
		{"not UTF-8", "SELECT '\xff' FROM 't'", "line 1, column 1: the text is not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse(test.sql, V20160323)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !fault.Is(err, fault.CodeSQLParse) {
				t.Fatalf("got %v, want a syntax error", err)
			}
			if diff := cmp.Diff(test.want, syntax.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOlderVersionLacks(t *testing.T) {
	for name, sql := range map[string]string{
		"array literals":   "SELECT [1] FROM 't'",
		"object literals":  "SELECT {'a': 1} FROM 't'",
		"subqueries":       "SELECT (SELECT a FROM b) FROM 't'",
		"EXISTS":           "SELECT * FROM 't' WHERE EXISTS (SELECT a FROM b)",
		"SET":              "SET @a = 1 SELECT @a FROM 't'",
		"newer functions":  "SELECT length('a') FROM 't'",
		"newer type words": "SELECT cast(1 AS Boolean) FROM 't'",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(sql, V20160323); err != nil {
				t.Errorf("2016-03-23: %v", err)
			}
			if _, err := Parse(sql, Beta); err != nil {
				t.Errorf("beta: %v", err)
			}
			_, err := Parse(sql, V20151008)
			if !fault.Is(err, fault.CodeSQLParse) || !strings.Contains(err.Error(), "needs awsIotSqlVersion 2016-03-23") {
				t.Errorf("2015-10-08: got %v", err)
			}
		})
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{"": V20151008, "2015-10-08": V20151008, "2016-03-23": V20160323, "beta": Beta} {
		if got, err := ParseVersion(text); err != nil || got != want {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
	}
	if _, err := ParseVersion("2017"); !fault.Is(err, fault.CodeInvalidRequest) {
		t.Errorf("got %v", err)
	}
}

func TestStatementsAreBounded(t *testing.T) {
	for name, sql := range map[string]string{
		"parentheses":    "SELECT " + strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000),
		"arrays":         "SELECT " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
		"calls":          "SELECT " + strings.Repeat("abs(", 1000) + "1" + strings.Repeat(")", 1000),
		"subqueries":     "SELECT " + strings.Repeat("(SELECT a FROM ", 1000) + "b" + strings.Repeat(")", 1000),
		"cases":          "SELECT " + strings.Repeat("CASE ", 1000) + "1",
		"operators":      "SELECT 1" + strings.Repeat("+1", nodesMax),
		"signs":          "SELECT " + strings.Repeat("- ", nodesMax+1) + "1",
		"negations":      "SELECT " + strings.Repeat("NOT ", nodesMax+1) + "true",
		"bytes":          "SELECT '" + strings.Repeat("a", statementMax) + "'",
		"arguments":      "SELECT concat(" + strings.Repeat("1,", functionArgs) + "1)",
		"parts of alias": "SELECT 1 AS a" + strings.Repeat(".a", nestingMax),
		"variables":      "SET @a=1,@b=1,@c=1,@d=1,@e=1,@f=1,@g=1,@h=1,@i=1,@j=1,@k=1 SELECT 1",
		"variable name":  "SET @" + strings.Repeat("a", variableMax+1) + " = 1 SELECT 1",
		"filter":         "SELECT 1 FROM '" + strings.Repeat("a", filterMax+1) + "'",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(sql, V20160323); !fault.Is(err, fault.CodeSQLParse) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLongChainsRun(t *testing.T) {
	sql := "SELECT VALUE 1" + strings.Repeat("+1", nodesMax/2-2)
	result := evaluate(t, sql, `{}`)
	if got := string(result.Payload); got != "8191" {
		t.Errorf("got %s", got)
	}
}

func TestMatchFilter(t *testing.T) {
	for _, test := range []struct {
		filter, topic string
		want          bool
	}{
		{"sensor/#", "sensor/", true},
		{"sensor/#", "sensor/a/b", true},
		{"sensor/#", "sensor", false},
		{"#", "a/b", true},
		{"#", "$aws/events/x", false},
		{"+/events/x", "$aws/events/x", false},
		{"$aws/events/#", "$aws/events/x", true},
		{"+/x", "/x", true},
		{"+/x", "x", false},
		{"+", "a/b", false},
		{"a/+/c", "a//c", true},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
	} {
		query, err := Parse("SELECT * FROM '"+test.filter+"'", V20160323)
		if err != nil {
			t.Fatal(err)
		}
		if got := query.Matches(test.topic); got != test.want {
			t.Errorf("%s on %s: got %v", test.filter, test.topic, got)
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"not closed", "a/${topic()", "line 1, column 12: expected an operator or `}`, found the end"},
		{"empty", "${}", "line 1, column 3: expected an expression, found `}`"},
		{"two expressions", "${a b}", "line 1, column 5: expected an operator or `}`, found `b`"},
		{"protobuf", "${decode(*, 'proto', 'b', 'k', 'f', 'm')}", "line 1, column 3: decode with 'proto' is not allowed here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseTemplate(test.text)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestTemplateOfAQueryKnowsItsVariables(t *testing.T) {
	query, err := Parse("SET @a = 1 SELECT @a FROM 't'", V20160323)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query.ParseTemplate("${@a}"); err != nil {
		t.Error(err)
	}
	if _, err := query.ParseTemplate("${@b}"); !fault.Is(err, fault.CodeSQLParse) {
		t.Errorf("@b: got %v", err)
	}
}
