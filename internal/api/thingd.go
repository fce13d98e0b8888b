package api

import (
	"cmp"
	"context"
	"strconv"

	"thingd/internal/aws/thingdapi"
	"thingd/internal/bridge"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/journal"
	"thingd/internal/provisioning"
	"thingd/internal/rules"
	"thingd/internal/why"
)

// Thingd has the operations that AWS does not.
type Thingd struct {
	Journal *journal.Journal
	Rules   *rules.Service
	Bridge  *bridge.Service

	Provisioning *provisioning.Service

	Accounts Accounts
}

// Accounts makes and deletes further accounts on the server.
type Accounts interface {
	// Create gives the account's root access key.
	Create(ctx context.Context, id string) (iam.AccessKey, error)
	// Delete deletes an account with everything in it.
	Delete(ctx context.Context, id string) error
	List(ctx context.Context) ([]string, error)
}

// CreateAccount makes a further account and gives its root access key; of one
// that is there it gives the key alone.
func (a *Thingd) CreateAccount(ctx context.Context, in *thingdapi.CreateAccountRequest) (*thingdapi.CreateAccountResponse, error) {
	key, err := a.Accounts.Create(ctx, in.AccountId)
	if err != nil {
		return nil, err
	}
	return &thingdapi.CreateAccountResponse{AccountId: in.AccountId, AccessKeyId: key.ID, SecretAccessKey: key.Secret}, nil
}

// DeleteAccount deletes a further account with everything in it.
func (a *Thingd) DeleteAccount(ctx context.Context, in *thingdapi.DeleteAccountRequest) (*thingdapi.DeleteAccountResponse, error) {
	return &thingdapi.DeleteAccountResponse{}, a.Accounts.Delete(ctx, in.AccountId)
}

// ListAccounts lists the accounts of the server, the first one first.
func (a *Thingd) ListAccounts(ctx context.Context, _ *thingdapi.ListAccountsRequest) (*thingdapi.ListAccountsResponse, error) {
	ids, err := a.Accounts.List(ctx)
	return &thingdapi.ListAccountsResponse{Accounts: ids}, err
}

// eventsPage is the default size of a page.
const eventsPage = 50

// ListEvents lists refusals and disconnects, newest first.
func (a *Thingd) ListEvents(ctx context.Context, in *thingdapi.ListEventsRequest) (*thingdapi.ListEventsResponse, error) {
	size := eventsPage
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	before, err := strconv.ParseInt(cmp.Or(in.NextToken, "0"), 10, 64)
	if err != nil {
		return nil, fault.InvalidRequest("nextToken is not one of ours")
	}
	found, next, err := a.Journal.Recent(ctx, journal.Query{
		ClientID: in.ClientId, Principal: in.Principal, Cause: why.Cause(in.Cause), Before: before, Limit: size,
	})
	if err != nil {
		return nil, err
	}
	out := &thingdapi.ListEventsResponse{Events: []thingdapi.Event{}}
	if next != 0 {
		out.NextToken = strconv.FormatInt(next, 10)
	}
	for _, e := range found {
		out.Events = append(out.Events, event(e))
	}
	return out, nil
}

func event(entry journal.Entry) thingdapi.Event {
	e := entry.Event
	out := thingdapi.Event{
		Time: new(e.Time.UnixMilli()), ClientId: e.ClientID, Principal: e.Principal, Source: e.Source, Door: e.Door, Server: e.Server,
		Step: string(e.Step), Cause: string(e.Cause), DisconnectReason: string(e.Disconnect),
		Action: e.Action, Resource: e.Resource, Detail: e.Detail, Statement: e.Statement,
		Says: e.Cause.Says(), Remedy: e.Cause.Remedy(), Count: new(int64(entry.Count)), Since: new(entry.Since.UnixMilli()),
	}
	for _, v := range e.Variables {
		out.Variables = append(out.Variables, thingdapi.Variable{Name: v.Name, Value: v.Value, Missing: new(v.Missing)})
	}
	return out
}
