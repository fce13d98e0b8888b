package store

import (
	"context"

	"thingd/internal/edgefleet"
)

// EdgeFleets keeps what package edgefleet asks for, of one account.
type EdgeFleets struct {
	db      *DB
	account string
}

var _ edgefleet.Store = (*EdgeFleets)(nil)

// EdgeFleets gives the device fleets of an account.
func (db *DB) EdgeFleets(account string) *EdgeFleets { return &EdgeFleets{db, account} }

// View runs fn on a snapshot.
func (e *EdgeFleets) View(ctx context.Context, fn func(edgefleet.Tx) error) error {
	return e.db.View(ctx, func(tx *Tx) error { return fn(edgeTx{credentialsTx{registryTx{tx, e.account}}}) })
}

// Update runs fn in a write transaction.
func (e *EdgeFleets) Update(ctx context.Context, fn func(edgefleet.Tx) error) error {
	return e.db.Update(ctx, func(tx *Tx) error { return fn(edgeTx{credentialsTx{registryTx{tx, e.account}}}) })
}

// edgeTx is one transaction of an account; edgefleet_devices.go,
// edgefleet_plans.go and edgefleet_lists.go have the rest of it. Tags and role
// aliases are the others' own.
type edgeTx struct{ credentialsTx }

var _ edgefleet.Tx = edgeTx{}

const fleetColumns = "name, description, role_arn, role_alias, output, created, modified"

func scanFleet(row scanner) (f edgefleet.Fleet, err error) {
	return f, row(&f.Name, &f.Description, &f.RoleARN, &f.RoleAlias, jsonColumn{&f.Output}, timeColumn{&f.Created}, timeColumn{&f.Modified})
}

func (e edgeTx) Fleet(name string) (edgefleet.Fleet, bool, error) {
	return atMostOne(list(e.tx, "SELECT "+fleetColumns+" FROM edge_fleets WHERE account = ? AND id = ?",
		[]any{e.account, edgefleet.Key(name)}, scanFleet))
}

func (e edgeTx) PutFleet(f edgefleet.Fleet) error {
	_, err := e.tx.exec("INSERT INTO edge_fleets (account, id, "+fleetColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET description = excluded.description, role_arn = excluded.role_arn, "+
		"role_alias = excluded.role_alias, output = excluded.output, modified = excluded.modified",
		e.account, edgefleet.Key(f.Name), f.Name, f.Description, f.RoleARN, f.RoleAlias, toJSON(f.Output), toMillis(f.Created), toMillis(f.Modified))
	return err
}

func (e edgeTx) DeleteFleet(name string) error {
	_, err := e.tx.exec("DELETE FROM edge_fleets WHERE account = ? AND id = ?", e.account, edgefleet.Key(name))
	return err
}

const edgeJobColumns = "name, compilation_job, model, version, role_arn, output, resource_key, status, message, artifact, sha1, created, modified"

func scanEdgeJob(row scanner) (j edgefleet.Job, err error) {
	return j, row(&j.Name, &j.CompilationJob, &j.Model, &j.Version, &j.RoleARN, jsonColumn{&j.Output}, &j.ResourceKey,
		&j.Status, &j.Message, &j.Artifact, &j.SHA1, timeColumn{&j.Created}, timeColumn{&j.Modified})
}

func (e edgeTx) Job(name string) (edgefleet.Job, bool, error) {
	return atMostOne(list(e.tx, "SELECT "+edgeJobColumns+" FROM edge_packaging_jobs WHERE account = ? AND id = ?",
		[]any{e.account, edgefleet.Key(name)}, scanEdgeJob))
}

func (e edgeTx) PutJob(j edgefleet.Job) error {
	_, err := e.tx.exec("INSERT INTO edge_packaging_jobs (account, id, model_id, "+edgeJobColumns+") "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET status = excluded.status, message = excluded.message, "+
		"artifact = excluded.artifact, sha1 = excluded.sha1, modified = excluded.modified",
		e.account, edgefleet.Key(j.Name), edgefleet.Key(j.Model), j.Name, j.CompilationJob, j.Model, j.Version, j.RoleARN, toJSON(j.Output),
		j.ResourceKey, string(j.Status), j.Message, j.Artifact, j.SHA1, toMillis(j.Created), toMillis(j.Modified))
	return err
}

const unfinishedJobs = "SELECT " + edgeJobColumns + " FROM edge_packaging_jobs " +
	"WHERE account = ? AND status IN ('STARTING', 'INPROGRESS', 'STOPPING') LIMIT 1"

func (e edgeTx) UnfinishedJob() (edgefleet.Job, bool, error) {
	return atMostOne(list(e.tx, unfinishedJobs, []any{e.account}, scanEdgeJob))
}
