package why

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Phrase is a sentence, or a part of one, that can still be said in any language:
// an English form with a verb of package fmt for each of its parts, and the
// parts. The form is also what translations are looked up by; the parts are names,
// numbers and strangers' words, which stay as they are, or phrases again.
//
//	Say("%s allows it but its resource needs %s", Say("policy %s statement %d", name, n), variable)
//
// As JSON a phrase is {"form":"…","of":[…]}, and words are a string.
type Phrase struct {
	Form string
	Of   []Phrase
	Text string // where Form is "": words that are no form
}

// Say makes a phrase. The form's verbs are %s, %d, %q, %v and %w.
func Say(form string, of ...any) Phrase {
	p := Phrase{Form: form}
	for _, part := range of {
		verb := nextVerb(&form)
		if phrase, ok := part.(Phrase); ok {
			p.Of = append(p.Of, phrase)
			continue
		}
		p.Of = append(p.Of, Words(fmt.Sprintf(verb, part)))
	}
	return p
}

// nextVerb takes a form's first verb, and what is before it, off the form.
func nextVerb(form *string) string {
	_, rest, found := strings.Cut(*form, "%")
	if !found || rest == "" {
		return "%v"
	}
	*form = rest[1:]
	if rest[0] == 'w' { // of fmt.Errorf
		return "%v"
	}
	return "%" + rest[:1]
}

// Words are a text that is the same in every language.
func Words(text string) Phrase { return Phrase{Text: text} }

// IsZero says whether there is nothing to say.
func (p Phrase) IsZero() bool { return p.Form == "" && p.Text == "" }

// Error implements error, in English: what a language's parser has to say of a
// text is a phrase, so that the one who wrote the text reads it in any language.
func (p Phrase) Error() string { return p.String() }

// String says the phrase in English.
func (p Phrase) String() string { return p.In(func(form string) string { return form }) }

// In says the phrase in the language into which translate puts forms. There each
// part is %s, or %[2]s to say the second one out of its turn.
func (p Phrase) In(translate func(form string) string) string {
	if p.Form == "" {
		return p.Text
	}
	var b strings.Builder
	rest, turn := translate(p.Form), 0
	for {
		before, after, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if !found || after == "" {
			return b.String()
		}
		if number, behind, explicit := strings.Cut(after, "]"); explicit && after[0] == '[' && len(number) == 2 {
			turn, after = int(number[1]-'1'), behind
		}
		if turn >= 0 && turn < len(p.Of) {
			b.WriteString(p.Of[turn].In(translate))
		}
		turn++
		rest = after[min(1, len(after)):] // the verb
	}
}

// Join strings phrases together by a form of two parts, such as "%s or %s".
func Join(form string, all []Phrase) Phrase {
	if len(all) == 0 {
		return Phrase{}
	}
	joined := all[0]
	for _, next := range all[1:] {
		joined = Say(form, joined, next)
	}
	return joined
}

// form is a Phrase in JSON.
type form struct {
	Form string   `json:"form"`
	Of   []Phrase `json:"of,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (p Phrase) MarshalJSON() ([]byte, error) {
	if p.Form == "" {
		return json.Marshal(p.Text)
	}
	return json.Marshal(form{p.Form, p.Of})
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Phrase) UnmarshalJSON(text []byte) error {
	if len(text) == 0 {
		return errors.New("a phrase is missing")
	}
	if text[0] == '"' {
		*p = Phrase{}
		return json.Unmarshal(text, &p.Text)
	}
	var f form
	err := json.Unmarshal(text, &f)
	*p = Phrase{Form: f.Form, Of: f.Of}
	return err
}
