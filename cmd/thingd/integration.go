package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"thingd/internal/aws/thingdapi"
)

// integrationCommand is for outbound connections to foreign brokers.
type integrationCommand struct {
	Create   integrationCreateCommand   `cmd:"" help:"Make an integration and connect it."`
	Update   integrationUpdateCommand   `cmd:"" help:"Change an integration and connect it anew; without changes, only that."`
	List     integrationListCommand     `cmd:"" help:"List integrations and how they are doing."`
	Describe integrationDescribeCommand `cmd:"" help:"Show an integration."`
	Delete   integrationDeleteCommand   `cmd:"" help:"Delete an integration; messages that wait go with it."`
}

// integrationFlags are the settings. nil leaves one as it is.
type integrationFlags struct {
	Name        *string        `help:"Name, for people."`
	Host        *string        `help:"Host name or address of the far side."`
	Port        *int           `help:"Port. Default: 8883, without TLS 1883."`
	Prefix      *string        `help:"Publish topic prefix: messages go to PREFIX/MODULE."`
	Subscribe   *string        `help:"Topic of the far side to subscribe to, without wildcards."`
	TLS         *bool          `name:"tls" negatable:"" help:"Use TLS. Default: yes."`
	RootCA      string         `name:"root-ca" type:"existingfile" help:"PEM file of the far side's root certificate. Default: what this machine trusts."`
	Cert        string         `type:"existingfile" help:"PEM file of the client certificate."`
	Key         string         `type:"existingfile" help:"PEM file of its private key."`
	Username    *string        `help:"User name."`
	Password    *string        `help:"Password." env:"INTEGRATION_PASSWORD"`
	Protocol    *string        `help:"MQTT version: 3.1.1 or 5. Default: 3.1.1."`
	QoS         *int           `name:"qos" help:"Highest quality of service, 0 or 1. Default: 0."`
	ClientID    *string        `name:"client-id" help:"Client ID. Default: made from the integration's ID."`
	KeepAlive   *time.Duration `name:"keep-alive" help:"Keep-alive. Default: 60s."`
	LocalFilter *string        `name:"local-filter" help:"Local topics that go out. Default: modules/+/up."`
	LocalTopic  *string        `name:"local-topic" help:"Local topic of what comes in. Default: modules/{module}/down."`
}

// apply changes what was given.
func (f *integrationFlags) apply(s *thingdapi.IntegrationSettings) error {
	for to, value := range map[*string]*string{
		&s.Name: f.Name, &s.Host: f.Host, &s.Prefix: f.Prefix, &s.SubscribeTopic: f.Subscribe, &s.Username: f.Username,
		&s.Password: f.Password, &s.ClientId: f.ClientID, &s.LocalFilter: f.LocalFilter, &s.LocalTopic: f.LocalTopic,
	} {
		if value != nil {
			*to = *value
		}
	}
	s.Port, s.Tls, s.Qos = cmp.Or(f.Port, s.Port), cmp.Or(f.TLS, s.Tls), cmp.Or(f.QoS, s.Qos)
	if f.KeepAlive != nil {
		s.KeepAliveSeconds = new(int(*f.KeepAlive / time.Second))
	}
	if f.Protocol != nil {
		version, ok := map[string]int{"3.1.1": 4, "5": 5}[*f.Protocol]
		if !ok {
			return fmt.Errorf("--protocol must be 3.1.1 or 5")
		}
		s.Version = &version
	}
	return f.readFiles(s)
}

func (f *integrationFlags) readFiles(s *thingdapi.IntegrationSettings) error {
	for to, path := range map[*string]string{&s.RootCa: f.RootCA, &s.Certificate: f.Cert, &s.PrivateKey: f.Key} {
		if path == "" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		*to = string(text)
	}
	return nil
}

// integrations calls an operation on integrations; id may be "".
func (c *client) integrations(ctx context.Context, method, id string, in, out any) error {
	path := "/thingd/integrations"
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	return c.call(ctx, request{service: "thingd", method: method, path: path, body: in}, out)
}

type integrationCreateCommand struct {
	dataFlag
	integrationFlags
}

