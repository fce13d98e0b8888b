package console

import (
	"net/url"
	"strings"

	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/journal"
	"thingd/internal/registry"
)

// clientsPage is a part of the list of clients that are connected or have a
// session.
type clientsPage struct {
	Search  string // beginning of the client ID
	Clients []broker.Connection
	Next    string // the ID after which the next page begins
	First   bool
}

const clientsSize = 50 // of a page

func (v *visit) clients() error {
	if err := v.mayIoT("GetConnection", "client", "*"); err != nil {
		return err
	}
	page := clientsPage{Search: v.query("q"), First: v.query("token") == ""}
	after := v.r.URL.Query().Get("token")
	if page.First && page.Search != "" {
		after = before(page.Search)
	}
	list := v.Broker.Connections(after, clientsSize+1)
	for _, one := range list {
		if page.Search != "" && !strings.HasPrefix(one.ClientID, page.Search) {
			if one.ClientID > page.Search {
				break
			}
			continue
		}
		page.Clients = append(page.Clients, one)
	}
	if len(page.Clients) > clientsSize {
		page.Clients = page.Clients[:clientsSize]
		page.Next = page.Clients[clientsSize-1].ClientID
	}
	return v.render("clients", page)
}

// clientView is one client: what the broker knows of it, and what became of it.
type clientView struct {
	ID            string
	Connection    broker.Connection
	Known         bool // connected or with a session
	Certificate   string
	Thing         string // of the same name as the client, or the one it connected as
	Subscriptions []broker.Subscription
	More          bool // subscriptions beyond these
	Events        []refusal
}

const (
	clientSubscriptions = 100 // shown
	clientEvents        = 20
)

func (v *visit) client() error {
	id := v.r.URL.Query().Get("id")
	if id == "" {
		return v.wrong("error.nowhere")
	}
	if err := v.mayIoT("GetConnection", "client", id); err != nil {
		return err
	}
	page := clientView{ID: id}
	page.Connection, page.Known = v.Broker.Connection(id)
	if certificateID.MatchString(page.Connection.Principal) {
		page.Certificate = page.Connection.Principal
	}
	for _, fill := range []func(*clientView) error{v.fillThing, v.fillSubscriptions, v.fillEvents} {
		if err := fill(&page); err != nil {
			return err
		}
	}
	return v.render("client", page)
}

// fillThing finds the thing behind a client.
func (v *visit) fillThing(page *clientView) error {
	page.Thing = page.Connection.ThingName
	if page.Thing != "" || !thingName.MatchString(page.ID) {
		return nil
	}
	_, err := v.Registry.Thing(v.r.Context(), page.ID)
	if fault.Is(err, fault.CodeNotFound) {
		return nil
	}
	page.Thing = page.ID
	return err
}

func (v *visit) fillSubscriptions(page *clientView) error {
	if !page.Known || v.mayIoT("ListSubscriptions", "client", page.ID) != nil {
		return nil
	}
	list, err := v.Broker.Subscriptions(page.ID, "", clientSubscriptions+1)
	if fault.Is(err, fault.CodeNotFound) {
		return nil // it has gone meanwhile
	}
	page.More = len(list) > clientSubscriptions
	page.Subscriptions = list[:min(len(list), clientSubscriptions)]
	return err
}

func (v *visit) fillEvents(page *clientView) error {
	if v.may("thingd:ListEvents", "*") != nil {
		return nil
	}
	entries, _, err := v.Journal.Recent(v.r.Context(), journal.Query{ClientID: page.ID, Limit: clientEvents})
	for _, entry := range entries {
		page.Events = append(page.Events, refusal{Entry: entry})
	}
	return err
}

func clientPath(id string) string { return Root + "client?" + url.Values{"id": {id}}.Encode() }

// disconnectClient ends a client's connection and, if asked to, its session.
func (v *visit) disconnectClient() error {
	id, session := v.r.PostForm.Get("id"), v.form("session") != ""
	v.note("client", id)
	v.note("session", session)
	if err := v.mayIoT("DeleteConnection", "client", id); err != nil {
		return err
	}
	if err := v.Broker.Disconnect(v.r.Context(), id, session, false); err != nil {
		return err
	}
	return v.to(clientPath(id), "client.cut")
}

var connectionRoutes = []route{
	{"GET /console/clients", (*visit).clients},
	{"GET /console/client", (*visit).client},
	{"POST /console/client/disconnect", (*visit).disconnectClient},
}

// allowExactly makes a policy that allows what was refused, and no more, and
// attaches it.
func (v *visit) allowExactly(action, resource, target string) error {
	if kind, name, short := strings.Cut(resource, "/"); short && !strings.HasPrefix(resource, "arn:") {
		resource = v.Scope.IoT(kind, name)
	}
	document := documentOf([]statement{{"Allow", action, resource}})
	name := "allow-" + strings.TrimPrefix(action, "iot:") + "-" + registry.NewUUID()[:8]
	v.note("policy", name)
	if err := v.mayIoT("CreatePolicy", "policy", name); err != nil {
		return err
	}
	if _, err := v.Access.CreatePolicy(v.r.Context(), name, document, nil); err != nil {
		return err
	}
	return v.attachPolicy(name, target, false)
}
