package store

import (
	"math"

	"thingd/internal/provisioning"
)

const importColumns = "SELECT id, name, format, signers, policy, thing_type, thing_group, name_case, certificates, source_bucket, source_key, " +
	"source_role, status, message, made, unchanged, failed, uploaded, size, done, created, modified FROM manifest_imports "

func scanImport(row scanner) (provisioning.ImportJob, error) {
	var j provisioning.ImportJob
	err := row(&j.ID, &j.Name, &j.Format, &j.Signers, &j.Policy, &j.ThingType, &j.Group, &j.NameCase, &j.Certificates,
		&j.Source.Bucket, &j.Source.Key, &j.Source.RoleARN, &j.Status, &j.Message, &j.New, &j.Unchanged, &j.Failed, &j.Uploaded, &j.Size, &j.Done,
		timeColumn{&j.Created}, timeColumn{&j.Modified})
	return j, err
}

func (p provisioningTx) ImportJob(id string) (provisioning.ImportJob, bool, error) {
	return atMostOne(list(p.tx, importColumns+"WHERE account = ? AND id = ?", []any{p.account, id}, scanImport))
}

func (p provisioningTx) PutImportJob(j provisioning.ImportJob) error {
	_, err := p.tx.exec("INSERT INTO manifest_imports (account, id, name, format, signers, policy, thing_type, thing_group, name_case, "+
		"certificates, source_bucket, source_key, source_role, status, message, made, unchanged, failed, uploaded, size, done, created, modified) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET status = excluded.status, message = excluded.message, made = excluded.made, "+
		"unchanged = excluded.unchanged, failed = excluded.failed, uploaded = excluded.uploaded, size = excluded.size, done = excluded.done, modified = excluded.modified",
		p.account, j.ID, j.Name, string(j.Format), j.Signers, j.Policy, j.ThingType, j.Group, string(j.NameCase),
		j.Certificates, j.Source.Bucket, j.Source.Key, j.Source.RoleARN, string(j.Status), j.Message, j.New, j.Unchanged, j.Failed,
		j.Uploaded, j.Size, j.Done, toMillis(j.Created), toMillis(j.Modified))
	return err
}

func (p provisioningTx) DeleteImportJob(id string) error {
	_, err := p.tx.exec("DELETE FROM manifest_imports WHERE account = ? AND id = ?", p.account, id)
	return err
}

func (p provisioningTx) ImportJobs(status provisioning.TaskStatus, after provisioning.TaskKey, limit int) ([]provisioning.ImportJob, error) {
	at := toMillis(after.Created)
	if after.ID == "" {
		at = math.MaxInt64
	}
	const page = "(created, id) < (?, ?) ORDER BY created DESC, id DESC LIMIT ?"
	if status == "" {
		return list(p.tx, importColumns+"WHERE account = ? AND "+page, []any{p.account, at, after.ID, limit}, scanImport)
	}
	return list(p.tx, importColumns+"WHERE account = ? AND status = ? AND "+page,
		[]any{p.account, string(status), at, after.ID, limit}, scanImport)
}

func (p provisioningTx) PutOutcome(job string, o provisioning.Outcome) error {
	_, err := p.tx.exec("INSERT INTO provisioning_outcomes (account, job, line, state, text) VALUES (?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, job, line) DO UPDATE SET state = excluded.state, text = excluded.text",
		p.account, job, o.Line, string(o.State), o.Text)
	return err
}

func scanOutcome(row scanner) (provisioning.Outcome, error) {
	var o provisioning.Outcome
	err := row(&o.Line, &o.State, &o.Text)
	return o, err
}

func (p provisioningTx) Outcomes(job string, state provisioning.OutcomeState, after, limit int) ([]provisioning.Outcome, error) {
	const columns = "SELECT line, state, text FROM provisioning_outcomes WHERE account = ? AND job = ? AND line > ? "
	if state == "" {
		return list(p.tx, columns+"ORDER BY line LIMIT ?", []any{p.account, job, after, limit}, scanOutcome)
	}
	return list(p.tx, columns+"AND state = ? ORDER BY line LIMIT ?", []any{p.account, job, after, string(state), limit}, scanOutcome)
}

func (p provisioningTx) CountOutcomes(job string) (map[provisioning.OutcomeState]int, error) {
	counts := map[provisioning.OutcomeState]int{}
	err := p.tx.each("SELECT state, COUNT(*) FROM provisioning_outcomes WHERE account = ? AND job = ? GROUP BY state",
		[]any{p.account, job}, func(row func(dest ...any) error) error {
			var state provisioning.OutcomeState
			var n int
			err := row(&state, &n)
			counts[state] = n
			return err
		})
	return counts, err
}

func (p provisioningTx) DeleteOutcomes(job string, limit int) (int, error) {
	n, err := p.tx.exec("DELETE FROM provisioning_outcomes WHERE account = ? AND job = ? AND line IN "+
		"(SELECT line FROM provisioning_outcomes WHERE account = ? AND job = ? ORDER BY line LIMIT ?)",
		p.account, job, p.account, job, limit)
	return int(n), err
}

func (p provisioningTx) NextJob(after string) (job string, err error) {
	_, err = p.tx.get("SELECT job FROM provisioning_outcomes WHERE account = ? AND job > ? ORDER BY job LIMIT 1",
		[]any{p.account, after}, &job)
	return job, err
}

func (p provisioningTx) PutManifestPart(id string, number int, data []byte) error {
	_, err := p.tx.exec("INSERT INTO manifest_parts (account, import, number, size, data) VALUES (?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, import, number) DO UPDATE SET size = excluded.size, data = excluded.data",
		p.account, id, number, len(data), data)
	return err
}

func (p provisioningTx) ManifestParts(id string) ([]provisioning.ManifestPart, error) {
	return list(p.tx, "SELECT number, size FROM manifest_parts WHERE account = ? AND import = ? ORDER BY number", []any{p.account, id},
		func(row func(dest ...any) error) (part provisioning.ManifestPart, err error) {
			err = row(&part.Number, &part.Size)
			return part, err
		})
}

func (p provisioningTx) ManifestPartSize(id string, number int) (size int, err error) {
	_, err = p.tx.get("SELECT size FROM manifest_parts WHERE account = ? AND import = ? AND number = ?", []any{p.account, id, number}, &size)
	return size, err
}

func (p provisioningTx) ManifestPart(id string, number int) (data []byte, found bool, err error) {
	found, err = p.tx.get("SELECT data FROM manifest_parts WHERE account = ? AND import = ? AND number = ?", []any{p.account, id, number}, &data)
	return data, found, err
}

func (p provisioningTx) DeleteManifestParts(id string, limit int) (int, error) {
	n, err := p.tx.exec("DELETE FROM manifest_parts WHERE account = ? AND import = ? AND number IN "+
		"(SELECT number FROM manifest_parts WHERE account = ? AND import = ? ORDER BY number LIMIT ?)",
		p.account, id, p.account, id, limit)
	return int(n), err
}

func (p provisioningTx) NextManifest(after string) (id string, err error) {
	_, err = p.tx.get("SELECT import FROM manifest_parts WHERE account = ? AND import > ? ORDER BY import LIMIT 1",
		[]any{p.account, after}, &id)
	return id, err
}
