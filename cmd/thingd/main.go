// Command thingd is a self-hosted device cloud: `thingd serve` is the whole
// server, the other subcommands are its clients and tools.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands are the subcommands; the struct tags are their documentation.
type commands struct {
	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Env         envCommand         `cmd:"" help:"Print the environment that makes the AWS CLI and SDKs use this server."`
	Kit         kitCommand         `cmd:"" help:"Make a connection kit for a thing: certificate, keys, policy, sample and start script in a zip."`
	Provision   provisionCommand   `cmd:"" help:"Register devices from files."`
	Simulate    simulateCommand    `cmd:"" help:"Pretend to be devices."`
	Why         whyCommand         `cmd:"" help:"Explain why a client was refused or disconnected."`
	Rule        ruleCommand        `cmd:"" help:"Try topic rules and see what they did."`
	Integration integrationCommand `cmd:"" help:"Connect to foreign brokers."`
	Pub         pubCommand         `cmd:"" help:"Publish a message."`
	Sub         subCommand         `cmd:"" help:"Subscribe and print messages."`
	Account     accountCommand     `cmd:"" help:"Make and list accounts."`
	Limits      limitsCommand      `cmd:"" help:"List the broker's limits and their values."`
	Version     versionCommand     `cmd:"" help:"Print the version."`

	Config string `placeholder:"FILE" help:"Configuration file: a JSON object with members named like the flags of 'thingd serve'. Command line and environment go before it."`
}

// onlySettingsHaveVariables keeps the environment to the server's settings and
// what all commands share. What THINGD_HOST says of the server must not change
// the far side of an integration, which has a flag of that name too.
func onlySettingsHaveVariables(k *kong.Kong) error {
	var spare func(node *kong.Node)
	spare = func(node *kong.Node) {
		for _, flag := range node.Flags {
			if len(flag.Envs) == 0 && flag.Name != "data" {
				flag.Envs = []string{"-"} // kong: none
			}
		}
		for _, child := range node.Children {
			spare(child)
		}
	}
	for _, command := range k.Model.Children {
		if command.Name != "serve" {
			spare(command)
		}
	}
	return nil
}

func main() {
	os.Exit(run(os.Args[1:]))
}

// run gives the exit code: 0 for success, 1 for a failure that one sentence on
// standard error explains, 2 for wrong usage.
func run(args []string) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("thingd"),
		kong.Description("A self-hosted device cloud that speaks AWS IoT Core's protocols and APIs."),
		kong.PostBuild(onlySettingsHaveVariables),
		kong.DefaultEnvars("THINGD"),
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "thingd:", err)
		return 1
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help was asked for
		return exit
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "thingd: %v\nTry 'thingd --help'.\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "thingd:", err)
		return 1
	}
	return 0
}
