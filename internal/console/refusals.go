package console

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/journal"
	"thingd/internal/pki"
	"thingd/internal/why"
)

// whyPage is a part of the journal.
type whyPage struct {
	Client   string // of whom; "" for everybody
	Only     string // "refused" or "ended"; "" for both
	Entries  []refusal
	Next     string
	First    bool
	Policies []string // to choose from, for mending
}

// refusal is an entry with what can be done about it here.
type refusal struct {
	journal.Entry
	Certificate string // ID of the certificate behind it; "" without one
	Mend        mend
	Thing       string // to attach
	Denying     string // policy whose statement denies
	Exactly     bool   // a policy can be made that allows just this
}

// mend is the deed of the button beside a refusal.
type mend string

const (
	mendNothing mend = ""
	mendPolicy  mend = "policy"
	mendActive  mend = "activate"
	mendThing   mend = "thing"
	mendAllow   mend = "allow"
	mendDetach  mend = "detach"
)

// mends says which refusals one click can mend, if their certificate is known.
var mends = map[why.Cause]mend{
	why.PolicyImplicitDeny:   mendPolicy,
	why.PolicyExplicitDeny:   mendDetach,
	why.CertificateInactive:  mendActive,
	why.CertificatePending:   mendActive,
	why.CertificateWithdrawn: mendActive,
	why.ThingNotAttached:     mendThing,
}

// deciding finds the policy that a refusal names.
var deciding = regexp.MustCompile(`^policy ([\w+=,.@-]+), statement (\d+)$`)

var certificateID = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (v *visit) why() error {
	if err := v.may("thingd:ListEvents", "*"); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.query("token"), 10, 64) // what is no number is the first page
	entries, next, err := v.Journal.Recent(v.r.Context(), journal.Query{ClientID: v.query("client"), Before: before})
	if err != nil {
		return err
	}
	page := whyPage{Client: v.query("client"), Only: v.query("only"), First: before == 0}
	if next != 0 {
		page.Next = strconv.FormatInt(next, 10)
	}
	for _, entry := range entries {
		if ended := entry.Event.Step == why.StepConnection; page.Only == "refused" && ended || page.Only == "ended" && !ended {
			continue
		}
		one, err := v.refusal(entry)
		if err != nil {
			return err
		}
		page.Entries = append(page.Entries, one)
	}
	if page.Policies, err = v.policyNames(nil); err != nil {
		return err
	}
	return v.render("why", page)
}

// refusal finds out whether a click can mend an entry: only where the mistake is
// still there.
func (v *visit) refusal(entry journal.Entry) (refusal, error) {
	one := refusal{Entry: entry}
	if !certificateID.MatchString(entry.Event.Principal) {
		return one, nil
	}
	cert, err := v.PKI.Describe(v.r.Context(), pki.NormalID(entry.Event.Principal))
	if fault.Is(err, fault.CodeNotFound) {
		return one, nil
	}
	one.Certificate, one.Mend = entry.Event.Principal, mends[entry.Event.Cause]
	one.Exactly = one.Mend == mendPolicy && strings.HasPrefix(entry.Event.Action, "iot:") && strings.Contains(entry.Event.Resource, "/")
	if one.Mend == mendDetach {
		one.Mend = mendNothing
		if found := deciding.FindStringSubmatch(entry.Event.Statement); found != nil {
			one.Mend, one.Denying = mendDetach, found[1]
		}
	}
	if one.Mend == mendActive && (cert.Status == pki.Active || cert.Status == pki.Revoked) {
		one.Mend = mendNothing
	}
	if one.Mend == mendThing {
		one.Mend = mendNothing
		if name := entry.Event.ClientID; thingName.MatchString(name) {
			one.Mend, one.Thing = mendThing, name
		}
	}
	return one, err
}

// mendRefusal does what the button says: attach a policy, activate the
// certificate, attach the thing.
func (v *visit) mendRefusal() error {
	id := pki.NormalID(v.form("certificate"))
	v.note("certificate", id)
	var err error
	switch mend(v.form("mend")) {
	case mendPolicy:
		err = v.attachPolicy(v.form("policy"), v.PKI.ARN(id), false)
	case mendAllow:
		err = v.allowExactly(v.form("action"), v.form("resource"), v.PKI.ARN(id))
	case mendDetach:
		err = v.attachPolicy(v.form("policy"), v.PKI.ARN(id), true)
	case mendThing:
		err = v.attachThing(v.form("thing"), v.PKI.ARN(id), false)
	case mendActive:
		if err = v.mayIoT("UpdateCertificate", "cert", string(id)); err == nil {
			err = v.PKI.SetStatus(v.r.Context(), id, pki.Active)
		}
	default:
		err = v.wrong("error.nowhere")
	}
	if err != nil {
		return err
	}
	return v.to(Root+"why?"+url.Values{"client": {v.form("client")}, "only": {v.form("only")}}.Encode(), "why.mended")
}

// whyStream tells the page that there is something new, at most twice a second.
func (v *visit) whyStream() error {
	if err := v.may("thingd:ListEvents", "*"); err != nil {
		return err
	}
	events, err := v.openEvents()
	if err != nil {
		return err
	}
	defer events.close()
	news, cancel := v.Journal.Subscribe()
	defer cancel()
	for events.next(time.Second / 2) {
		if drained(news) && !events.send("news", true) {
			return nil
		}
	}
	return nil
}

// drained takes all that waits and says whether there was anything.
func drained(news <-chan why.Event) bool {
	found := false
	for {
		select {
		case _, open := <-news:
			if !open {
				return found
			}
			found = true
		default:
			return found
		}
	}
}

var whyRoutes = []route{
	{"GET /console/why", (*visit).why},
	{"POST /console/why", (*visit).mendRefusal},
	{"GET /console/why/stream", (*visit).whyStream},
}
