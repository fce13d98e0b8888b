package policy

import (
	"strings"

	"thingd/internal/why"
)

// headFields is how many fields of an ARN come before the name of the resource:
// arn, partition, service, region, account.
const headFields = 5

// arnPattern is a pattern for ARNs. The first five fields are matched one by one
// and the rest as a whole, because names may contain colons: were the text matched
// in one go, the account * of arn:aws:iot:us-east-1:*:topic/a would also stand
// for 111122223333:topicfilter/x in the filter x:topic/a.
type arnPattern struct {
	whole  pattern   // the text in one piece; it alone counts where there are no fields
	all    bool      // *: matches what is no ARN, too
	fields []pattern // the first five, or none
	head   string    // instead of fields to match: their text, with the last colon
	name   pattern   // everything after the fifth colon
}

// resource is what is asked for, cut once for all patterns.
type resource struct {
	text string
	head int // length of the first five fields with their colons; 0 if it is no ARN
}

// newResource cuts the text of an ARN; anything else stays in one piece.
func newResource(text string) resource {
	at := 0
	for range headFields {
		i := strings.IndexByte(text[at:], ':')
		if i < 0 {
			return resource{text: text}
		}
		at += i + 1
	}
	return resource{text: text, head: at}
}

// match compares the pattern with a resource.
func (a *arnPattern) match(r resource, ctx Context) verdict {
	switch {
	case a.all:
		return hit
	case len(a.fields) == 0:
		return a.whole.match(r.text, ctx)
	case r.head == 0:
		return miss
	case a.head != "":
		if r.text[:r.head] != a.head {
			return miss
		}
	default:
		if v := a.matchHead(r.text[:r.head], ctx); v != hit {
			return v
		}
	}
	return a.name.match(r.text[r.head:], ctx)
}

// matchHead compares the first five fields, each with its own pattern.
func (a *arnPattern) matchHead(head string, ctx Context) verdict {
	for i := range a.fields {
		field, rest, _ := strings.Cut(head, ":")
		if v := a.fields[i].match(field, ctx); v != hit {
			return v
		}
		head = rest
	}
	return hit
}

// compileARN compiles *, the pattern of an ARN, or, only where loose, a text that
// becomes an ARN when its variables are replaced.
func compileARN(text string, s syntax) (arnPattern, error) {
	whole, err := compilePattern(text, s)
	if err != nil {
		return arnPattern{}, err
	}
	a := arnPattern{whole: whole, all: len(whole.tokens) == 1 && whole.tokens[0].kind == anyRun}
	parts := splitARN(text, s)
	if a.all || len(parts) <= headFields {
		return a, nil
	}
	if err := a.compileFields(parts, s); err != nil {
		return arnPattern{}, err
	}
	a.name, err = compilePattern(parts[headFields], s)
	return a, err
}

func (a *arnPattern) compileFields(parts []string, s syntax) error {
	plain := true
	for _, part := range parts[:headFields] {
		field, err := compilePattern(part, s)
		if err != nil {
			return err
		}
		plain = plain && field.isPlain()
		a.fields = append(a.fields, field)
	}
	if plain {
		a.head = strings.Join(parts[:headFields], ":") + ":"
	}
	return nil
}

// isPlain says whether the pattern is just its source.
func (p *pattern) isPlain() bool {
	return len(p.tokens) == 0 || len(p.tokens) == 1 && p.tokens[0].kind == literal && p.tokens[0].text == p.source
}

// splitARN cuts text at its first five colons outside of variables, whose names
// have colons of their own.
func splitARN(text string, s syntax) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text) && len(parts) < headFields; i++ {
		if s.variables && strings.HasPrefix(text[i:], "${") {
			if n := variableEnd(text[i:]); n > 0 {
				i += n - 1
				continue
			}
		}
		if text[i] == ':' {
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

var errNoARN = why.Say("it must be * or an ARN such as arn:aws:iot:us-east-1:111122223333:topic/name")

// compileResource compiles a member of Resource or NotResource.
func compileResource(text string, d Dialect, s syntax) (arnPattern, error) {
	if d != IoT {
		text = completeARN(text)
	}
	a, err := compileARN(text, s)
	if err != nil || a.all {
		return a, err
	}
	if len(a.fields) == 0 || a.fields[0].source != "arn" {
		return arnPattern{}, errNoARN
	}
	if d == IoT {
		err = checkIoTResource(&a)
	}
	return a, err
}

// completeARN adds the fields that an IAM policy may leave out at the end of an
// ARN; they stand for anything. (IAM JSON policy elements: Resource.)
func completeARN(text string) string {
	parts := splitARN(text, syntax{variables: true})
	if parts[0] != "arn" || len(parts) < 3 {
		return text
	}
	return text + strings.Repeat(":*", max(0, headFields+1-len(parts)))
}

// checkIoTResource refuses ARNs that no request of a device can ever name. The
// service is never a wildcard, as in IAM.
func checkIoTResource(a *arnPattern) error {
	partition, service := a.fields[1].source, a.fields[2].source
	switch {
	case partition != "*" && !strings.HasPrefix(partition, "aws"):
		return why.Say("the second field must be aws, not %q", brief(partition))
	case service == "greengrass":
		return nil
	case service != "iot":
		return why.Say("the third field must be iot, not %q", brief(service))
	case !strings.ContainsAny(a.name.source, "/*?$"):
		return why.Say("it must end in <type>/<name> such as topic/a or client/b, not %q", brief(a.name.source))
	}
	return nil
}
