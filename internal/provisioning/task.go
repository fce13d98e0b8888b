package provisioning

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// Objects holds files under buckets and keys, as S3 does.
type Objects interface {
	// Get opens a file and tells its length in bytes, -1 if that is unknown. The
	// role is the one that the task's owner named for reading it.
	Get(ctx context.Context, bucket, key, roleARN string) (body io.ReadCloser, length int64, err error)
	// Put writes a file, as the account itself: a role that may read the input
	// need not be allowed to write.
	Put(ctx context.Context, bucket, key string, body io.ReadSeeker) error
	// Presign makes an address from which anybody can get the file for a while.
	Presign(ctx context.Context, bucket, key string, life time.Duration) (url string, err error)
}

// TaskStatus is where a registration task is.
type TaskStatus string

// The statuses.
const (
	InProgress TaskStatus = "InProgress"
	Completed  TaskStatus = "Completed"
	Failed     TaskStatus = "Failed"
	Cancelled  TaskStatus = "Cancelled"
	Cancelling TaskStatus = "Cancelling"
)

// Task is the bulk registration of a file of devices.
type Task struct {
	ID           string
	TemplateBody string
	Bucket, Key  string // of the input: a JSON object of parameters per line
	RoleARN      string
	Status       TaskStatus
	Message      string // why it failed; "" otherwise
	Successes    int
	Failures     int
	Percent      int
	Created      time.Time
	Modified     time.Time
}

// running are the tasks of this process. The zero value has none.
type running struct {
	mu     sync.Mutex
	stop   map[string]context.CancelCauseFunc
	closed bool
	under  sync.WaitGroup
}

// begin runs a task; false after stopAll.
func (r *running) begin(life context.Context, id string, run func(context.Context)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	ctx, stop := context.WithCancelCause(life)
	if r.stop == nil {
		r.stop = map[string]context.CancelCauseFunc{}
	}
	r.stop[id] = stop
	r.under.Go(func() {
		run(ctx)
		stop(nil)
		r.mu.Lock()
		delete(r.stop, id)
		r.mu.Unlock()
	})
	return true
}

func (r *running) cancel(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stop := r.stop[id]; stop != nil {
		stop(errCancelled)
	}
}

func (r *running) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, stop := range r.stop {
		stop(errStopped)
	}
}

func (r *running) wait() { r.under.Wait() }

// StartTask registers the devices of a file in the background (AWS operation
// StartThingRegistrationTask). One task runs at a time.
func (s *Service) StartTask(ctx context.Context, body, bucket, key, roleARN string) (Task, error) {
	if s.objects == nil {
		return Task{}, fault.NotImplemented("thing registration tasks need S3, which this server is not connected to; use RegisterThing")
	}
	t, err := template.Parse(body, template.API)
	if err != nil {
		return Task{}, err
	}
	now := s.timestamp()
	task := Task{ID: s.newID(), TemplateBody: body, Bucket: bucket, Key: key, RoleARN: roleARN, Status: InProgress, Created: now, Modified: now}
	err = s.store.Update(ctx, func(tx Tx) error {
		for _, status := range []TaskStatus{InProgress, Cancelling} {
			if others, err := tx.Tasks(status, TaskKey{}, 1); err != nil {
				return err
			} else if len(others) > 0 {
				return fault.InvalidRequest("Thing registration task %s is in progress; one can run at a time", others[0].ID)
			}
		}
		return tx.PutTask(task)
	})
	if err != nil {
		return Task{}, err
	}
	if !s.tasks.begin(s.life, task.ID, func(ctx context.Context) { s.runTask(ctx, task, t) }) {
		return Task{}, fault.New(fault.CodeServiceUnavailable, "the server is stopping")
	}
	return task, nil
}

