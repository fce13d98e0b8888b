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
	"thingd/internal/provisioning/template"
)

const (
	lineMax     = 256 << 10 // bytes of one line of input: a signing request takes two
	taskWorkers = 8         // lines at a time, so that their commits share an fsync
	noteEvery   = time.Second
	finishTime  = time.Minute // to write the reports of a task that was stopped
)

var (
	errCancelled = errors.New("the task was cancelled")
	errStopped   = errors.New("the server was stopped while the task ran")
	errLongLine  = fmt.Errorf("the line is longer than %d bytes", lineMax)
)

// run is a task under way.
type run struct {
	*Service
	template *template.Template
	length   int64 // of the input, bytes; -1: unknown

	mu     sync.Mutex
	task   Task
	read   int64 // bytes of input
	noted  time.Time
	broken error // writing a report failed
	report map[Report]*spool
}

// spool is a report on its way: a temporary file, because it may be large and is
// known only at the end.
type spool struct {
	file *os.File
	w    *bufio.Writer
}

func (s *Service) runTask(ctx context.Context, task Task, t *template.Template) {
	r := &run{Service: s, template: t, task: task, report: map[Report]*spool{}}
	err := r.all(ctx)
	r.finish(ctx, err)
}

// all registers every line of the input.
func (r *run) all(ctx context.Context) error {
	for _, name := range []Report{Results, Errors} {
		file, err := os.CreateTemp("", "thingd-report-")
		if err != nil {
			return err
		}
		r.report[name] = &spool{file, bufio.NewWriter(file)}
	}
	input, length, err := r.objects.Get(ctx, r.task.Bucket, r.task.Key, r.task.RoleARN)
	if err != nil {
		return fmt.Errorf("the input cannot be read: %w", err)
	}
	defer input.Close()
	r.length = length
	lines := make(chan line)
	var workers sync.WaitGroup
	for range taskWorkers {
		workers.Go(func() {
			for l := range lines {
				r.one(ctx, l)
			}
		})
	}
	err = readLines(ctx, input, lines)
	close(lines)
	workers.Wait()
	return errors.Join(err, context.Cause(ctx), r.broken)
}

// line is one line of the input.
type line struct {
	number int // from 1
	text   []byte
	size   int // bytes in the input
	err    error
}

// readLines gives the lines of an input that are not empty.
func readLines(ctx context.Context, input io.Reader, lines chan<- line) error {
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
			select {
			case lines <- l:
			case <-ctx.Done():
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

// one registers the device of one line.
func (r *run) one(ctx context.Context, l line) {
	done, err := r.register(ctx, l)
	if ctx.Err() != nil && err != nil {
		return // not the device's fault; the report has the lines that were tried
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read += int64(l.size)
	if err == nil {
		r.task.Successes++
		r.write(Results, map[string]any{"lineNumber": l.number, "response": map[string]any{
			"certificatePem": done.CertificatePEM, "resourceArns": done.ResourceARNs}})
	} else {
		r.task.Failures++
		code, text := fault.CodeOf(err), "The registration failed; the server's log has the reason."
		if f, ok := errors.AsType[*fault.Error](err); ok {
			text = f.Message
		} else {
			r.log.Error("a line of a registration task failed", "task", r.task.ID, "line", l.number, "error", err)
		}
		r.write(Errors, map[string]any{"lineNumber": l.number, "errorCode": string(code), "errorMessage": text})
	}
	r.note(ctx)
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
	return r.carryOut(ctx, plan)
}

// write adds a line to a report. The caller holds r.mu.
func (r *run) write(name Report, entry any) {
	text, err := json.Marshal(entry)
	if err == nil {
		_, err = r.report[name].w.Write(append(text, '\n'))
	}
	if err != nil && r.broken == nil {
		r.broken = fmt.Errorf("the reports cannot be written: %w", err)
	}
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
// the end.
func (r *run) keep(ctx context.Context, end *TaskStatus) error {
	return r.store.Update(ctx, func(tx Tx) error {
		stored, err := findTask(tx, r.task.ID)
		if err != nil {
			return err
		}
		row := r.task
		row.Modified, row.Status = r.timestamp(), stored.Status
		if end != nil {
			row.Status = *end
		}
		return tx.PutTask(row)
	})
}

// finish puts the reports where their owner finds them and says how it ended.
func (r *run) finish(ctx context.Context, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	status := Completed
	switch {
	case errors.Is(failure, errCancelled):
		status, failure = Cancelled, nil
	case failure != nil:
		status = Failed
	}
	for name, report := range r.report {
		if err := r.deliver(ctx, name, report); err != nil && failure == nil {
			status, failure = Failed, fmt.Errorf("the report cannot be written: %w", err)
		}
	}
	if failure != nil {
		r.task.Message = failure.Error()
	}
	if status == Completed {
		r.task.Percent = 100
	}
	if err := r.keep(ctx, &status); err != nil {
		r.log.Error("the end of a registration task could not be kept", "task", r.task.ID, "status", status, "error", err)
	}
}

// deliver puts a report into the bucket of the input; an empty one is not
// written.
func (r *run) deliver(ctx context.Context, name Report, s *spool) error {
	defer func() { _ = os.Remove(s.file.Name()) }()
	defer s.file.Close()
	if err := s.w.Flush(); err != nil {
		return err
	}
	length, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil || length == 0 {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return r.objects.Put(ctx, r.task.Bucket, r.task.reportKey(name), s.file)
}
