package console

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"thingd/internal/fault"
	"thingd/internal/why"
)

// told is what a page says of an error: in its own language and, where that is
// not the service's, below in the service's words too, because AWS's
// documentation and other people's notes have these. Nothing is told by an empty
// one.
type told []sentence

// String gives it as one text.
func (t told) String() string {
	texts := make([]string, len(t))
	for i, one := range t {
		texts[i] = one.Text
	}
	return strings.Join(texts, "\n")
}

// tell gives what a visitor may read of an error.
func (v *visit) tell(err error) told {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code == fault.Internal {
		return v.told(v.text("error.internal"))
	}
	if v.lang == languages[0] || isOurs(f) {
		return v.told(f.Message)
	}
	return append(v.told(translatedFault(v.lang, f)), sentence{f.Message, languages[0]})
}

// told tells the page's own words.
func (v *visit) told(text string) told { return told{{text, v.lang}} }

// sentence is tell for where there is room for one text only.
func (v *visit) sentence(err error) string { return v.tell(err).String() }

// translatedFault says a fault in another language than English: as a whole or,
// where its form is not in the catalogue, what kind of fault it is.
func translatedFault(lang string, f *fault.Error) string {
	if phrases[f.Form] == "" {
		return cmp.Or(faultKinds[string(f.Code)], f.Message)
	}
	return phrase(lang, phraseOf(f))
}

// phraseOf is a fault as a phrase, those that it quotes included.
func phraseOf(f *fault.Error) why.Phrase {
	of := make([]any, len(f.Of))
	for i, part := range f.Of {
		of[i] = part
		if err, ok := part.(error); ok {
			if inner, ok := errors.AsType[*fault.Error](err); ok {
				of[i] = phraseOf(inner)
			}
		}
	}
	return why.Say(f.Form, of...)
}

// ours are words of the catalogue, which are in the visitor's language already.
type ours string

func isOurs(f *fault.Error) bool {
	return slices.ContainsFunc(f.Of, func(part any) bool { _, is := part.(ours); return is })
}

// wrong is a mistake that the console itself finds, in its own words.
func (v *visit) wrong(key string, args ...any) error {
	return v.fault(fault.CodeInvalidRequest, key, args...)
}

// fault is wrong with another code.
func (v *visit) fault(code fault.Code, key string, args ...any) error {
	return fault.New(code, "%s", ours(v.text(key, args...)))
}

// serviceSays gives what may be read of an error in the service's own words.
func serviceSays(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code != fault.Internal {
		return f.Message
	}
	return say(languages[0], "error.internal")
}