// StopTask ends a task where it is (StopThingRegistrationTask). What it has
// registered stays.
func (s *Service) StopTask(ctx context.Context, id string) error {
	err := s.store.Update(ctx, func(tx Tx) error {
		task, err := findTask(tx, id)
		if err != nil {
			return err
		}
		switch task.Status {
		case Cancelled, Cancelling:
			return nil
		case Completed, Failed:
			return fault.InvalidRequest("Thing registration task %s is %s", id, task.Status)
		}
		task.Status, task.Modified = Cancelling, s.timestamp()
		return tx.PutTask(task)
	})
	if err == nil {
		s.tasks.cancel(id)
	}
	return err
}

func findTask(tx Tx, id string) (Task, error) {
	task, found, err := tx.Task(id)
	if err == nil && !found {
		err = fault.NotFound("Thing registration task %s does not exist", id)
	}
	return task, err
}

// Task gives a task (DescribeThingRegistrationTask).
func (s *Service) Task(ctx context.Context, id string) (task Task, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		task, err = findTask(tx, id)
		return err
	})
	return task, err
}

// Tasks lists tasks, the newest first; status "" takes all
// (ListThingRegistrationTasks).
func (s *Service) Tasks(ctx context.Context, status TaskStatus, p registry.Page) (all []Task, next string, err error) {
	list := registry.List{"thing registration tasks", string(status)}
	keys, err := list.Keys(p.Token, 2)
	if err != nil {
		return nil, "", err
	}
	var after TaskKey
	if keys[1] != "" {
		ms, _ := strconv.ParseInt(keys[0], 10, 64) // the token's digest vouches for it
		after = TaskKey{time.UnixMilli(ms).UTC(), keys[1]}
	}
	err = s.store.View(ctx, func(tx Tx) error {
		all, err = tx.Tasks(status, after, p.Limit()+1)
		return err
	})
	if err != nil || len(all) <= p.Limit() {
		return all, "", err
	}
	all = all[:p.Limit()]
	last := all[len(all)-1]
	return all, list.Token(strconv.FormatInt(last.Created.UnixMilli(), 10), last.ID), nil
}

// Report is one of the two files that a task writes.
type Report string

// The reports.
const (
	Results Report = "RESULTS"
	Errors  Report = "ERRORS"
)

// reportLife is how long a link to a report is good for.
const reportLife = time.Hour

// reportKey says where a report lies, in the bucket of the task's input.
func (t Task) reportKey(r Report) string {
	name := map[Report]string{Results: "results", Errors: "errors"}[r]
	return "thing-registration-tasks/" + t.ID + "/" + name + ".ndjson"
}

// ReportLinks gives the addresses of a task's report; none before the task has
// ended (ListThingRegistrationTaskReports).
func (s *Service) ReportLinks(ctx context.Context, id string, r Report) ([]string, error) {
	if r != Results && r != Errors {
		return nil, fault.InvalidRequest("reportType %q is neither RESULTS nor ERRORS", r)
	}
	task, err := s.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	count := map[Report]int{Results: task.Successes, Errors: task.Failures}[r]
	if s.objects == nil || count == 0 || task.Status == InProgress || task.Status == Cancelling {
		return []string{}, nil
	}
	url, err := s.objects.Presign(ctx, task.Bucket, task.reportKey(r), reportLife)
	return []string{url}, err
}

// RecoverTasks ends the tasks that the server's last end has torn: which of
// their lines were registered was only noted now and then, so they are not taken
// up again. Call it once, before anybody starts a task.
func (s *Service) RecoverTasks(ctx context.Context) error {
	return s.store.Update(ctx, func(tx Tx) error {
		for _, status := range []TaskStatus{InProgress, Cancelling} {
			torn, err := tx.Tasks(status, TaskKey{}, registry.PageSizeMax)
			if err != nil {
				return err
			}
			for _, task := range torn {
				task.Status, task.Modified = Failed, s.timestamp()
				task.Message = "The server ended while the task ran, and its reports are lost. Devices that were registered stay; start the task again for the rest."
				if status == Cancelling {
					task.Status, task.Message = Cancelled, ""
				}
				if err := tx.PutTask(task); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
