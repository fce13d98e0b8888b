package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/provisioning/manifest"
)

// simulateCommand pretends to be devices.
type simulateCommand struct {
	Element elementCommand `cmd:"" help:"Make secure elements with their manifest, and connect as the boards they sit on."`
	Module  moduleCommand  `cmd:"" help:"Send what a module of sakura.io sends, for an integration, and print what comes back for it."`
}

// elementCommand makes what Microchip makes, a chain of certificates per element
// and a signed manifest, and then behaves like the firmware of the EduKit board.
type elementCommand struct {
	dataFlag
	Dir      string        `arg:"" help:"Folder of the elements. A manifest is made in it if there is none."`
	Count    int           `default:"1" help:"Elements to make."`
	Bare     bool          `help:"Make the manifest without a file for each element's certificate and key: to measure how a large one is imported."`
	Connect  bool          `help:"Connect as the elements of the folder and publish until Ctrl+C."`
	Messages int           `help:"End after this many messages of each element. Default: Ctrl+C ends."`
	Interval time.Duration `default:"3s" help:"Pause between two messages."`
}

// The files of a folder.
const (
	manifestFile = "manifest.json"
	signerFile   = "manifest-signer.crt"
)

// Run implements the command.
func (c *elementCommand) Run(ctx context.Context) error {
	if c.Count < 1 {
		return errors.New("--count must be at least 1")
	}
	path := filepath.Join(c.Dir, manifestFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := c.make(); err != nil {
			return err
		}
		fmt.Printf("%s is ready. Register its elements:\n  thingd provision manifest --signer %s --policy NAME %s\n", path, filepath.Join(c.Dir, signerFile), path)
	}
	if !c.Connect {
		return nil
	}
	return c.connect(ctx)
}

// issuer is a certificate with its key.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// make writes the manifest, its signer's certificate, and each element's
// certificate and key.
func (c *elementCommand) make() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	root, err := newIssuer(nil, "Simulated Root CA 001")
	if err != nil {
		return err
	}
	signer, err := newIssuer(root, "Simulated Signer F0F0")
	if err != nil {
		return err
	}
	lister, err := newIssuer(nil, "Manifest Signer 005")
	if err != nil {
		return err
	}
	if err := c.writeManifest(signer, lister); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Dir, signerFile), encode("CERTIFICATE", lister.cert.Raw), 0o600)
}

// writeManifest writes the manifest element by element: there may be hundreds of
// thousands. It gets its name at the end, when it is whole.
func (c *elementCommand) writeManifest(signer, lister *issuer) error {
	file, err := os.CreateTemp(c.Dir, manifestFile+".new*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer file.Close()
	w := bufio.NewWriter(file)
	for i, before := 0, "[\n"; i < c.Count; i, before = i+1, ",\n" {
		element, err := c.makeElement(signer, lister)
		if err != nil {
			return err
		}
		_, _ = w.WriteString(before) // Flush tells
		_, _ = w.Write(element)
	}
	_, _ = w.WriteString("\n]\n")
	return errors.Join(w.Flush(), os.Rename(file.Name(), filepath.Join(c.Dir, manifestFile)))
}

// makeElement makes one element and gives its entry in the manifest.
func (c *elementCommand) makeElement(signer, lister *issuer) (json.RawMessage, error) {
	serial := newSerial()
	device, err := newDevice(signer, serial)
	if err != nil {
		return nil, err
	}
	if !c.Bare {
		if err := c.writeElement(serial, device); err != nil {
			return nil, err
		}
	}
	s := manifest.Signer{Certificate: lister.cert, Key: lister.key}
	return s.Sign(serial, []*x509.Certificate{device.cert, signer.cert}, time.Now())
}

// writeElement writes an element's certificate and key.
func (c *elementCommand) writeElement(serial string, device *issuer) error {
	key, err := x509.MarshalECPrivateKey(device.key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(c.Dir, serial+".crt"), encode("CERTIFICATE", device.cert.Raw), 0o600),
		os.WriteFile(filepath.Join(c.Dir, serial+".key"), encode("EC PRIVATE KEY", key), 0o600))
}

// newSerial makes the serial number of an element: 9 bytes that begin with 0123
// and end with EE, in upper-case hex.
func newSerial() string {
	b := []byte{0x01, 0x23, 0, 0, 0, 0, 0, 0, 0xee}
	_, _ = rand.Read(b[2:8]) // never fails
	return strings.ToUpper(hex.EncodeToString(b))
}

// maker is the name that all certificates share.
const maker = "Simulated Technology Inc"

