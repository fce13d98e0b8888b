package datetime

import (
	"strconv"
	"strings"
	"time"
)

// textMax is the longest text Parse reads, in bytes.
const textMax = 1024

// Parse reads text with the letters of java.time's DateTimeFormatter and gives
// the moment in it: UTC where no zone is written, midnight where no time is.
// Not ok: a text the pattern does not fit in whole, a date that does not exist,
// a text without a full date.
func Parse(text, pattern string) (time.Time, bool) {
	elements, ok := compilePattern(pattern)
	if !ok || len(text) > textMax {
		return time.Time{}, false
	}
	r := reader{text: text}
	if !r.read(elements) || r.at != len(text) {
		return time.Time{}, false
	}
	return r.found.resolve()
}

// reader walks a text along the elements of a pattern.
type reader struct {
	text  string
	at    int
	found fields
}

// fields is what has been read so far. Copying it saves it.
type fields struct {
	value [fieldCount]int
	set   [fieldCount]bool
	zone  *time.Location
}

// put notes a value; one field read twice must agree with itself.
func (f *fields) put(name fieldName, value int) bool {
	if f.set[name] {
		return f.value[name] == value
	}
	f.value[name], f.set[name] = value, true
	return true
}

func (r *reader) read(elements []element) bool {
	for i := range elements {
		if !r.element(&elements[i]) {
			return false
		}
	}
	return true
}

func (r *reader) element(e *element) bool {
	switch e.kind {
	case kindNumber:
		return r.number(e)
	case kindReducedYear:
		return r.reducedYear(e)
	case kindFraction:
		return r.fraction(e)
	case kindNames:
		return r.name(e)
	case kindLiteral:
		return r.accept(e.literal)
	case kindOffset:
		return r.offset(e)
	case kindGMTOffset:
		return r.gmtOffset()
	case kindZone:
		return r.zoneName()
	}
	return r.optional(e.inner)
}

// optional reads a part that may be missing.
func (r *reader) optional(inner []element) bool {
	before := *r
	if !r.read(inner) {
		*r = before
	}
	return true
}

func (r *reader) accept(literal string) bool {
	if !strings.HasPrefix(r.text[r.at:], literal) {
		return false
	}
	r.at += len(literal)
	return true
}

// digits reads up to limit digits.
func (r *reader) digits(limit int) string {
	end := r.at
	for end < len(r.text) && end-r.at < limit && isDigit(r.text[end]) {
		end++
	}
	out := r.text[r.at:end]
	r.at = end
	return out
}

func (r *reader) number(e *element) bool {
	negative, plus := !e.fixed && r.accept("-"), false
	if !negative && e.pads {
		plus = r.accept("+")
	}
	start := r.at
	digits := r.digits(e.max + e.reserve)
	if e.reserve > 0 {
		r.at = start
		digits = r.digits(min(max(e.min, len(digits)-e.reserve), len(digits)))
	}
	if len(digits) < e.min || e.pads && (len(digits) > e.min) != plus {
		return false
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return false
	}
	if negative {
		n = -n
	}
	return r.found.put(e.field, n)
}

// reducedYear reads two digits of the years 2000 to 2099.
func (r *reader) reducedYear(e *element) bool {
	n, ok := twoDigits(r.text[r.at:])
	r.at += 2
	return ok && r.found.put(e.field, 2000+n)
}

func (r *reader) fraction(e *element) bool {
	digits := r.digits(e.max)
	if len(digits) < e.min {
		return false
	}
	n, err := strconv.Atoi(digits + strings.Repeat("0", 9-len(digits)))
	return err == nil && r.found.put(e.field, n)
}

// name reads one of the names, the longest that fits.
func (r *reader) name(e *element) bool {
	best := -1
	for i, name := range e.names {
		if strings.HasPrefix(r.text[r.at:], name) && (best < 0 || len(name) > len(e.names[best])) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	r.at += len(e.names[best])
	return r.found.put(e.field, e.first+best)
}

func (r *reader) putZone(zone *time.Location) bool {
	if r.found.zone != nil && r.found.zone.String() != zone.String() {
		return false
	}
	r.found.zone = zone
	return true
}

func (r *reader) offset(e *element) bool {
	if e.zulu && r.accept("Z") {
		return r.putZone(time.UTC)
	}
	seconds, used, ok := readOffset(r.text[r.at:], e.offset)
	if !ok {
		return false
	}
	r.at += used
	return r.putZone(fixedZone(seconds))
}

func fixedZone(seconds int) *time.Location {
	if seconds == 0 {
		return time.UTC
	}
	return time.FixedZone(offsetText(seconds, ":"), seconds)
}

// gmtOffset reads GMT, GMT+8 or GMT+08:00.
func (r *reader) gmtOffset() bool {
	if !r.accept("GMT") {
		return false
	}
	rest := r.text[r.at:]
	if rest == "" || rest[0] != '+' && rest[0] != '-' {
		return r.putZone(time.UTC)
	}
	if seconds, used, ok := readOffset(rest, offsetStyle{separator: ":", minutesOptional: true}); ok {
		r.at += used
		return r.putZone(fixedZone(seconds))
	}
	if len(rest) < 2 || !isDigit(rest[1]) {
		return false
	}
	hours := int(rest[1] - '0')
	if rest[0] == '-' {
		hours = -hours
	}
	r.at += 2
	return r.putZone(fixedZone(hours * 3600))
}

// zoneName reads the longest run that may be a zone's name, then the
// abbreviations that name one zone to most readers.
func (r *reader) zoneName() bool {
	end := r.at
	for end < len(r.text) && isZoneByte(r.text[end]) {
		end++
	}
	word := r.text[r.at:end]
	r.at = end
	zone, ok := Zone(regionOf(word))
	return ok && r.putZone(zone)
}

func isZoneByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("/_+-:", c) >= 0
}

// regionOf gives the region an abbreviation is short for; java.time resolves
// them to the same places. Other words stay as they are.
func regionOf(word string) string {
	switch word {
	case "EST", "EDT":
		return "America/New_York"
	case "CST", "CDT":
		return "America/Chicago"
	case "MST", "MDT":
		return "America/Denver"
	case "PST", "PDT":
		return "America/Los_Angeles"
	case "CET", "CEST":
		return "Europe/Paris"
	case "BST":
		return "Europe/London"
	case "JST":
		return "Asia/Tokyo"
	case "IST":
		return "Asia/Kolkata"
	}
	return word
}
