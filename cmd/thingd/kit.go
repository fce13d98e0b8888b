package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/kit"
)

// kitCommand makes a connection kit, as the wizard "Connect one device" does.
type kitCommand struct {
	dataFlag
	Thing string `arg:"" help:"Name of the thing; it is created if it does not exist."`
	SDK   string `name:"sdk" default:"python" enum:"python,node,shell,python-windows,node-windows,arduino" help:"What the sample is written for: ${enum}."`
	Host  string `placeholder:"NAME" help:"Name or address by which the device reaches the server, if not the one that the server was started with."`
	Out   string `default:"." placeholder:"DIR" help:"Folder for connect_device_package.zip."`
}

// Run implements the command.
func (c *kitCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	sample, _ := kit.FindSample(c.SDK) // the flag's enum has let no other through
	k := kit.Kit{Thing: c.Thing, Endpoint: api.Host, Port: api.Port, RootCA: string(api.root), Sample: sample, Made: time.Now()}
	if c.Host != "" {
		k.Endpoint = c.Host
	}
	if err := c.register(ctx, api, &k); err != nil {
		return err
	}
	path := filepath.Join(c.Out, kit.FileName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it holds a private key
	if err != nil {
		return err
	}
	if err := errors.Join(k.Write(file), file.Close()); err != nil {
		return err
	}
	fmt.Printf("%s is ready. %s", path, howToRun(sample))
	if k.Endpoint == "localhost" {
		fmt.Println("The kit connects to localhost, so it runs on this machine only. For another\n" +
			"device name this one as that reaches it: --host ADDRESS.")
	}
	return nil
}

// howToRun says what to do with a kit.
func howToRun(sample kit.Sample) string {
	if commands := sample.Commands(); commands != nil {
		return "On the device:\n  " + strings.Join(commands, "\n  ") + "\n"
	}
	return "Unpack it, open connect_device/connect_device.ino\n" +
		"in the Arduino IDE, put your Wi-Fi into secrets.h, and upload it to the board.\n"
}

// register creates thing, policy and certificate, and ties them together.
func (c *kitCommand) register(ctx context.Context, api *client, k *kit.Kit) error {
	thing, policy := url.PathEscape(c.Thing), url.PathEscape(kit.PolicyName(c.Thing))
	scope := arn.Scope{Partition: "aws", Region: api.Region, Account: api.Account}
	k.Policy = kit.Policy(scope)
	err := api.iot(ctx, http.MethodPost, "/things/"+thing, nil, struct{}{}, nil)
	if err := unlessExists(err); err != nil {
		return err
	}
	err = api.iot(ctx, http.MethodPost, "/policies/"+policy, nil, iot.CreatePolicyRequest{PolicyDocument: k.Policy}, nil)
	if err := unlessExists(err); err != nil {
		return err
	}
	var made iot.CreateKeysAndCertificateResponse
	if err := api.iot(ctx, http.MethodPost, "/keys-and-certificate?setAsActive=true", nil, nil, &made); err != nil {
		return err
	}
	k.Certificate, k.PublicKey, k.PrivateKey = made.CertificatePem, made.KeyPair.PublicKey, made.KeyPair.PrivateKey
	err = api.iot(ctx, http.MethodPut, "/target-policies/"+policy, nil, map[string]string{"target": made.CertificateArn}, nil)
	if err != nil {
		return err
	}
	principal := map[string]string{"x-amzn-principal": made.CertificateArn}
	return api.iot(ctx, http.MethodPut, "/things/"+thing+"/principals", principal, nil, nil)
}

// iot calls an operation of the control plane.
func (c *client) iot(ctx context.Context, method, path string, header map[string]string, in, out any) error {
	return c.call(ctx, request{service: "iot", method: method, path: path, header: header, body: in}, out)
}

// unlessExists lets a kit be made for a thing that is there already.
func unlessExists(err error) error {
	if refused, ok := errors.AsType[*callError](err); ok && refused.name == "ResourceAlreadyExistsException" {
		return nil
	}
	return err
}
