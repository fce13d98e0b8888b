package main

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
)

// provisionCommand registers devices.
type provisionCommand struct {
	Manifest manifestCommand `cmd:"" help:"Register the devices of a maker's manifest: Microchip Trust&GO, Espressif, Infineon."`
}

// manifestCommand registers the devices of a manifest through the public API,
// like any other client of it.
type manifestCommand struct {
	dataFlag
	File      string   `arg:"" help:"The manifest. For Infineon, the folder or zip that holds a certificate per file."`
	Format    string   `default:"microchip" enum:"microchip,espressif,infineon,generated" help:"Whose form the manifest has: microchip (signed JSON), espressif (CSV), infineon (a PEM per file), generated (base64 of a PEM per line)."`
	Signer    []string `placeholder:"CERT" help:"Certificate of whoever signed the manifest, in PEM or DER. Repeatable. Microchip's manifests need one."`
	Policy    string   `placeholder:"NAME" help:"Policy to attach to each certificate. It must exist."`
	ThingType string   `placeholder:"NAME" help:"Thing type of the things that are made. It must exist."`
	Group     string   `placeholder:"NAME" help:"Thing group to put each thing in. It must exist."`
	NameCase  string   `default:"as-is" enum:"as-is,upper,lower" help:"Letter case of thing names: as-is, upper, lower. A device connects only under exactly the name that its thing has."`
	Workers   int      `default:"16" help:"Devices registered at a time."`
	Report    string   `placeholder:"FILE" help:"Write the outcome of every entry here, a JSON object per line."`
}

// Run implements the command.
func (c *manifestCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	if transport, ok := api.http.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = c.Workers // a handshake per call would be most of the work
	}
	out := &report{began: time.Now(), shown: time.Now()}
	elements, closeFile, err := c.open(out)
	if err != nil {
		return err
	}
	defer closeFile()
	if c.Policy != "" { // better now than once for each device
		if err := api.iot(ctx, http.MethodGet, "/policies/"+url.PathEscape(c.Policy), nil, nil, nil); err != nil {
			return fmt.Errorf("policy %s: %w", c.Policy, err)
		}
	}
	if err := out.open(c.Report); err != nil {
		return err
	}
	in := provisioning.Import{Policy: c.Policy, ThingType: c.ThingType, Group: c.Group, Name: provisioning.NameCase(c.NameCase).Of, Workers: c.Workers}
	summary, err := in.Run(ctx, apiRegistrar{api}, elements, out.entry)
	out.end()
	fmt.Printf("%d registered, %d already there, %d failed\n", summary.New, summary.Unchanged, summary.Failed)
	if ctx.Err() != nil {
		err = errors.New("stopped; the same command goes on where this one was")
	}
	if err = errors.Join(err, out.close()); err == nil && summary.Failed > 0 {
		err = fmt.Errorf("%d of the manifest's entries failed", summary.Failed)
	}
	return err
}

// open begins to read the manifest, whose bytes are counted for the progress.
func (c *manifestCommand) open(progress *report) (iter.Seq2[manifest.Element, error], func() error, error) {
	signers, err := readCertificates(c.Signer)
	if err != nil {
		return nil, nil, err
	}
	if c.Format == string(manifest.Microchip) && len(signers) == 0 {
		return nil, nil, errors.New("a Microchip manifest is signed; give the certificate of its signer with --signer")
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return nil, nil, err
	}
	switch name := strings.ToLower(c.File); {
	case info.IsDir():
		return manifest.ReadFolder(os.DirFS(c.File)), func() error { return nil }, nil
	case strings.HasSuffix(name, ".zip"):
		archive, err := zip.OpenReader(c.File)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.File, err)
		}
		return manifest.ReadFolder(archive), archive.Close, nil
	case strings.HasSuffix(name, ".7z"):
		return nil, nil, fmt.Errorf("%s is a 7z archive; unpack it, and the archive of the wanted certificates in it, and give the folder", c.File)
	}
	file, err := os.Open(c.File)
	if err != nil {
		return nil, nil, err
	}
	progress.size = info.Size()
	return manifest.Read(manifest.Format(c.Format), progress.count(file), manifest.Options{Signers: signers}), file.Close, nil
}

// readCertificates reads files of certificates, PEM or DER.
func readCertificates(paths []string) (all []*x509.Certificate, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		der := text
		if block, _ := pem.Decode(text); block != nil {
			der = block.Bytes
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s is no certificate: %w", path, err)
		}
		all = append(all, cert)
	}
	return all, nil
}

