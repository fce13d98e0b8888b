package provisioning

import (
	"context"
	"regexp"
	"strconv"
	"unicode/utf8"

	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// Limits of provisioning templates.
const (
	descriptionMax = 500 // characters
	versionsMax    = 5   // versions kept of one template (the number is unconfirmed)
	hookVersion    = "2020-04-01"
)

var templateName = regexp.MustCompile(`^[0-9A-Za-z_-]{1,36}$`)

// NewTemplate is what CreateTemplate takes.
type NewTemplate struct {
	Name        string
	Kind        template.Kind // "" means template.Fleet
	Description string
	Body        string
	Enabled     bool
	RoleARN     string
	Hook        Hook
	Tags        []registry.Tag
}

func (n *NewTemplate) check() error {
	if n.Kind == "" {
		n.Kind = template.Fleet
	}
	if n.Kind != template.Fleet && n.Kind != template.JITP {
		return fault.InvalidRequest("type %q is neither FLEET_PROVISIONING nor JITP", n.Kind)
	}
	if !templateName.MatchString(n.Name) {
		return fault.InvalidRequest("templateName has 1 to 36 letters, digits, - and _")
	}
	if err := checkDescription(n.Description); err != nil {
		return err
	}
	if err := n.Hook.check(n.Kind); err != nil {
		return err
	}
	_, err := template.Parse(n.Body, n.Kind)
	return err
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > descriptionMax {
		return fault.InvalidRequest("the description is longer than %d characters", descriptionMax)
	}
	return nil
}

// check completes a hook; the zero Hook is none.
func (h *Hook) check(kind template.Kind) error {
	if *h == (Hook{}) {
		return nil
	}
	if h.PayloadVersion == "" {
		h.PayloadVersion = hookVersion
	}
	switch {
	case kind != template.Fleet:
		return fault.InvalidRequest("only templates of type FLEET_PROVISIONING have a preProvisioningHook")
	case h.PayloadVersion != hookVersion:
		return fault.InvalidRequest("payloadVersion %q is not %s", h.PayloadVersion, hookVersion)
	case h.TargetARN == "":
		return fault.InvalidRequest("preProvisioningHook needs a targetArn")
	}
	return nil
}

// CreateTemplate makes a template with its first version (AWS operation
// CreateProvisioningTemplate).
func (s *Service) CreateTemplate(ctx context.Context, n NewTemplate) (Template, error) {
	if err := n.check(); err != nil {
		return Template{}, err
	}
	now := s.timestamp()
	made := Template{Name: n.Name, Kind: n.Kind, Description: n.Description, Enabled: n.Enabled, RoleARN: n.RoleARN,
		Hook: n.Hook, Default: 1, Last: 1, Created: now, Modified: now}
	return made, s.store.Update(ctx, func(tx Tx) error {
		if _, taken, err := tx.Template(n.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("Provisioning template %s already exists", n.Name).About(n.Name, s.ARN(n.Name))
		}
		if err := tx.PutTemplate(made); err != nil {
			return err
		}
		if err := tx.PutVersion(Version{Template: n.Name, ID: 1, Body: n.Body, Created: now}); err != nil {
			return err
		}
		return registry.PutTags(tx, s.ARN(n.Name), n.Tags)
	})
}

func findTemplate(tx Tx, name string) (Template, error) {
	t, found, err := tx.Template(name)
	if err == nil && !found {
		err = fault.NotFound("Provisioning template %s does not exist", name)
	}
	return t, err
}

func findVersion(tx Tx, name string, id int) (Version, error) {
	v, found, err := tx.Version(name, id)
	if err == nil && !found {
		err = fault.NotFound("Version %d of provisioning template %s does not exist", id, name)
	}
	return v, err
}

// Template gives a template and its default version (DescribeProvisioningTemplate).
func (s *Service) Template(ctx context.Context, name string) (t Template, v Version, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if t, err = findTemplate(tx, name); err != nil {
			return err
		}
		v, err = findVersion(tx, name, t.Default)
		return err
	})
	return t, v, err
}

// Exists says whether there is a template of this name; tags ask it.
func (s *Service) Exists(ctx context.Context, name string) (found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		_, found, err = tx.Template(name)
		return err
	})
	return found, err
}

// TemplateUpdate is what UpdateTemplate changes; nil leaves as it is.
type TemplateUpdate struct {
	Description *string
	Enabled     *bool
	Default     *int // another version
	RoleARN     *string
	Hook        *Hook
	RemoveHook  bool
}

// UpdateTemplate changes a template (UpdateProvisioningTemplate). Its body
// changes only with another version.
func (s *Service) UpdateTemplate(ctx context.Context, name string, u TemplateUpdate) error {
	if u.RemoveHook && u.Hook != nil {
		return fault.InvalidRequest("preProvisioningHook and removePreProvisioningHook exclude each other")
	}
	return s.store.Update(ctx, func(tx Tx) error {
		t, err := findTemplate(tx, name)
		if err != nil {
			return err
		}
		if u.Default != nil {
			if _, err := findVersion(tx, name, *u.Default); err != nil {
				return err
			}
		}
		if err := u.apply(&t); err != nil {
			return err
		}
		t.Modified = s.timestamp()
		return tx.PutTemplate(t)
	})
}

