package console

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// languages are the console's, the default first: the order of the words of one
// key in words.json.
var languages = []string{"en", "ja"}

//go:embed words.json
var wordsFile []byte

// words has, for each key, the words in every language.
var words = parseWords()

func parseWords() map[string][]string {
	var all map[string][]string
	if err := json.Unmarshal(wordsFile, &all); err != nil {
		panic(fmt.Sprintf("words.json: %v", err))
	}
	return all
}

//go:embed causes.json
var causesFile []byte

// causes has what package why says of each cause ("says" and "remedy"), in
// Japanese.
var causes = parseCauses()

func parseCauses() map[string]map[string]string {
	var all map[string]map[string]string
	if err := json.Unmarshal(causesFile, &all); err != nil {
		panic(fmt.Sprintf("causes.json: %v", err))
	}
	return all
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
