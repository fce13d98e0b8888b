package provisioning

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
)

const (
	lineMax     = 256 << 10 // bytes of one line of input: a signing request takes two
	taskWorkers = 16        // lines at a time, so that their commits share an fsync
	noteEvery   = time.Second
)

var (
	errCancelled = errors.New("the task was cancelled")
	errStopped   = errors.New("the server was stopped while the task ran")
	errLongLine  = fmt.Errorf("the line is longer than %d bytes", lineMax)
	errChanged   = errors.New("the input has changed since the task began to read it")
)

// run is a task under way.
type run struct {
	*Service
	template *template.Template
	length   int64 // of the input, bytes; -1: unknown
	stop     context.CancelCauseFunc
	held     *lease.Held

	mu    sync.Mutex
	task  Task
	read  int64 // bytes of input
	noted time.Time
}

// runTask runs a task to its end, from where it is. If the server ends before,
// it stays as it is and is taken up when the server is back, or by another.
func (s *Service) runTask(life, work context.Context, task Task, held *lease.Held) {
	work, stop := context.WithCancelCause(work)
	defer stop(nil)
	r := &run{Service: s, task: task, stop: stop, held: held}
	err := errCancelled
	if task.Status != Cancelling {
		err = endOf(work, r.all(work))
	}
	if life.Err() == nil {
		r.finish(life, err)
	}
}

// all registers every line of the input that has no outcome yet.
func (r *run) all(ctx context.Context) (err error) {
	if r.template, err = template.Parse(r.task.TemplateBody, template.API); err != nil {
		return err
	}
	if err := r.recall(ctx); err != nil {
		return err
	}
	input, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer input.Close()
	lines := make(chan line)
	var workers sync.WaitGroup
	for range taskWorkers {
		workers.Go(func() {
			for l := range lines {
				r.one(ctx, l)
			}
		})
	}
	before := &ledger{Service: r.Service, job: r.task.ID}
	err = readLines(input, func(l line) error { return r.offer(ctx, lines, before, l) })
	close(lines)
	workers.Wait()
	return err
}

// recall counts what was done before.
func (r *run) recall(ctx context.Context) error {
	n, err := r.counts(ctx, r.task.ID)
	r.task.Successes, r.task.Failures = n[Made], n[Broken]
	return err
}

// open opens the input. Line numbers say which lines were done, so an input that
// was changed meanwhile cannot be gone on with.
func (r *run) open(ctx context.Context) (io.ReadCloser, error) {
	input, err := r.objects.Get(ctx, r.scope.IoT("thingregistrationtask", r.task.ID), r.task.Bucket, r.task.Key, r.task.RoleARN)
	if err != nil {
		return nil, fmt.Errorf("the input cannot be read: %w", err)
	}
	r.length = input.Length
	switch r.task.InputVersion {
	case input.Version:
	case "":
		r.task.InputVersion = input.Version
		err = r.keep(ctx, nil)
	default:
		err = errChanged
	}
	if err != nil {
		input.Body.Close()
		return nil, err
	}
	return input.Body, nil
}

// line is one line of the input.
type line struct {
	number int // from 1
	text   []byte
	size   int // bytes in the input
	err    error
	before Outcome // what became of it before the server's last end; zero: nothing
}

