package thingd

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"thingd/internal/broker"
)

// Config is every setting of a server. The tags are read by the command line:
// each setting is a flag, an environment variable THINGD_NAME and a member of
// the configuration file, all with the default given here.
type Config struct {
	Data    string   `default:"./thingd-data" placeholder:"DIR" help:"Folder of everything the server keeps: keys, certificates, database. Default: ${default}."`
	Host    []string `default:"localhost" placeholder:"NAME" help:"Host name or address that clients use. The first is what DescribeEndpoint tells; all are in the server's certificate. Repeatable. Default: ${default}."`
	Listen  []string `placeholder:"ADDR" help:"Address of a TLS door that serves MQTT, WebSocket and HTTPS alike, such as :8883. Repeatable; replaces the defaults :8883, :8443 and, where it may be bound, :443."`
	HTTP    string   `name:"http" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the plain HTTP door for this machine: console, metrics, health and the AWS API. Loopback only. Default: ${default}."`
	Account string   `default:"000000000000" help:"AWS account ID in resource names, twelve digits."`
	Region  string   `default:"us-east-1" help:"AWS region in resource names and signatures."`
	Profile string   `default:"aws" enum:"aws,mqtt" help:"Rules of the broker: aws keeps to AWS IoT Core's rules and limits, mqtt to the OASIS standards with QoS 2."`

	Limits map[string]string `name:"limit" placeholder:"NAME=VALUE" help:"Change one of the broker's limits, such as publish-rate=0. Repeatable, in the environment separated by semicolons; 'thingd limits' lists them."`

	Store     string            `placeholder:"URL" help:"Database: postgres://… for PostgreSQL, one server at a time. Default: SQLite in the data folder."`
	Bus       string            `placeholder:"URL" help:"Message bus to other nodes, nats://…. Default: none, this is the only node."`
	Functions map[string]string `name:"function" placeholder:"ARN=URL" help:"Webhook that stands in for a Lambda function: it gets the event as a POST and answers like the function. Repeatable."`
	Endpoints map[string]string `name:"endpoint" placeholder:"SERVICE=URL" help:"Where rule actions and registration tasks find an AWS service by its signing name, such as sqs=http://localhost:9324, or sqs=https://KEY:SECRET@host?region=REGION with an access key of that service; * stands for all others. S3 is this server's own by default. Repeatable."`

	SealKeyFile string `placeholder:"FILE" help:"File with a key of 32 random bytes that seals private keys and secrets at rest. Make it with: head -c 32 /dev/urandom. Keep a copy: without it the data folder is worthless."`

	RuleQueueMessages int `default:"1000000" help:"Messages of QoS 1 and 2 that may wait on disk for topic rules, in all. When there are more, the rule that most wait for loses its oldest."`
	RuleQueueBytes    int `default:"1073741824" help:"Bytes of payload that may wait on disk for topic rules."`

	Handshaking      int           `default:"20000" help:"Connections that may be under way to their first request at once. More are closed."`
	HandshakeTimeout time.Duration `default:"10s" help:"Time that a client has for its TLS handshake, and for the head of an HTTP request."`

	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn, error."`
	LogFormat string `default:"text" enum:"text,json" help:"Format of the log on standard error: text or json."`

	DrainTimeout time.Duration `default:"10s" help:"How long a stop waits for connections and requests under way."`
}

// defaultDoors are the TLS doors of a server that was told none. The last is
// for devices that can use no other port; not every user may bind it.
var defaultDoors = []string{":8883", ":8443", ":443"}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// check says in a sentence what is wrong with the settings.
func (c *Config) check() error {
	switch {
	case !accountPattern.MatchString(c.Account):
		return fmt.Errorf("--account %q is not an account ID: it has twelve digits", c.Account)
	case !regionPattern.MatchString(c.Region):
		return fmt.Errorf("--region %q does not look like a region such as us-east-1", c.Region)
	case len(c.Host) == 0 || c.Host[0] == "":
		return fmt.Errorf("--host needs a name or address that clients can use")
	case c.Store != "" && !strings.HasPrefix(c.Store, "postgres://") && !strings.HasPrefix(c.Store, "postgresql://"):
		return fmt.Errorf("--store: give the URL of a PostgreSQL database, such as postgres://user:password@host/database, or leave it out for SQLite in the data folder")
	case c.Bus != "":
		return fmt.Errorf("--bus: running several nodes is not implemented yet; start without it")
	case c.RuleQueueMessages < 0 || c.RuleQueueBytes < 0:
		return fmt.Errorf("--rule-queue-messages and --rule-queue-bytes cannot be negative")
	case c.Handshaking < 0 || c.HandshakeTimeout < 0 || c.DrainTimeout < 0:
		return fmt.Errorf("--handshaking, --handshake-timeout and --drain-timeout cannot be negative")
	}
	for _, addr := range c.Listen {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("--listen %q is not an address such as :8883 or 192.0.2.1:8883", addr)
		}
	}
	for service, address := range c.Endpoints {
		if _, err := parseEndpoint(address); err != nil {
			return fmt.Errorf("--endpoint %s: %w", service, err)
		}
	}
	for _, host := range c.Host {
		if strings.ContainsAny(host, ":/ ") && !isAddress(host) {
			return fmt.Errorf("--host %q: give the bare name or address, without scheme and port", host)
		}
	}
	return checkLoopback(c.HTTP)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// checkLoopback keeps the plain door off the network: it has no TLS.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--http %q is not an address such as 127.0.0.1:8080", addr)
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("--http %q is not on loopback: the plain door has no TLS. Reach it through an SSH tunnel, or use the TLS doors", addr)
	}
	return nil
}

// limits gives the broker's limits: the profile's, with the changes asked for.
func (c *Config) limits() (broker.Limits, error) {
	l := broker.AWS()
	if c.Profile == "mqtt" {
		l = broker.Standard()
	}
	for name, value := range c.Limits {
		if err := l.Set(name, value); err != nil {
			return l, fmt.Errorf("--limit %s=%s: %w", name, value, err)
		}
	}
	return l, nil
}
