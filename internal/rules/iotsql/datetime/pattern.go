package datetime

import "strings"

// element is one step of reading a text by a java.time pattern.
type element struct {
	kind     kind
	field    fieldName
	min, max int  // digits of a number
	pads     bool // more digits than min need a plus sign in front (SignStyle.EXCEEDS_PAD)
	reserve  int  // digits to leave to the fixed-width numbers that follow at once
	fixed    bool
	names    []string // in the order of the field's values
	first    int      // the value of names[0]
	literal  string
	offset   offsetStyle
	zulu     bool      // an offset may be Z
	inner    []element // of an optional part
}

type kind int

const (
	kindNumber kind = iota
	kindReducedYear
	kindFraction
	kindNames
	kindLiteral
	kindOffset
	kindGMTOffset
	kindZone
	kindOptional
)

type fieldName int

const (
	fieldYear fieldName = iota
	fieldYearOfEra
	fieldEra
	fieldMonth
	fieldDay
	fieldDayOfYear
	fieldWeekday
	fieldWeekYear
	fieldWeek
	fieldHalfDay
	fieldHour       // 0-23
	fieldHourOfHalf // 0-11
	fieldClockHour  // 1-24
	fieldClockHalf  // 1-12
	fieldMinute
	fieldSecond
	fieldNano
	fieldMilliOfDay
	fieldNanoOfDay
	fieldCount
)

// optionalMax is how deep brackets may stand in brackets.
const optionalMax = 8

// compilePattern turns a java.time pattern into elements.
func compilePattern(pattern string) ([]element, bool) {
	runs, ok := split(pattern)
	if !ok {
		return nil, false
	}
	levels := [][]element{nil}
	for _, r := range runs {
		top := len(levels) - 1
		switch {
		case r.letter != 0:
			e, ok := letterElement(r)
			if !ok {
				return nil, false
			}
			levels[top] = append(levels[top], e)
		case r.literal == "[":
			if len(levels) > optionalMax {
				return nil, false
			}
			levels = append(levels, nil)
		case r.literal == "]":
			if top == 0 {
				return nil, false
			}
			optional := element{kind: kindOptional, inner: levels[top]}
			levels = levels[:top]
			levels[top-1] = append(levels[top-1], optional)
		case strings.ContainsAny(r.literal, "{}#"): // reserved by java.time
			return nil, false
		default:
			levels[top] = append(levels[top], element{kind: kindLiteral, literal: r.literal})
		}
	}
	for top := len(levels) - 1; top > 0; top-- { // brackets may stay open at the end
		levels[top-1] = append(levels[top-1], element{kind: kindOptional, inner: levels[top]})
	}
	return reserveDigits(levels[0]), true
}

// reserveDigits lets a number of open width leave room for the fixed-width
// numbers right behind it, so that yyyyMMdd reads 20231114 ("adjacent value
// parsing" in java.time).
func reserveDigits(elements []element) []element {
	open := -1
	for i := range elements {
		e := &elements[i]
		switch {
		case e.kind == kindOptional:
			e.inner, open = reserveDigits(e.inner), -1
		case e.fixed && open >= 0:
			elements[open].reserve += e.max
		case e.kind == kindNumber && !e.fixed:
			open = i
		case !e.fixed:
			open = -1
		}
	}
	return elements
}

