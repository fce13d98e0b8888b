package journal

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"thingd/internal/why"
)

const (
	textWidth   = 80 // characters, where sentences wrap
	labelIndent = 2
	valueIndent = 14
)

// Render writes entries for people at a terminal, the newest first: plain text,
// one paragraph each, moments in the time zone that they carry. Strangers' words
// are made harmless: nothing in them can move the cursor or change the colors.
func Render(w io.Writer, entries []Entry) error {
	if len(entries) == 0 {
		_, err := io.WriteString(w, "No refusals or disconnects are on record.\n")
		return err
	}
	newest := slices.Clone(entries)
	slices.SortStableFunc(newest, func(a, b Entry) int {
		return cmp.Or(b.Event.Time.Compare(a.Event.Time), cmp.Compare(b.Number, a.Number))
	})
	var p paragraphs
	for i, e := range newest {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.entry(e)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// paragraphs is text under way.
type paragraphs struct{ bytes.Buffer }

func (p *paragraphs) entry(e Entry) {
	ev := e.Event
	fmt.Fprintf(p, "%s  %s  %s: %s\n", moment(ev.Time), who(ev), happened(ev), says(ev.Cause))
	if e.Count > 1 {
		p.line("repeated", fmt.Sprintf("%d times since %s", e.Count, moment(e.Since)))
	}
	p.line("from", from(ev))
	if ev.ClientID != "" { // else it is in the headline
		p.line("principal", ev.Principal)
	}
	p.line("action", ev.Action)
	p.line("resource", ev.Resource)
	p.wrapped("because", ev.Detail)
	p.lines("statement", ev.Statement)
	for _, v := range ev.Variables {
		if !v.Missing {
			p.line("variable", v.Name+" = "+v.Value)
		}
	}
	p.line("missing", missing(ev.Variables))
	p.line("closed as", string(ev.Disconnect))
	p.wrapped("remedy", remedy(ev))
}

// remedy says what to do, ready to be typed where the certificate is known.
func remedy(e why.Event) string {
	text := e.Cause.Remedy()
	if e.Principal != "" {
		text = strings.Replace(text, "--certificate-id ID", "--certificate-id "+e.Principal, 1)
	}
	return text
}

// who names the client as well as it is known.
func who(e why.Event) string {
	switch {
	case e.ClientID != "":
		return printable(e.ClientID)
	case e.Principal != "":
		return "principal " + printable(e.Principal)
	case e.Source != "":
		return printable(e.Source)
	case e.Detail == crowded.String():
		return "many clients"
	}
	return "an unknown client"
}

// happened puts a step into words.
func happened(e why.Event) string {
	switch e.Step {
	case why.StepTLS:
		return "TLS handshake refused"
	case why.StepReceive:
		return "message withheld"
	case why.StepHTTP:
		return "HTTP request refused"
	case why.StepConnection:
		return "disconnected"
	case why.StepCertificate:
		return "certificate"
	}
	return printable(string(e.Step)) + " refused"
}

func says(c why.Cause) string {
	if c.Says() == "" { // a newer thingd's
		return printable(string(c))
	}
	return c.Says()
}

// from tells where the client came from, through which door, to which name.
func from(e why.Event) string {
	text := e.Source
	if e.Door != "" {
		text = strings.TrimSpace(text + " over " + e.Door)
	}
	if e.Server != "" {
		text = strings.TrimSpace(text + " to " + e.Server)
	}
	return text
}

func missing(variables []why.Variable) string {
	var names []string
	for _, v := range variables {
		if v.Missing {
			names = append(names, v.Name)
		}
	}
	return strings.Join(names, ", ")
}

func moment(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }

// line adds a label and its value, if there is one.
func (p *paragraphs) line(label, value string) {
	if value != "" {
		fmt.Fprintf(p, "%*s%-*s%s\n", labelIndent, "", valueIndent-labelIndent, label, printable(value))
	}
}

// lines keeps the line breaks of the value.
func (p *paragraphs) lines(label, value string) {
	for _, line := range strings.Split(strings.ReplaceAll(value, "\t", "  "), "\n") {
		p.line(label, line)
		label = ""
	}
}

// wrapped breaks a sentence between its words.
func (p *paragraphs) wrapped(label, value string) {
	line := ""
	for _, word := range strings.Fields(value) {
		if line != "" && valueIndent+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > textWidth {
			p.line(label, line)
			label, line = "", ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	p.line(label, line)
}

// printable spells out what a terminal would obey, such as \x1b or a change of
// the writing direction.
func printable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			b.WriteString(text[:size])
		} else {
			quoted := strconv.QuoteToASCII(text[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}
