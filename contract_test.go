package thingd

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/thingdapi"
	"thingd/internal/aws/tunneling"
	"thingd/internal/aws/wire"
)

// Every operation that is built is called wrongly in every way that its model
// forbids, one at a time: the answer must be an error that the model has, and the
// database must stay as it was.

var contractServices = []*wire.Service{
	iot.Service, iotdata.Service, iotjobs.Service, tunneling.Service,
	sagemaker.Service, sagemakeredge.Service, sts.Service, iamapi.Service, thingdapi.Service,
}

func TestWrongInputIsRefusedAndNothingIsStored(t *testing.T) {
	eachOperation(t, func(t *testing.T, h *house, m model, op *wire.Operation) {
		m.structure(reflect.TypeOf(op.In).Elem(), nil, identity, 0, func(w wrong) {
			request, ok := m.request(h, op, w.input)
			if !ok {
				return
			}
			got := send(t, request, h.keys, m.Service, h.now())
			if problem := w.judge(m, op, got); problem != "" {
				t.Errorf("%s: %s\n\tinput %.300v\n\tanswer %+v", w.how, problem, w.input, got)
			}
		})
	})
}

func TestWhatTheModelDoesNotHaveIsNotLookedAt(t *testing.T) {
	eachOperation(t, func(t *testing.T, h *house, m model, op *wire.Operation) {
		input, path := m.incomplete(reflect.TypeOf(op.In).Elem())
		if path == "" {
			return // nothing in its body is required
		}
		plain, _ := m.request(h, op, input)
		want := send(t, plain, h.keys, m.Service, h.now())
		more := maps.Clone(input)
		more["memberOfANewerModel"] = map[string]any{"a": []any{1, nil}}
		request, _ := m.request(h, op, more)
		if got := send(t, request, h.keys, m.Service, h.now()); got != want {
			t.Errorf("with an unknown member the answer is %+v, without %+v", got, want)
		}
	})
}

func TestBodiesInAnotherFormatAreRefused(t *testing.T) {
	eachOperation(t, func(t *testing.T, h *house, m model, op *wire.Operation) {
		if m.Protocol == wire.Query {
			m.refusesOtherForms(t, h, op)
			return
		}
		if !m.hasBody(op) {
			return
		}
		input, _ := m.example(reflect.TypeOf(op.In).Elem(), "").(map[string]any)
		for how, body := range map[string]string{
			"XML": "<thing/>", "a list": "[]", "a string": `"a"`, "half of it": `{"a":`, "twice": "{}{}",
		} {
			request, _ := m.request(h, op, input)
			request.body = []byte(body)
			request.header.Set("Content-Type", "application/xml")
			got := send(t, request, h.keys, m.Service, h.now())
			if got.status != 400 || got.name != "SerializationException" {
				t.Errorf("%s is answered with %+v", how, got)
			}
		}
	})
}

// refusesOtherForms: a service that speaks Query knows no operation in JSON or XML.
func (m model) refusesOtherForms(t *testing.T, h *house, op *wire.Operation) {
	t.Helper()
	for kind, body := range map[string]string{
		"application/json": `{"Action":"` + op.Name + `"}`, "application/xml": "<Action>" + op.Name + "</Action>", "": "",
	} {
		r := request{method: "POST", url: "http://" + h.HTTP + "/", header: http.Header{}, body: []byte(body)}
		if kind != "" {
			r.header.Set("Content-Type", kind)
		}
		if got := send(t, r, h.keys, m.Service, h.now()); got.status/100 != 4 || got.name == "" {
			t.Errorf("%q is answered with %+v", kind, got)
		}
	}
}

