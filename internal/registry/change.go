package registry

// Kind says what sort of thing a Change is about.
type Kind string

// The kinds of changes.
const (
	ThingChanged        Kind = "thing"        // created, updated or deleted; Name is the thing
	LinkChanged         Kind = "link"         // attached to or detached from things; Name is the principal
	MembershipChanged   Kind = "membership"   // joined or left a thing group; Name is the thing
	GroupChanged        Kind = "group"        // created, updated or deleted; Name is the thing group
	TypeChanged         Kind = "type"         // created, updated, deprecated or deleted; Name is the thing type
	BillingGroupChanged Kind = "billinggroup" // created, updated or deleted; Name is the billing group
)

// Change says that whatever was derived from a resource is out of date. Other
// nodes hear of it over the bus, so it carries names and no content.
type Change struct {
	Kind    Kind
	Name    string
	Deleted bool // the resource is gone; of a LinkChanged, one of the principal's links
}

func (w *work) changed(kind Kind, name string) {
	w.changes = append(w.changes, Change{Kind: kind, Name: name})
}

func (w *work) deleted(kind Kind, name string) {
	w.changes = append(w.changes, Change{Kind: kind, Name: name, Deleted: true})
}
