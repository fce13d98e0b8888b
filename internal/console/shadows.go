package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"thingd/internal/fault"
	"thingd/internal/shadow"
)

// shadowPage is one shadow and its editor.
type shadowPage struct {
	Thing, Name string // Name is "" for the classic shadow
	Exists      bool
	Document    string // indented JSON
	Edited      string // what the editor holds
	Problem     told
	At          position // of the problem, in the editor
}

// Topic is how the shadow's topics begin.
func (p shadowPage) Topic() string {
	if p.Name == "" {
		return "$aws/things/" + p.Thing + "/shadow"
	}
	return "$aws/things/" + p.Thing + "/shadow/name/" + p.Name
}

// emptyShadow is what the editor of a shadow that is not there begins with.
const emptyShadow = `{
  "state": {
    "desired": {},
    "reported": {}
  }
}`

// shadowInPath gives the shadow that the address names, once the visitor may do
// the action on it. A named shadow is a resource of its own.
func (v *visit) shadowInPath(action string) (shadow.ID, error) {
	id := shadow.ID{Thing: v.r.PathValue("thing"), Name: v.query("name")}
	resource := id.Thing
	if id.Name != "" {
		resource += "/" + id.Name
	}
	return id, v.mayIoT(action, "thing", resource)
}

func shadowPath(id shadow.ID) string {
	path := thingPath(id.Thing) + "/shadow"
	if id.Name != "" {
		path += "?" + url.Values{"name": {id.Name}}.Encode()
	}
	return path
}

// readShadow gives the page without what is being edited.
func (v *visit) readShadow(id shadow.ID) (shadowPage, error) {
	page := shadowPage{Thing: id.Thing, Name: id.Name}
	text, err := v.Shadows.Get(v.r.Context(), id)
	if fault.Is(err, fault.CodeNotFound) {
		return page, nil
	}
	page.Exists, page.Document = err == nil, pretty(text)
	return page, err
}

func (v *visit) shadow() error {
	id, err := v.shadowInPath("GetThingShadow")
	if err != nil {
		return err
	}
	page, err := v.readShadow(id)
	if err != nil {
		return err
	}
	if page.Edited = editable(page.Document); page.Edited == "" {
		page.Edited = emptyShadow
	}
	return v.render("shadow", page)
}

// editable is what of a document can be changed: the state without the delta, which
// follows from the rest. It is "" where there is none.
func editable(document string) string {
	var whole struct {
		State struct {
			Desired  json.RawMessage `json:"desired,omitempty"`
			Reported json.RawMessage `json:"reported,omitempty"`
		} `json:"state"`
	}
	if err := json.Unmarshal([]byte(document), &whole); err != nil || len(whole.State.Desired)+len(whole.State.Reported) == 0 {
		return ""
	}
	var out bytes.Buffer
	as := json.NewEncoder(&out)
	as.SetEscapeHTML(false) // the page escapes
	as.SetIndent("", "  ")
	if err := as.Encode(whole); err != nil {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// saveShadow sends the state of the edited document, and nothing else of it:
// people paste whole documents, with metadata, version and delta.
func (v *visit) saveShadow() error {
	id, err := v.shadowInPath("UpdateThingShadow")
	if err != nil {
		return err
	}
	v.note("shadow", id.Name)
	edited := plainLines(v.r.PostForm.Get("document"))
	request, err := v.updateOf([]byte(edited))
	if err == nil {
		_, err = v.Shadows.Update(v.r.Context(), id, request)
	}
	if err == nil {
		return v.to(shadowPath(id), "saved")
	}
	page, readErr := v.readShadow(id)
	if readErr != nil {
		return readErr
	}
	v.refused = err
	page.Edited, page.Problem = edited, v.tell(err)
	page.At, _ = jsonMistake(edited)
	return v.renderWith(statusOf(err), "shadow", page)
}

// updateOf makes the request of an edited document.
func (v *visit) updateOf(edited []byte) ([]byte, error) {
	var document, state map[string]json.RawMessage
	if err := json.Unmarshal(edited, &document); err != nil {
		return nil, v.wrong("shadow.notjson", err)
	}
	if err := json.Unmarshal(document["state"], &state); err != nil {
		return nil, v.wrong("shadow.nostate")
	}
	delete(state, "delta")
	return json.Marshal(map[string]any{"state": state})
}

func (v *visit) deleteShadow() error {
	id, err := v.shadowInPath("DeleteThingShadow")
	if err != nil {
		return err
	}
	v.note("shadow", id.Name)
	if _, err := v.Shadows.Delete(v.r.Context(), id); err != nil {
		return err
	}
	return v.to(shadowPath(id), "deleted")
}

var shadowRoutes = []route{
	{"GET /console/things/{thing}/shadow", (*visit).shadow},
	{"GET /console/things/{thing}/shadow/history", (*visit).shadowHistory},
	{"POST /console/things/{thing}/shadow", (*visit).saveShadow},
	{"POST /console/things/{thing}/shadow/delete", (*visit).deleteShadow},
}