// TestRequestsThatWereChangedAreRefused: what was signed cannot be changed on the
// way, and a request without a signature is nobody's.
func TestRequestsThatWereChangedAreRefused(t *testing.T) {
	tampers := map[string]func(*http.Request){
		"another path":  func(r *http.Request) { r.URL.Path += "x"; r.URL.RawPath = "" },
		"another query": func(r *http.Request) { r.URL.RawQuery += "&a=b" },
		"another body":  func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("a=b")), 3 },
		"another host":  func(r *http.Request) { r.Host = "127.0.0.1" },
		"another date":  func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200101T000000Z") },
		"no signature":  func(r *http.Request) { r.Header.Del("Authorization") },
		"half of it": func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:60])
		},
	}
	eachOperation(t, func(t *testing.T, h *house, m model, op *wire.Operation) {
		if op.Anonymous {
			return
		}
		input, _ := m.example(reflect.TypeOf(op.In).Elem(), "").(map[string]any)
		for how, tamper := range tampers {
			plain, _ := m.request(h, op, input)
			got := sendChanged(t, plain, h.keys, m.Service, h.now(), tamper)
			if got.status/100 != 4 || got.status == 404 && how != "another path" {
				t.Errorf("%s: %+v", how, got)
			}
		}
	})
}

func TestCallersWhoAreNobodyAreRefused(t *testing.T) {
	var expired sigv4.Credentials
	before := func(t *testing.T, h *house) {
		expired = sessionKeys(t, h)
		h.ahead.Store(int64(2 * time.Hour)) // the session is for one
	}
	eachOperationAfter(t, before, func(t *testing.T, h *house, m model, op *wire.Operation) {
		if op.Anonymous {
			return
		}
		input, _ := m.example(reflect.TypeOf(op.In).Elem(), "").(map[string]any)
		for _, c := range []struct {
			how   string
			keys  sigv4.Credentials
			at    time.Duration
			names []string
		}{
			{"wrong secret", sigv4.Credentials{AccessKeyID: h.keys.AccessKeyID, SecretAccessKey: "wrong"}, 0, []string{"InvalidSignatureException", "SignatureDoesNotMatch"}},
			{"unknown key", sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wrong"}, 0, []string{"UnrecognizedClientException", "InvalidClientTokenId"}},
			{"clock behind", h.keys, -16 * time.Minute, []string{"InvalidSignatureException", "SignatureDoesNotMatch"}},
			{"clock ahead", h.keys, 16 * time.Minute, []string{"InvalidSignatureException", "SignatureDoesNotMatch"}},
			{"expired session", expired, 0, []string{"ExpiredTokenException", "ExpiredToken"}},
		} {
			request, ok := m.request(h, op, input)
			if !ok {
				t.Fatalf("no request can be made of %v", input)
			}
			got := send(t, request, c.keys, m.Service, h.now().Add(c.at))
			status := 403
			if m.Protocol == wire.JSON {
				status = 400 // the only one that JSON 1.1 has for clients' mistakes
			}
			if got.status != status || !slices.Contains(c.names, got.name) {
				t.Errorf("%s: %+v", c.how, got)
			}
		}
	})
}

// eachOperation runs a test for each operation that is built, against one server,
// and looks at the database before and after.
func eachOperation(t *testing.T, test func(*testing.T, *house, model, *wire.Operation)) {
	t.Helper()
	eachOperationAfter(t, func(*testing.T, *house) {}, test)
}

func eachOperationAfter(t *testing.T, before func(*testing.T, *house), test func(*testing.T, *house, model, *wire.Operation)) {
	t.Helper()
	h := start(t)
	before(t, h)
	built := map[string]bool{}
	for _, c := range h.front().Coverage() {
		built[c.Service+"."+c.Operation] = c.Implemented
	}
	disk := lookAt(t, filepath.Join(h.config.Data, "thingd.db"))
	for _, s := range contractServices {
		m := newModel(s)
		for i := range s.Operations {
			op := &s.Operations[i]
			if !built[s.Name+"."+op.Name] {
				continue
			}
			t.Run(s.Name+"/"+op.Name, func(t *testing.T) {
				before := disk.digest(t)
				test(t, h, m, op)
				if after := disk.digest(t); after != before {
					t.Error("something was stored")
				}
			})
		}
	}
}

// disk watches what the database holds.
type disk struct {
	db      *sql.DB
	version int
	sum     uint64
}

func lookAt(t *testing.T, path string) *disk {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	must(t, err)
	db.SetMaxOpenConns(1) // data_version is about one connection
	t.Cleanup(func() { db.Close() })
	return &disk{db: db, version: -1}
}

// digest sums up all tables but the journal's, which keeps refusals, the audit
// log's, which keeps attempts, and that of shadows' histories, which are written
// a moment behind. It reads them only if somebody has written since.
func (d *disk) digest(t *testing.T) uint64 {
	t.Helper()
	var version int
	must(t, d.db.QueryRow("PRAGMA data_version").Scan(&version))
	if version == d.version {
		return d.sum
	}
	sum := fnv.New64a()
	for _, table := range d.column(t, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'journal%' AND name NOT LIKE 'audit%' AND name <> 'shadow_changes' ORDER BY name") {
		fmt.Fprintln(sum, table)
		for _, row := range d.rows(t, table) {
			fmt.Fprintln(sum, row)
		}
	}
	d.version, d.sum = version, sum.Sum64()
	return d.sum
}

func (d *disk) column(t *testing.T, query string) (all []string) {
	t.Helper()
	rows, err := d.db.Query(query)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		must(t, rows.Scan(&s))
		all = append(all, s)
	}
	must(t, rows.Err())
	return all
}

