package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"thingd/internal/aws/thingdapi"
	"thingd/internal/journal"
	"thingd/internal/why"
)

// whyCommand tells the last refusals of a client.
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
	query := url.Values{"maxResults": {fmt.Sprint(min(max(c.Count, 1), 250))}}
	if c.ClientID != "" {
		query.Set("clientId", c.ClientID)
	}
	if c.Principal != "" {
		query.Set("principal", c.Principal)
	}
	var found thingdapi.ListEventsResponse
	err = api.call(ctx, request{service: "thingd", method: http.MethodGet, path: "/thingd/events?" + query.Encode()}, &found)
	if err != nil {
		return err
	}
	if len(found.Events) == 0 {
		fmt.Println("Nothing is known of it: no refusal and no lost connection was recorded.")
		fmt.Println("If the client cannot connect, its packets may not reach this server; check host, port and network.")
		return nil
	}
	return journal.Render(os.Stdout, entries(found.Events))
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
