package provisioning

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/lease"
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
// The manifest can also lie in S3 (order.Source and no upload), or come in parts:
//
//	job, err := service.OpenImport(ctx, order)                    // AwaitingUpload
//	err = service.PutManifestPart(ctx, job.ID, 1, data)           // in any order; the same number again replaces
//	job, err = service.StartUploaded(ctx, job.ID)                 // InProgress
//
// An import survives the server's end: it goes on where it was, here or on another
// server of the same database.

// ImportOrder says what an import is of, and what the devices get.
type ImportOrder struct {
	Name      string // of the manifest's file; only shown
	Format    manifest.Format
	Signers   string   // certificates in PEM of whoever signed the manifest; Microchip's need one
	Policy    string   // to attach to each certificate; "" for none
	ThingType string   // of the things that are made; "" for none
	Group     string   // to put each thing in; "" for none
	NameCase  NameCase // "": AsIs

	Certificates string // which of an Infineon bundle, as manifest.Options; "": E0E0
	Source       Source // where the manifest is; zero: it is uploaded
}

// Source is an object of S3, and the role that reads it.
type Source struct{ Bucket, Key, RoleARN string }

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

// AwaitingUpload is the status of an import whose manifest comes in parts, and is
// not there yet.
const AwaitingUpload TaskStatus = "AwaitingUpload"

// ImportJob is the record of an import. Its statuses are those of a task, and
// AwaitingUpload.
type ImportJob struct {
	ID string
	ImportOrder
	Status   TaskStatus
	Message  string // why it failed; "" otherwise
	Summary         // entries so far
	Uploaded int64  // bytes of the parts that have come; 0 again when the import has ended
	Size     int64  // of the manifest, bytes; 0 where it has not come yet
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
func (j ImportJob) Ended() bool {
	return j.Status != InProgress && j.Status != Cancelling && j.Status != AwaitingUpload
}

// Limits of imports.
const (
	manifestMax   = 4 << 30 // bytes of one manifest; a hundred thousand Trust&GO elements take 350 MB
	importNameMax = 255     // bytes of its file's name
	importLife    = 30 * 24 * time.Hour
	uploadLife    = 24 * time.Hour // of an import whose manifest does not come
	uploadsMax    = 8              // imports that await their manifests
)

// StartImport takes a manifest from body to its end and registers its devices in
// the background. One import runs at a time. Where order.Source is given body is
// nil, and the manifest is read from there, in the background, too. Wrong orders
// are InvalidRequest, a policy, type or group that does not exist is
// ResourceNotFound.
func (s *Service) StartImport(ctx context.Context, o ImportOrder, body io.Reader) (ImportJob, error) {
	if err := s.store.View(ctx, noImportRuns); err != nil {
		return ImportJob{}, err
	}
	if o.Source != (Source{}) {
		return s.addImport(ctx, o, InProgress)
	}
	job, err := s.OpenImport(ctx, o)
	if err != nil {
		return ImportJob{}, err
	}
	if _, err = s.takeManifest(ctx, job.ID, body, nil); err == nil {
		job, err = s.StartUploaded(ctx, job.ID)
	}
	if err != nil {
		_ = s.DeleteImport(context.WithoutCancel(ctx), job.ID) // what stays is purged
		return ImportJob{}, err
	}
	return job, nil
}

// OpenImport makes an import whose manifest comes in parts; its status is
// AwaitingUpload. Only a few may wait like that, and only for a day.
func (s *Service) OpenImport(ctx context.Context, o ImportOrder) (ImportJob, error) {
	if o.Source != (Source{}) {
		return ImportJob{}, fault.InvalidRequest("a manifest is either uploaded or read from S3")
	}
	return s.addImport(ctx, o, AwaitingUpload)
}

// addImport checks an order and keeps it.
func (s *Service) addImport(ctx context.Context, o ImportOrder, status TaskStatus) (ImportJob, error) {
	if err := s.checkImport(ctx, &o); err != nil {
		return ImportJob{}, err
	}
	now := s.timestamp()
	job := ImportJob{ID: s.newID(), ImportOrder: o, Status: status, Created: now, Modified: now}
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := mayAdd(tx, status); err != nil {
			return err
		}
		return tx.PutImportJob(job)
	})
	if err == nil && status == InProgress {
		s.beginImport(job.ID)
	}
	return job, err
}

