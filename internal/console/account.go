package console

import (
	"slices"

	"thingd/internal/authorizer"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/registry"
	"thingd/internal/settings"
)

// rootKeysPage lists the access keys of the account's root.
type rootKeysPage struct {
	Keys []iam.AccessKey
	Mine string // the key of whoever looks
}

// mayRootKeys asks for a right to the access keys of the root.
func (v *visit) mayRootKeys(action string) error { return v.may("iam:"+action, v.IAM.RootARN()) }

func (v *visit) rootKeys() error {
	if err := v.mayRootKeys("ListAccessKeys"); err != nil {
		return err
	}
	keys, err := v.IAM.AccessKeys(v.r.Context(), "")
	if err != nil {
		return err
	}
	return v.render("rootkeys", rootKeysPage{keys, v.session.key})
}

// createRootKey makes an access key and shows its secret, here alone.
func (v *visit) createRootKey() error {
	if err := v.mayRootKeys("CreateAccessKey"); err != nil {
		return err
	}
	key, err := v.IAM.CreateAccessKey(v.r.Context(), "")
	if err != nil {
		return err
	}
	v.note("created", key.ID)
	return v.render("accesskey", keyPage{key, Root + "settings/keys"})
}

// setRootKey turns a key on or off, or deletes it. The last active one stays:
// without it nobody could enter.
func (v *visit) setRootKey() error {
	id, to := v.form("key"), v.form("to")
	v.note("key", id)
	v.note("to", to)
	action := "UpdateAccessKey"
	if to == "deleted" {
		action = "DeleteAccessKey"
	}
	if err := v.mayRootKeys(action); err != nil {
		return err
	}
	if to != "on" {
		keys, err := v.IAM.AccessKeys(v.r.Context(), "")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(keys, func(k iam.AccessKey) bool { return k.Active && k.ID != id }) {
			return v.wrong("rootkeys.last")
		}
	}
	err := v.changeRootKey(id, to)
	if err != nil {
		return err
	}
	return v.to(Root+"settings/keys", "saved")
}

func (v *visit) changeRootKey(id, to string) error {
	if to == "deleted" {
		return v.IAM.DeleteAccessKey(v.r.Context(), "", id)
	}
	return v.IAM.SetAccessKey(v.r.Context(), "", id, to == "on")
}

// loggingPage is how much is logged of whom.
type loggingPage struct {
	Default settings.Level
	Off     bool
	Levels  []settings.Level
	Types   []settings.TargetType
	Targets []settings.TargetLevel
	Next    string
	First   bool
}

func (v *visit) logging() error {
	if err := v.may("iot:GetV2LoggingOptions", "*"); err != nil {
		return err
	}
	page := loggingPage{
		Default: settings.Debug, First: v.query("token") == "",
		Levels: []settings.Level{settings.Debug, settings.Info, settings.Warn, settings.Error, settings.Disabled},
		Types:  []settings.TargetType{settings.TargetThingGroup, settings.TargetClientID, settings.TargetSourceIP, settings.TargetPrincipal},
	}
	options, err := v.Settings.LoggingV2(v.r.Context())
	if fault.Is(err, fault.CodeNotConfigured) {
		return v.render("logging", page)
	}
	if err != nil {
		return err
	}
	if page.Off = options.Off; options.Default != "" {
		page.Default = options.Default
	}
	list, next, err := v.Settings.TargetLevels(v.r.Context(), "", registry.Page{Token: v.query("token")})
	if err != nil {
		return err
	}
	page.Next = next
	page.Targets = slices.DeleteFunc(list, func(t settings.TargetLevel) bool { return t.Target.Type == settings.TargetDefault })
	return v.render("logging", page)
}

func (v *visit) setLogging() error {
	if err := v.may("iot:SetV2LoggingOptions", "*"); err != nil {
		return err
	}
	off := v.form("off") != ""
	v.note("level", v.form("level"))
	if err := v.Settings.SetLoggingV2(v.r.Context(), settings.LoggingV2Update{Default: settings.Level(v.form("level")), Off: &off}); err != nil {
		return err
	}
	return v.to(Root+"settings/logging", "saved")
}

