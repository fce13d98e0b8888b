package provisioning

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// A manifest is imported inside the server in the background, for callers that
// cannot wait, such as the console:
//
//	job, err := service.StartImport(ctx, order, upload)          // takes the upload whole, then returns
//	job, err  = service.ImportJob(ctx, job.ID)                   // progress: job.Percent(), job.Summary
//	entries, next, err := service.ImportReport(ctx, job.ID, "", page) // what became of each entry, page by page
//	err       = service.WriteImportReport(ctx, job.ID, "", w)    // the same, as a file
//	err       = service.StopImport(ctx, job.ID)                  // or DeleteImport, once it has ended
//
// An import survives the server's end: it goes on where it was.

// ImportOrder says what an import is of, and what the devices get.
type ImportOrder struct {
	Name      string // of the manifest's file; only shown
	Format    manifest.Format
	Signers   string   // certificates in PEM of whoever signed the manifest; Microchip's need one
	Policy    string   // to attach to each certificate; "" for none
	ThingType string   // of the things that are made; "" for none
	Group     string   // to put each thing in; "" for none
	NameCase  NameCase // "": AsIs
}

// NameCase is the letter case of the things' names: a device connects only under
// exactly the name that its thing has.
type NameCase string

// The cases.
const (
	AsIs  NameCase = "as-is"
	Upper NameCase = "upper"
	Lower NameCase = "lower"
)

// Of gives the thing's name for the maker's ID.
func (c NameCase) Of(id string) string {
	switch c {
	case Upper:
		return strings.ToUpper(id)
	case Lower:
		return strings.ToLower(id)
	}
	return id
}

// ImportJob is the record of an import. Its statuses are those of a task.
type ImportJob struct {
	ID string
	ImportOrder
	Status   TaskStatus
	Message  string // why it failed; "" otherwise
	Summary         // entries so far
	Size     int64  // of the manifest, bytes
	Done     int64  // bytes that were read
	Created  time.Time
	Modified time.Time
}

// Percent says how far an import is.
func (j ImportJob) Percent() int {
	switch {
	case j.Status == Completed:
		return 100
	case j.Size == 0:
		return 0
	}
	return int(min(99, 100*j.Done/j.Size))
}

// Ended says whether nothing more will happen to the import.
func (j ImportJob) Ended() bool { return j.Status != InProgress && j.Status != Cancelling }

// Limits of imports.
const (
	manifestMax   = 4 << 30 // bytes of one manifest; a hundred thousand Trust&GO elements take 350 MB
	importNameMax = 255     // bytes of its file's name
	importLife    = 30 * 24 * time.Hour
)

// StartImport takes a manifest from body to its end and registers its devices in
// the background. One import runs at a time. Wrong orders are InvalidRequest, a
// policy, type or group that does not exist is ResourceNotFound.
func (s *Service) StartImport(ctx context.Context, o ImportOrder, body io.Reader) (ImportJob, error) {
	if s.manifests == "" {
		return ImportJob{}, fault.NotImplemented("this server has no folder for manifests; use 'thingd provision manifest'")
	}
	if err := s.checkImport(ctx, &o); err != nil {
		return ImportJob{}, err
	}
	now := s.timestamp()
	job := ImportJob{ID: s.newID(), ImportOrder: o, Status: InProgress, Created: now, Modified: now}
	size, err := s.takeManifest(job.ID, body)
	if err != nil {
		return ImportJob{}, err
	}
	job.Size = size
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := noImportRuns(tx); err != nil {
			return err
		}
		return tx.PutImportJob(job)
	})
	if err != nil {
		_ = os.Remove(s.manifestFile(job.ID))
		return ImportJob{}, err
	}
	s.beginImport(job)
	return job, nil
}

func (s *Service) beginImport(job ImportJob) {
	s.imports.begin(s.life, job.ID, func(life, work context.Context) { s.runImport(life, work, job) })
}

func noImportRuns(tx Tx) error {
	for _, status := range []TaskStatus{InProgress, Cancelling} {
		if others, err := tx.ImportJobs(status, TaskKey{}, 1); err != nil {
			return err
		} else if len(others) > 0 {
			return fault.InvalidRequest("The import %s is in progress; one can run at a time", others[0].ID)
		}
	}
	return nil
}

