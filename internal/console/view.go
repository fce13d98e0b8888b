package console

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
	"thingd/internal/pki"
	"thingd/internal/rules"
	"thingd/internal/why"
)

//go:embed templates
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// templates holds each page together with the layout. They are parsed when they
// are first asked for: most servers show few of them, and many none.
var templates = parseTemplates()

func parseTemplates() map[string]func() *template.Template {
	layout := sync.OnceValue(func() *template.Template {
		return template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/parts*.html"))
	})
	all := map[string]func() *template.Template{}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name != "layout" && !strings.HasPrefix(name, "parts") {
			all[name] = sync.OnceValue(func() *template.Template {
				return template.Must(template.Must(layout().Clone()).ParseFS(templateFiles, file))
			})
		}
	}
	return all
}

// view is what templates see: the visit's words, and the page's own data.
type view struct {
	*visit
	Page  string
	Flash string
	Data  any
}

// T gives words of the visitor's language.
func (v *view) T(key string, args ...any) string { return v.text(key, args...) }

// Lang is the language of the page.
func (v *view) Lang() string { return v.lang }

// SignedIn says whether there is a session.
func (v *view) SignedIn() bool { return v.session != nil }

// CSRF is the token that changes need.
func (v *view) CSRF() string {
	if v.session == nil {
		return ""
	}
	return v.session.csrf
}

// Who names the person for the page's corner.
func (v *view) Who() string {
	if v.actor.Name != "" {
		return v.actor.Name
	}
	return "root"
}

// Here is the address and port of this door, as the browser wrote it.
func (v *view) Here() string { return v.r.Host }

// Address is the page's own, at which it looks again.
func (v *view) Address() string { return v.r.URL.RequestURI() }

// Port is the first TLS door's.
func (v *view) Port() int { return (*v.ports.Load())[0] }

// In says whether the page belongs to a place of the navigation.
func (v *view) In(place string) bool { return strings.HasPrefix(v.r.URL.Path, Root+place) }

// Time writes a moment; the browser turns it into its own time zone.
func (v *view) Time(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	text := t.UTC().Format(time.RFC3339)
	return template.HTML(`<time datetime="` + text + `">` + t.UTC().Format("2006-01-02 15:04:05") + ` UTC</time>`) // digits alone
}

// Span writes how long something lasts: without the zeros at the end, as people do.
func (v *view) Span(d time.Duration) string { return brief(d.String()) }

// brief leaves out the zeros at the end of what time.Duration writes: 1h, not
// 1h0m0s.
func brief(text string) string {
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Short is the beginning of a long identifier.
func (v *view) Short(id string) string {
	if len(id) <= 12 {
		return id
	}
	return id[:12] + "…"
}

// scripts are those that one page has beside everybody's.
var scripts = map[string][]string{
	"client":   {"stream.js"},
	"home":     {"vendor/uplot.min.js", "overview.js"},
	"ruleform": {"editor.js"},
	"bucket":   {"upload.js"},
	"imports":  {"imports.js"},
}

// Scripts lists the page's own.
func (v *view) Scripts() []string { return scripts[v.Page] }

// styles are those that one page has beside everybody's.
var styles = map[string][]string{"home": {"vendor/uplot.min.css"}}

// Styles lists the page's own.
func (v *view) Styles() []string {
	if v.session == nil {
		return nil
	}
	return styles[v.Page]
}

// Asset is the address of a file that may be cached for ever.
func (v *view) Asset(name string) string { return Root + "assets/" + name + "?v=" + assetTag }

// assetTag changes with any of the assets.
var assetTag = tagOfAssets()

func tagOfAssets() string {
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := assetFiles.ReadFile(name)
		sum.Write(text)
		return err
	})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// assets serves the embedded files.
func assets() http.Handler {
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.StripPrefix(strings.TrimSuffix(Root, "/"), files).ServeHTTP(w, r)
	})
}

// remoteAddr gives the caller's address without its port.
func remoteAddr(r *http.Request) (string, bool) {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap().String(), err == nil
}

// with is a part's view: the page's words, and the fields of its own data.
type with struct {
	*view
	State certificateState
	Keys  pki.KeyPair
}

// With gives the parts of a page about a certificate what they need.
func (v *view) With(m made) with { return with{v, m.State, m.Keys} }

// pages are the links below a part of a list.
type pages struct{ First, Next, FirstText, NextText string }

