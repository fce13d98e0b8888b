package provisioning

import (
	"context"
	"errors"
	"io"
	"sync"

	"thingd/internal/fault"
	"thingd/internal/lease"
)

// Outcome is what became of one line of a registration task, or of one entry of
// a manifest import. The outcomes of a job are its report and its memory: after
// the server's end, however sudden, the job goes on behind them.
type Outcome struct {
	Line  int // from 1
	State OutcomeState
	Text  string // one JSON object of the report; of a Begun line, the ID of the certificate that it is about to make
}

// OutcomeState says how a line ended.
type OutcomeState string

// The states.
const (
	Begun     OutcomeState = "begun" // torn by the end of the server, or under way
	Made      OutcomeState = "made"
	Unchanged OutcomeState = "unchanged" // all was there already
	Broken    OutcomeState = "failed"
)

// outcomePage is how many outcomes are read, or deleted, at a time.
const outcomePage = 500

// ledger gives the outcomes that a job has had before, to somebody who asks line
// by line.
type ledger struct {
	*Service
	job   string
	page  []Outcome
	after int  // the last line that was read
	ended bool // there are no more
}

// of gives the outcome of a line; the zero value if it has none. Lines are asked
// for in order.
func (l *ledger) of(ctx context.Context, line int) (Outcome, error) {
	for {
		for len(l.page) > 0 && l.page[0].Line < line {
			l.page = l.page[1:]
		}
		if len(l.page) > 0 && l.page[0].Line == line {
			return l.page[0], nil
		}
		if len(l.page) > 0 || l.ended {
			return Outcome{}, nil
		}
		if err := l.read(ctx); err != nil {
			return Outcome{}, err
		}
	}
}

// read gets the next page. What the job adds meanwhile is behind the line that is
// asked for, and does not matter.
func (l *ledger) read(ctx context.Context) error {
	return l.store.View(ctx, func(tx Tx) (err error) {
		l.page, err = tx.Outcomes(l.job, "", l.after, outcomePage)
		if l.ended = len(l.page) < outcomePage; len(l.page) > 0 {
			l.after = l.page[len(l.page)-1].Line
		}
		return err
	})
}

// counts gives how many outcomes of each state a job has.
func (s *Service) counts(ctx context.Context, job string) (n map[OutcomeState]int, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		n, err = tx.CountOutcomes(job)
		return err
	})
	return n, err
}

// keepOutcome writes an outcome, also while the job is being stopped: what was
// done is not done again. It is lease.ErrLost where another server has taken the
// job over.
func (s *Service) keepOutcome(ctx context.Context, held *lease.Held, job string, o Outcome) error {
	return s.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		if err := held.Check(tx); err != nil {
			return err
		}
		return tx.PutOutcome(job, o)
	})
}

// forgetOutcomes deletes the outcomes of a job, a few at a time, so that others
// can write in between.
func (s *Service) forgetOutcomes(ctx context.Context, job string) error {
	for {
		deleted := 0
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			deleted, err = tx.DeleteOutcomes(job, outcomePage)
			return err
		})
		if err != nil || deleted < outcomePage {
			return err
		}
	}
}

// writeOutcomes writes the outcomes of one state, "" for all, a line each, in order.
func (s *Service) writeOutcomes(ctx context.Context, w io.Writer, job string, state OutcomeState) (count int, err error) {
	for after := 0; ; {
		var page []Outcome
		err = s.store.View(ctx, func(tx Tx) (err error) {
			page, err = tx.Outcomes(job, state, after, outcomePage)
			return err
		})
		if err != nil || len(page) == 0 {
			return count, err
		}
		for _, o := range page {
			if _, err := io.WriteString(w, o.Text+"\n"); err != nil {
				return count, err
			}
		}
		count, after = count+len(page), page[len(page)-1].Line
	}
}

// sweep deletes the outcomes of tasks that have ended and of jobs that are gone,
// and manifests of imports that have ended: the server ended before it could.
func (s *Service) sweep(ctx context.Context) error {
	if err := s.sweepManifests(ctx); err != nil {
		return err
	}
	for job := ""; ; {
		isStray := false
		err := s.store.View(ctx, func(tx Tx) (err error) {
			if job, err = tx.NextJob(job); err == nil && job != "" {
				isStray, err = stray(tx, job)
			}
			return err
		})
		if err != nil || job == "" {
			return err
		}
		if isStray {
			if err := s.forgetOutcomes(ctx, job); err != nil {
				return err
			}
		}
	}
}

func stray(tx Tx, job string) (bool, error) {
	task, found, err := tx.Task(job)
	if err != nil || found {
		return task.Status != InProgress && task.Status != Cancelling, err
	}
	_, found, err = tx.ImportJob(job)
	return !found, err
}

// unsaid stands in a report for an error that is ours to mend.
const unsaid = "the registration failed; the server's log has the reason"

// reason is what an error says to whoever gave the order.
func reason(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return err.Error()
}

// endOf says why a job ended: that it was made to counts before what followed
// from it, which may be nothing where it was at its last lines.
func endOf(work context.Context, err error) error {
	if work.Err() != nil {
		return context.Cause(work)
	}
	return err
}

// running are the jobs of this process. The zero value has none.
type running struct {
	mu     sync.Mutex
	jobs   map[string]job
	closed bool
	under  sync.WaitGroup
}

// job is one job under way.
type job struct {
	stop   context.CancelCauseFunc // the server ends; the job goes on when it is back, or elsewhere
	cancel context.CancelCauseFunc // its owner wants no more of it
}

// begin runs a job, unless it runs already or stopAll was called. life ends with
// the server, work when the job's owner cancels it.
func (r *running) begin(life context.Context, id string, run func(life, work context.Context, stop context.CancelCauseFunc)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, runs := r.jobs[id]; runs || r.closed {
		return
	}
	life, stop := context.WithCancelCause(life)
	work, cancel := context.WithCancelCause(life)
	if r.jobs == nil {
		r.jobs = map[string]job{}
	}
	r.jobs[id] = job{stop, cancel}
	r.under.Go(func() {
		run(life, work, stop)
		stop(nil)
		r.mu.Lock()
		delete(r.jobs, id)
		r.mu.Unlock()
	})
}

// leased runs a job under the lease of this name; where another server has it,
// the job is left to that one. life ends with the lease, too.
func (s *Service) leased(r *running, name, id string, run func(life, work context.Context, held *lease.Held)) {
	r.begin(s.life, id, func(life, work context.Context, stop context.CancelCauseFunc) {
		held, err := s.leases.Take(life, name+"/"+id)
		if err != nil {
			if !errors.Is(err, lease.ErrTaken) && life.Err() == nil {
				s.log.Error("the lease of a job could not be taken; it is tried again", "job", id, "error", err)
			}
			return
		}
		defer held.Release(life)
		defer context.AfterFunc(held.Context(), func() { stop(context.Cause(held.Context())) })()
		run(life, work, held)
	})
}

func (r *running) cancel(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if job, ok := r.jobs[id]; ok {
		job.cancel(errCancelled)
	}
}

func (r *running) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, job := range r.jobs {
		job.stop(errStopped)
	}
}

func (r *running) wait() { r.under.Wait() }
