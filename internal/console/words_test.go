package console

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/why"
)

var verbs = regexp.MustCompile(`%[a-z]`)

func TestEveryKeyHasWordsInEveryLanguage(t *testing.T) {
	for key, texts := range words {
		if len(texts) != len(languages) || slices.Contains(texts, "") {
			t.Errorf("%s has %d languages, want %d, none of them empty", key, len(texts), len(languages))
			continue
		}
		if diff := cmp.Diff(verbs.FindAllString(texts[0], -1), verbs.FindAllString(texts[1], -1)); diff != "" {
			t.Errorf("%s: the languages take other arguments (-en +ja):\n%s", key, diff)
		}
	}
}

var (
	inTemplate = regexp.MustCompile(`\.T "([^"]+)"`)
	inCode     = regexp.MustCompile(`(?:\.text\(|\.to\([^\n]*, |\.T\(|\.wrong\(|\.fault\(fault\.\w+, )"([a-z0-9.]+)"`)
)

func TestTheCatalogueIsWhatThePagesSay(t *testing.T) {
	used := map[string]bool{}
	for n := 1; n <= 5; n++ {
		used["connect.step"+string(rune('0'+n))] = true
	}
	for _, key := range actionWords() {
		used[key] = true
	}
	collect := func(pattern *regexp.Regexp, text string) {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			used[match[1]] = true
		}
	}
	must(t, fs.WalkDir(templateFiles, "templates", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			text, _ := templateFiles.ReadFile(name)
			collect(inTemplate, string(text))
		}
		return err
	}))
	sources, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range sources {
		if !strings.HasSuffix(file, "_test.go") {
			text, err := os.ReadFile(file)
			must(t, err)
			collect(inCode, string(text))
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(words)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("keys of the catalogue (-has +used):\n%s", diff)
	}
}

// actionWords are the keys that the forms of rule actions look for and find: names
// must have words, hints may.
func actionWords() (all []string) {
	for _, kind := range actionKinds {
		all = append(all, "action."+kind.Member)
		keys := []string{"actionhint." + kind.Member}
		for _, f := range kind.Fields {
			name := "field." + f.Path
			if own := "field." + kind.Member + "." + f.Path; words[own] != nil {
				name = own
			}
			all = append(all, name)
			keys = append(keys, "fieldhint."+f.Path, "fieldhint."+kind.Member+"."+f.Path)
		}
		for _, key := range keys {
			if words[key] != nil {
				all = append(all, key)
			}
		}
	}
	return all
}

var causeConstant = regexp.MustCompile(`(?m)^\t\w+ +Cause += "([A-Z_]+)"`)

func TestEveryCauseIsTranslated(t *testing.T) {
	source, err := os.ReadFile("../why/why.go")
	must(t, err)
	var all []string
	for _, match := range causeConstant.FindAllStringSubmatch(string(source), -1) {
		cause := why.Cause(match[1])
		all = append(all, match[1])
		if cause.Says() != "" && causes[match[1]]["says"] == "" || cause.Remedy() != "" && causes[match[1]]["remedy"] == "" {
			t.Errorf("%s lacks Japanese words", match[1])
		}
	}
	slices.Sort(all)
	if diff := cmp.Diff(all, slices.Sorted(maps.Keys(causes))); diff != "" {
		t.Errorf("causes (-of why +translated):\n%s", diff)
	}
}

var faultCode = regexp.MustCompile(`(?m)^\tCode\w+ +Code = "(\w+)"`)

// Where a fault's own sentence is not translated, its code must tell enough.
func TestEveryCodeOfAFaultIsTranslated(t *testing.T) {
	source, err := os.ReadFile("../fault/fault.go")
	must(t, err)
	var all []string
	for _, match := range faultCode.FindAllStringSubmatch(string(source), -1) {
		all = append(all, match[1])
	}
	slices.Sort(all)
	if diff := cmp.Diff(all, slices.Sorted(maps.Keys(faultKinds))); diff != "" {
		t.Errorf("codes (-of fault +translated):\n%s", diff)
	}
}

func TestTheBrowserChoosesTheLanguage(t *testing.T) {
	tests := map[string]string{
		"":                               "en",
		"ja":                             "ja",
		"ja-JP,en;q=0.5":                 "ja",
		"en-US,en;q=0.9,ja;q=0.8":        "en",
		"de, fr;q=0.9, ja;q=0.3":         "ja",
		"de":                             "en",
		"en;q=0.2, ja;q=0.7":             "ja",
		"ja;q=0":                         "en",
		"ja;q=nonsense":                  "en",
		strings.Repeat("de,", 40) + "ja": "en",
	}
	for header, want := range tests {
		r := &http.Request{Header: http.Header{"Accept-Language": {header}}}
		if got := languageOf(r); got != want {
			t.Errorf("%q chooses %s, want %s", header, got, want)
		}
	}
}

// Templates are parsed when somebody asks for them, which is too late to find out
// that one does not.
func TestEveryTemplateParses(t *testing.T) {
	for name, page := range templates {
		if page().Lookup("layout") == nil {
			t.Errorf("%s has no layout", name)
		}
	}
}
