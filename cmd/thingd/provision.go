package main

import (
	"archive/zip"
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"thingd/internal/aws/thingdapi"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
)

// provisionCommand registers devices.
type provisionCommand struct {
	Manifest manifestCommand `cmd:"" help:"Register the devices of a maker's manifest: Microchip Trust&GO, Espressif, Infineon."`
}

// manifestCommand uploads a manifest, or names one in S3, and watches how the
// server registers its devices.
type manifestCommand struct {
	dataFlag
	File         string   `arg:"" help:"The manifest. For Infineon, the bundle (7z), one of the archives in it, a zip or the folder that holds a certificate per file. s3://BUCKET/KEY is read from S3."`
	Format       string   `default:"microchip" enum:"microchip,espressif,infineon,generated" help:"Whose form the manifest has: microchip (signed JSON), espressif (CSV), infineon (a PEM per file), generated (base64 of a PEM per line)."`
	Certificates string   `enum:",E0E0,E0E1,E0E2" default:"" placeholder:"TYPE" help:"Which certificates of an Infineon bundle: E0E0, E0E1, E0E2. Default: E0E0."`
	Signer       []string `placeholder:"CERT" help:"Certificate of whoever signed the manifest, in PEM or DER. Repeatable. Microchip's manifests need one."`
	Policy       string   `placeholder:"NAME" help:"Policy to attach to each certificate. It must exist."`
	ThingType    string   `placeholder:"NAME" help:"Thing type of the things that are made. It must exist."`
	Group        string   `placeholder:"NAME" help:"Thing group to put each thing in. It must exist."`
	NameCase     string   `default:"as-is" enum:"as-is,upper,lower" help:"Letter case of thing names: as-is, upper, lower. A device connects only under exactly the name that its thing has."`
	Role         string   `placeholder:"ARN" help:"Role that may read the manifest in S3."`
	Report       string   `placeholder:"FILE" help:"Write the outcome of every entry here, a JSON object per line."`
}

// Run implements the command.
func (c *manifestCommand) Run(ctx context.Context) error {
	api, err := newClient(c.Data)
	if err != nil {
		return err
	}
	order, err := c.order()
	if err != nil {
		return err
	}
	out, err := openReport(c.Report)
	if err != nil {
		return err
	}
	job := &importWatch{api: api, began: time.Now(), shown: time.Now()}
	if err := job.start(ctx, order); err != nil {
		return errors.Join(err, out.close())
	}
	if order.InputFileBucket == "" {
		if err := job.upload(ctx, c.File); err != nil {
			job.forget()
			return errors.Join(err, out.close())
		}
	}
	return c.follow(ctx, job, out)
}

// follow watches an import to its end, and reports it.
func (c *manifestCommand) follow(ctx context.Context, job *importWatch, out *report) error {
	err := job.wait(ctx)
	if ctx.Err() != nil {
		job.stop()
		err = errors.New("stopped; the same command goes on where this one was")
	}
	err = errors.Join(err, job.report(context.WithoutCancel(ctx), out), out.close())
	n := job.now
	fmt.Printf("%d registered, %d already there, %d failed\n", count(n.RegisteredCount), count(n.UnchangedCount), count(n.FailureCount))
	if err == nil && count(n.FailureCount) > 0 {
		err = fmt.Errorf("%d of the manifest's entries failed", count(n.FailureCount))
	}
	return err
}

// order says to the server what is wanted.
func (c *manifestCommand) order() (*thingdapi.StartManifestImportRequest, error) {
	signers, err := readSigners(c.Signer)
	if err != nil {
		return nil, err
	}
	order := &thingdapi.StartManifestImportRequest{
		Format: c.Format, FileName: filepath.Base(c.File), Signers: signers, PolicyName: c.Policy, ThingTypeName: c.ThingType,
		ThingGroupName: c.Group, NameCase: c.NameCase, CertificateType: c.Certificates,
	}
	object, isObject := strings.CutPrefix(c.File, "s3://")
	if !isObject {
		_, err := os.Stat(c.File)
		return order, err
	}
	order.InputFileBucket, order.InputFileKey, _ = strings.Cut(object, "/")
	if order.RoleArn = c.Role; c.Role == "" {
		return nil, errors.New("a manifest in S3 is read by a role; name it with --role")
	}
	return order, nil
}

// readSigners reads files of certificates, PEM or DER, into one text in PEM.
func readSigners(paths []string) (string, error) {
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		der := text
		if block, _ := pem.Decode(text); block != nil {
			der = block.Bytes
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			return "", fmt.Errorf("%s is no certificate: %w", path, err)
		}
		_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Builder takes everything
	}
	return all.String(), nil
}

// importWatch is an import on the server, as of the last look.
type importWatch struct {
	api   *client
	now   thingdapi.ManifestImport
	began time.Time
	shown time.Time
}

// call calls an operation on the import.
func (w *importWatch) call(ctx context.Context, method, path string, in request, out any) error {
	in.service, in.method, in.path = "thingd", method, "/thingd/manifest-imports"+path
	return w.api.call(ctx, in, out)
}

func (w *importWatch) path(more string) string { return "/" + url.PathEscape(w.now.ImportId) + more }

// look takes the answer of an operation that gives the import.
func (w *importWatch) look(ctx context.Context, method, path string, in request) error {
	var answer thingdapi.DescribeManifestImportResponse
	err := w.call(ctx, method, path, in, &answer)
	if err == nil && answer.ManifestImport != nil {
		w.now = *answer.ManifestImport
	}
	return err
}