// report shows how an import goes: failures in a line each, the progress now and
// then, and everything in a file where one is wanted.
type report struct {
	file    *os.File // nil: none
	w       *bufio.Writer
	summary provisioning.Summary
	size    int64 // of the manifest, bytes; 0: unknown
	read    atomic.Int64
	began   time.Time
	shown   time.Time
	broken  error
}

// open makes the file.
func (r *report) open(path string) (err error) {
	if path == "" {
		return nil
	}
	r.file, err = os.Create(path)
	r.w = bufio.NewWriter(r.file)
	return err
}

// count counts what is read of the manifest.
func (r *report) count(from io.Reader) io.Reader { return counted{from, &r.read} }

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// entry takes the outcome of one entry.
func (r *report) entry(e provisioning.Entry) {
	r.summary.Add(e)
	if e.Err != nil {
		fmt.Fprintf(os.Stderr, "entry %d %s: %v\n", e.Number, e.ID, e.Err)
	}
	if r.file != nil && r.broken == nil {
		r.broken = json.NewEncoder(r.w).Encode(e.Imported())
	}
	if time.Since(r.shown) > time.Second {
		r.show()
	}
}

func (r *report) show() {
	r.shown = time.Now()
	entries := r.summary.New + r.summary.Unchanged + r.summary.Failed
	part := ""
	if r.size > 0 {
		part = fmt.Sprintf(" (%d %%)", 100*r.read.Load()/r.size)
	}
	fmt.Fprintf(os.Stderr, "%d entries%s, %d failed, %.0f a second\n", entries, part, r.summary.Failed, float64(entries)/time.Since(r.began).Seconds())
}

func (r *report) end() { r.show() }

func (r *report) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.broken, r.w.Flush(), r.file.Close())
}

// apiRegistrar registers through AWS's operations.
type apiRegistrar struct{ api *client }

var _ provisioning.Registrar = apiRegistrar{}

// Certificate implements provisioning.Registrar with RegisterCertificateWithoutCA.
func (r apiRegistrar) Certificate(ctx context.Context, text string) (string, bool, error) {
	var made iot.RegisterCertificateWithoutCAResponse
	err := r.api.iot(ctx, http.MethodPost, "/certificate/register-no-ca", nil,
		iot.RegisterCertificateWithoutCARequest{CertificatePem: text, Status: "ACTIVE"}, &made)
	if err == nil {
		return made.CertificateArn, true, nil
	}
	if unlessExists(err) != nil {
		return "", false, err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", false, err
	}
	id := sha256.Sum256(block.Bytes)
	return arn.Scope{Region: r.api.Region, Account: r.api.Account}.IoT("cert", hex.EncodeToString(id[:])), false, nil
}

// Policy implements provisioning.Registrar with AttachPolicy.
func (r apiRegistrar) Policy(ctx context.Context, policyName, certificateARN string) error {
	return r.api.iot(ctx, http.MethodPut, "/target-policies/"+url.PathEscape(policyName), nil, map[string]string{"target": certificateARN}, nil)
}

// Thing implements provisioning.Registrar with DescribeThing and CreateThing.
func (r apiRegistrar) Thing(ctx context.Context, name, thingType string) (bool, error) {
	path := "/things/" + url.PathEscape(name)
	err := r.api.iot(ctx, http.MethodGet, path, nil, nil, nil)
	if refused, ok := errors.AsType[*callError](err); !ok || refused.name != "ResourceNotFoundException" {
		return false, err
	}
	err = r.api.iot(ctx, http.MethodPost, path, nil, iot.CreateThingRequest{ThingTypeName: thingType}, nil)
	return err == nil, unlessExists(err)
}

// Attach implements provisioning.Registrar with AttachThingPrincipal.
func (r apiRegistrar) Attach(ctx context.Context, thing, certificateARN string) error {
	return r.api.iot(ctx, http.MethodPut, "/things/"+url.PathEscape(thing)+"/principals",
		map[string]string{"x-amzn-principal": certificateARN}, nil, nil)
}

// Group implements provisioning.Registrar with AddThingToThingGroup.
func (r apiRegistrar) Group(ctx context.Context, thing, group string) error {
	return r.api.iot(ctx, http.MethodPut, "/thing-groups/addThingToThingGroup", nil,
		map[string]string{"thingName": thing, "thingGroupName": group}, nil)
}
