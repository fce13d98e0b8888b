package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

// pubCommand publishes over HTTPS with the root access key.
type pubCommand struct {
	dataFlag
	Topic   string `arg:"" help:"Topic to publish to."`
	Message string `arg:"" optional:"" help:"Message. Without it, standard input is the message."`
	QoS     int    `name:"qos" default:"0" enum:"0,1" help:"Quality of service: 0 or 1."`
	Retain  bool   `help:"Keep the message for subscribers to come."`
}

// Run implements the command.
func (c *pubCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	payload := []byte(c.Message)
	if c.Message == "" {
		if payload, err = io.ReadAll(os.Stdin); err != nil {
			return err
		}
	}
	query := url.Values{"qos": {fmt.Sprint(c.QoS)}}
	if c.Retain {
		query.Set("retain", "true")
	}
	return api.call(ctx, request{
		service: "iotdata", method: http.MethodPost,
		path: "/topics/" + url.PathEscape(c.Topic) + "?" + query.Encode(), raw: payload,
	}, nil)
}
