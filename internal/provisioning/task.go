package provisioning

import (
	"context"
	"io"
	"strconv"
	"time"

	"thingd/internal/fault"
	"thingd/internal/lease"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// Objects holds files under buckets and keys, as S3 does.
type Objects interface {
	// Get opens a file for a task or import, by its ARN. The role is the one that its
	// owner named for reading it.
	Get(ctx context.Context, jobARN, bucket, key, roleARN string) (Object, error)
	// Put writes a file, as the account itself: a role that may read the input
	// need not be allowed to write.
	Put(ctx context.Context, bucket, key string, body io.ReadSeeker) error
	// Presign makes an address from which anybody can get the file for a while.
	Presign(ctx context.Context, bucket, key string, life time.Duration) (url string, err error)
}

// Object is a file of Objects, open to be read.
type Object struct {
	Body    io.ReadCloser
	Length  int64  // bytes; -1: unknown
	Version string // another one for other content (S3: the ETag); "": unknown
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
	InputVersion string // of the input when the task first read it; "" before that
	Created      time.Time
	Modified     time.Time
}

// Ended says whether nothing more will happen to the task.
func (t Task) Ended() bool { return t.Status != InProgress && t.Status != Cancelling }

// StartTask registers the devices of a file in the background (AWS operation
// StartThingRegistrationTask). One task runs at a time.
func (s *Service) StartTask(ctx context.Context, body, bucket, key, roleARN string) (Task, error) {
	if s.objects == nil {
		return Task{}, fault.NotImplemented("thing registration tasks need S3, which this server is not connected to; use RegisterThing")
	}
	if _, err := template.Parse(body, template.API); err != nil {
		return Task{}, err
	}
	now := s.timestamp()
	task := Task{ID: s.newID(), TemplateBody: body, Bucket: bucket, Key: key, RoleARN: roleARN, Status: InProgress, Created: now, Modified: now}
	err := s.store.Update(ctx, func(tx Tx) error {
		others, err := underWay(tx.Tasks)
		if err != nil {
			return err
		}
		if len(others) > 0 {
			return fault.InvalidRequest("Thing registration task %s is in progress; one can run at a time", others[0].ID)
		}
		return tx.PutTask(task)
	})
	if err != nil {
		return Task{}, err
	}
	s.beginTask(task.ID)
	return task, nil // a server that is stopping takes it up when it is back
}

func (s *Service) beginTask(id string) {
	s.leased(&s.tasks, "registration-task", id, func(life, work context.Context, held *lease.Held) {
		if task, err := s.Task(life, id); err != nil {
			s.log.Error("a registration task cannot be read; it is tried again", "task", id, "error", err)
		} else if !task.Ended() {
			s.runTask(life, work, task, held)
		}
	})
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
	after, err := placeIn(list, p)
	if err != nil {
		return nil, "", err
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

// placeIn gives the place that a page begins behind.
func placeIn(list registry.List, p registry.Page) (TaskKey, error) {
	keys, err := list.Keys(p.Token, 2)
	if err != nil || keys[1] == "" {
		return TaskKey{}, err
	}
	ms, _ := strconv.ParseInt(keys[0], 10, 64) // the token's digest vouches for it
	return TaskKey{time.UnixMilli(ms).UTC(), keys[1]}, nil
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
	if s.objects == nil || count == 0 || !task.Ended() {
		return []string{}, nil
	}
	url, err := s.objects.Presign(ctx, task.Bucket, task.reportKey(r), reportLife)
	return []string{url}, err
}