func (u TemplateUpdate) apply(t *Template) error {
	if u.Description != nil {
		t.Description = *u.Description
	}
	if u.Enabled != nil {
		t.Enabled = *u.Enabled
	}
	if u.Default != nil {
		t.Default = *u.Default
	}
	if u.RoleARN != nil {
		t.RoleARN = *u.RoleARN
	}
	if u.Hook != nil {
		t.Hook = *u.Hook
	}
	if u.RemoveHook {
		t.Hook = Hook{}
	}
	if err := checkDescription(t.Description); err != nil {
		return err
	}
	return t.Hook.check(t.Kind)
}

// DeleteTemplate deletes a template with all its versions
// (DeleteProvisioningTemplate). One that a CA uses is DeleteConflict: its
// devices could not register themselves any more.
func (s *Service) DeleteTemplate(ctx context.Context, name string) error {
	users, _, err := s.pki.ListCAs(ctx, name, pki.Page{Size: 1})
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := findTemplate(tx, name); err != nil {
			return err
		}
		if len(users) > 0 {
			return fault.DeleteConflict("Provisioning template %s is used by CA certificate %s", name, users[0].ID)
		}
		if err := tx.DeleteTemplate(name); err != nil {
			return err
		}
		return tx.DeleteTags(s.ARN(name))
	})
}

// Templates lists templates by name (ListProvisioningTemplates).
func (s *Service) Templates(ctx context.Context, p registry.Page) (all []Template, next string, err error) {
	list := registry.List{"provisioning templates"}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		all, err = tx.Templates(keys[0], p.Limit()+1)
		return err
	})
	if err != nil || len(all) <= p.Limit() {
		return all, "", err
	}
	all = all[:p.Limit()]
	return all, list.Token(all[len(all)-1].Name), nil
}

// CreateVersion adds a body to a template (CreateProvisioningTemplateVersion).
func (s *Service) CreateVersion(ctx context.Context, name, body string, setAsDefault bool) (v Version, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		t, err := findTemplate(tx, name)
		if err != nil {
			return err
		}
		if _, err := template.Parse(body, t.Kind); err != nil {
			return err
		}
		have, err := tx.Versions(name)
		if err != nil {
			return err
		}
		if len(have) >= versionsMax {
			return fault.New(fault.CodeVersionsLimitExceeded, "Provisioning template %s already has the maximum number of versions (%d)", name, versionsMax)
		}
		t.Last++
		t.Modified = s.timestamp()
		if setAsDefault {
			t.Default = t.Last
		}
		v = Version{Template: name, ID: t.Last, Body: body, Created: t.Modified}
		if err := tx.PutVersion(v); err != nil {
			return err
		}
		return tx.PutTemplate(t)
	})
	return v, err
}

// Version gives one version and says whether it is the default one
// (DescribeProvisioningTemplateVersion).
func (s *Service) Version(ctx context.Context, name string, id int) (v Version, isDefault bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		t, err := findTemplate(tx, name)
		if err != nil {
			return err
		}
		isDefault = t.Default == id
		v, err = findVersion(tx, name, id)
		return err
	})
	return v, isDefault, err
}

// DeleteVersion deletes a version that is not the default one
// (DeleteProvisioningTemplateVersion).
func (s *Service) DeleteVersion(ctx context.Context, name string, id int) error {
	return s.store.Update(ctx, func(tx Tx) error {
		t, err := findTemplate(tx, name)
		if err != nil {
			return err
		}
		if _, err := findVersion(tx, name, id); err != nil {
			return err
		}
		if t.Default == id {
			return fault.DeleteConflict("Version %d is the default version of provisioning template %s", id, name)
		}
		return tx.DeleteVersion(name, id)
	})
}

// Versions lists a template's versions from the oldest, and says which is the
// default one (ListProvisioningTemplateVersions).
func (s *Service) Versions(ctx context.Context, name string, p registry.Page) (all []Version, defaultID int, next string, err error) {
	list := registry.List{"versions of provisioning template", name}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, 0, "", err
	}
	after, _ := strconv.Atoi(keys[0]) // the token's digest vouches for it
	err = s.store.View(ctx, func(tx Tx) error {
		t, err := findTemplate(tx, name)
		if err != nil {
			return err
		}
		defaultID = t.Default
		all, err = tx.Versions(name)
		return err
	})
	for len(all) > 0 && all[0].ID <= after {
		all = all[1:]
	}
	if err != nil || len(all) <= p.Limit() {
		return all, defaultID, "", err
	}
	all = all[:p.Limit()]
	return all, defaultID, list.Token(strconv.Itoa(all[len(all)-1].ID)), nil
}
