package edgefleet

import (
	"context"
	"crypto/sha1" //nolint:gosec // the one checksum that the agent's API has
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/registry"
)

// JobStatus is where a packaging job stands.
type JobStatus string

// A job goes from STARTING over INPROGRESS to COMPLETED or FAILED. One that is
// stopped while it is under way is STOPPING, and at the end STOPPED.
const (
	JobStarting   JobStatus = "STARTING"
	JobInProgress JobStatus = "INPROGRESS"
	JobCompleted  JobStatus = "COMPLETED"
	JobFailed     JobStatus = "FAILED"
	JobStopping   JobStatus = "STOPPING"
	JobStopped    JobStatus = "STOPPED"
)

// CreateJob makes a packaging job and leaves it to Run, AWS operation
// CreateEdgePackagingJob. A name that is taken is AlreadyExists.
func (s *Service) CreateJob(ctx context.Context, j Job, tags []registry.Tag) error {
	if err := s.credentials.CheckRole(j.RoleARN); err != nil {
		return err
	}
	if _, _, err := j.place(); err != nil {
		return err
	}
	j.Status, j.Created = JobStarting, s.time()
	j.Modified = j.Created
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, taken, err := tx.Job(j.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("Edge packaging job %s already exists", j.Name).About(j.Name, s.JobARN(j.Name))
		}
		if err := tx.PutJob(j); err != nil {
			return err
		}
		return registry.PutTags(tx, s.JobARN(j.Name), tags)
	})
	if err == nil {
		s.wake()
	}
	return err
}

// place gives the bucket and key of the job's artifact: what SageMaker calls the
// package of a model.
func (j Job) place() (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(j.Output.S3Location, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fault.InvalidRequest("S3OutputLocation %q is not of the form s3://bucket/prefix", j.Output.S3Location)
	}
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return bucket, prefix + j.Model + "-" + j.Version + ".tar.gz", nil
}

// Job gives a packaging job, AWS operation DescribeEdgePackagingJob.
func (s *Service) Job(ctx context.Context, name string) (j Job, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		j, err = findJob(tx, name)
		return err
	})
	return j, err
}

func findJob(tx Tx, name string) (Job, error) {
	j, found, err := tx.Job(name)
	if err == nil && !found {
		err = fault.NotFound("Edge packaging job %s does not exist", name)
	}
	return j, err
}

// Jobs lists packaging jobs, AWS operation ListEdgePackagingJobs.
func (s *Service) Jobs(ctx context.Context, q Query, p registry.Page) ([]Job, string, error) {
	return listing[Job]{"jobs", Tx.Jobs, func(j Job, by Sort) Place {
		place := placeOf(by, j.Name, j.Created, j.Modified)
		switch by {
		case ByModel:
			place.Value = Key(j.Model)
		case ByStatus:
			place.Value = string(j.Status)
		}
		return place
	}}.page(ctx, s, q, p)
}

// StopJob stops a packaging job, AWS operation StopEdgePackagingJob. One that is
// over stays as it is.
func (s *Service) StopJob(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		j, err := findJob(tx, name)
		if err != nil {
			return err
		}
		switch j.Status {
		case JobStarting:
			j.Status = JobStopped
		case JobInProgress:
			j.Status = JobStopping
		default:
			return nil
		}
		j.Modified = s.time()
		return tx.PutJob(j)
	})
}

func (s *Service) wake() {
	select {
	case s.work <- struct{}{}:
	default: // it is awake already
	}
}

// retryPause is how long Run waits when the store fails, and at most until it
// looks for jobs that another node left behind.
const retryPause = time.Minute

// Run does packaging jobs until ctx ends. What a crash interrupts is done again.
func (s *Service) Run(ctx context.Context) {
	for {
		more, err := s.nextJob(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("a packaging job could not be done", "error", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.work:
		case <-time.After(retryPause):
		}
	}
}

// nextJob does one job; more is false where there was none.
func (s *Service) nextJob(ctx context.Context) (more bool, err error) {
	var j Job
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		if j, more, err = tx.UnfinishedJob(); err != nil || !more || j.Status != JobStarting {
			return err
		}
		j.Status, j.Modified = JobInProgress, s.time()
		return tx.PutJob(j)
	})
	if err != nil || !more {
		return false, err
	}
	artifact, sum, failed := s.packaged(ctx, j)
	if ctx.Err() != nil {
		return false, nil // the server stops; the job is done after its start
	}
	return true, s.finish(ctx, j.Name, artifact, sum, failed)
}

func (s *Service) finish(ctx context.Context, name, artifact, sum string, failed error) error {
	return s.store.Update(ctx, func(tx Tx) error {
		j, _, err := tx.Job(name)
		if err != nil {
			return err
		}
		switch {
		case j.Status == JobStopping:
			j.Status = JobStopped
		case j.Status != JobInProgress:
			return nil // another node was quicker
		case failed != nil:
			j.Status, j.Message = JobFailed, clip(failed.Error())
		default:
			j.Status, j.Artifact, j.SHA1 = JobCompleted, artifact, sum
		}
		j.Modified = s.time()
		return tx.PutJob(j)
	})
}

// clip bounds a message that others have a part in.
func clip(text string) string {
	const most = 1024 // AWS's bound of a failure reason
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// packagingTime bounds the reading of one artifact.
const packagingTime = 10 * time.Minute

// packager is whom the role of a job must trust.
const packager = "sagemaker.amazonaws.com"

// packaged finds the artifact with the rights of the job's role and reads its
// checksum. The error is for whoever made the job.
func (s *Service) packaged(ctx context.Context, j Job) (artifact, sum string, err error) {
	bucket, key, err := j.place()
	if err != nil {
		return "", "", err
	}
	artifact = "s3://" + bucket + "/" + key
	if s.artifacts == nil {
		return "", "", fmt.Errorf("thingd does not compile models, and no S3 is in reach to look for the finished %s", artifact)
	}
	ctx, cancel := context.WithTimeout(ctx, packagingTime)
	defer cancel()
	who, err := s.iam.AssumeForService(ctx, iam.ServiceOrder{
		RoleARN: j.RoleARN, Service: packager, SourceARN: s.JobARN(j.Name), SessionName: "EdgePackagingJob", Duration: 15 * time.Minute,
	})
	if err != nil {
		return "", "", fmt.Errorf("role %s does not exist or does not trust %s: %w", j.RoleARN, packager, err)
	}
	sum, err = s.checksum(ctx, who, bucket, key)
	if err != nil {
		return "", "", fmt.Errorf("thingd does not compile models, and the finished %s could not be read: %w", artifact, err)
	}
	return artifact, sum, nil
}

func (s *Service) checksum(ctx context.Context, who iam.Credentials, bucket, key string) (string, error) {
	body, err := s.artifacts.Open(ctx, who, bucket, key)
	if err != nil {
		return "", err
	}
	defer body.Close()
	h := sha1.New() //nolint:gosec // see the import
	if _, err := io.Copy(h, body); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
