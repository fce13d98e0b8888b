package provisioning

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"sync/atomic"
	"time"

	"thingd/internal/fault"
	"thingd/internal/lease"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// Imported is what a report says of one entry of a manifest.
type Imported struct {
	Number      int    `json:"number"` // in the manifest, from 1
	ID          string `json:"id,omitempty"`
	Result      string `json:"result"` // registered, unchanged, failed
	Thing       string `json:"thingName,omitempty"`
	Certificate string `json:"certificateArn,omitempty"`
	Error       string `json:"error,omitempty"`
}

// Imported gives the entry as a report has it.
func (e Entry) Imported() Imported {
	line := Imported{Number: e.Number, ID: e.ID, Result: "unchanged", Thing: e.Thing, Certificate: e.CertificateARN}
	switch {
	case e.Err != nil:
		line.Result, line.Error = "failed", reason(e.Err)
	case e.New:
		line.Result = "registered"
	}
	return line
}

// state gives the entry's state in the database.
func (e Entry) state() OutcomeState {
	switch {
	case e.Err != nil:
		return Broken
	case e.New:
		return Made
	}
	return Unchanged
}

const (
	// outcomeBatch is how many entries are noted with one fsync. After a sudden
	// end so many are done again at most, which changes nothing.
	outcomeBatch = 200
)

// importRun is an import under way. Its entries are told one at a time.
type importRun struct {
	*Service
	job     ImportJob
	read    atomic.Int64 // bytes of the manifest
	waiting []Outcome    // not noted yet
	noted   time.Time
	rest    error // the manifest cannot be read to its end, which was told before
	stop    context.CancelCauseFunc
	held    *lease.Held
}

// runImport runs an import to its end, from where it is, as runTask does.
func (s *Service) runImport(life, work context.Context, job ImportJob, held *lease.Held) {
	work, stop := context.WithCancelCause(work)
	defer stop(nil)
	r := &importRun{Service: s, job: job, noted: s.now(), stop: stop, held: held}
	err := errCancelled
	if job.Status != Cancelling {
		err = endOf(work, r.all(work))
	}
	if life.Err() == nil {
		r.finish(life, err)
	}
}

// all registers every entry that has no outcome yet.
func (r *importRun) all(ctx context.Context) error {
	n, err := r.counts(ctx, r.job.ID)
	if err != nil {
		return err
	}
	r.job.Summary = Summary{New: n[Made], Unchanged: n[Unchanged], Failed: n[Broken]}
	if err := r.fetch(ctx); err != nil {
		return err
	}
	elements, err := r.elements(ctx)
	if err != nil {
		return err
	}
	in := Import{Policy: r.job.Policy, ThingType: r.job.ThingType, Group: r.job.Group, Name: r.job.NameCase.Of}
	_, err = in.Run(ctx, r.Registrar(), r.fresh(ctx, elements), func(e Entry) { r.tell(ctx, e) })
	return errors.Join(err, r.rest, r.note(ctx))
}

// elements reads the manifest. Infineon's may be an archive, with a file for each
// certificate.
func (r *importRun) elements(ctx context.Context) (iter.Seq2[manifest.Element, error], error) {
	signers, err := r.job.signers()
	if err != nil {
		return nil, err
	}
	text, err := r.openManifest(ctx, r.job.ID)
	if err != nil {
		return nil, err
	}
	options := manifest.Options{Signers: signers, Certificates: r.job.Certificates}
	var begins [6]byte
	n, err := text.ReadAt(begins[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if manifest.Archived(begins[:n]) {
		return manifest.ReadArchive(&countedAt{text, &r.read}, text.size, options), nil
	}
	return manifest.Read(r.job.Format, &counted{io.NewSectionReader(text, 0, text.size), &r.read}, options), nil
}

// countedAt counts how far an archive was read. Its list of files, which is read
// first, is at its end: reading there does not count.
type countedAt struct {
	from *manifestText
	n    *atomic.Int64
}

// ReadAt implements io.ReaderAt.
func (c *countedAt) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.from.ReadAt(p, at)
	if next := at + int64(n); next > c.n.Load() && at < c.n.Load()+countedStep {
		c.n.Store(next)
	}
	return n, err
}

// countedStep is how far behind what was read another part may begin that counts
// as the next.
const countedStep = 1 << 20

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// fresh leaves out the elements that have an outcome.
func (r *importRun) fresh(ctx context.Context, all iter.Seq2[manifest.Element, error]) iter.Seq2[manifest.Element, error] {
	before := &ledger{Service: r.Service, job: r.job.ID}
	return func(yield func(manifest.Element, error) bool) {
		last := 0
		for element, broken := range all {
			if element.Number <= last { // what is wrong with the file and no entry of it
				element.Number = last + 1
			}
			last = element.Number
			had, err := before.of(ctx, last)
			if err != nil {
				r.stop(err)
				return
			}
			if had.State != "" {
				if errors.Is(broken, manifest.ErrRest) {
					r.rest = broken
				}
				continue
			}
			if !yield(element, broken) {
				return
			}
		}
	}
}

// tell takes the outcome of an entry.
func (r *importRun) tell(ctx context.Context, e Entry) {
	r.job.Add(e)
	if _, said := errors.AsType[*fault.Error](e.Err); e.Err != nil && !said && e.PEM != "" {
		r.log.Error("an entry of a manifest could not be registered", "import", r.job.ID, "entry", e.Number, "error", e.Err)
		e.Err = errors.New(unsaid)
	}
	text, err := json.Marshal(e.Imported())
	if err != nil {
		panic("provisioning: a line of a report does not marshal: " + err.Error())
	}
	r.waiting = append(r.waiting, Outcome{Line: e.Number, State: e.state(), Text: string(text)})
	if len(r.waiting) >= outcomeBatch || r.now().Sub(r.noted) >= noteEvery {
		if err := r.note(ctx); err != nil {
			r.stop(err)
		}
	}
}

// note keeps the outcomes that wait, and the progress.
func (r *importRun) note(ctx context.Context) error {
	r.noted = r.now()
	err := r.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		for _, o := range r.waiting {
			if err := tx.PutOutcome(r.job.ID, o); err != nil {
				return err
			}
		}
		return r.keep(tx, nil)
	})
	r.waiting = r.waiting[:0]
	return err
}

