package iotsql

import (
	"slices"
	"strings"
	"unicode/utf8"

	"thingd/internal/rules/iotsql/decimal"
)

func stringFunctions() []Function {
	return []Function{
		text1("upper", V20151008, "The text in capital letters. Values that are no String are converted first.", strings.ToUpper,
			example("upper('ab')", `"AB"`), example("upper(NULL)", "Undefined")),
		text1("lower", V20151008, "The text in small letters. Values that are no String are converted first.", strings.ToLower,
			example("lower('AB')", `"ab"`), example(`lower(["AB"])`, `"[\"ab\"]"`)),
		text1("trim", V20151008, "The text without white space at its ends.", strings.TrimSpace, example("trim('  h i ')", `"h i"`)),
		text1("ltrim", V20151008, "The text without spaces and tabs at its start.",
			func(s string) string { return strings.TrimLeft(s, " \t") }, example("ltrim(' h ')", `"h "`)),
		text1("rtrim", V20151008, "The text without spaces and tabs at its end.",
			func(s string) string { return strings.TrimRight(s, " \t") }, example("rtrim(' h ')", `" h"`)),
		{
			Name: "length", Arguments: "text", Min: 1, Max: 1, Since: V20160323, Group: GroupStrings,
			Doc:      "How many characters the text has.",
			Examples: []Example{example("length('añ')", "2"), example("length(true)", "4"), example("length(missing)", "Undefined")},
			code:     measure(utf8.RuneCountInString),
		},
		{
			Name: "numbytes", Arguments: "text", Min: 1, Max: 1, Since: V20160323, Group: GroupStrings,
			Doc:      "How many bytes the text has in UTF-8.",
			Examples: []Example{example("numbytes('añ')", "3")},
			code:     measure(func(s string) int { return len(s) }),
		},
		{
			Name: "substring", Arguments: "text, start[, end]", Min: 2, Max: 3, Since: V20151008, Group: GroupStrings,
			Doc: "The characters from one position up to but not including another, or up to the end. Positions count from 0, " +
				"lose their fraction, and are moved into the text where they lie outside.",
			Examples: []Example{
				example("substring('sensor', 3)", `"sor"`), example("substring('sensor', -2, 3)", `"sen"`),
				example("substring(4821, 1, 3)", `"82"`), example("substring('abc', 2, 1)", `""`), example("substring('abc', 2.745)", `"c"`),
			},
			code: substring,
		},
		{
			Name: "indexof", Arguments: "text, part", Min: 2, Max: 2, Since: V20160323, Group: GroupStrings,
			Doc:      "The position of the part in the text, counted in characters from 0; -1 where it is not there.",
			Examples: []Example{example("indexof('site/7', '7')", "5"), example("indexof('abc', 'z')", "-1")},
			code: onTexts(func(_ *evaluation, s, part string) Value {
				at := strings.Index(s, part)
				if at > 0 {
					at = utf8.RuneCountInString(s[:at])
				}
				return integer(int64(at))
			}),
		},
		{
			Name: "startswith", Arguments: "text, start", Min: 2, Max: 2, Since: V20151008, Group: GroupStrings,
			Doc:      "Whether the text begins with another.",
			Examples: []Example{example("startswith(421, '42')", "true"), example("startswith(missing, '4')", "Undefined")},
			code:     onTexts(func(_ *evaluation, s, start string) Value { return boolean(strings.HasPrefix(s, start)) }),
		},
		{
			Name: "endswith", Arguments: "text, end", Min: 2, Max: 2, Since: V20151008, Group: GroupStrings,
			Doc:      "Whether the text ends with another.",
			Examples: []Example{example("endswith('cat', 'at')", "true"), example("endswith('cat', NULL)", "Undefined")},
			code:     onTexts(func(_ *evaluation, s, end string) Value { return boolean(strings.HasSuffix(s, end)) }),
		},
		{
			Name: "concat", Arguments: "value, …", Min: 0, Max: -1, Since: V20151008, Group: GroupStrings,
			Doc: "The values joined. Where one is an Array the result is an Array of all elements and other values; otherwise " +
				"at least one must be a String, and the result is their texts. A single value is returned as it is.",
			Examples: []Example{
				example("concat('a', 1, true)", `"a1true"`), example("concat([1], 'a', [2, 3])", `[1,"a",2,3]`),
				example("concat(1)", "1"), example("concat(1, 2)", "Undefined"), example("concat()", "Undefined"),
			},
			code: concat,
		},
		{
			Name: "replace", Arguments: "text, find, replacement", Min: 3, Max: 3, Since: V20151008, Group: GroupStrings,
			Doc:      "The text with every occurrence of a part replaced. The part is plain text.",
			Examples: []Example{example("replace('a.b.c', '.', '/')", `"a/b/c"`), example("replace('abc', 'b', '')", `"ac"`)},
			code:     replace,
		},
		{
			Name: "lpad", Arguments: "text, n", Min: 2, Max: 2, Since: V20151008, Group: GroupStrings,
			Doc:      "The text with n spaces before it; at most 1000.",
			Examples: []Example{example("lpad('x', 3)", `"   x"`), example("lpad('x', -1)", `"x"`)},
			code:     padding(func(text, spaces string) string { return spaces + text }),
		},
		{
			Name: "rpad", Arguments: "text, n", Min: 2, Max: 2, Since: V20151008, Group: GroupStrings,
			Doc:      "The text with n spaces behind it; at most 1000.",
			Examples: []Example{example("rpad(7, 1)", `"7 "`), example("rpad('x', true)", "Undefined")},
			code:     padding(func(text, spaces string) string { return text + spaces }),
		},
		{
			Name: "chr", Arguments: "code", Min: 1, Max: 1, Since: V20151008, Group: GroupStrings,
			Doc:      "The ASCII character with this code, 0 to 127, after rounding down.",
			Examples: []Example{example("chr(67)", `"C"`), example("chr('66.9')", `"B"`), example("chr(128)", "Undefined")},
			code:     character,
		},
	}
}

