package broker_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConversations runs every script in testdata in both versions of the
// protocol and both profiles. testdata/README.md tells the language.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.mqtt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts in testdata", err)
	}
	for _, file := range files {
		s := readScript(t, file)
		for _, v := range variants {
			if !s.runsIn(v) {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".mqtt")+"/"+v.String(), func(t *testing.T) {
				t.Parallel()
				run(t, s, v)
			})
		}
	}
}

// variant is one way to run a script.
type variant struct {
	version mqtt.Version
	profile string
}

var variants = []variant{{mqtt.V4, "aws"}, {mqtt.V5, "aws"}, {mqtt.V4, "mqtt"}, {mqtt.V5, "mqtt"}}

func (v variant) protocol() string {
	if v.version == mqtt.V5 {
		return "5"
	}
	return "3.1.1"
}

func (v variant) String() string { return v.protocol() + "-" + v.profile }

func (v variant) limits() broker.Limits {
	if v.profile == "aws" {
		return broker.AWS()
	}
	return broker.Standard()
}

// is says whether a condition such as "5", "aws" or "5,mqtt" holds.
func (v variant) is(condition string) bool {
	for word := range strings.SplitSeq(condition, ",") {
		if word != v.protocol() && word != v.profile {
			return false
		}
	}
	return true
}

// script is a conversation.
type script struct {
	name       string
	only       []string // conditions, any of which must hold; none: always
	limits     [][2]string
	statements []statement
}

type statement struct {
	line int
	when string // a condition; "": always
	text string
}

func (s *script) runsIn(v variant) bool {
	return len(s.only) == 0 || slices.ContainsFunc(s.only, v.is)
}

func readScript(t *testing.T, file string) *script {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# ")) {
		t.Fatalf("%s does not begin with a comment that says what it checks", file)
	}
	s := &script{name: file}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		for _, part := range columns(lines.Text()) {
			s.add(n, part)
		}
	}
	return s
}

// columns splits a line at gaps of three spaces or more. A # begins a comment at
// the start of a line.
func columns(line string) (all []string) {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return nil
	}
	for part := range strings.SplitSeq(line, "   ") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func (s *script) add(line int, text string) {
	when := ""
	if strings.HasPrefix(text, "[") {
		when, text, _ = strings.Cut(text[1:], "]")
		text = strings.TrimSpace(text)
	}
	fields := strings.Fields(text)
	switch fields[0] {
	case "only":
		s.only = append(s.only, fields[1:]...)
	case "limit":
		s.limits = append(s.limits, [2]string{fields[1], fields[2]})
	default:
		s.statements = append(s.statements, statement{line, when, text})
	}
}

// play is a script being run.
type play struct {
	*world
	variant variant
	clients map[string]*client
	events  *inbox
	inboxes map[string]*inbox
}

func run(t *testing.T, s *script, v variant) {
	limits := v.limits()
	for _, l := range s.limits {
		if err := limits.Set(l[0], l[1]); err != nil {
			t.Fatalf("limit %s: %v", l[0], err)
		}
	}
	p := &play{world: newWorld(t, limits), variant: v, clients: map[string]*client{}, inboxes: map[string]*inbox{}}
	p.watch()
	defer p.hangUp()
	for _, st := range s.statements {
		if st.when != "" && !v.is(st.when) {
			continue
		}
		if err := p.repeat(st.text); err != nil {
			t.Fatalf("%s:%d: %s: %v", s.name, st.line, st.text, err)
		}
	}
}

// watch collects lifecycle events.
func (p *play) watch() {
	p.events = &inbox{}
	p.broker.Handle("$aws/events/#", p.events.handle)
	for filter, box := range p.inboxes {
		p.broker.Handle(filter, box.handle)
	}
}

func (p *play) hangUp() {
	for _, c := range p.clients {
		c.drop()
	}
}

// repeat runs "times N statement" N times, with $i counting from 1.
func (p *play) repeat(text string) (err error) {
	rest, ok := strings.CutPrefix(text, "times ")
	if !ok {
		return p.step(text)
	}
	count, body, _ := strings.Cut(rest, " ")
	first, last := 1, 0
	if from, to, isRange := strings.Cut(count, ".."); isRange {
		first, last = number(from), number(to)
	} else {
		last = number(count)
	}
	for i := first; i <= last && err == nil; i++ {
		if err = p.step(strings.ReplaceAll(body, "$i", strconv.Itoa(i))); err != nil {
			err = fmt.Errorf("time %d: %w", i, err)
		}
	}
	return err
}

// step runs one statement.
func (p *play) step(text string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if message, ok := r.(string); ok {
				err = fmt.Errorf("%s", message)
				return
			}
			panic(r)
		}
	}()
	w, err := split(text)
	if err != nil {
		return err
	}
	first := w.shift()
	if do, ok := serverVerbs[first]; ok {
		return do(p, &w)
	}
	verb := w.shift()
	do, ok := clientVerbs[verb]
	if !ok {
		return fmt.Errorf("nobody knows how to %q", verb)
	}
	return do(p, first, &w)
}

// moveClock moves the clock and does what is due.
func (p *play) moveClock(w *words) error {
	d, err := time.ParseDuration(strings.TrimPrefix(w.shift(), "+"))
	if err != nil {
		return err
	}
	p.clock.move(d)
	p.broker.Sweep()
	return w.unknown()
}