// readLines gives the lines of an input that are not empty.
func readLines(input io.Reader, give func(line) error) error {
	in := bufio.NewReaderSize(input, lineMax)
	for number := 1; ; number++ {
		l := line{number: number}
		text, err := in.ReadSlice('\n')
		l.size = len(text)
		for errors.Is(err, bufio.ErrBufferFull) { // pass over the rest
			l.err = errLongLine
			text, err = in.ReadSlice('\n')
			l.size += len(text)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("the input cannot be read: %w", err)
		}
		l.text = bytes.Clone(bytes.TrimSpace(text))
		if len(l.text) > 0 || l.err != nil {
			if err := give(l); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// offer hands a line to the workers, unless it was done before.
func (r *run) offer(ctx context.Context, lines chan<- line, before *ledger, l line) (err error) {
	if l.before, err = before.of(ctx, l.number); err != nil {
		return err
	}
	if l.before.State != "" && l.before.State != Begun {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.read += int64(l.size)
		return nil
	}
	select {
	case lines <- l:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// one registers the device of one line.
func (r *run) one(ctx context.Context, l line) {
	done, err := r.register(ctx, l)
	if ctx.Err() != nil && err != nil {
		return // not the device's fault; the report has the lines that were tried
	}
	if errors.Is(err, lease.ErrLost) {
		r.stop(err)
		return
	}
	outcome := r.outcome(l, done, err)
	if err := r.keepOutcome(ctx, r.held, r.task.ID, outcome); err != nil {
		r.stop(fmt.Errorf("the outcome of line %d cannot be kept: %w", l.number, err))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read += int64(l.size)
	if outcome.State == Made {
		r.task.Successes++
	} else {
		r.task.Failures++
	}
	r.note(ctx)
}

// outcome writes the line of the report.
func (r *run) outcome(l line, done Registered, err error) Outcome {
	entry := map[string]any{"lineNumber": l.number}
	state := Made
	if err == nil {
		entry["response"] = map[string]any{"certificatePem": done.CertificatePEM, "resourceArns": done.ResourceARNs}
	} else {
		state = Broken
		text := reason(err)
		if _, ok := errors.AsType[*fault.Error](err); !ok {
			r.log.Error("a line of a registration task failed", "task", r.task.ID, "line", l.number, "error", err)
			text = unsaid
		}
		entry["errorCode"], entry["errorMessage"] = string(fault.CodeOf(err)), text
	}
	text, err := json.Marshal(entry)
	if err != nil {
		panic("provisioning: a line of a report does not marshal: " + err.Error())
	}
	return Outcome{Line: l.number, State: state, Text: string(text)}
}

func (r *run) register(ctx context.Context, l line) (Registered, error) {
	if l.err != nil {
		return Registered{}, fault.InvalidRequest("%w", l.err)
	}
	var parameters map[string]string
	if err := json.Unmarshal(l.text, &parameters); err != nil {
		return Registered{}, fault.InvalidRequest("the line is not a JSON object of strings: %w", err)
	}
	plan, err := r.template.Evaluate(r.input(parameters))
	if err != nil {
		return Registered{}, err
	}
	return r.carryOut(ctx, plan, attempt{
		Before: pki.CertificateID(l.before.Text), Held: r.held,
		Note: func(ctx context.Context, id pki.CertificateID) error {
			return r.keepOutcome(ctx, r.held, r.task.ID, Outcome{Line: l.number, State: Begun, Text: string(id)})
		},
	})
}

// note keeps the progress, now and then. The caller holds r.mu.
func (r *run) note(ctx context.Context) {
	now := r.now()
	if now.Sub(r.noted) < noteEvery {
		return
	}
	r.noted = now
	if r.length > 0 {
		r.task.Percent = int(min(99, 100*r.read/r.length))
	}
	if err := r.keep(ctx, nil); err != nil && ctx.Err() == nil {
		r.log.Error("the progress of a registration task could not be kept", "task", r.task.ID, "error", err)
	}
}

// keep writes the record of the task; a status that StopTask gave it stays until
// the end, and ends the work, whichever process it was called in.
func (r *run) keep(ctx context.Context, end *TaskStatus) error {
	return r.store.Update(ctx, func(tx Tx) error {
		if err := r.held.Check(tx); err != nil {
			return err
		}
		stored, err := findTask(tx, r.task.ID)
		if err != nil {
			return err
		}
		row := r.task
		row.Modified, row.Status = r.timestamp(), stored.Status
		if end != nil {
			row.Status = *end
		} else if stored.Status == Cancelling {
			r.stop(errCancelled)
		}
		return tx.PutTask(row)
	})
}

// finish puts the reports where their owner finds them and says how it ended.
// Until that is on disk the outcomes stay: a server that ends meanwhile does it
// again.
func (r *run) finish(ctx context.Context, failure error) {
	status := Completed
	switch {
	case errors.Is(failure, lease.ErrLost):
		return // it is another server's now
	case errors.Is(failure, errCancelled):
		status, failure = Cancelled, nil
	case failure != nil:
		status = Failed
	}
	if err := r.keep(ctx, nil); errors.Is(err, lease.ErrLost) {
		return // whoever has it now writes the reports
	}
	err := errors.Join(r.recall(ctx), r.report(ctx))
	if ctx.Err() != nil {
		return
	}
	if err != nil && failure == nil {
		status, failure = Failed, fmt.Errorf("the report cannot be written: %w", err)
	}
	if failure != nil {
		r.task.Message = reason(failure)
	}
	if status == Completed {
		r.task.Percent = 100
	}
	if err := r.keep(ctx, &status); err != nil {
		r.log.Error("the end of a registration task could not be kept", "task", r.task.ID, "status", status, "error", err)
		return
	}
	if err := r.forgetOutcomes(ctx, r.task.ID); err != nil && ctx.Err() == nil {
		r.log.Warn("the outcomes of an ended registration task could not be deleted", "task", r.task.ID, "error", err)
	}
}

// report puts both reports into the bucket of the input; an empty one is not
// written.
func (r *run) report(ctx context.Context) error {
	return errors.Join(r.deliver(ctx, Results, Made), r.deliver(ctx, Errors, Broken))
}

// deliver collects a report in a temporary file, because it may be large and S3
// wants its length first.
func (r *run) deliver(ctx context.Context, name Report, state OutcomeState) error {
	file, err := os.CreateTemp("", "thingd-report-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer file.Close()
	w := bufio.NewWriter(file)
	count, err := r.writeOutcomes(ctx, w, r.task.ID, state)
	if err != nil || count == 0 {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return r.objects.Put(ctx, r.task.Bucket, r.task.reportKey(name), file)
}