func (d *disk) rows(t *testing.T, table string) (all []string) {
	t.Helper()
	rows, err := d.db.Query(`SELECT * FROM "` + table + `"`)
	must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(t, rows.Scan(values...))
		row := ""
		for _, v := range values {
			row += fmt.Sprint(*v.(*any), "|")
		}
		all = append(all, row)
	}
	must(t, rows.Err())
	return all
}

// model is a service's model, to make inputs from.
type model struct {
	*wire.Service
	shapes map[string]*wire.Shape
}

func newModel(s *wire.Service) model {
	m := model{s, map[string]*wire.Shape{}}
	for i := range s.Shapes {
		m.shapes[s.Shapes[i].Name] = &s.Shapes[i]
	}
	return m
}

// part is a member of a structure, as the tags of the generated code say.
type part struct {
	name, place, wireName, shape string
	required, jsonValue          bool
	typ                          reflect.Type
}

func parts(t reflect.Type) []part {
	all := make([]part, t.NumField())
	for i := range all {
		tag := t.Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		p := part{name: name, wireName: name, typ: t.Field(i).Type}
		for word := range strings.SplitSeq(tag.Get("wire"), ",") {
			key, value, has := strings.Cut(word, "=")
			switch key {
			case "required":
				p.required = true
			case "jsonvalue":
				p.jsonValue = true
			case "shape":
				p.shape = value
			case "uri", "query", "header", "payload", "status":
				p.place = key
				if has {
					p.wireName = value
				}
			}
		}
		all[i] = p
	}
	return all
}

// example gives the least value that a shape allows.
func (m model) example(t reflect.Type, shape string) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := m.shape(shape)
	switch {
	case t == reflect.TypeFor[time.Time]():
		return 1700000000
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case t == reflect.TypeFor[[]byte]():
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a"), max(1, int(s.Min))))
	}
	switch t.Kind() {
	case reflect.Struct:
		tree := map[string]any{}
		for _, p := range parts(t) {
			if p.required {
				tree[p.name] = m.example(p.typ, p.shape)
			}
		}
		return tree
	case reflect.Slice:
		return slices.Repeat([]any{m.example(t.Elem(), s.Of)}, max(1, int(s.Min)))
	case reflect.Map:
		return map[string]any{fmt.Sprint(m.example(reflect.TypeFor[string](), s.Key)): m.example(t.Elem(), s.Value)}
	case reflect.Bool:
		return true
	case reflect.Int, reflect.Int64, reflect.Float64:
		return max(1, int(s.Min))
	}
	return m.text(s)
}

func (m model) shape(name string) *wire.Shape {
	if s := m.shapes[name]; s != nil {
		return s
	}
	return &wire.Shape{}
}