// Run implements the command.
func (c *integrationCreateCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	order := &thingdapi.CreateIntegrationRequest{Settings: &thingdapi.IntegrationSettings{}}
	if err := c.apply(order.Settings); err != nil {
		return err
	}
	var made thingdapi.DescribeIntegrationResponse
	if err := api.integrations(ctx, http.MethodPost, "", order, &made); err != nil {
		return err
	}
	fmt.Println(made.Integration.IntegrationId)
	return nil
}

type integrationUpdateCommand struct {
	dataFlag
	ID string `arg:"" help:"ID of the integration."`
	integrationFlags
}

// Run implements the command.
func (c *integrationUpdateCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	var found thingdapi.DescribeIntegrationResponse
	if err := api.integrations(ctx, http.MethodGet, c.ID, nil, &found); err != nil {
		return err
	}
	order := &thingdapi.UpdateIntegrationRequest{Settings: settingsOf(found.Integration)}
	if err := c.apply(order.Settings); err != nil {
		return err
	}
	return api.integrations(ctx, http.MethodPut, c.ID, order, nil)
}

// settingsOf gives back what Describe told. The secrets stay where they are.
func settingsOf(i *thingdapi.Integration) *thingdapi.IntegrationSettings {
	return &thingdapi.IntegrationSettings{
		Name: i.Name, Host: i.Host, Port: i.Port, Prefix: i.Prefix, SubscribeTopic: i.SubscribeTopic, Tls: i.Tls, RootCa: i.RootCa,
		Certificate: i.Certificate, Username: i.Username, Version: i.Version, Qos: i.Qos, ClientId: i.ClientId,
		KeepAliveSeconds: i.KeepAliveSeconds, LocalFilter: i.LocalFilter, LocalTopic: i.LocalTopic,
		QueueMessages: i.QueueMessages, QueueBytes: i.QueueBytes,
	}
}

type integrationListCommand struct{ dataFlag }

// Run implements the command.
func (c *integrationListCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	var found thingdapi.ListIntegrationsResponse
	if err := api.integrations(ctx, http.MethodGet, "", nil, &found); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tFAR SIDE\tSTATUS\tSENT\tRECEIVED\tWAITING")
	for _, i := range found.Integrations {
		fmt.Fprintf(table, "%s\t%s\t%s:%d\t%s\t%d\t%d\t%d\n", i.IntegrationId, i.Name, i.Host, *i.Port, i.Status.State,
			*i.Counts.Sent, *i.Counts.Received, *i.Counts.Waiting)
	}
	return table.Flush()
}

type integrationDescribeCommand struct {
	dataFlag
	ID string `arg:"" help:"ID of the integration."`
}

// Run implements the command.
func (c *integrationDescribeCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	var found thingdapi.DescribeIntegrationResponse
	if err := api.integrations(ctx, http.MethodGet, c.ID, nil, &found); err != nil {
		return err
	}
	return printIntegration(os.Stdout, found.Integration)
}

func printIntegration(w io.Writer, i *thingdapi.Integration) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	row("Name", "%s", i.Name)
	row("Far side", "%s:%d, TLS %v", i.Host, *i.Port, *i.Tls)
	row("Status", "%s", i.Status.State)
	if i.Status.Cause != "" {
		row("Error", "%s: %s", i.Status.Says, i.Status.Detail)
		row("Remedy", "%s", i.Status.Remedy)
	} else if p := i.LastProblem; p != nil {
		row("Last problem", "%s %s: %s", time.UnixMilli(*p.Time).Format(time.DateTime), p.Cause, p.Detail)
	}
	row("Uplink", "%s to %s/…", i.LocalFilter, strings.TrimRight(i.Prefix, "/"))
	row("Downlink", "%s to %s", i.SubscribeTopic, i.LocalTopic)
	row("Client ID", "%s", i.ClientId)
	n := i.Counts
	row("Sent, received", "%d, %d", *n.Sent, *n.Received)
	row("Waiting", "%d (%d bytes)", *n.Waiting, *n.WaitingBytes)
	row("Dropped, refused, without place", "%d, %d, %d", *n.Dropped, *n.Refused, *n.Invalid)
	return table.Flush()
}

type integrationDeleteCommand struct {
	dataFlag
	ID string `arg:"" help:"ID of the integration."`
}

// Run implements the command.
func (c *integrationDeleteCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	return api.integrations(ctx, http.MethodDelete, c.ID, nil, nil)
}
