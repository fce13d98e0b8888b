package wire

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"thingd/internal/fault"
)

const (
	violationsMax = 50  // in one answer
	shownMax      = 256 // bytes of a value that a violation repeats
)

// rule checks values of one shape. Its pattern compiles at first use.
type rule struct {
	*Shape
	pattern func() *regexp.Regexp
}

func newRule(s *Shape) *rule {
	return &rule{Shape: s, pattern: sync.OnceValue(func() *regexp.Regexp {
		re, err := compilePattern(s.Pattern)
		if err != nil {
			panic(fmt.Sprintf("wire: pattern of shape %s: %v", s.Name, err))
		}
		return re
	})}
}

// path says where in the input a value is, as AWS writes it:
// topicRulePayload.actions.1.member.s3.key.
type path struct {
	parent *path
	name   string
}

func (p *path) String() string {
	var names []string
	for ; p != nil; p = p.parent {
		if p.name != "" {
			names = append(names, strings.ToLower(p.name[:1])+p.name[1:])
		}
	}
	slices.Reverse(names)
	return strings.Join(names, ".")
}

// element is the path of a list's n-th element, counted from 1.
func (p *path) element(n int) *path {
	return &path{&path{p, strconv.Itoa(n)}, "member"}
}

// failing gives the constraints that a value fails, in AWS's words.
func (r *rule) failing(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.String:
		return r.failingString(v.String())
	case reflect.Slice, reflect.Map:
		return r.outside(float64(v.Len()), "length")
	case reflect.Int, reflect.Int64:
		return r.outside(float64(v.Int()), "value")
	case reflect.Float64:
		return r.outside(v.Float(), "value")
	}
	return nil
}

func (r *rule) failingString(s string) []string {
	failing := r.outside(float64(utf8.RuneCountInString(s)), "length")
	if r.Pattern != "" && !r.pattern().MatchString(s) {
		failing = append(failing, r.patternText())
	}
	if len(r.Enum) > 0 && !slices.Contains(r.Enum, s) {
		failing = append(failing, r.enumText())
	}
	return failing
}

// outside compares a length or a value with the bounds.
func (r *rule) outside(n float64, what string) []string {
	var failing []string
	if r.HasMax && n > r.Max {
		failing = append(failing, bound(what, "less", r.Max))
	}
	if r.HasMin && n < r.Min {
		failing = append(failing, bound(what, "greater", r.Min))
	}
	return failing
}

// all lists every constraint on strings: what AWS answers for elements of a
// list or map, without saying which one failed.
func (r *rule) all() []string {
	var all []string
	if r.HasMax {
		all = append(all, bound("length", "less", r.Max))
	}
	if r.HasMin {
		all = append(all, bound("length", "greater", r.Min))
	}
	if r.Pattern != "" {
		all = append(all, r.patternText())
	}
	if len(r.Enum) > 0 {
		all = append(all, r.enumText())
	}
	return all
}

func bound(what, side string, n float64) string {
	return fmt.Sprintf("Member must have %s %s than or equal to %s", what, side, strconv.FormatFloat(n, 'f', -1, 64))
}

func (r *rule) patternText() string {
	return "Member must satisfy regular expression pattern: " + r.Pattern
}

func (r *rule) enumText() string {
	return "Member must satisfy enum value set: [" + strings.Join(r.Enum, ", ") + "]"
}

// violations collects what is wrong with an input, all of it, because people
// would rather mend it once.
type violations struct {
	list  []string
	total int
}

func (v *violations) add(at *path, shown, constraint string) {
	v.total++
	if len(v.list) < violationsMax {
		v.list = append(v.list, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: %s", shown, at, constraint))
	}
}

// missing is a required member that is not there.
func (v *violations) missing(at *path) { v.add(at, "null ", "Member must not be null") }

// fault is the answer: InvalidRequestException or what the service has instead.
func (v *violations) fault() error {
	if v.total == 0 {
		return nil
	}
	errors := "errors"
	if v.total == 1 {
		errors = "error"
	}
	return fault.New(codeViolation, "%d validation %s detected: %s", v.total, errors, strings.Join(v.list, "; "))
}

// quoted shows a value as it came, short, and nothing of a secret.
func quoted(node any, sensitive bool) string {
	if sensitive {
		return ""
	}
	var b strings.Builder
	show(&b, node)
	text := b.String()
	if len(text) > shownMax {
		text = strings.ToValidUTF8(text[:shownMax], "") + "..."
	}
	return "'" + text + "' "
}

// show writes a value like Java's toString, which is what clients of AWS see.
func show(b *strings.Builder, node any) {
	if b.Len() > shownMax {
		return
	}
	switch node := node.(type) {
	case []any:
		b.WriteString("[")
		for i, element := range node {
			if i > 0 {
				b.WriteString(", ")
			}
			show(b, element)
		}
		b.WriteString("]")
	case map[string]any:
		b.WriteString("{")
		for i, key := range sortedKeys(node) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(key + "=")
			show(b, node[key])
		}
		b.WriteString("}")
	default:
		fmt.Fprint(b, node)
	}
}
