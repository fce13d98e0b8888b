package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/gateway"
	"thingd/internal/mqtt"
)

// subCommand subscribes over MQTT on a WebSocket, signed with the root access
// key, and prints a line for each message.
type subCommand struct {
	dataFlag
	Filters []string `arg:"" help:"Topic filters, such as 'sensors/#'."`
	QoS     int      `name:"qos" default:"1" enum:"0,1" help:"Quality of service: 0 or 1."`
	Count   int      `short:"n" help:"End after this many messages. Default: Ctrl+C ends."`
}

// Run implements the command.
func (c *subCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	conn, err := api.dialMQTT(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := subscriber{conn: conn, in: mqtt.NewReader(conn, 0), left: c.Count}
	defer context.AfterFunc(ctx, func() { leave(conn) })()
	if err := s.open(c.Filters, mqtt.QoS(c.QoS)); err != nil {
		return err
	}
	err = s.print()
	if ctx.Err() != nil { // Ctrl+C
		return nil
	}
	return err
}

// dialMQTT opens a WebSocket to the server.
func (c *client) dialMQTT(ctx context.Context) (net.Conn, error) {
	host := fmt.Sprintf("%s:%d", c.Host, c.Port)
	r, err := http.NewRequest(http.MethodGet, "https://"+host+"/mqtt", nil)
	if err != nil {
		return nil, err
	}
	keys := sigv4.Credentials{AccessKeyID: c.keys.id, SecretAccessKey: c.keys.secret}
	url := sigv4.Presign(r, keys, "iotdevicegateway", c.Region, time.Now(), 5*time.Minute)
	url.Scheme = "wss"
	conn, err := gateway.DialWebSocket(ctx, url.String(), c.tls)
	if err != nil {
		return nil, fmt.Errorf("the server does not let us in; is it running? %w", err)
	}
	return conn, nil
}

// subscriber is one MQTT 5 connection that only listens.
type subscriber struct {
	conn net.Conn
	in   *mqtt.Reader
	left int // messages; 0: no end
}

const keepAlive = time.Minute

func (s *subscriber) open(filters []string, qos mqtt.QoS) error {
	connect := &mqtt.Connect{ClientID: "thingd-sub-" + rand.Text(), CleanStart: true, KeepAlive: keepAlive}
	if err := s.send(connect); err != nil {
		return err
	}
	packet, err := s.in.ReadPacket(mqtt.V5)
	if err != nil {
		return err
	}
	if ack, ok := packet.(*mqtt.Connack); !ok || ack.Reason.Failed() {
		return fmt.Errorf("the server refused the connection: %v", packet)
	}
	subscribe := &mqtt.Subscribe{PacketID: 1}
	for _, filter := range filters {
		subscribe.Subscriptions = append(subscribe.Subscriptions, mqtt.Subscription{Filter: filter, QoS: qos})
	}
	go s.ping()
	return s.send(subscribe)
}

// leave says goodbye: a connection that just ends is on record as lost.
func leave(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // the person wants to be gone
	_, _ = conn.Write((&mqtt.Disconnect{}).Append(nil, mqtt.V5))
	conn.Close()
}

// ping keeps the connection; it ends when that is closed.
func (s *subscriber) ping() {
	tick := time.NewTicker(keepAlive / 2)
	defer tick.Stop()
	for range tick.C {
		if s.send(&mqtt.Pingreq{}) != nil {
			return
		}
	}
}

func (s *subscriber) send(p mqtt.Packet) error {
	_, err := s.conn.Write(p.Append(nil, mqtt.V5))
	return err
}

// print prints messages until enough have come.
func (s *subscriber) print() error {
	for {
		packet, err := s.in.ReadPacket(mqtt.V5)
		if err != nil {
			return fmt.Errorf("the connection ended: %w", err)
		}
		switch p := packet.(type) {
		case *mqtt.Suback:
			for _, reason := range p.Reasons {
				if reason.Failed() {
					return fmt.Errorf("the server refused a filter: %v %s", reason, p.ReasonString)
				}
			}
		case *mqtt.Publish:
			fmt.Fprintf(os.Stdout, "%s %s\n", p.Topic, p.Payload)
			if p.QoS == mqtt.QoS1 {
				if err := s.send(&mqtt.Puback{PacketID: p.PacketID}); err != nil {
					return err
				}
			}
			if s.left--; s.left == 0 {
				return s.send(&mqtt.Disconnect{})
			}
		case *mqtt.Disconnect:
			return errors.New("the server disconnected us: " + p.Reason.String() + " " + p.ReasonString)
		}
	}
}
