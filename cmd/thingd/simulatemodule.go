package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"thingd/internal/bridge/module"
	"thingd/internal/mqtt"
)

// moduleCommand is a module of sakura.io's, as an integration sees one: it sends
// its channels on a local topic and hears on another what the far side has for
// it.
type moduleCommand struct {
	dataFlag
	ID       string        `name:"id" required:"" help:"Name of the module, such as u01234567890."`
	Channels string        `default:"0:I:n" help:"Channels to send, as NUMBER:TYPE:VALUE with commas between. Types: i, I (32 bits), l, L (64 bits), f, d (floating point), b (8 bytes in hex). The value n is the number of the message."`
	Count    int           `help:"End after this many messages. Default: Ctrl+C ends."`
	Interval time.Duration `default:"5s" help:"Pause between two messages."`
	QoS      int           `name:"qos" default:"0" enum:"0,1" help:"Quality of service: 0 or 1."`
	Up       string        `default:"modules/{module}/up" help:"Topic to send to."`
	Down     string        `default:"modules/{module}/down" help:"Topic to listen to."`
}

// Run implements the command.
func (c *moduleCommand) Run(ctx context.Context) error {
	if err := module.CheckName(c.ID); err != nil {
		return err
	}
	values, err := module.Parse(c.Channels)
	if err != nil {
		return err
	}
	if c.Interval <= 0 {
		return fmt.Errorf("--interval must be more than nothing")
	}
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	conn, err := api.dialMQTT(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { leave(conn) })()
	m := simulatedModule{moduleCommand: c, conn: conn, values: values}
	if err := m.run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// simulatedModule is one connection.
type simulatedModule struct {
	*moduleCommand
	conn   net.Conn
	values []module.Value
}

// topic fills in the module's name.
func (m *simulatedModule) topic(template string) string {
	return strings.ReplaceAll(template, "{module}", m.ID)
}

func (m *simulatedModule) run(ctx context.Context) error {
	in := mqtt.NewReader(m.conn, 0)
	if err := m.open(in); err != nil {
		return err
	}
	ended := make(chan error, 1)
	acked := make(chan struct{}, 1)
	go func() { ended <- m.listen(in, acked) }()
	tick := time.NewTicker(m.Interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		if err := m.publish(n); err != nil {
			return err
		}
		if m.QoS > 0 {
			select {
			case <-acked:
			case err := <-ended:
				return err
			}
		}
		if n == m.Count {
			return m.send(&mqtt.Disconnect{})
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// open gets in and waits until the module hears.
func (m *simulatedModule) open(in *mqtt.Reader) error {
	connect := &mqtt.Connect{ClientID: "module-" + m.ID + "-" + rand.Text()[:8], CleanStart: true, KeepAlive: moduleKeepAlive}
	if err := m.send(connect); err != nil {
		return err
	}
	packet, err := in.ReadPacket(mqtt.V5)
	if err != nil {
		return err
	}
	if ack, ok := packet.(*mqtt.Connack); !ok || ack.Reason.Failed() {
		return fmt.Errorf("the server refused the connection: %v", packet)
	}
	down := mqtt.Subscription{Filter: m.topic(m.Down), QoS: mqtt.QoS1}
	if err := m.send(&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{down}}); err != nil {
		return err
	}
	if packet, err = in.ReadPacket(mqtt.V5); err != nil {
		return err
	}
	if ack, ok := packet.(*mqtt.Suback); !ok || ack.Reasons[0].Failed() {
		return fmt.Errorf("the server refused the subscription to %s: %v", down.Filter, packet)
	}
	fmt.Fprintf(os.Stdout, "%s connected\n", m.ID)
	return nil
}

// moduleKeepAlive is 0, no keep-alive: the simulator sends by itself, and ends
// with its connection.
const moduleKeepAlive = 0

func (m *simulatedModule) publish(n int) error {
	payload, err := module.Encode(m.ID, m.values, uint64(n), time.Now())
	if err != nil {
		return err
	}
	p := &mqtt.Publish{Topic: []byte(m.topic(m.Up)), Payload: payload, QoS: mqtt.QoS(m.QoS)}
	if m.QoS > 0 {
		p.PacketID = 1 + uint16(n%65535)
	}
	if err := m.send(p); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s sent %s\n", m.ID, payload)
	return nil
}

func (m *simulatedModule) send(p mqtt.Packet) error {
	_, err := m.conn.Write(p.Append(nil, mqtt.V5))
	return err
}

// listen prints what comes for the module.
func (m *simulatedModule) listen(in *mqtt.Reader, acked chan<- struct{}) error {
	for {
		packet, err := in.ReadPacket(mqtt.V5)
		if err != nil {
			return fmt.Errorf("the connection ended: %w", err)
		}
		switch p := packet.(type) {
		case *mqtt.Puback:
			if p.Reason.Failed() {
				return fmt.Errorf("the server refused a message: %v %s", p.Reason, p.ReasonString)
			}
			acked <- struct{}{}
		case *mqtt.Disconnect:
			return fmt.Errorf("the server disconnected us: %v %s", p.Reason, p.ReasonString)
		case *mqtt.Publish:
			fmt.Fprintf(os.Stdout, "%s received %s\n", m.ID, p.Payload)
			if p.QoS == mqtt.QoS1 {
				if err := m.send(&mqtt.Puback{PacketID: p.PacketID}); err != nil {
					return err
				}
			}
		}
	}
}
