package console

import (
	"time"

	"thingd/internal/registry"
)

// groupPart is what the pages of thing groups and of billing groups have in
// common: what the group is, and a part of the things in it.
type groupPart struct {
	Path    string // of its page
	ARN     string
	Created time.Time
	Version int64
	Things  []string
	Next    string // of the things
	First   bool
	Names   []string // of things to choose from
}

// groupView is the part with the page's words.
type groupView struct {
	*view
	groupPart
}

// Group gives it.
func (v *view) Group(p groupPart) groupView { return groupView{v, p} }

// members fills in a part of the things of a group.
func (v *visit) members(p *groupPart, list func(registry.Page) ([]string, string, error)) (err error) {
	token := v.query("token")
	p.First = token == ""
	if p.Things, p.Next, err = list(registry.Page{Token: token}); err != nil {
		return err
	}
	all, err := v.thingNames()
	p.Names = without(all, p.Things)
	return err
}