// text1 is a function from text to text.
func text1(name string, since Version, doc string, apply func(string) string, examples ...Example) Function {
	return Function{
		Name: name, Arguments: "text", Min: 1, Max: 1, Since: since, Group: GroupStrings, Doc: doc, Examples: examples,
		code: func(ev *evaluation, args []Value) Value {
			text, ok := ev.toText(args[0])
			if !ok || !ev.charge(len(text)) {
				return Value{}
			}
			return NewString(apply(text))
		},
	}
}

func measure(count func(string) int) func(*evaluation, []Value) Value {
	return func(ev *evaluation, args []Value) Value {
		text, ok := ev.toText(args[0])
		if !ok {
			return Value{}
		}
		return integer(int64(count(text)))
	}
}

// onTexts makes the code of a function of two texts.
func onTexts(apply func(ev *evaluation, a, b string) Value) func(*evaluation, []Value) Value {
	return func(ev *evaluation, args []Value) Value {
		a, ok := ev.toText(args[0])
		b, also := ev.toText(args[1])
		if !ok || !also {
			return Value{}
		}
		return apply(ev, a, b)
	}
}

func substring(ev *evaluation, args []Value) Value {
	text, ok := ev.toText(args[0])
	if !ok {
		return Value{}
	}
	length := utf8.RuneCountInString(text)
	bounds := [2]int{0, length}
	for i, position := range args[1:] {
		d, ok := toNumber(position)
		if !ok {
			return Value{}
		}
		bounds[i] = min(max(clampInt(d.Round(decimal.Truncate)), 0), length)
	}
	if bounds[0] >= bounds[1] {
		return NewString("")
	}
	if length == len(text) {
		return NewString(text[bounds[0]:bounds[1]])
	}
	start := byteOffset(text, bounds[0])
	return NewString(text[start : start+byteOffset(text[start:], bounds[1]-bounds[0])])
}

// byteOffset is where the nth character of a text begins.
func byteOffset(text string, n int) int {
	for at := range text {
		if n == 0 {
			return at
		}
		n--
	}
	return len(text)
}

// concat follows AWS for Arrays and Strings; a part without text (Null,
// Undefined), or numbers alone, make the whole Undefined (unconfirmed).
func concat(ev *evaluation, args []Value) Value {
	if len(args) == 0 {
		return Value{}
	}
	if len(args) == 1 {
		return args[0]
	}
	isKind := func(kind Kind) bool { return slices.ContainsFunc(args, func(v Value) bool { return v.kind == kind }) }
	switch {
	case isKind(Undefined) || isKind(Null) || isKind(Raw):
		return Value{}
	case isKind(Array):
		return ev.joinArrays(args)
	case isKind(String):
		return ev.joinTexts(args)
	}
	return Value{}
}

func (ev *evaluation) joinArrays(args []Value) Value {
	var joined []Value
	for _, v := range args {
		if v.kind != Array {
			joined = append(joined, v)
			continue
		}
		if !ev.charge(len(v.Elements()) * valueSize) {
			return Value{}
		}
		joined = append(joined, v.Elements()...)
	}
	return array(joined)
}

func (ev *evaluation) joinTexts(args []Value) Value {
	var joined strings.Builder
	for _, v := range args {
		text, ok := ev.toText(v)
		if !ok || !ev.charge(len(text)) {
			return Value{}
		}
		joined.WriteString(text)
	}
	return NewString(joined.String())
}

func replace(ev *evaluation, args []Value) Value {
	text, ok := ev.toText(args[0])
	find, also := ev.toText(args[1])
	replacement, too := ev.toText(args[2])
	if !ok || !also || !too {
		return Value{}
	}
	// Known before it is made: replacing can multiply lengths.
	if !ev.charge(len(text) + strings.Count(text, find)*len(replacement)) {
		return Value{}
	}
	return NewString(strings.ReplaceAll(text, find, replacement))
}

func padding(join func(text, spaces string) string) func(*evaluation, []Value) Value {
	return func(ev *evaluation, args []Value) Value {
		text, ok := ev.toText(args[0])
		n, also := toNumber(args[1])
		if !ok || !also {
			return Value{}
		}
		count := min(max(clampInt(n.Round(decimal.Floor)), 0), paddingMax)
		if !ev.charge(len(text) + count) {
			return Value{}
		}
		return NewString(join(text, strings.Repeat(" ", count)))
	}
}

func character(_ *evaluation, args []Value) Value {
	d, ok := toNumber(args[0])
	code := clampInt(d.Round(decimal.Floor))
	if !ok || code < 0 || code >= utf8.RuneSelf {
		return Value{}
	}
	return NewString(string(rune(code)))
}
