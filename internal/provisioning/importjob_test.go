package provisioning_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"thingd/internal/fault"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// importer is a house with a folder for manifests.
func importer(t testing.TB) *house {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "manifests")
	h := newHouse(t, func(c *provisioning.Config) { c.Manifests = dir })
	h.furnish()
	return h
}

// imported waits for the end of an import.
func (h *house) imported(id string) provisioning.ImportJob {
	h.t.Helper()
	for {
		job, err := h.ImportJob(context.Background(), id)
		must(h.t, err)
		if job.Ended() {
			return job
		}
		time.Sleep(time.Millisecond) // the import tells nobody when it ends
	}
}

// manifests are the files that wait to be imported.
func (h *house) manifests() int {
	h.t.Helper()
	files, err := os.ReadDir(h.config.Manifests)
	must(h.t, err)
	return len(files)
}

func microchip(a authority) provisioning.ImportOrder {
	return provisioning.ImportOrder{Name: "boards.json", Format: manifest.Microchip, Signers: text(a.cert), Policy: "p", ThingType: "sensor", Group: "all",
		NameCase: provisioning.Lower}
}

func TestImportJobRegistersAndReports(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	all := elements(t, a, 6)
	all[3] = json.RawMessage(`{"header":{"uniqueId":"broken"}}`)
	upload := file(t, all)
	order := microchip(a)
	job, err := h.StartImport(t.Context(), order, bytes.NewReader(upload))
	must(t, err)
	got := h.imported(job.ID)
	want := provisioning.ImportJob{ID: job.ID, ImportOrder: order, Status: provisioning.Completed, Summary: provisioning.Summary{New: 5, Failed: 1},
		Size: int64(len(upload)), Done: int64(len(upload)), Created: start, Modified: start}
	same(t, want, got)
	same(t, 100, got.Percent())
	h.restart() // the file goes after the status
	same(t, 0, h.manifests())

	entries, next, err := h.ImportReport(t.Context(), job.ID, "", registry.Page{Size: 4})
	must(t, err)
	same(t, []int{1, 2, 3, 4}, numbers(entries))
	same(t, provisioning.Imported{Number: 4, ID: "broken", Result: "failed", Error: "the protected header cannot be read: unexpected end of JSON input"}, entries[3])
	same(t, "registered", entries[0].Result)
	same(t, "0123000000000000ee", entries[0].Thing)
	entries, next, err = h.ImportReport(t.Context(), job.ID, "", registry.Page{Size: 4, Token: next})
	must(t, err)
	same(t, []int{5, 6}, numbers(entries))
	same(t, "", next)
	entries, _, err = h.ImportReport(t.Context(), job.ID, provisioning.Broken, registry.Page{})
	must(t, err)
	same(t, []int{4}, numbers(entries))
	var download bytes.Buffer
	must(t, h.WriteImportReport(t.Context(), job.ID, "", &download))
	same(t, 6, strings.Count(download.String(), "\n"))

	again, err := h.StartImport(t.Context(), order, bytes.NewReader(upload))
	must(t, err)
	same(t, provisioning.Summary{Unchanged: 5, Failed: 1}, h.imported(again.ID).Summary)
	jobs, next, err := h.ImportJobs(t.Context(), registry.Page{Size: 1})
	must(t, err)
	older, _, err := h.ImportJobs(t.Context(), registry.Page{Size: 1, Token: next})
	must(t, err)
	same(t, 2, len(append(jobs, older...)))

	must(t, h.DeleteImport(t.Context(), job.ID))
	h.forgotten(job.ID)
	h.now = h.now.Add(31 * 24 * time.Hour)
	must(t, h.Purge(t.Context()))
	h.forgotten(again.ID)
	_, err = h.ImportJob(t.Context(), again.ID)
	wants(t, err, "ResourceNotFound", "Import "+again.ID+" does not exist")
}

func numbers(entries []provisioning.Imported) (all []int) {
	for _, e := range entries {
		all = append(all, e.Number)
	}
	return all
}

func TestImportJobTakesAZipOfCertificates(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	var upload bytes.Buffer
	w := zip.NewWriter(&upload)
	for _, name := range []string{"one", "two"} {
		f, err := w.Create("E0E0/" + name + ".pem")
		must(t, err)
		_, err = io.WriteString(f, text(a.leaf(t, pkix.Name{CommonName: name})))
		must(t, err)
	}
	must(t, w.Close())
	job, err := h.StartImport(t.Context(), provisioning.ImportOrder{Format: manifest.Infineon}, &upload)
	must(t, err)
	same(t, provisioning.Summary{New: 2}, h.imported(job.ID).Summary)
}

