package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"

	"thingd/internal/aws/thingdapi"
)

// accountCommand is about the accounts of a server.
type accountCommand struct {
	Create accountCreateCommand `cmd:"" help:"Make a further account: its things, certificates, policies, messages and objects are its own. Its folder in accounts/ is to the other commands what the data folder is for the first account."`
	Delete accountDeleteCommand `cmd:"" help:"Delete a further account with everything in it: its connections are closed; its things, certificates, messages, objects and keys are gone for good."`
	List   accountListCommand   `cmd:"" help:"List the accounts of the server, the first one first."`
}

// accountCreateCommand makes an account.
type accountCreateCommand struct {
	dataFlag
	ID string `arg:"" help:"Account ID: 12 digits."`
}

// Run implements the command.
func (c *accountCreateCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	var made thingdapi.CreateAccountResponse
	err = api.call(ctx, request{
		service: "thingd", method: http.MethodPost, path: "/thingd/accounts",
		body: thingdapi.CreateAccountRequest{AccountId: c.ID},
	}, &made)
	if err != nil {
		return err
	}
	folder := filepath.Join(c.Data, "accounts", made.AccountId)
	fmt.Printf("Account %s is there. Its root access key is %s.\n", made.AccountId, made.AccessKeyId)
	fmt.Printf("Work in it with: eval \"$(thingd env --data %s)\"\n", shellQuote(folder))
	return nil
}

// accountDeleteCommand deletes an account.
type accountDeleteCommand struct {
	dataFlag
	ID  string `arg:"" help:"Account ID: 12 digits."`
	Yes bool   `help:"Say that everything in the account may go. Nothing is deleted without."`
}

// Run implements the command.
func (c *accountDeleteCommand) Run(ctx context.Context) error {
	if !c.Yes {
		return fmt.Errorf("everything in account %s would be gone for good; say --yes if it may", c.ID)
	}
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	if err := api.call(ctx, request{service: "thingd", method: http.MethodDelete, path: "/thingd/accounts/" + url.PathEscape(c.ID)}, nil); err != nil {
		return err
	}
	fmt.Printf("Account %s is deleted.\n", c.ID)
	return nil
}

// accountListCommand lists the accounts.
type accountListCommand struct {
	dataFlag
}

// Run implements the command.
func (c *accountListCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	var found thingdapi.ListAccountsResponse
	if err := api.call(ctx, request{service: "thingd", method: http.MethodGet, path: "/thingd/accounts"}, &found); err != nil {
		return err
	}
	for _, id := range found.Accounts {
		fmt.Println(id)
	}
	return nil
}