// samples are texts of the forms that patterns ask for.
var samples = []string{
	"a", "1", "aaaaaaaaaa", "arn:aws:iot:us-east-1:123456789012:thing/a", "arn:aws:iam::123456789012:role/a",
	"arn:aws:lambda:us-east-1:123456789012:function:a", "arn:aws:acm:us-east-1:123456789012:certificate/a",
	"arn:aws:kms:us-east-1:123456789012:key/a", "arn:aws:sagemaker:us-east-1:123456789012:device-fleet/a",
	"arn:aws:iot:us-east-1:123456789012:package/a/version/b", "$default", "PT1H", "s3://bucket/key",
	"https://example.com/a", "2026-01-02T03:04:05Z", "a.example", "192.0.2.1", "key=value", "123456789012",
	"00000000-0000-4000-8000-000000000000", strings.Repeat("ab", 32), "AKIAIOSFODNN7EXAMPLE", "{}",
}

// text gives a text that a shape allows.
func (m model) text(s *wire.Shape) string {
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	for _, sample := range samples {
		for _, candidate := range []string{sample, strings.Repeat(sample, int(s.Min)/len(sample)+1)} {
			if matches(s, candidate) {
				return candidate
			}
		}
	}
	return "a"
}

func matches(s *wire.Shape, text string) bool {
	n := float64(utf8.RuneCountInString(text))
	if s.HasMin && n < s.Min || s.HasMax && n > s.Max {
		return false
	}
	return s.Pattern == "" || fits(s.Pattern, text)
}

// fits says whether a model's pattern matches a whole text; those that are not
// written as Go writes them are left out.
func fits(pattern, text string) bool {
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	return err == nil && re.MatchString(text)
}

// wrong is an input that breaks the model at one place.
type wrong struct {
	how    string
	path   []string
	input  map[string]any
	syntax bool // the value has not even the right type
}

// judge says what is wrong with the answer; "" is nothing.
func (w wrong) judge(m model, op *wire.Operation, got answered) string {
	named := slices.Contains(op.Errors, got.name) || slices.Contains([]string{"ValidationException", "ValidationError", "SerializationException", "MalformedInput"}, got.name)
	member := strings.ToLower(w.path[0][:1]) + w.path[0][1:]
	switch {
	case got.status != 400:
		return "the status is not 400"
	case !named && !slices.ContainsFunc(m.Errors, func(e wire.ErrorShape) bool { return (e.Name == got.name || e.Code == got.name) && e.Status == 400 }):
		return "the model does not have the error"
	case w.syntax != (got.name == "SerializationException" || got.name == "MalformedInput"):
		return "a wrong type and a wrong value are told apart by the error's name"
	case !w.syntax && !strings.Contains(got.message, "'"+member):
		return "the message does not name " + member
	}
	return ""
}

// depthMax bounds how deep structures are taken apart; some contain themselves.
const contractDepth = 4

type put func(any) map[string]any

func identity(v any) map[string]any { return v.(map[string]any) }

// structure breaks the members of a structure one by one. in puts the structure
// into an input that is right otherwise.
func (m model) structure(t reflect.Type, path []string, in put, depth int, emit func(wrong)) {
	for _, p := range parts(t) {
		at := append(slices.Clone(path), p.name)
		with := func(v any) map[string]any {
			tree := m.example(t, "").(map[string]any)
			if tree[p.name] = v; v == nil {
				delete(tree, p.name)
			}
			return in(tree)
		}
		if p.required && p.place != "uri" {
			emit(wrong{how: "absent " + strings.Join(at, "."), path: at, input: with(nil)})
		}
		if !p.jsonValue && (p.place != "payload" || p.typ.Kind() == reflect.Pointer) {
			m.value(p.typ, p.shape, at, with, depth, p.place == "" || p.place == "payload", emit)
		}
	}
}

