package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"thingd/internal/aws/thingdapi"
	"thingd/internal/journal"
	"thingd/internal/why"
)

// whyCommand tells the last refusals of a client, and where there are none those
// of clients that nobody knows.
type whyCommand struct {
	dataFlag
	ClientID  string `arg:"" optional:"" help:"MQTT client ID. Without it, the last refusals of everybody."`
	Principal string `help:"Only events of this certificate ID or other principal."`
	Count     int    `short:"n" default:"10" help:"How many events to show, newest first."`
}

// Run implements the command.
func (c *whyCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	found, err := api.events(ctx, c.ClientID, c.Principal, min(max(c.Count, 1), eventsMax))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return journal.Render(os.Stdout, entries(found))
	}
	fmt.Println("Nothing is known of it: no refusal and no lost connection was recorded.")
	if found, err = api.nameless(ctx); err != nil {
		return err
	}
	if len(found) == 0 {
		fmt.Println("If the client cannot connect, its packets may not reach this server; check host, port and network.")
		return nil
	}
	fmt.Print("Clients that failed before they told their client ID; it may be one of these:\n\n")
	return journal.Render(os.Stdout, entries(found))
}

const (
	eventsMax   = 250 // that the server gives at a time
	namelessMax = 3
)

// events asks for what was recorded; what is empty selects all.
func (c *client) events(ctx context.Context, clientID, principal string, count int) ([]thingdapi.Event, error) {
	query := url.Values{"maxResults": {fmt.Sprint(count)}}
	if clientID != "" {
		query.Set("clientId", clientID)
	}
	if principal != "" {
		query.Set("principal", principal)
	}
	var found thingdapi.ListEventsResponse
	err := c.call(ctx, request{service: "thingd", method: http.MethodGet, path: "/thingd/events?" + query.Encode()}, &found)
	return found.Events, err
}

// nameless gives the last clients that got no further than TLS, where nobody has
// a client ID yet: with the wrong root certificate, say.
func (c *client) nameless(ctx context.Context) ([]thingdapi.Event, error) {
	all, err := c.events(ctx, "", "", eventsMax)
	known := func(e thingdapi.Event) bool { return e.ClientId != "" || e.Principal != "" }
	all = slices.DeleteFunc(all, known)
	return all[:min(len(all), namelessMax)], err
}

// entries turns the API's shapes into what the journal renders.
func entries(found []thingdapi.Event) []journal.Entry {
	all := make([]journal.Entry, len(found))
	for i, e := range found {
		all[i] = journal.Entry{Since: moment(e.Since), Event: why.Event{
			Time: moment(e.Time), ClientID: e.ClientId, Principal: e.Principal, Source: e.Source, Door: e.Door, Server: e.Server,
			Step: why.Step(e.Step), Cause: why.Cause(e.Cause), Disconnect: why.Disconnect(e.DisconnectReason),
			Action: e.Action, Resource: e.Resource, Detail: e.Detail, Statement: e.Statement,
		}}
		if e.Count != nil {
			all[i].Count = int(*e.Count)
		}
		for _, v := range e.Variables {
			all[i].Event.Variables = append(all[i].Event.Variables, why.Variable{Name: v.Name, Value: v.Value, Missing: v.Missing != nil && *v.Missing})
		}
	}
	return all
}

// moment reads milliseconds since 1970, in the reader's own time zone.
func moment(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}