// letterElement gives the element of a run of one letter. The letters Q, q, Y,
// W, e, c, F, g and p are java.time's too; their meaning depends on a locale or
// no date comes from them, and they are refused.
func letterElement(r run) (element, bool) {
	switch r.letter {
	case 'u':
		return yearElement(fieldYear, r.count), true
	case 'y':
		return yearElement(fieldYearOfEra, r.count), true
	case 'M', 'L':
		if r.count >= 3 {
			return namesElement(fieldMonth, monthNames(), 1, r.count)
		}
	case 'E':
		return namesElement(fieldWeekday, weekdayNames(), 1, max(r.count, 3))
	case 'G':
		return eraElement(r.count)
	case 'a':
		return element{kind: kindNames, field: fieldHalfDay, names: []string{"AM", "PM"}}, r.count == 1
	case 'S':
		return element{kind: kindFraction, field: fieldNano, min: r.count, max: r.count, fixed: true}, r.count <= 9
	case 'n':
		return longNumber(fieldNano, r.count)
	case 'A':
		return longNumber(fieldMilliOfDay, r.count)
	case 'N':
		return longNumber(fieldNanoOfDay, r.count)
	case 'X', 'x', 'Z', 'O':
		return offsetElement(r)
	case 'V':
		return element{kind: kindZone}, r.count == 2
	case 'z':
		return element{kind: kindZone}, r.count <= 4
	case 'D':
		return element{kind: kindNumber, field: fieldDayOfYear, min: r.count, max: 3, fixed: r.count == 3}, r.count <= 3
	}
	field, known := shortField(r.letter)
	return shortNumber(field, r.count), known && r.count <= 2
}

func shortField(letter byte) (fieldName, bool) {
	switch letter {
	case 'M', 'L':
		return fieldMonth, true
	case 'd':
		return fieldDay, true
	case 'H':
		return fieldHour, true
	case 'k':
		return fieldClockHour, true
	case 'K':
		return fieldHourOfHalf, true
	case 'h':
		return fieldClockHalf, true
	case 'm':
		return fieldMinute, true
	case 's':
		return fieldSecond, true
	}
	return 0, false
}

func longNumber(field fieldName, count int) (element, bool) {
	return element{kind: kindNumber, field: field, min: count, max: 19}, count <= 19
}

// shortNumber is one letter for as many digits as there are, two for exactly two.
func shortNumber(field fieldName, count int) element {
	if count == 1 {
		return element{kind: kindNumber, field: field, min: 1, max: 19}
	}
	return element{kind: kindNumber, field: field, min: 2, max: 2, fixed: true}
}

func yearElement(field fieldName, count int) element {
	switch {
	case count == 2:
		return element{kind: kindReducedYear, field: field, min: 2, max: 2, fixed: true}
	case count < 4:
		return element{kind: kindNumber, field: field, min: count, max: 19}
	}
	return element{kind: kindNumber, field: field, min: min(count, 19), max: 19, pads: true}
}

func namesElement(field fieldName, full []string, first, count int) (element, bool) {
	names := full
	if count == 3 {
		names = make([]string, len(full))
		for i, long := range full {
			names[i] = long[:3]
		}
	}
	return element{kind: kindNames, field: field, names: names, first: first}, count <= 4
}

func eraElement(count int) (element, bool) {
	names := []string{"BC", "AD"}
	if count == 4 {
		names = []string{"Before Christ", "Anno Domini"}
	}
	return element{kind: kindNames, field: fieldEra, names: names}, count <= 4
}

// offsetElement knows the forms of X, x, Z and O without seconds.
func offsetElement(r run) (element, bool) {
	e := element{kind: kindOffset, zulu: r.letter == 'X'}
	switch {
	case r.letter == 'O':
		e.kind = kindGMTOffset
		return e, r.count == 1 || r.count == 4
	case r.letter == 'Z' && r.count == 4:
		e.kind = kindGMTOffset
		return e, true
	case r.letter == 'Z' && r.count == 5:
		e.zulu, e.offset.separator = true, ":"
		return e, true
	case r.letter == 'Z':
		return e, r.count <= 3
	case r.count == 1:
		e.offset.minutesOptional = true
	case r.count == 3 || r.count == 5:
		e.offset.separator = ":"
	}
	return e, r.count <= 5
}

func monthNames() []string {
	return []string{
		"January", "February", "March", "April", "May", "June",
		"July", "August", "September", "October", "November", "December",
	}
}

// weekdayNames starts with Monday, day 1 of ISO 8601.
func weekdayNames() []string {
	return []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
}