// value breaks one value. typed says that it travels in JSON, where types count.
func (m model) value(t reflect.Type, shape string, path []string, in put, depth int, typed bool, emit func(wrong)) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if depth == contractDepth || t == reflect.TypeFor[json.RawMessage]() {
		return
	}
	s, name := m.shape(shape), strings.Join(path, ".")
	say := func(how string, v any, syntax bool) {
		emit(wrong{how: how + " " + name, path: path, input: in(v), syntax: syntax})
	}
	typed = typed && m.Protocol != wire.Query
	switch {
	case t == reflect.TypeFor[time.Time]():
		say("no time", map[bool]any{true: map[string]any{}, false: "never"}[typed], true)
	case t == reflect.TypeFor[[]byte]():
		if typed {
			say("no base64", "%", true)
		}
	case t.Kind() == reflect.String:
		m.brokenTexts(s, say)
		if typed {
			say("a structure for a text", map[string]any{}, true)
		}
	case t.Kind() == reflect.Struct:
		if typed {
			say("a text for a structure", "a", true)
		}
		m.structure(t, path, in, depth+1, emit)
	case t.Kind() == reflect.Slice:
		m.brokenList(t, s, path, in, depth, typed, emit, say)
	case t.Kind() == reflect.Map:
		if typed {
			say("a text for a map", "a", true)
		}
		key := fmt.Sprint(m.example(reflect.TypeFor[string](), s.Key))
		m.value(t.Elem(), s.Value, path, func(v any) map[string]any { return in(map[string]any{key: v}) }, depth+1, typed, emit)
	case t.Kind() == reflect.Bool:
		say("no boolean", "maybe", true)
	default:
		say("no number", "many", true)
		if s.HasMin {
			say("too little", int(s.Min)-1, false)
		}
		if s.HasMax && s.Max < 1<<31 {
			say("too much", int(s.Max)+1, false)
		}
	}
}

func (m model) brokenList(t reflect.Type, s *wire.Shape, path []string, in put, depth int, typed bool, emit func(wrong), say func(string, any, bool)) {
	if typed {
		say("a text for a list", "a", true)
	}
	if s.HasMin && s.Min >= 1 && m.Protocol != wire.Query {
		say("too few", []any{}, false)
	}
	if s.HasMax && s.Max <= 1000 && typed {
		say("too many", slices.Repeat([]any{m.example(t.Elem(), s.Of)}, int(s.Max)+1), false)
	}
	m.value(t.Elem(), s.Of, path, func(v any) map[string]any {
		list, _ := m.example(t, "").([]any)
		return in(append([]any{v}, list[1:]...))
	}, depth+1, typed, emit)
}

// brokenTexts gives texts that break each constraint of a shape.
func (m model) brokenTexts(s *wire.Shape, say func(string, any, bool)) {
	if s.HasMin && s.Min >= 1 {
		say("too short", strings.Repeat("a", int(s.Min)-1), false)
	}
	if s.HasMax && s.Max <= 20_000 {
		say("too long", strings.Repeat("a", int(s.Max)+1), false)
	}
	if len(s.Enum) > 0 {
		say("no such word", "NO_SUCH_WORD", false)
	}
	if s.Pattern == "" {
		return
	}
	for _, text := range []string{"\x01", "é¤", "!", "{", "a b", "%", "~~"} {
		re, err := regexp.Compile(`\A(?:` + s.Pattern + `)\z`)
		if err == nil && !re.MatchString(text) {
			say("not of the pattern", text, false)
			return
		}
	}
}

// incomplete gives an input whose body lacks a member that it must have.
func (m model) incomplete(t reflect.Type) (input map[string]any, path string) {
	input, _ = m.example(t, "").(map[string]any)
	for _, p := range parts(t) {
		if p.place == "payload" {
			return nil, ""
		}
	}
	for _, p := range parts(t) {
		if p.required && p.place == "" {
			delete(input, p.name)
			return input, p.name
		}
	}
	return nil, ""
}

// hasBody says whether the operation reads JSON from its body.
func (m model) hasBody(op *wire.Operation) bool {
	for _, p := range parts(reflect.TypeOf(op.In).Elem()) {
		if p.place == "payload" {
			return p.typ.Kind() == reflect.Pointer
		}
		if p.place == "" {
			return true
		}
	}
	return false
}

// request is a call before it is signed.
type request struct {
	method, url string
	header      http.Header
	body        []byte
}

