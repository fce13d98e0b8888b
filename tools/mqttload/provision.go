package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type provisionReport struct {
	head
	usage
	Provisioned int64      `json:"provisioned"`
	Failures    int64      `json:"failures"`
	PerS        float64    `json:"provisioned_per_s"`
	PerCPU      float64    `json:"provisioned_per_server_cpu_s"`
	Certificate *quantiles `json:"certificate"` // from the request to the answer
	Thing       *quantiles `json:"thing"`       // the same
	Complete    *quantiles `json:"complete"`    // from the device's key to its own connection
	FirstError  string     `json:"first_error,omitempty"`
}

// newcomers are devices that have themselves provisioned.
type newcomers struct {
	*config
	next      atomic.Int64
	measuring atomic.Bool
	stop      atomic.Bool

	mu                           sync.Mutex
	report                       provisionReport
	certificate, thing, complete hist
}

// runProvision has n workers which make devices, over and over: each makes a key,
// connects with the claim certificate, gets a certificate for its own key and a
// thing by the template, and connects once more with that certificate. The
// template takes one parameter, SerialNumber.
func runProvision(cfg *config) (any, error) {
	if !cfg.tls {
		return nil, errors.New("provision needs -ca, and a claim certificate with -cert and -key")
	}
	all := &newcomers{config: cfg}
	var workers sync.WaitGroup
	for range cfg.n {
		workers.Go(func() {
			for !all.stop.Load() {
				all.count(all.one(int(all.next.Add(1))))
			}
		})
	}
	time.Sleep(cfg.warmup)
	m := startMeter(cfg.pids)
	all.measuring.Store(true)
	time.Sleep(cfg.duration)
	all.measuring.Store(false)
	use := m.stop()
	all.stop.Store(true)
	workers.Wait()
	report := &all.report
	report.head, report.usage = cfg.head(), use
	report.PerS = float64(report.Provisioned) / use.Seconds
	report.PerCPU = per(float64(report.Provisioned), use.ServerCPU)
	report.Certificate, report.Thing, report.Complete = all.certificate.quantiles(), all.thing.quantiles(), all.complete.quantiles()
	if report.Failures > 0 {
		return report, fmt.Errorf("%d devices were not provisioned: %s", report.Failures, report.FirstError)
	}
	return report, nil
}

// times are those of one device.
type times struct{ certificate, thing, complete time.Duration }

func (all *newcomers) count(took times, err error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case err != nil:
		all.report.Failures++
		if all.report.FirstError == "" {
			all.report.FirstError = err.Error()
		}
	case all.measuring.Load():
		all.report.Provisioned++
		all.certificate.add(int64(took.certificate))
		all.thing.add(int64(took.thing))
		all.complete.add(int64(took.complete))
	}
}

// one makes one device, from its key to its own connection.
func (all *newcomers) one(i int) (took times, err error) {
	begun := time.Now()
	key, request, err := newRequest()
	if err != nil {
		return took, err
	}
	claim := session{index: i, role: "claim", clean: true, bufferSize: 16 << 10}
	c, err := all.connect(claim)
	if err != nil {
		return took, err
	}
	defer c.close()
	serial := fmt.Sprintf("%s-%d", all.run, i)
	var made struct {
		Token       string `json:"certificateOwnershipToken"`
		Certificate string `json:"certificatePem"`
	}
	took.certificate, err = all.call(c, "$aws/certificates/create-from-csr/json", map[string]string{"certificateSigningRequest": request}, &made)
	if err != nil {
		return took, err
	}
	var thing struct {
		Name string `json:"thingName"`
	}
	took.thing, err = all.call(c, "$aws/provisioning-templates/"+all.template+"/provision/json",
		map[string]any{"certificateOwnershipToken": made.Token, "parameters": map[string]string{"SerialNumber": serial}}, &thing)
	if err != nil {
		return took, err
	}
	err = all.come(key, made.Certificate, thing.Name)
	took.complete = time.Since(begun)
	return took, err
}

func newRequest() (*ecdsa.PrivateKey, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "device"}}, key)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), err
}

// call subscribes to both answers of a request, sends it and reads the answer.
func (all *newcomers) call(c *client, topic string, request, answer any) (took time.Duration, err error) {
	for _, suffix := range []string{"/accepted", "/rejected"} {
		if err := c.subscribe(all.config, topic+suffix, 0); err != nil {
			return 0, err
		}
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	c.conn.SetDeadline(time.Now().Add(all.timeout))
	packet, _, _ := encodePublish(all.mqtt, topic, 0, payload)
	begun := time.Now()
	if _, err := c.conn.Write(packet); err != nil {
		return 0, err
	}
	body, err := c.in.await(ptPublish)
	if err != nil {
		return 0, fmt.Errorf("waiting for the answer to %s: %w", topic, err)
	}
	took = time.Since(begun)
	view, ok := parsePublish(all.mqtt, ptPublish, body)
	if !ok {
		return took, errors.New("malformed PUBLISH")
	}
	if to := string(body[2 : 2+binary.BigEndian.Uint16(body)]); !strings.HasSuffix(to, "/accepted") {
		return took, fmt.Errorf("%s: %s", to, view.payload)
	}
	return took, json.Unmarshal(view.payload, answer)
}

// come connects as the device that has been provisioned.
func (all *newcomers) come(key *ecdsa.PrivateKey, certificate, name string) error {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return errors.New("the certificate is not PEM")
	}
	own := all.identities[0].tls.Clone()
	own.Certificates = []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: key}}
	conn, _, err := all.dialRaw(own, 0)
	if err != nil {
		return err
	}
	as := *all.config
	as.idFormat = name
	c, err := as.handshake(conn, session{clean: true}, identity{tls: own})
	if err != nil {
		conn.Close()
		return fmt.Errorf("as %s: %w", name, err)
	}
	c.close()
	return nil
}