// keep writes the record, but for what others write of it: the parts' sum, and a
// status that StopImport gave it, which stays until the end.
func (r *importRun) keep(tx Tx, end *TaskStatus) error {
	if err := r.held.Check(tx); err != nil {
		return err
	}
	stored, err := findImport(tx, r.job.ID)
	if err != nil {
		return err
	}
	row := r.job
	row.Uploaded, row.Done, row.Modified, row.Status = stored.Uploaded, r.read.Load(), r.timestamp(), stored.Status
	if end != nil {
		row.Status, row.Uploaded = *end, 0
	} else if stored.Status == Cancelling {
		r.stop(errCancelled)
	}
	return tx.PutImportJob(row)
}

// finish says how the import ended. Its report stays.
func (r *importRun) finish(ctx context.Context, failure error) {
	status := Completed
	switch {
	case errors.Is(failure, lease.ErrLost):
		return // it is another server's now
	case errors.Is(failure, errCancelled):
		status = Cancelled
	case failure != nil:
		status, r.job.Message = Failed, reason(failure)
	}
	if err := r.store.Update(ctx, func(tx Tx) error { return r.keep(tx, &status) }); err != nil {
		r.log.Error("the end of a manifest import could not be kept", "import", r.job.ID, "status", status, "error", err)
		return
	}
	if err := r.forgetManifest(ctx, r.job.ID); err != nil && ctx.Err() == nil { // what stays is deleted at the next start
		r.log.Warn("the manifest of an ended import could not be deleted", "import", r.job.ID, "error", err)
	}
}

// ImportReport gives what became of the entries of an import, in order; state ""
// takes all, Broken the failed ones. It grows while the import runs.
func (s *Service) ImportReport(ctx context.Context, id string, state OutcomeState, p registry.Page) (all []Imported, next string, err error) {
	list := registry.List{"report of import", id, string(state)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	after, _ := strconv.Atoi(keys[0]) // the token's digest vouches for it
	page, err := s.reported(ctx, id, state, after, p.Limit()+1)
	if err != nil {
		return nil, "", err
	}
	if len(page) > p.Limit() {
		page = page[:p.Limit()]
		next = list.Token(strconv.Itoa(page[len(page)-1].Line))
	}
	for _, o := range page {
		var entry Imported
		if err := json.Unmarshal([]byte(o.Text), &entry); err != nil {
			return nil, "", err
		}
		all = append(all, entry)
	}
	return all, next, nil
}

func (s *Service) reported(ctx context.Context, id string, state OutcomeState, after, limit int) (page []Outcome, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if _, err := findImport(tx, id); err != nil {
			return err
		}
		page, err = tx.Outcomes(id, state, after, limit)
		return err
	})
	return page, err
}

// WriteImportReport writes the report of an import, one Imported in JSON a line.
func (s *Service) WriteImportReport(ctx context.Context, id string, state OutcomeState, w io.Writer) error {
	if _, err := s.ImportJob(ctx, id); err != nil {
		return err
	}
	_, err := s.writeOutcomes(ctx, w, id, state)
	return err
}

// purgeImports forgets old imports, and those whose manifest never came whole.
func (s *Service) purgeImports(ctx context.Context) error {
	if err := s.purgeImportsBefore(ctx, AwaitingUpload, s.timestamp().Add(-uploadLife)); err != nil {
		return err
	}
	return s.purgeImportsBefore(ctx, "", s.timestamp().Add(-importLife))
}

func (s *Service) purgeImportsBefore(ctx context.Context, status TaskStatus, before time.Time) error {
	oldest := TaskKey{Created: before, ID: "~"} // behind every ID
	for {
		var old []ImportJob
		err := s.store.View(ctx, func(tx Tx) (err error) {
			old, err = tx.ImportJobs(status, oldest, purgeBatch)
			return err
		})
		if err != nil || len(old) == 0 {
			return err
		}
		deleted := 0
		for _, job := range old {
			if !job.Ended() && job.Status != AwaitingUpload {
				continue
			}
			if err := s.DeleteImport(ctx, job.ID); err != nil {
				return err
			}
			deleted++
		}
		if deleted == 0 {
			return nil
		}
	}
}