// request puts an input on the wire. Not every broken input can travel: an empty
// label is another path, and an empty parameter counts as absent.
func (m model) request(h *house, op *wire.Operation, input map[string]any) (request, bool) {
	r := request{method: op.Method, header: http.Header{}}
	base := "http://" + h.HTTP
	switch m.Protocol {
	case wire.JSON:
		r.url, r.body = base+"/", toJSON(input)
		r.header.Set("X-Amz-Target", m.TargetPrefix+"."+op.Name)
		return r, true
	case wire.Query:
		form := url.Values{"Action": {op.Name}, "Version": {m.Version}}
		flatten(form, "", input)
		r.url, r.body = base+"/", []byte(form.Encode())
		r.header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r, true
	}
	return m.rest(r, base, op, input)
}

func (m model) rest(r request, base string, op *wire.Operation, input map[string]any) (request, bool) {
	path, query, body := op.URI, url.Values{}, map[string]any{}
	hasBody := m.hasBody(op)
	known := map[string]bool{}
	for _, p := range parts(reflect.TypeOf(op.In).Elem()) {
		known[p.name] = true
		v, is := input[p.name]
		text := fmt.Sprint(v)
		if is && text == "" && p.place != "" && p.place != "payload" {
			return r, false
		}
		switch {
		case p.place == "uri":
			path = strings.NewReplacer("{"+p.wireName+"}", url.PathEscape(text), "{"+p.wireName+"+}", url.PathEscape(text)).Replace(path)
		case !is:
		case p.place == "query":
			query.Set(p.wireName, text)
			if list, ok := v.([]any); ok {
				query.Set(p.wireName, fmt.Sprint(list[0]))
			}
		case p.place == "header":
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(text) != text {
				return r, false
			}
			r.header.Set(p.wireName, text)
		case p.place == "payload":
			r.body = toJSON(v)
			if s, ok := v.(string); ok {
				r.body = []byte(s)
			}
		default:
			body[p.name] = v
		}
	}
	for name, v := range input {
		if !known[name] {
			body[name] = v
		}
	}
	if hasBody && r.body == nil {
		r.body = toJSON(body)
	}
	r.url = base + path
	if len(query) > 0 {
		r.url += "?" + query.Encode()
	}
	return r, true
}

func toJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// flatten writes an input as the parameters of a Query call.
func flatten(form url.Values, name string, v any) {
	under := func(more string) string {
		if name == "" {
			return more
		}
		return name + "." + more
	}
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			flatten(form, under(key), member)
		}
	case []any:
		for i, element := range v {
			flatten(form, under("member."+strconv.Itoa(i+1)), element)
		}
	default:
		form.Set(name, fmt.Sprint(v))
	}
}

// answered is an error as a client sees it.
type answered struct {
	status        int
	name, message string
}

var (
	xmlCode    = regexp.MustCompile(`<Code>(.*?)</Code>`)
	xmlMessage = regexp.MustCompile(`(?s)<Message>(.*?)</Message>`)
	unescape   = strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&")
)

func send(t *testing.T, r request, keys sigv4.Credentials, s *wire.Service, at time.Time) answered {
	t.Helper()
	return sendChanged(t, r, keys, s, at, func(*http.Request) {})
}

// sendChanged changes a request after it was signed.
func sendChanged(t *testing.T, r request, keys sigv4.Credentials, s *wire.Service, at time.Time, change func(*http.Request)) answered {
	t.Helper()
	out, err := http.NewRequest(r.method, r.url, bytes.NewReader(r.body))
	must(t, err)
	out.Header = r.header.Clone()
	sigv4.Sign(out, r.body, keys, s.SigningNames[0], "us-east-1", at)
	change(out)
	answer, err := http.DefaultClient.Do(out)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	a := answered{status: answer.StatusCode, name: answer.Header.Get("X-Amzn-Errortype")}
	if s.Protocol == wire.Query {
		if code := xmlCode.FindSubmatch(text); code != nil {
			a.name = string(code[1])
		}
		if message := xmlMessage.FindSubmatch(text); message != nil {
			a.message = unescape.Replace(string(message[1]))
		}
		return a
	}
	var body map[string]any
	_ = json.Unmarshal(text, &body) // an answer that is no JSON has no message
	for _, name := range []string{"message", "Message"} {
		if message, ok := body[name].(string); ok {
			a.message = message
		}
	}
	return a
}