// newIssuer makes a CA; a nil parent makes a root.
func newIssuer(parent *issuer, name string) (*issuer, error) {
	return sign(parent, &x509.Certificate{
		Subject:  pkix.Name{Organization: []string{maker}, CommonName: name},
		NotAfter: time.Now().AddDate(31, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
}

// newDevice makes a certificate as Trust&GO elements have it: named "sn" and the
// serial number, valid for decades, with the serial in a directory name.
func newDevice(signer *issuer, serial string) (*issuer, error) {
	return sign(signer, &x509.Certificate{
		Subject:  pkix.Name{Organization: []string{maker}, CommonName: "sn" + serial},
		NotAfter: time.Now().AddDate(28, 0, 0), BasicConstraintsValid: true,
		KeyUsage:        x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement,
		ExtraExtensions: []pkix.Extension{directoryName(serial)},
	})
}

// directoryName is the extension that holds the element's address. Its
// PrintableString has an underscore, which ASN.1 forbids and the real ones have.
func directoryName(serial string) pkix.Extension {
	text := append([]byte{asn1.TagPrintableString, byte(len(serial) + 6)}, "eui48_"+serial...)
	oid := []byte{asn1.TagOID, 3, 0x55, 0x04, 0x05} // serialNumber
	wrap := func(tag byte, inner []byte) []byte { return append([]byte{tag, byte(len(inner))}, inner...) }
	name := wrap(0x30, wrap(0x31, wrap(0x30, append(oid, text...))))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: wrap(0x30, wrap(0xa4, name))}
}

func sign(parent *issuer, template *x509.Certificate) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	made := &issuer{template, key}
	if parent == nil {
		parent = made
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		return nil, err
	}
	made.cert, err = x509.ParseCertificate(der)
	return made, err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// connect runs every element of the folder.
func (c *elementCommand) connect(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	keys, err := filepath.Glob(filepath.Join(c.Dir, "*.key"))
	if err != nil {
		return err
	}
	failures := make([]error, len(keys))
	var boards sync.WaitGroup
	for i, key := range keys {
		serial := strings.TrimSuffix(filepath.Base(key), ".key")
		boards.Go(func() {
			b := board{elementCommand: c, serial: serial}
			if err := b.run(ctx, api); err != nil && ctx.Err() == nil {
				failures[i] = fmt.Errorf("%s: %w", serial, err)
			}
		})
	}
	boards.Wait()
	return errors.Join(failures...)
}

// board is one simulated EduKit board.
type board struct {
	*elementCommand
	serial string // of its element: client ID and thing name
	conn   net.Conn
}

// boardKeepAlive is the firmware's.
const boardKeepAlive = 10 * time.Second

// run connects, subscribes and publishes until there is enough.
func (b *board) run(ctx context.Context, api *client) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(b.Dir, b.serial+".crt"), filepath.Join(b.Dir, b.serial+".key"))
	if err != nil {
		return err
	}
	config := api.tls.Clone()
	config.Certificates = []tls.Certificate{pair}
	dialer := tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: 5 * time.Second}}
	if b.conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(api.Host, fmt.Sprint(api.Port))); err != nil {
		return err
	}
	defer b.conn.Close()
	defer context.AfterFunc(ctx, func() { b.conn.Close() })()
	if err := b.open(); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- b.listen(mqtt.NewReader(b.conn, 0)) }()
	return b.publish(ctx, failed)
}

// open gets in and subscribes to everything below the board's name.
func (b *board) open() error {
	err := b.send(&mqtt.Connect{Version: mqtt.V4, ClientID: b.serial, CleanStart: true, KeepAlive: boardKeepAlive})
	if err != nil {
		return err
	}
	packet, err := mqtt.NewReader(b.conn, 0).ReadPacket(mqtt.V4)
	if err != nil {
		return fmt.Errorf("the server hung up; 'thingd why %s' says why", b.serial)
	}
	if ack, ok := packet.(*mqtt.Connack); !ok || ack.Reason.Failed() {
		return fmt.Errorf("the server refused the connection: %v", packet)
	}
	fmt.Printf("%s connected\n", b.serial)
	return b.send(&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: b.serial + "/#"}}})
}

func (b *board) send(p mqtt.Packet) error {
	_, err := b.conn.Write(p.Append(nil, mqtt.V4))
	return err
}

// publish sends what the firmware sends: one message with QoS 0, one with QoS 1,
// to the board's name, a slash and the zero byte that ends a string in C.
func (b *board) publish(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(b.Interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		qos := mqtt.QoS((n - 1) % 2)
		p := &mqtt.Publish{QoS: qos, Topic: []byte(b.serial + "/\x00"), Payload: fmt.Appendf(nil, "Hello from AWS IoT Kit (QOS%d) : %d ", qos, n)}
		if qos > 0 {
			p.PacketID = uint16(n%65535) + 1
		}
		if err := b.send(p); err != nil {
			return err
		}
		if n == b.Messages {
			return b.send(&mqtt.Disconnect{})
		}
		select {
		case <-tick.C:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// listen prints what comes. A message to blink switches the light, as on the
// board.
func (b *board) listen(in *mqtt.Reader) error {
	for {
		packet, err := in.ReadPacket(mqtt.V4)
		if err != nil {
			return fmt.Errorf("the connection ended: %w", err)
		}
		p, ok := packet.(*mqtt.Publish)
		if !ok {
			continue
		}
		fmt.Printf("%s received %s %s\n", b.serial, p.Topic, p.Payload)
		if strings.Contains(string(p.Topic), "/blink") {
			fmt.Printf("%s switches its light\n", b.serial)
		}
	}
}