// Pages makes the links: back to the start, and to the page with a token.
func (v *view) Pages(first bool, next string) pages {
	p := pages{FirstText: v.T("pages.first"), NextText: v.T("pages.next")}
	query := v.r.URL.Query()
	query.Del("token")
	if !first {
		p.First = v.r.URL.Path + "?" + query.Encode()
	}
	if next != "" {
		query.Set("token", next)
		p.Next = v.r.URL.Path + "?" + query.Encode()
	}
	return p
}

// streamView is a list of messages that come as they are published.
type streamView struct {
	*view
	Filters []string
	Fixed   bool   // the page's own filters, not the visitor's
	Client  string // whose messages; "" for all
}

// Stream gives the part of a page that shows the messages of some filters.
func (v *view) Stream(filters []string) streamView {
	return streamView{v, filters, v.Page != "mqtt", ""}
}

// StreamOf gives the part that shows the messages of one client.
func (v *view) StreamOf(client string) streamView { return streamView{v, []string{"#"}, true, client} }

// Says gives a cause of a refusal in the visitor's language.
func (v *view) Says(c why.Cause) string { return v.causeText(c, "says", c.Says()) }

// Remedy says what to do about it.
func (v *view) Remedy(c why.Cause) string { return v.causeText(c, "remedy", c.Remedy()) }

// Phrase says a phrase in the visitor's language.
func (v *view) Phrase(p why.Phrase) string { return phrase(v.lang, p) }

// sentence is one that may be in another language than the page.
type sentence struct{ Text, Lang string }

// Because tells what is known of a refusal beyond its cause. Somebody else's words
// stay English.
func (v *view) Because(e why.Event) sentence {
	if e.Reason.IsZero() {
		return sentence{e.Detail, languages[0]}
	}
	return sentence{v.Phrase(e.Reason), v.lang}
}

// decider is the statement that an event names.
type decider struct {
	Policy    string
	Statement int
}

// Decider reads it; its zero value says that the event names it in other words.
func (v *view) Decider(e why.Event) decider {
	found := deciding.FindStringSubmatch(e.Statement)
	if found == nil {
		return decider{}
	}
	number, _ := strconv.Atoi(found[2]) // digits
	return decider{found[1], number}
}

// LimitDoc says what a setting of the broker is for.
func (v *view) LimitDoc(english string) string {
	if v.lang == languages[0] {
		return english
	}
	return cmp.Or(limitDocs[english], english)
}

// causeText translates what package why says in English.
func (v *view) causeText(c why.Cause, what, english string) string {
	if v.lang == languages[0] || english == "" {
		return english
	}
	return cmp.Or(causes[string(c)][what], english)
}

// Bytes writes a size for people.
func (v *view) Bytes(n int64) string {
	if n < 0 {
		return "–"
	}
	size, units := float64(n), []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	unit := ""
	for _, unit = range units {
		if size /= 1024; size < 1024 {
			break
		}
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + unit
}

// word gives the words of a key that may be missing; "" then.
func (v *view) word(key string) string {
	if words[key] == nil {
		return ""
	}
	return v.text(key)
}

// Word gives the words for a name out of a model, such as an action's.
func (v *view) Word(prefix, name string) string { return v.word(prefix + name) }

// FieldName says what a field of an action is.
func (v *view) FieldName(member, path string) string {
	return cmp.Or(v.word("field."+member+"."+path), v.word("field."+path), path)
}

// FieldHint says what to write into it.
func (v *view) FieldHint(member, path string) string {
	return cmp.Or(v.word("fieldhint."+member+"."+path), v.word("fieldhint."+path))
}

// RoleName is the name in the ARN of a role.
func (v *view) RoleName(arn string) string {
	_, name, found := strings.Cut(arn, ":role/")
	if !found {
		return arn
	}
	return name
}

// actionView is a part of the form of a rule: one of its actions.
type actionView struct {
	*view
	Action actionForm
	Form   ruleForm
}

// ForAction gives the form of an action what it needs.
func (v *view) ForAction(a actionForm, form ruleForm) actionView { return actionView{v, a, form} }

// trialView is what an action would do.
type trialView struct {
	*view
	rules.TrialAction
}

// ForTrial gives the part about an action that was tried what it needs.
func (v *view) ForTrial(a rules.TrialAction) trialView { return trialView{v, a} }

// Protocol names what a client speaks, and through which door.
func (v *view) Protocol(c broker.Connection) string {
	names := map[mqtt.Version]string{mqtt.V3: "MQTT 3.1", mqtt.V4: "MQTT 3.1.1", mqtt.V5: "MQTT 5"}
	name := cmp.Or(names[c.Version], "MQTT")
	if c.Door != "" {
		name += " (" + c.Door + ")"
	}
	return name
}
