package store

import (
	"math"

	"thingd/internal/provisioning"
)

const taskColumns = "SELECT id, template_body, bucket, object_key, role_arn, status, message, successes, failures, percent, " +
	"input_version, created, modified FROM registration_tasks "

func scanTask(row scanner) (provisioning.Task, error) {
	var t provisioning.Task
	err := row(&t.ID, &t.TemplateBody, &t.Bucket, &t.Key, &t.RoleARN, &t.Status, &t.Message, &t.Successes, &t.Failures,
		&t.Percent, &t.InputVersion, timeColumn{&t.Created}, timeColumn{&t.Modified})
	return t, err
}

func (p provisioningTx) Task(id string) (provisioning.Task, bool, error) {
	return atMostOne(list(p.tx, taskColumns+"WHERE account = ? AND id = ?", []any{p.account, id}, scanTask))
}

func (p provisioningTx) PutTask(t provisioning.Task) error {
	_, err := p.tx.exec("INSERT INTO registration_tasks (account, id, template_body, bucket, object_key, role_arn, status, message, "+
		"successes, failures, percent, input_version, created, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET status = excluded.status, message = excluded.message, successes = excluded.successes, "+
		"failures = excluded.failures, percent = excluded.percent, input_version = excluded.input_version, modified = excluded.modified",
		p.account, t.ID, t.TemplateBody, t.Bucket, t.Key, t.RoleARN, string(t.Status), t.Message, t.Successes, t.Failures,
		t.Percent, t.InputVersion, toMillis(t.Created), toMillis(t.Modified))
	return err
}

func (p provisioningTx) Tasks(status provisioning.TaskStatus, after provisioning.TaskKey, limit int) ([]provisioning.Task, error) {
	at := toMillis(after.Created)
	if after.ID == "" {
		at = math.MaxInt64
	}
	const page = "(created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT ?"
	if status == "" {
		return list(p.tx, taskColumns+"WHERE account = ? AND "+page, []any{p.account, at, after.ID, limit}, scanTask)
	}
	return list(p.tx, taskColumns+"WHERE account = ? AND status = ? AND "+page,
		[]any{p.account, string(status), at, after.ID, limit}, scanTask)
}