func mayAdd(tx Tx, status TaskStatus) error {
	if status != AwaitingUpload {
		return noImportRuns(tx)
	}
	waiting, err := tx.ImportJobs(AwaitingUpload, TaskKey{}, uploadsMax)
	if err == nil && len(waiting) == uploadsMax {
		err = fault.LimitExceeded("%d imports await their manifests, and no more may; delete one", uploadsMax)
	}
	return err
}

// StartUploaded registers the devices of a manifest all of whose parts have come.
// Once it is started, starting it again changes nothing.
func (s *Service) StartUploaded(ctx context.Context, id string) (job ImportJob, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		if job, err = findImport(tx, id); err != nil || job.Status == InProgress || job.Status == Completed {
			return err
		}
		if job.Status != AwaitingUpload {
			return fault.InvalidRequest("The import %s is %s", id, job.Status)
		}
		if err := noImportRuns(tx); err != nil {
			return err
		}
		if job.Size, err = uploaded(tx, id); err != nil {
			return err
		}
		job.Status, job.Modified = InProgress, s.timestamp()
		return tx.PutImportJob(job)
	})
	if err == nil && job.Status == InProgress {
		s.beginImport(id)
	}
	return job, err
}

func (s *Service) beginImport(id string) {
	s.leased(&s.imports, "manifest-import", id, func(life, work context.Context, held *lease.Held) {
		if job, err := s.ImportJob(life, id); err != nil {
			s.log.Error("an import cannot be read; it is tried again", "import", id, "error", err)
		} else if !job.Ended() {
			s.runImport(life, work, job, held)
		}
	})
}

func noImportRuns(tx Tx) error {
	others, err := underWay(tx.ImportJobs)
	if err == nil && len(others) > 0 {
		err = fault.InvalidRequest("The import %s is in progress; one can run at a time", others[0].ID)
	}
	return err
}

// checkImport finds what would fail for each entry alike.
func (s *Service) checkImport(ctx context.Context, o *ImportOrder) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.Source != (Source{}) && s.objects == nil {
		return fault.NotImplemented("this server is not connected to S3; upload the manifest")
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
	case o.Certificates != "" && o.Format != manifest.Infineon:
		return fault.InvalidRequest("only Infineon's bundles have certificates of several types")
	case o.Certificates != "" && !slices.Contains(manifest.CertificateTypes[:], o.Certificates):
		return fault.InvalidRequest("%q is no type of certificates; there are %s", o.Certificates, strings.Join(manifest.CertificateTypes[:], ", "))
	case o.Source != (Source{}) && (o.Source.Bucket == "" || o.Source.Key == "" || o.Source.RoleARN == ""):
		return fault.InvalidRequest("a manifest in S3 has a bucket, a key and a role that may read it")
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
	var was TaskStatus
	err := s.store.Update(ctx, func(tx Tx) error {
		job, err := findImport(tx, id)
		if err != nil || job.Status == Cancelled || job.Status == Cancelling {
			return err
		}
		if job.Ended() {
			return fault.InvalidRequest("The import %s is %s", id, job.Status)
		}
		was = job.Status
		job.Status, job.Modified = Cancelling, s.timestamp()
		if was == AwaitingUpload {
			job.Status = Cancelled
		}
		return tx.PutImportJob(job)
	})
	if err != nil {
		return err
	}
	s.imports.cancel(id)
	if was == AwaitingUpload { // nobody else takes what has come of it away
		return s.forgetManifest(ctx, id)
	}
	return nil
}

// DeleteImport forgets an import that has ended or has not begun, with its report.
func (s *Service) DeleteImport(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		job, err := findImport(tx, id)
		if err != nil {
			return err
		}
		if !job.Ended() && job.Status != AwaitingUpload {
			return fault.InvalidRequest("The import %s is in progress; stop it first", id)
		}
		return tx.DeleteImportJob(id)
	})
	if err != nil {
		return err
	}
	return errors.Join(s.forgetOutcomes(ctx, id), s.forgetManifest(ctx, id))
}
