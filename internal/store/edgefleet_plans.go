package store

import "thingd/internal/edgefleet"

const planColumns = "name, fleet_name, models, created, modified"

func scanPlan(row scanner) (p edgefleet.Plan, err error) {
	return p, row(&p.Name, &p.Fleet, jsonColumn{&p.Models}, timeColumn{&p.Created}, timeColumn{&p.Modified})
}

func (e edgeTx) Plan(name string) (edgefleet.Plan, bool, error) {
	return atMostOne(list(e.tx, "SELECT "+planColumns+" FROM edge_plans WHERE account = ? AND id = ?",
		[]any{e.account, edgefleet.Key(name)}, scanPlan))
}

func (e edgeTx) PutPlan(p edgefleet.Plan) error {
	_, err := e.tx.exec("INSERT INTO edge_plans (account, id, fleet, "+planColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET modified = excluded.modified",
		e.account, edgefleet.Key(p.Name), edgefleet.Key(p.Fleet), p.Name, p.Fleet, toJSON(p.Models), toMillis(p.Created), toMillis(p.Modified))
	return err
}

func (e edgeTx) DeletePlan(name string) error {
	for _, query := range []string{
		"DELETE FROM edge_deployments WHERE account = ? AND plan = ?",
		"DELETE FROM edge_stages WHERE account = ? AND plan = ?",
		"DELETE FROM edge_plans WHERE account = ? AND id = ?",
	} {
		if _, err := e.tx.exec(query, e.account, edgefleet.Key(name)); err != nil {
			return err
		}
	}
	return nil
}

func (e edgeTx) HasPlans(fleet string) (bool, error) {
	var id string
	return e.tx.get("SELECT id FROM edge_plans WHERE account = ? AND fleet = ? LIMIT 1", []any{e.account, edgefleet.Key(fleet)}, &id)
}

const stageColumns = "plan_name, number, name, selection, on_failure, status, message, started, success, pending, failed"

func scanStage(row scanner) (g edgefleet.Stage, err error) {
	return g, row(&g.Plan, &g.Number, &g.Name, jsonColumn{&g.Selection}, &g.OnFailure, &g.Status, &g.Message,
		timeColumn{&g.Started}, &g.Success, &g.Pending, &g.Failed)
}

func (e edgeTx) Stages(plan string) ([]edgefleet.Stage, error) {
	return list(e.tx, "SELECT "+stageColumns+" FROM edge_stages WHERE account = ? AND plan = ? ORDER BY number",
		[]any{e.account, edgefleet.Key(plan)}, scanStage)
}

func (e edgeTx) PutStage(g edgefleet.Stage) error {
	_, err := e.tx.exec("INSERT INTO edge_stages (account, plan, id, "+stageColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, plan, number) DO UPDATE SET status = excluded.status, message = excluded.message, started = excluded.started, "+
		"success = excluded.success, pending = excluded.pending, failed = excluded.failed",
		e.account, edgefleet.Key(g.Plan), edgefleet.Key(g.Name), g.Plan, g.Number, g.Name, toJSON(g.Selection), g.OnFailure,
		string(g.Status), g.Message, toMillis(g.Started), g.Success, g.Pending, g.Failed)
	return err
}

func (e edgeTx) DeleteStage(plan, stage string) error {
	for _, query := range []string{
		"DELETE FROM edge_deployments WHERE account = ? AND plan = ? AND stage = ?",
		"DELETE FROM edge_stages WHERE account = ? AND plan = ? AND id = ?",
	} {
		if _, err := e.tx.exec(query, e.account, edgefleet.Key(plan), edgefleet.Key(stage)); err != nil {
			return err
		}
	}
	return nil
}

const edgeDeploymentColumns = "plan_name, stage_name, fleet_name, device_name, status, message, started"

func scanEdgeDeployment(row scanner) (d edgefleet.Deployment, err error) {
	return d, row(&d.Plan, &d.Stage, &d.Fleet, &d.Device, &d.Status, &d.Message, timeColumn{&d.Started})
}

func (e edgeTx) Deployment(plan, device string) (edgefleet.Deployment, bool, error) {
	return atMostOne(list(e.tx, "SELECT "+edgeDeploymentColumns+" FROM edge_deployments WHERE account = ? AND plan = ? AND device = ?",
		[]any{e.account, edgefleet.Key(plan), edgefleet.Key(device)}, scanEdgeDeployment))
}

func (e edgeTx) PutDeployment(d edgefleet.Deployment) error {
	_, err := e.tx.exec("INSERT INTO edge_deployments (account, plan, stage, fleet, device, "+edgeDeploymentColumns+") "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, plan, device) DO UPDATE SET "+
		"stage = excluded.stage, stage_name = excluded.stage_name, status = excluded.status, message = excluded.message, started = excluded.started",
		e.account, edgefleet.Key(d.Plan), edgefleet.Key(d.Stage), edgefleet.Key(d.Fleet), edgefleet.Key(d.Device),
		d.Plan, d.Stage, d.Fleet, d.Device, string(d.Status), d.Message, toMillis(d.Started))
	return err
}

func (e edgeTx) DeleteDeployment(plan, device string) error {
	_, err := e.tx.exec("DELETE FROM edge_deployments WHERE account = ? AND plan = ? AND device = ?",
		e.account, edgefleet.Key(plan), edgefleet.Key(device))
	return err
}

const (
	deploymentsOfStage = "SELECT " + edgeDeploymentColumns + " FROM edge_deployments " +
		"WHERE account = ? AND plan = ? AND stage = ? AND device > ? ORDER BY device LIMIT ?"
	deploymentsOfDevice = "SELECT " + edgeDeploymentColumns + " FROM edge_deployments " +
		"WHERE account = ? AND fleet = ? AND device = ? ORDER BY plan"
)

func (e edgeTx) Deployments(plan, stage, after string, limit int) ([]edgefleet.Deployment, error) {
	return list(e.tx, deploymentsOfStage, []any{e.account, edgefleet.Key(plan), edgefleet.Key(stage), after, limit}, scanEdgeDeployment)
}

func (e edgeTx) DeploymentsOf(fleet, device string) ([]edgefleet.Deployment, error) {
	return list(e.tx, deploymentsOfDevice, []any{e.account, edgefleet.Key(fleet), edgefleet.Key(device)}, scanEdgeDeployment)
}