// checkImport finds what would fail for each entry alike.
func (s *Service) checkImport(ctx context.Context, o *ImportOrder) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := s.store.View(ctx, noImportRuns); err != nil {
		return err
	}
	if o.Policy != "" {
		if found, err := s.access.Exists(ctx, o.Policy); err != nil {
			return err
		} else if !found {
			return fault.NotFound("Policy %s does not exist", o.Policy)
		}
	}
	if o.ThingType != "" {
		if _, err := s.registry.ThingType(ctx, o.ThingType); err != nil {
			return err
		}
	}
	if o.Group == "" {
		return nil
	}
	_, err := s.registry.ThingGroup(ctx, o.Group)
	return err
}

func (o *ImportOrder) check() error {
	if o.NameCase == "" {
		o.NameCase = AsIs
	}
	signers, err := o.signers()
	switch {
	case err != nil:
		return err
	case len(o.Name) > importNameMax:
		return fault.InvalidRequest("the name of the file is longer than %d bytes", importNameMax)
	case !o.Format.IsKnown():
		return fault.InvalidRequest("%q is no format of a manifest", o.Format)
	case o.Format == manifest.Microchip && len(signers) == 0:
		return fault.InvalidRequest("a Microchip manifest is signed; give the certificate of its signer")
	case o.NameCase != AsIs && o.NameCase != Upper && o.NameCase != Lower:
		return fault.InvalidRequest("%q is no letter case; there are as-is, upper and lower", o.NameCase)
	}
	return nil
}

// signers reads the certificates of those who may have signed.
func (o *ImportOrder) signers() (all []*x509.Certificate, err error) {
	rest := []byte(o.Signers)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.InvalidRequest("the signer's certificate cannot be read: %w", err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 && strings.TrimSpace(o.Signers) != "" {
		return nil, fault.InvalidRequest("the signer's certificate is not in PEM")
	}
	return all, nil
}

func (s *Service) manifestFile(id string) string {
	return filepath.Join(s.manifests, id+".manifest")
}

// takeManifest puts an upload on disk, so that it is there when the server comes
// back.
func (s *Service) takeManifest(id string, body io.Reader) (size int64, err error) {
	if err := os.MkdirAll(s.manifests, 0o700); err != nil {
		return 0, err
	}
	file, err := os.OpenFile(s.manifestFile(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	defer file.Close()
	size, err = io.Copy(file, io.LimitReader(body, manifestMax+1))
	switch {
	case err != nil:
		return 0, fmt.Errorf("the manifest cannot be kept: %w", err)
	case size > manifestMax:
		return 0, fault.InvalidRequest("the manifest is longer than %d bytes", int64(manifestMax))
	}
	if err := file.Sync(); err != nil {
		return 0, err
	}
	return size, syncFolder(s.manifests)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func findImport(tx Tx, id string) (ImportJob, error) {
	job, found, err := tx.ImportJob(id)
	if err == nil && !found {
		err = fault.NotFound("Import %s does not exist", id)
	}
	return job, err
}

// ImportJob gives an import and how far it is.
func (s *Service) ImportJob(ctx context.Context, id string) (job ImportJob, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		job, err = findImport(tx, id)
		return err
	})
	return job, err
}

// ImportJobs lists imports, the newest first. They are forgotten after 30 days.
func (s *Service) ImportJobs(ctx context.Context, p registry.Page) (all []ImportJob, next string, err error) {
	list := registry.List{"manifest imports"}
	after, err := placeIn(list, p)
	if err != nil {
		return nil, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		all, err = tx.ImportJobs("", after, p.Limit()+1)
		return err
	})
	if err != nil || len(all) <= p.Limit() {
		return all, "", err
	}
	all = all[:p.Limit()]
	last := all[len(all)-1]
	return all, list.Token(strconv.FormatInt(last.Created.UnixMilli(), 10), last.ID), nil
}

// StopImport ends an import where it is. What it has registered stays.
func (s *Service) StopImport(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		job, err := findImport(tx, id)
		if err != nil || job.Status == Cancelled || job.Status == Cancelling {
			return err
		}
		if job.Ended() {
			return fault.InvalidRequest("The import %s is %s", id, job.Status)
		}
		job.Status, job.Modified = Cancelling, s.timestamp()
		return tx.PutImportJob(job)
	})
	if err == nil {
		s.imports.cancel(id)
	}
	return err
}

// DeleteImport forgets an import that has ended, with its report.
func (s *Service) DeleteImport(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		job, err := findImport(tx, id)
		if err != nil {
			return err
		}
		if !job.Ended() {
			return fault.InvalidRequest("The import %s is in progress; stop it first", id)
		}
		return tx.DeleteImportJob(id)
	})
	if err != nil {
		return err
	}
	return s.forgetOutcomes(ctx, id)
}
