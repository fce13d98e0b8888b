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
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"thingd/internal/fault"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// importer is a house with what the manifests of the tests name.
func importer(t testing.TB, change ...func(*provisioning.Config)) *house {
	t.Helper()
	h := newHouse(t, change...)
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

// manifests counts those that are kept.
func (h *house) manifests() (n int) {
	h.t.Helper()
	must(h.t, h.config.Store.View(context.Background(), func(tx provisioning.Tx) error {
		for id, err := tx.NextManifest(""); id != "" || err != nil; id, err = tx.NextManifest(id) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
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

// bundle is a 7z archive of 7z archives; package manifest knows how it was made.
func bundle(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("manifest/testdata/infineon.7z")
	must(t, err)
	return text
}

func TestImportJobTakesABundleOfArchives(t *testing.T) {
	h := importer(t)
	text := bundle(t)
	job, err := h.StartImport(t.Context(), provisioning.ImportOrder{Format: manifest.Infineon, Certificates: "E0E1", NameCase: provisioning.Lower}, bytes.NewReader(text))
	must(t, err)
	got := h.imported(job.ID)
	same(t, provisioning.Summary{New: 3}, got.Summary)
	if got.Done == 0 || got.Done > int64(len(text)) {
		t.Errorf("%d bytes of %d were read", got.Done, len(text))
	}
	entries, _, err := h.ImportReport(t.Context(), job.ID, "", registry.Page{})
	must(t, err)
	var things []string
	for _, e := range entries {
		things = append(things, e.Thing)
	}
	same(t, []string{"chip-e0e1-1", "chip-e0e1-2", "chip-e0e1-3"}, things)
}

func TestImportJobReadsAnObject(t *testing.T) {
	a := newAuthority(t)
	b := &bucket{files: map[string]string{"in": string(file(t, elements(t, a, 5)))}}
	h := importer(t, func(c *provisioning.Config) { c.Objects = b })
	order := microchip(a)
	order.Source = provisioning.Source{Bucket: "b", Key: "in", RoleARN: "r"}
	job, err := h.StartImport(t.Context(), order, nil)
	must(t, err)
	got := h.imported(job.ID)
	size := int64(len(b.files["in"]))
	same(t, provisioning.ImportJob{ID: job.ID, ImportOrder: order, Status: provisioning.Completed, Summary: provisioning.Summary{New: 5},
		Size: size, Done: size, Created: start, Modified: start}, got)

	order.Source.Key = "none"
	job, err = h.StartImport(t.Context(), order, nil)
	must(t, err)
	got = h.imported(job.ID)
	same(t, provisioning.Failed, got.Status)
	same(t, "the manifest cannot be read: NoSuchKey", got.Message)
	h.restart()
	same(t, 0, h.manifests())
}

func TestImportJobComesInParts(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	upload := file(t, elements(t, a, 5))
	third := len(upload) / 3
	job, err := h.OpenImport(t.Context(), microchip(a))
	must(t, err)
	same(t, provisioning.AwaitingUpload, job.Status)
	same(t, false, job.Ended())
	for _, part := range []struct {
		number int
		data   []byte
	}{{3, upload[2*third:]}, {1, []byte("cut off")}, {1, upload[:third]}} { // in any order, and again
		must(t, h.PutManifestPart(t.Context(), job.ID, part.number, part.data))
	}
	_, err = h.StartUploaded(t.Context(), job.ID)
	wants(t, err, "InvalidRequest", "Part 2 of the manifest is missing")
	for name, tc := range map[string]struct {
		id     string
		number int
		data   []byte
		code   fault.Code
		text   string
	}{
		"no import":      {"none", 1, upload[:1], "ResourceNotFound", "Import none does not exist"},
		"no number":      {job.ID, 0, upload[:1], "InvalidRequest", "parts have the numbers 1 to 10000"},
		"a large number": {job.ID, 10_001, upload[:1], "InvalidRequest", "parts have the numbers 1 to 10000"},
		"nothing":        {job.ID, 2, nil, "InvalidRequest", "a part has 1 to 4194304 bytes, not 0"},
		"too much":       {job.ID, 2, make([]byte, provisioning.PartMax+1), "InvalidRequest", "a part has 1 to 4194304 bytes, not 4194305"},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, h.PutManifestPart(t.Context(), tc.id, tc.number, tc.data), tc.code, tc.text)
		})
	}
	must(t, h.PutManifestPart(t.Context(), job.ID, 2, upload[third:2*third]))
	job, err = h.ImportJob(t.Context(), job.ID)
	must(t, err)
	same(t, int64(len(upload)), job.Uploaded)
	started, err := h.StartUploaded(t.Context(), job.ID)
	must(t, err)
	same(t, int64(len(upload)), started.Size)
	same(t, provisioning.Summary{New: 5}, h.imported(job.ID).Summary)
	_, err = h.StartUploaded(t.Context(), job.ID) // whose answer was lost
	must(t, err)
	wants(t, h.PutManifestPart(t.Context(), job.ID, 1, upload), "InvalidRequest", "The import "+job.ID+" is Completed; it takes no more parts")
}

func TestManifestsHaveALargestLength(t *testing.T) {
	h := importer(t)
	job, err := h.OpenImport(t.Context(), microchip(newAuthority(t)))
	must(t, err)
	part := []byte("seven..")
	must(t, h.PutManifestPart(t.Context(), job.ID, 1, part))
	const more = 4<<30 - 10 // as if so much had come in other parts
	must(t, h.db.Provisioning(scope.Account).Update(t.Context(), func(tx provisioning.Tx) error {
		row, _, err := tx.ImportJob(job.ID)
		row.Uploaded += more
		return errors.Join(err, tx.PutImportJob(row))
	}))
	wants(t, h.PutManifestPart(t.Context(), job.ID, 2, part), "InvalidRequest", "the manifest is longer than 4294967296 bytes")
	must(t, h.PutManifestPart(t.Context(), job.ID, 1, part)) // once more
	must(t, h.PutManifestPart(t.Context(), job.ID, 2, part[:3]))
	job, err = h.ImportJob(t.Context(), job.ID)
	must(t, err)
	same(t, int64(more+10), job.Uploaded)
}

func TestUploadsThatDoNotComeAreForgotten(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	var all []provisioning.ImportJob
	for range 8 {
		job, err := h.OpenImport(t.Context(), microchip(a))
		must(t, err)
		must(t, h.PutManifestPart(t.Context(), job.ID, 1, []byte("[")))
		all = append(all, job)
	}
	_, err := h.OpenImport(t.Context(), microchip(a))
	wants(t, err, "LimitExceeded", "8 imports await their manifests, and no more may; delete one")
	must(t, h.DeleteImport(t.Context(), all[0].ID))
	must(t, h.StopImport(t.Context(), all[1].ID))
	same(t, 6, h.manifests())
	stopped, err := h.ImportJob(t.Context(), all[1].ID)
	must(t, err)
	same(t, provisioning.Cancelled, stopped.Status)
	_, err = h.StartUploaded(t.Context(), all[1].ID)
	wants(t, err, "InvalidRequest", "The import "+all[1].ID+" is Cancelled")
	h.now = h.now.Add(24*time.Hour + time.Millisecond)
	must(t, h.Purge(t.Context()))
	left, _, err := h.ImportJobs(t.Context(), registry.Page{})
	must(t, err)
	same(t, []provisioning.ImportJob{stopped}, left)
	h.restart()
	same(t, 0, h.manifests())
}

func TestImportJobTellsWhatIsWrongWithTheFile(t *testing.T) {
	a := newAuthority(t)
	for name, tc := range map[string]struct{ upload, message string }{
		"a broken 7z":    {"7z\xbc\xaf\x27\x1c\x00\x04", "the rest of the manifest cannot be read: the 7z archive is damaged: it is shorter than its header"},
		"a broken zip":   {"PK\x03\x04....", "the rest of the manifest cannot be read: the zip archive cannot be read: zip: not a valid zip file"},
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
		"an unknown format":  {order(func(o *provisioning.ImportOrder) { o.Format = "x" }), "InvalidRequest", `"x" is no format of a manifest`},
		"no signer":          {order(func(o *provisioning.ImportOrder) { o.Signers = "" }), "InvalidRequest", "a Microchip manifest is signed; give the certificate of its signer"},
		"a signer of no PEM": {order(func(o *provisioning.ImportOrder) { o.Signers = "x" }), "InvalidRequest", "the signer's certificate is not in PEM"},
		"an unknown case":    {order(func(o *provisioning.ImportOrder) { o.NameCase = "x" }), "InvalidRequest", `"x" is no letter case; there are as-is, upper and lower`},
		"certificates of a type that is none": {order(func(o *provisioning.ImportOrder) { o.Format, o.Certificates = manifest.Infineon, "E0E3" }), "InvalidRequest",
			`"E0E3" is no type of certificates; there are E0E0, E0E1, E0E2`},
		"certificates of a type elsewhere": {order(func(o *provisioning.ImportOrder) { o.Certificates = "E0E0" }), "InvalidRequest",
			"only Infineon's bundles have certificates of several types"},
		"an object of no bucket": {order(func(o *provisioning.ImportOrder) { o.Source.Key = "x" }), "InvalidRequest",
			"a manifest in S3 has a bucket, a key and a role that may read it"},
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
	inS3 := order(func(o *provisioning.ImportOrder) {
		o.Source = provisioning.Source{Bucket: "b", Key: "in", RoleARN: "r"}
	})
	_, err = h.StartImport(t.Context(), inS3, nil)
	wants(t, err, "NotImplemented", "this server is not connected to S3; upload the manifest")
	_, err = h.OpenImport(t.Context(), inS3)
	wants(t, err, "InvalidRequest", "a manifest is either uploaded or read from S3")
}

// An import that the server's end has torn goes on behind the entries that it has
// an outcome of; one that was being stopped ends.
func TestImportJobGoesOnAfterTheServersEnd(t *testing.T) {
	h := importer(t)
	a := newAuthority(t)
	upload := file(t, elements(t, a, 50))
	job := provisioning.ImportJob{ID: "torn", ImportOrder: microchip(a), Status: provisioning.InProgress, Size: int64(len(upload)), Created: start}
	stopped := provisioning.ImportJob{ID: "stopped", ImportOrder: microchip(a), Status: provisioning.Cancelling, Created: start}
	must(t, h.config.Store.Update(t.Context(), func(tx provisioning.Tx) error {
		for _, name := range []string{"torn", "stopped", "stray"} {
			if err := tx.PutManifestPart(name, 1, upload); err != nil {
				return err
			}
		}
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
