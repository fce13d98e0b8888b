package main

import (
	"context"
	"fmt"
	"os"

	"thingd"
)

// serveCommand runs the server until SIGTERM or SIGINT.
type serveCommand struct {
	thingd.Config
}

// Help is told by --help, above the flags.
func (serveCommand) Help() string {
	return `Without flags it keeps everything in ./thingd-data, serves devices on the ports
8883, 8443 and 443, and this machine on http://127.0.0.1:8080/. The first start
makes the keys, the certificates and the root access key.

Every flag is also an environment variable, named behind it, and a member of the
file that --config names. The command line goes before the environment, and that
before the file.

SIGTERM or Ctrl+C ends it in good order. Exit codes: 0 after a stop, 1 when it
cannot start or go on, 2 for wrong usage.`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context) error {
	server, err := thingd.New(ctx, c.Config)
	if err != nil {
		return err
	}
	return server.Run(ctx, func(e thingd.Endpoint) { greet(c.Data, e, server.SignInPath()) })
}

// greet tells a person at a terminal what to do next, and a script that the
// server is ready.
func greet(data string, e thingd.Endpoint, signInPath string) {
	flag, program := "", shellWord(os.Args[0]) // as it was typed
	if data != "./thingd-data" {
		flag = " --data " + shellWord(data)
	}
	fmt.Fprintf(os.Stdout, `
thingd is up.

  endpoint   %[1]s, TLS port %[2]d (MQTT, WebSocket and HTTPS)
  root CA    %[3]s/root-ca.pem
  console    http://%[4]s/
             http://%[4]s%[6]s
             (the long link signs in, once)

Next:
  eval "$(%[7]s env%[5]s)" && aws iot describe-endpoint
  %[7]s kit my-device%[5]s && unzip connect_device_package.zip && ./start.sh
  %[7]s sub%[5]s 'sdk/test/#'

`, e.Host, e.Port, data, e.HTTP, flag, signInPath, program)
	fmt.Fprintln(os.Stderr, "ready")
}
