package console

import (
	"bytes"
	"net/http"
	"net/netip"
	"regexp"
	"slices"

	"thingd/internal/fault"
	"thingd/internal/kit"
	"thingd/internal/pki"
	"thingd/internal/registry"
)

// wizard is a step of "Connect one device". The steps keep what was chosen in
// the address and nothing on the server; the kit is made when it is downloaded.
type wizard struct {
	Step     int // 1 to 5
	Endpoint string
	Hosts    []string // what Endpoint may be
	Thing    string
	Old      bool // the thing is there already
	Things   []string
	Sample   kit.Sample
	Files    []string
	Topics   []string
	Problem  told
}

// Samples are what there are kits for.
func (wizard) Samples() []kit.Sample { return kit.Samples() }

// steps of the wizard, for its heading.
func (wizard) Steps() []int { return []int{1, 2, 3, 4, 5} }

// thingName is AWS's pattern of the names of things (CreateThing).
var thingName = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)

func (v *visit) connectPrepare() error {
	hosts := v.reachable()
	return v.render("connect", wizard{Step: 1, Endpoint: hosts[0], Hosts: hosts})
}

// reachable lists how a device may reach the server, the likeliest first: the
// name that was chosen with --host, or else an address of this machine. A device
// of another machine gets nowhere with localhost.
func (v *visit) reachable() []string {
	var far, near []string
	for _, host := range v.Hosts() {
		address, err := netip.ParseAddr(host)
		switch {
		case host == v.Host && host != "localhost":
			far = append([]string{host}, far...)
		case err == nil && address.Is4() && !address.IsLoopback():
			far = append(far, host)
		case err == nil && address.IsLoopback():
			// localhost says the same
		default:
			near = append(near, host)
		}
	}
	return append(far, near...)
}

func (v *visit) connectThing() error {
	endpoint, err := v.endpoint(v.query("endpoint"))
	if err != nil {
		return err
	}
	return v.connectThingAgain(http.StatusOK, wizard{Endpoint: endpoint})
}

// endpoint checks what was chosen; nothing chosen is the likeliest.
func (v *visit) endpoint(chosen string) (string, error) {
	hosts := v.reachable()
	if chosen == "" {
		return hosts[0], nil
	}
	if !slices.Contains(hosts, chosen) {
		return "", v.wrong("connect.nohost", chosen)
	}
	return chosen, nil
}

func (v *visit) connectThingAgain(status int, w wizard) error {
	w.Step = 2
	if v.may("iot:ListThings", "*") == nil {
		list, _, err := v.Registry.Things(v.r.Context(), registry.ThingFilter{}, registry.Page{Size: registry.PageSizeMax})
		if err != nil {
			return err
		}
		for _, one := range list {
			w.Things = append(w.Things, one.Name)
		}
	}
	return v.renderWith(status, "connect", w)
}

// connectStep reads what was chosen so far and shows a later step.
func connectStep(step int) func(*visit) error {
	return func(v *visit) error {
		w, err := v.chosen()
		if err != nil {
			return err
		}
		if len(w.Problem) > 0 {
			return v.connectThingAgain(http.StatusBadRequest, w)
		}
		w.Step = step
		w.Files = w.Sample.Files(w.Thing)
		w.Topics = []string{"sdk/test/#"}
		return v.render("connect", w)
	}
}

// chosen reads the thing out of the address.
func (v *visit) chosen() (wizard, error) {
	w := wizard{Thing: v.query("thing"), Old: v.query("which") == "old"}
	if w.Old {
		w.Thing = v.query("old")
	}
	var err error
	if w.Endpoint, err = v.endpoint(v.query("endpoint")); err != nil {
		return w, err
	}
	if !thingName.MatchString(w.Thing) {
		w.Problem = v.told(v.text("thing.name.hint"))
		return w, nil
	}
	if err := v.mayIoT("DescribeThing", "thing", w.Thing); err != nil {
		return w, err
	}
	var known bool
	if w.Sample, known = kit.FindSample(v.query("sdk")); !known {
		return w, v.wrong("connect.nosdk")
	}
	_, err = v.Registry.Thing(v.r.Context(), w.Thing)
	missing := fault.Is(err, fault.CodeNotFound)
	switch {
	case err != nil && !missing:
		return w, err
	case w.Old && missing:
		w.Problem = v.told(v.text("connect.missing", w.Thing))
	case v.query("which") == "new" && !missing:
		w.Problem = v.told(v.text("taken", w.Thing))
	}
	return w, nil
}

// downloadKit makes thing, policy and certificate, ties them together and sends
// the zip. The private key is in it and nowhere else.
func (v *visit) downloadKit() error {
	sample, known := kit.FindSample(v.form("sdk"))
	endpoint, err := v.endpoint(v.form("endpoint"))
	if err != nil {
		return err
	}
	k := kit.Kit{
		Thing: v.form("thing"), Endpoint: endpoint, Port: (*v.ports.Load())[0], RootCA: string(v.RootCA), Policy: kit.Policy(v.Scope),
		Sample: sample, Made: v.Now(),
	}
	v.note("thing", k.Thing)
	if !known {
		return v.wrong("connect.nosdk")
	}
	if !thingName.MatchString(k.Thing) {
		return v.wrong("thing.name.hint")
	}
	if err := v.mayMakeKit(k.Thing); err != nil {
		return err
	}
	if err := v.registerKit(&k); err != nil {
		return err
	}
	var zip bytes.Buffer
	if err := k.Write(&zip); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/zip")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+kit.FileName+`"`)
	_, err = zip.WriteTo(v.w)
	return err
}

// mayMakeKit asks for all rights before the first thing is made.
func (v *visit) mayMakeKit(thing string) error {
	for _, ask := range [][2]string{
		{"iot:CreateThing", v.Scope.IoT("thing", thing)},
		{"iot:CreatePolicy", v.Scope.IoT("policy", kit.PolicyName(thing))},
		{"iot:CreateKeysAndCertificate", "*"},
		{"iot:AttachThingPrincipal", v.Scope.IoT("thing", thing)},
	} {
		if err := v.may(ask[0], ask[1]); err != nil {
			return err
		}
	}
	return nil
}

// registerKit does what the wizard of AWS does. Thing and policy may be there.
func (v *visit) registerKit(k *kit.Kit) error {
	ctx, policy := v.r.Context(), kit.PolicyName(k.Thing)
	if _, err := v.Registry.CreateThing(ctx, registry.NewThing{Name: k.Thing}); err != nil && !fault.Is(err, fault.CodeAlreadyExists) {
		return err
	}
	if _, err := v.Access.CreatePolicy(ctx, policy, k.Policy, nil); err != nil && !fault.Is(err, fault.CodeAlreadyExists) {
		return err
	}
	cert, keys, err := v.PKI.CreateKeys(ctx, pki.Order{Status: pki.Active})
	if err != nil {
		return err
	}
	v.note("certificate", cert.ID)
	k.Certificate, k.PublicKey, k.PrivateKey = cert.PEM, keys.Public, keys.Private
	if err := v.attachPolicy(policy, v.PKI.ARN(cert.ID), false); err != nil {
		return err
	}
	return v.Registry.AttachThingPrincipal(ctx, k.Thing, v.PKI.ARN(cert.ID), false)
}

var connectRoutes = []route{
	{"GET /console/connect", (*visit).connectPrepare},
	{"GET /console/connect/thing", (*visit).connectThing},
	{"GET /console/connect/platform", connectStep(3)},
	{"GET /console/connect/kit", connectStep(4)},
	{"POST /console/connect/kit", (*visit).downloadKit},
	{"GET /console/connect/run", connectStep(5)},
}
