package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/broker"
	"thingd/internal/pki"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// formAt says which argument of a function is a form of a phrase.
var formAt = map[string]int{"why.Say": 0, "why.Join": 0, "clientError": 3}

// formTables are variables whose rows end in a form.
var formTables = []string{"subjects", "relations"}

// inSource gives the forms of phrases in the program's source, and all its texts.
func inSource(t *testing.T) (forms []string, texts map[string]bool) {
	t.Helper()
	texts = map[string]bool{}
	note := func(e ast.Expr) string {
		text := ""
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ = strconv.Unquote(lit.Value)
		}
		return text
	}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			texts[note(n)] = true
		case *ast.CallExpr:
			at, says := formAt[nameOf(n.Fun)]
			if says && len(n.Args) > at {
				forms = append(forms, note(n.Args[at]))
			}
		case *ast.ValueSpec:
			if slices.Contains(formTables, n.Names[0].Name) && len(n.Values) == 1 {
				for _, row := range n.Values[0].(*ast.CompositeLit).Elts {
					fields := row.(*ast.CompositeLit).Elts
					forms = append(forms, note(fields[len(fields)-1]))
				}
			}
		}
		return true
	}
	must(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != "../.." {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			ast.Inspect(file, visit)
		}
		return err
	}))
	return slices.DeleteFunc(forms, func(form string) bool { return !strings.ContainsFunc(placeless(form), isLetter) }), texts
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok {
			return pkg.Name + "." + e.Sel.Name
		}
	}
	return ""
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

var partPlaces = regexp.MustCompile(`%(?:\[(\d)\])?([a-z])`)

// placeless is a form without its partPlaces for parts.
func placeless(form string) string { return partPlaces.ReplaceAllString(form, "") }

// parts lists the parts that a form says, by number.
func parts(form string) map[int]bool {
	all, turn := map[int]bool{}, 0
	for _, place := range partPlaces.FindAllStringSubmatch(form, -1) {
		if place[1] != "" {
			turn, _ = strconv.Atoi(place[1])
			turn--
		}
		all[turn] = true
		turn++
	}
	return all
}

func TestTheCatalogueHasEveryPhrase(t *testing.T) {
	forms, texts := inSource(t)
	if len(forms) < 100 {
		t.Fatalf("found only %d forms in the source", len(forms))
	}
	for _, refusal := range []pki.Refusal{pki.Unregistered, pki.NotActive, pki.IsRevoked, pki.AwaitsActivation, pki.AwaitsTransfer, pki.Expired} {
		forms = append(forms, string(refusal))
	}
	for _, form := range forms {
		if phrases[form] == "" {
			t.Errorf("not translated: %q", form)
		}
	}
	for form, japanese := range phrases {
		if !texts[form] {
			t.Errorf("nobody says %q", form)
		}
		if diff := cmp.Diff(parts(form), parts(japanese)); diff != "" {
			t.Errorf("%q says other parts in Japanese (-en +ja):\n%s", form, diff)
		}
	}
}

func TestTheCatalogueHasEveryLimit(t *testing.T) {
	var docs []string
	for _, s := range broker.Settings() {
		docs = append(docs, s.Doc)
	}
	slices.Sort(docs)
	if diff := cmp.Diff(slices.Compact(docs), slices.Sorted(maps.Keys(limitDocs))); diff != "" {
		t.Errorf("limits (-of the broker +translated):\n%s", diff)
	}
}

// get reads a page as somebody does whose browser prefers a language.
func (b *browser) getIn(t *testing.T, language, path string) string {
	t.Helper()
	r := b.request(t, http.MethodGet, path, nil)
	r.Header.Set("Accept-Language", language)
	_, body := b.do(t, r, http.StatusOK)
	return html.UnescapeString(body)
}

func TestARefusalIsToldInTheLanguageOfThePage(t *testing.T) {
	h := open(t)
	b := h.root(t)
	document, err := policy.Parse(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/${iot:Connection.Thing.ThingName}/<b>"},
		{"Effect":"Deny","Action":"iot:Connect","Resource":"*"}]}`, policy.IoT)
	must(t, err)
	set := policy.NewSet(document.Compile("mine", "arn:aws:iot:us-east-1:123456789012:policy/mine", "1"))
	values := policy.Values{}
	values.Set(policy.KeyClientID, "pump")
	for action, resource := range map[string]string{"iot:Publish": "topic/pump/<b>", "iot:Connect": "client/pump"} {
		event := why.Event{ClientID: "pump", Step: why.StepPublish, Action: action, Resource: h.Scope.IoT("x", "")[:len("arn:aws:iot:us-east-1:123456789012:")] + resource}
		set.Explain(policy.Request{Action: action, Resource: event.Resource, Context: values}).Tell(&event)
		h.Journal.Record(event)
	}
	h.Journal.Record(why.Event{ClientID: "pump", Step: why.StepConnection, Cause: why.ConnectionLost, Detail: "read: connection reset by peer"})
	const unattached = "ポリシー mine のステートメント 1 はこれを許可しますが、リソースに必要な変数 ${iot:Connection.Thing.ThingName} に値がありません: 証明書が、クライアント ID と同じ名前 (大文字小文字も区別) のモノにアタッチされていません"
	ja := b.getIn(t, "ja", "/console/why")
	has(t, ja, unattached, "ポリシー mine のステートメント 2 は arn:aws:iot:us-east-1:123456789012:client/pump への iot:Connect を拒否します",
		`決定したポリシー: <a href="/console/policies/mine">mine</a>, ステートメント 2`, `<p lang="en">read: connection reset by peer</p>`)
	has(t, b.getIn(t, "ja", "/console/client?id=pump"), unattached)
	en := b.getIn(t, "en", "/console/why")
	has(t, en, "policy mine statement 1 allows it but its resource needs ${iot:Connection.Thing.ThingName}, which has no value: the certificate is not attached to a thing named like the client ID, letter case included",
		`Decided by: <a href="/console/policies/mine">mine</a>, statement 2`)
}

func TestFaultsAndLimitsAreToldInTheLanguageOfThePage(t *testing.T) {
	h := open(t)
	b := h.root(t)
	has(t, b.getIn(t, "ja", "/console/settings"), "最長のキープアライブ")
	has(t, b.getIn(t, "en", "/console/settings"), "longest keep-alive")
}