func (w *importWatch) start(ctx context.Context, order *thingdapi.StartManifestImportRequest) error {
	return w.look(ctx, http.MethodPost, "", request{body: order})
}

// upload sends the manifest in parts, and has the server begin.
func (w *importWatch) upload(ctx context.Context, path string) error {
	text, size, err := openManifest(path)
	if err != nil {
		return err
	}
	defer text.Close()
	part := make([]byte, provisioning.PartMax)
	sent := int64(0)
	for number := 1; ; number++ {
		n, err := io.ReadFull(text, part)
		if n > 0 {
			if err := w.call(ctx, http.MethodPut, w.path(fmt.Sprintf("/parts/%d", number)), request{raw: part[:n]}, nil); err != nil {
				return err
			}
			sent += int64(n)
			w.show(func() string { return fmt.Sprintf("%d of %d bytes sent", sent, max(size, sent)) })
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return w.look(ctx, http.MethodPost, w.path("/upload"), request{})
		case err != nil:
			return err
		}
	}
}

// openManifest opens a file, or the files of a folder as a zip that is made while
// it is read.
func openManifest(path string) (io.ReadCloser, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.IsDir() {
		file, err := os.Open(path)
		return file, info.Size(), err
	}
	read, write := io.Pipe()
	go func() {
		write.CloseWithError(pack(write, os.DirFS(path))) // nil becomes io.EOF
	}()
	return read, 0, nil
}

// pack makes a zip of the certificates of a folder.
func pack(w io.Writer, folder fs.FS) error {
	archive := zip.NewWriter(w)
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !manifest.IsCertificateFile(path) {
			return err
		}
		text, err := fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		file, err := archive.Create(path)
		if err == nil {
			_, err = file.Write(text)
		}
		return err
	})
	return errors.Join(err, archive.Close())
}

// silenceMax is how long a server may be away that goes through an import: it goes
// on with that when it is back.
const silenceMax = 2 * time.Minute

// wait looks until the import has ended.
func (w *importWatch) wait(ctx context.Context) error {
	const pause = 200 * time.Millisecond
	for heard := time.Now(); ; {
		switch w.now.Status {
		case string(provisioning.Completed):
			return nil
		case string(provisioning.Failed):
			return errors.New(w.now.Message)
		case string(provisioning.Cancelled):
			return errors.New("somebody else has stopped the import")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		err := w.look(ctx, http.MethodGet, w.path(""), request{})
		switch {
		case err == nil:
			heard = time.Now()
			w.show(w.progress)
		case !errors.Is(err, errSilent) || time.Since(heard) > silenceMax:
			return err
		default:
			w.show(func() string { return errSilent.Error() + "; it goes on when it is back" })
		}
	}
}

func (w *importWatch) progress() string {
	entries := count(w.now.RegisteredCount) + count(w.now.UnchangedCount) + count(w.now.FailureCount)
	return fmt.Sprintf("%d entries (%d %%), %d failed, %.0f a second",
		entries, count(w.now.PercentageProgress), count(w.now.FailureCount), float64(entries)/time.Since(w.began).Seconds())
}

// show prints what is to be said, at most once a second.
func (w *importWatch) show(text func() string) {
	if time.Since(w.shown) > time.Second {
		w.shown = time.Now()
		fmt.Fprintln(os.Stderr, text())
	}
}

// goodbyeTimeout bounds what is still said to the server by a command that ends.
const goodbyeTimeout = 10 * time.Second

// stop stops the import and waits for its end.
func (w *importWatch) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	if err := w.call(ctx, http.MethodPut, w.path("/cancel"), request{}, nil); err == nil {
		_ = w.wait(ctx) // what it says now is that it was stopped
	}
}

// forget deletes an import that has not begun.
func (w *importWatch) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	_ = w.call(ctx, http.MethodDelete, w.path(""), request{}, nil) // it is forgotten in a day anyway
}

// report gets what became of the entries: of all where a file is wanted, else of
// those that failed.
func (w *importWatch) report(ctx context.Context, out *report) error {
	query := url.Values{"maxResults": {"250"}}
	if out.file == nil {
		query.Set("result", thingdapi.EntryResultFailed)
	}
	for {
		var page thingdapi.ListManifestImportEntriesResponse
		if err := w.call(ctx, http.MethodGet, w.path("/entries?"+query.Encode()), request{}, &page); err != nil {
			return err
		}
		for _, e := range page.Entries {
			out.entry(e)
		}
		if page.NextToken == "" {
			return nil
		}
		query.Set("nextToken", page.NextToken)
	}
}

// report tells of entries: of failures in a line each, and of everything in a file
// where one is wanted.
type report struct {
	file   *os.File // nil: none
	w      *bufio.Writer
	broken error
}

func openReport(path string) (*report, error) {
	if path == "" {
		return &report{}, nil
	}
	file, err := os.Create(path)
	return &report{file: file, w: bufio.NewWriter(file)}, err
}

func (r *report) entry(e thingdapi.ManifestEntry) {
	if e.Result == thingdapi.EntryResultFailed {
		fmt.Fprintf(os.Stderr, "entry %d %s: %s\n", count(e.Number), e.Id, e.Error)
	}
	if r.file != nil && r.broken == nil {
		r.broken = json.NewEncoder(r.w).Encode(e)
	}
}

func (r *report) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.broken, r.w.Flush(), r.file.Close())
}

// count is a number of the API; 0 where it is absent.
func count(n *int) int { return *cmp.Or(n, new(0)) }