// setLoggingTarget gives somebody a level of their own or, with delete, takes it.
func (v *visit) setLoggingTarget() error {
	target := settings.Target{Type: settings.TargetType(v.form("type")), Name: v.form("name")}
	v.note("target", string(target.Type)+" "+target.Name)
	action, do := "iot:SetV2LoggingLevel", func() error {
		return v.Settings.SetTargetLevel(v.r.Context(), settings.TargetLevel{Target: target, Level: settings.Level(v.form("level"))})
	}
	if v.form("delete") != "" {
		action, do = "iot:DeleteV2LoggingLevel", func() error { return v.Settings.DeleteTargetLevel(v.r.Context(), target) }
	}
	if err := v.may(action, "*"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return v.to(Root+"settings/logging", "saved")
}

// eventSwitch is one kind of event-based messages.
type eventSwitch struct {
	Type registry.EventType
	On   bool
}

func (v *visit) eventSettings() error {
	if err := v.may("iot:DescribeEventConfigurations", "*"); err != nil {
		return err
	}
	all, err := v.Registry.EventConfigurations(v.r.Context())
	if err != nil {
		return err
	}
	var page []eventSwitch
	for kind, on := range all.Enabled {
		page = append(page, eventSwitch{kind, on})
	}
	slices.SortFunc(page, func(a, b eventSwitch) int {
		if a.Type < b.Type {
			return -1
		}
		return 1
	})
	return v.render("eventsettings", page)
}

func (v *visit) setEventSettings() error {
	if err := v.may("iot:UpdateEventConfigurations", "*"); err != nil {
		return err
	}
	all, err := v.Registry.EventConfigurations(v.r.Context())
	if err != nil {
		return err
	}
	switches := map[registry.EventType]bool{}
	for kind := range all.Enabled {
		switches[kind] = slices.Contains(v.r.PostForm["on"], string(kind))
	}
	v.note("on", v.r.PostForm["on"])
	if err := v.Registry.UpdateEventConfigurations(v.r.Context(), switches); err != nil {
		return err
	}
	return v.to(Root+"settings/events", "saved")
}

// domainsPage lists the domain configurations: the custom endpoints.
type domainsPage struct {
	Domains         []domainRow
	Authentications []string
	Protocols       []string
	Next            string
	First           bool
}

type domainRow struct {
	authorizer.Domain
	ARN string
	Own bool
}

func (v *visit) domains() error {
	if err := v.may("iot:ListDomainConfigurations", "*"); err != nil {
		return err
	}
	list, next, err := v.Authorizers.Domains(v.r.Context(), "", registry.Page{Token: v.query("token")})
	if err != nil {
		return err
	}
	page := domainsPage{
		Next: next, First: v.query("token") == "",
		Authentications: []string{authorizer.ByAny, authorizer.ByCertificate, authorizer.BySignature, authorizer.ByAuthorizer, authorizer.ByAuthorizerX509},
		Protocols:       []string{authorizer.AnyProtocol, authorizer.SecureMQTT, authorizer.MQTTOverWSS, authorizer.HTTPS},
	}
	for _, one := range list {
		page.Domains = append(page.Domains, domainRow{one, v.Authorizers.DomainARN(one), one.IsOwn()})
	}
	return v.render("domains", page)
}

func (v *visit) createDomain() error {
	d := authorizer.Domain{
		Name: v.form("name"), DomainName: v.form("domain"), AuthenticationType: v.form("authentication"), ApplicationProtocol: v.form("protocol"),
	}
	v.note("domain", d.Name)
	if err := v.may("iot:CreateDomainConfiguration", v.Scope.IoT("domainconfiguration", d.Name+"/*")); err != nil {
		return err
	}
	if d.Name == "" || d.DomainName == "" {
		return v.wrong("domain.needs")
	}
	if _, err := v.Authorizers.CreateDomain(v.r.Context(), d, nil); err != nil {
		return err
	}
	return v.to(Root+"settings/domains", "created.named", d.Name)
}

// setDomain enables, disables or deletes a domain configuration.
func (v *visit) setDomain() error {
	name, to := v.form("name"), v.form("to")
	v.note("domain", name)
	v.note("to", to)
	action := "iot:UpdateDomainConfiguration"
	if to == "deleted" {
		action = "iot:DeleteDomainConfiguration"
	}
	if err := v.may(action, v.Scope.IoT("domainconfiguration", name+"/*")); err != nil {
		return err
	}
	if to == "deleted" {
		if err := v.Authorizers.DeleteDomain(v.r.Context(), name); err != nil {
			return err
		}
		return v.to(Root+"settings/domains", "deleted")
	}
	if _, err := v.Authorizers.UpdateDomain(v.r.Context(), name, authorizer.DomainUpdate{Status: to}); err != nil {
		return err
	}
	return v.to(Root+"settings/domains", "saved")
}

var accountRoutes = []route{
	{"GET /console/settings/keys", (*visit).rootKeys},
	{"POST /console/settings/keys", (*visit).createRootKey},
	{"POST /console/settings/key", (*visit).setRootKey},
	{"GET /console/settings/logging", (*visit).logging},
	{"POST /console/settings/logging", (*visit).setLogging},
	{"POST /console/settings/logging/target", (*visit).setLoggingTarget},
	{"GET /console/settings/events", (*visit).eventSettings},
	{"POST /console/settings/events", (*visit).setEventSettings},
	{"GET /console/settings/domains", (*visit).domains},
	{"POST /console/settings/domains", (*visit).createDomain},
	{"POST /console/settings/domain", (*visit).setDomain},
}