func TestImportJobTellsWhatIsWrongWithTheFile(t *testing.T) {
	a := newAuthority(t)
	for name, tc := range map[string]struct{ upload, message string }{
		"7z":             {"7z\xbc\xaf\x27\x1c\x00\x04", "the manifest is a 7z archive; unpack it, and the archive of the wanted certificates in it, and import them as a zip"},
		"a broken zip":   {"PK\x03\x04....", "the zip archive cannot be read: zip: not a valid zip file"},
		"no array":       {"{}", "the rest of the manifest cannot be read: the manifest is not a JSON array"},
		"an empty file":  {"", "the rest of the manifest cannot be read: the manifest is not a JSON array"},
		"a cut manifest": {"[" + string(elements(t, a, 1)[0]), "the rest of the manifest cannot be read: the array does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			h := importer(t)
			job, err := h.StartImport(t.Context(), microchip(a), strings.NewReader(tc.upload))
			must(t, err)
			got := h.imported(job.ID)
			same(t, provisioning.Failed, got.Status)
			same(t, tc.message, got.Message)
		})
	}
}

func TestImportJobIsRefused(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	order := func(change func(*provisioning.ImportOrder)) provisioning.ImportOrder {
		o := microchip(a)
		change(&o)
		return o
	}
	for name, tc := range map[string]struct {
		order provisioning.ImportOrder
		code  fault.Code
		text  string
	}{
		"an unknown format":     {order(func(o *provisioning.ImportOrder) { o.Format = "x" }), "InvalidRequest", `"x" is no format of a manifest`},
		"no signer":             {order(func(o *provisioning.ImportOrder) { o.Signers = "" }), "InvalidRequest", "a Microchip manifest is signed; give the certificate of its signer"},
		"a signer of no PEM":    {order(func(o *provisioning.ImportOrder) { o.Signers = "x" }), "InvalidRequest", "the signer's certificate is not in PEM"},
		"an unknown case":       {order(func(o *provisioning.ImportOrder) { o.NameCase = "x" }), "InvalidRequest", `"x" is no letter case; there are as-is, upper and lower`},
		"an unknown policy":     {order(func(o *provisioning.ImportOrder) { o.Policy = "x" }), "ResourceNotFound", "Policy x does not exist"},
		"an unknown thing type": {order(func(o *provisioning.ImportOrder) { o.ThingType = "x" }), "ResourceNotFound", ""},
		"an unknown group":      {order(func(o *provisioning.ImportOrder) { o.Group = "x" }), "ResourceNotFound", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.StartImport(t.Context(), tc.order, strings.NewReader("[]"))
			wants(t, err, tc.code, tc.text)
		})
	}
	_, err := h.StartImport(t.Context(), microchip(a), iotest.ErrReader(errors.New("the browser went away")))
	if err == nil || !strings.Contains(err.Error(), "the browser went away") {
		t.Errorf("error %v", err)
	}
	same(t, 0, h.manifests())
	_, err = newHouse(t).StartImport(t.Context(), microchip(a), nil)
	wants(t, err, "NotImplemented", "this server has no folder for manifests")
}

// An import that the server's end has torn goes on behind the entries that it has
// an outcome of; one that was being stopped ends.
func TestImportJobGoesOnAfterTheServersEnd(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	upload := file(t, elements(t, a, 50))
	job := provisioning.ImportJob{ID: "torn", ImportOrder: microchip(a), Status: provisioning.InProgress, Size: int64(len(upload)), Created: start}
	stopped := provisioning.ImportJob{ID: "stopped", ImportOrder: microchip(a), Status: provisioning.Cancelling, Created: start}
	must(t, os.MkdirAll(h.config.Manifests, 0o700))
	for _, name := range []string{"torn", "stopped", "stray"} {
		must(t, os.WriteFile(filepath.Join(h.config.Manifests, name+".manifest"), upload, 0o600))
	}
	must(t, h.config.Store.Update(t.Context(), func(tx provisioning.Tx) error {
		return errors.Join(tx.PutImportJob(job), tx.PutImportJob(stopped),
			tx.PutOutcome("torn", provisioning.Outcome{Line: 2, State: provisioning.Made, Text: `{"number":2,"result":"registered"}`}))
	}))
	h.restart()
	h.restart() // wherever it is
	got := h.imported("torn")
	same(t, provisioning.Completed, got.Status)
	same(t, 50, got.New+got.Unchanged)
	things, _, err := h.registry.Things(t.Context(), registry.ThingFilter{}, registry.Page{Size: 250})
	must(t, err)
	same(t, 49, len(things)) // the second was not looked at again
	same(t, provisioning.Cancelled, h.imported("stopped").Status)
	h.restart() // the file goes after the status
	same(t, 0, h.manifests())
}

func TestImportJobStops(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	upload := file(t, elements(t, a, 300))
	job, err := h.StartImport(t.Context(), microchip(a), bytes.NewReader(upload))
	must(t, err)
	_, err = h.StartImport(t.Context(), microchip(a), bytes.NewReader(upload))
	wants(t, err, "InvalidRequest", "The import "+job.ID+" is in progress; one can run at a time")
	wants(t, h.DeleteImport(t.Context(), job.ID), "InvalidRequest", "The import "+job.ID+" is in progress; stop it first")
	must(t, h.StopImport(t.Context(), job.ID))
	must(t, h.StopImport(t.Context(), job.ID))
	got := h.imported(job.ID)
	same(t, provisioning.Cancelled, got.Status)
	same(t, 0, got.Failed)
	wants(t, h.StopImport(t.Context(), "none"), "ResourceNotFound", "Import none does not exist")
}
