package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/broker"
	"thingd/internal/iam"
	"thingd/internal/pki"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// formAt says which argument of a function is a form of a phrase.
var formAt = map[string]int{"why.Say": 0, "why.Join": 0, "clientError": 3}

// faultFormAt says it of faults. Those that take their form from a variable are
// followed by hand: their callers are here too.
var faultFormAt = map[string]int{
	"fault.New": 1, "fault.InvalidRequest": 0, "fault.NotFound": 0, "fault.AlreadyExists": 0, "fault.VersionConflict": 0,
	"fault.DeleteConflict": 0, "fault.LimitExceeded": 0, "fault.Forbidden": 0, "fault.NotImplemented": 0,
	"invalidCertificate": 0, "badState": 0, "c.refuse": 0, "checkNewType": 2,
}

// unmet are files whose faults nobody meets at the console, or so seldom that the
// words of their code must do: devices meet them, or programs that call the API.
var unmet = regexp.MustCompile(`^(accounts|edgefleets|endedaccounts|services|wiring)\.go|^cmd/|^internal/(api|aws|function|gateway|provisioning/template)/|` +
	`^internal/(access/(authorize|effective)|authorizer/(authorizer|signature|vouch)|bridge/(check|session|store|topics)|broker/(quota|retained)|` +
	`credentials/assume|edgefleet/(heartbeat|tag)|iam/(session|service|gate)|pki/(list|provider|providercall)|` +
	`provisioning/(claim|firstconnect|hook|mqtt|register|task|taskrun|templates|token)|rules/action/(clients|kafka|lambda|lookups|targets))\.go`)

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
	path := "" // of the file that is visited
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			texts[note(n)] = true
		case *ast.CallExpr:
			at, says := formAt[nameOf(n.Fun)]
			if !says && !unmet.MatchString(path) {
				at, says = faultFormAt[nameOf(n.Fun)]
			}
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
	must(t, filepath.WalkDir("../..", func(name string, entry fs.DirEntry, err error) error {
		path = filepath.ToSlash(strings.TrimPrefix(name, "../../"))
		if entry != nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != "../.." {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
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

// postIn sends a form as somebody does whose browser prefers a language.
func (b *browser) postIn(t *testing.T, language, path string, form url.Values, want int) string {
	t.Helper()
	form.Set("csrf", b.token(t))
	r := b.request(t, http.MethodPost, path, form)
	r.Header.Set("Accept-Language", language)
	_, body := b.do(t, r, want)
	return html.UnescapeString(body)
}

// What services refuse is told in the language of the page, and below as AWS's
// documentation has it.
func TestFaultsAreToldInTheLanguageOfThePage(t *testing.T) {
	h := open(t)
	b := h.root(t)
	keys, values := []string{}, []string{}
	for n := range 21 {
		keys, values = append(keys, "key"+strconv.Itoa(n)), append(values, "iot:ClientId")
	}
	_, err := h.IAM.CreateUser(t.Context(), iam.User{Name: "otto"})
	must(t, err)
	_, err = h.IAM.CreateAccessKey(t.Context(), "otto")
	must(t, err)
	tests := map[string]struct {
		path          string
		form          url.Values
		status        int
		says, english string
	}{
		"a name with characters that are not allowed": {
			"/console/things", url.Values{"name": {"テスト"}, "certificate": {"none"}}, http.StatusBadRequest,
			"thingName の値 \"テスト\" に使えない文字が含まれています", `thingName "テスト" has a character that is not allowed`,
		},
		"too many propagating attributes": {
			"/console/thingtypes", url.Values{"name": {"pump"}, "key": keys, "value": values}, http.StatusBadRequest,
			"モノのタイプの伝達属性は 20 個までです (現在は 21 個)", "a thing type can have 20 propagating attributes, not 21",
		},
		"a group below one that is not there": {
			"/console/thinggroups", url.Values{"name": {"lost"}, "parent": {"nowhere"}}, http.StatusNotFound,
			"モノのグループ nowhere が見つかりません", "Thing group nowhere not found",
		},
		"a policy with a mistake deep inside": {
			"/console/policies", url.Values{"name": {"p"}, "as": {"json"}, "document": {`{"Statement":[{"Effect":"allow"}]}`}}, http.StatusBadRequest,
			"ポリシードキュメントの書式が正しくありません: ステートメント 1: Effect は Allow か Deny でなければなりません (現在は \"allow\")",
			`Policy document is malformed: statement 1: Effect must be Allow or Deny, not "allow"`,
		},
		"something hangs on what should go": {
			"/console/users/otto/delete", url.Values{}, http.StatusConflict,
			"先にアクセスキーを削除してください。", "Cannot delete entity, must remove access keys first.",
		},
		"words of another program": {
			"/console/buckets", url.Values{"name": {"Not_A_Bucket"}}, http.StatusBadRequest,
			"入力内容に誤りがあります。次の説明に従って直してください。", "The specified bucket is not valid.",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			has(t, b.postIn(t, "ja", test.path, test.form, test.status), `<span lang="ja">`+test.says, `<span lang="en">`+test.english)
			english := b.postIn(t, "en", test.path, test.form, test.status)
			has(t, english, test.english)
			lacks(t, english, `lang="ja"`)
		})
	}
}

// The console's own words are in the language of the page as they are.
func TestTheConsolesOwnWordsAreToldOnce(t *testing.T) {
	b := open(t).root(t)
	twice := url.Values{"name": {"pump"}, "certificate": {"none"}, "key": {"a", "a"}, "value": {"1", "2"}}
	page := b.postIn(t, "ja", "/console/things", twice, http.StatusBadRequest)
	has(t, page, `<p class="problem" role="alert"><span lang="ja">`)
	lacks(t, page, `<span lang="en">`)
}

func TestLimitsAreToldInTheLanguageOfThePage(t *testing.T) {
	h := open(t)
	b := h.root(t)
	has(t, b.getIn(t, "ja", "/console/settings"), "最長のキープアライブ")
	has(t, b.getIn(t, "en", "/console/settings"), "longest keep-alive")
}
