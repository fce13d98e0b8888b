package console

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"thingd/internal/why"
)

// languages are the console's, the default first: the order of the words of one
// key in the catalogue.
var languages = []string{"en", "ja"}

//go:embed words
var wordFiles embed.FS

// words has, for each key, the words in every language: one catalogue, a file
// for each room of the console.
var words = parseWords()

func parseWords() map[string][]string {
	all := map[string][]string{}
	files, err := wordFiles.ReadDir("words")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	for _, file := range files {
		if err := addWords(all, file.Name()); err != nil {
			panic(fmt.Sprintf("words/%s: %v", file.Name(), err))
		}
	}
	return all
}

// addWords adds one file's words; a key that another file has is an error.
func addWords(all map[string][]string, name string) error {
	text, err := wordFiles.ReadFile("words/" + name)
	if err != nil {
		return err
	}
	var room map[string][]string
	if err := json.Unmarshal(text, &room); err != nil {
		return err
	}
	for key, texts := range room {
		if _, has := all[key]; has {
			return fmt.Errorf("%q has words elsewhere", key)
		}
		all[key] = texts
	}
	return nil
}

//go:embed causes.json phrases.json faults.json faultkinds.json limits.json
var translations embed.FS

var (
	// causes has what package why says of each cause ("says" and "remedy"), in
	// Japanese.
	causes = translated[map[string]string]("causes.json")
	// phrases has the Japanese of forms: of why.Phrase, and of faults.
	phrases = translated[string]("phrases.json", "faults.json")
	// faultKinds has the Japanese of the codes of faults: what they mean, and what
	// to do.
	faultKinds = translated[string]("faultkinds.json")
	// limitDocs has the Japanese of what the broker says of its settings.
	limitDocs = translated[string]("limits.json")
)

func translated[T any](files ...string) map[string]T {
	all := map[string]T{}
	for _, file := range files {
		text, err := translations.ReadFile(file)
		if err != nil {
			panic(err) // it is part of the program
		}
		if err := json.Unmarshal(text, &all); err != nil {
			panic(fmt.Sprintf("%s: %v", file, err))
		}
	}
	return all
}

// phrase says a phrase in a language; a form that has no translation is English.
func phrase(lang string, p why.Phrase) string {
	if lang == languages[0] {
		return p.String()
	}
	return p.In(func(form string) string { return cmp.Or(phrases[form], form) })
}

// say gives words in a language, with args put where fmt's verbs are. A key that
// is missing stands for itself; a test keeps that from happening.
func say(lang, key string, args ...any) string {
	texts := words[key]
	if len(texts) != len(languages) {
		return key
	}
	text := texts[0]
	if lang == languages[1] {
		text = texts[1]
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// languageOf reads Accept-Language (RFC 9110, 12.5.4): of the languages we have,
// the one with the highest weight, and of equals the first.
func languageOf(r *http.Request) string {
	best, weight := languages[0], 0.0
	for i, part := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		if i == 32 {
			break // nobody reads so many languages
		}
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			q, _ = strconv.ParseFloat(text, 64)
		}
		for _, have := range languages {
			if primary == have && q > weight {
				best, weight = have, q
			}
		}
	}
	return best
}
