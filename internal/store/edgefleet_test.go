package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"thingd/internal/edgefleet"
)

var edgeTime = time.UnixMilli(1_700_000_000_123).UTC()

func edgeUpdate(t *testing.T, db *DB, fn func(tx edgefleet.Tx) []error) {
	t.Helper()
	err := db.EdgeFleets(testAccount).Update(context.Background(), func(tx edgefleet.Tx) error {
		for _, err := range fn(tx) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEdgeFleetsKeepWhatIsPut(t *testing.T) {
	at, later := edgeTime, edgeTime.Add(time.Hour)
	output := edgefleet.Output{S3Location: "s3://b/x", KMSKeyID: "k", PresetType: "GreengrassV2Component", PresetConfig: "{}"}
	fleet := edgefleet.Fleet{Name: "F", Description: "d", RoleARN: "r", RoleAlias: "a", Output: output, Created: at, Modified: later}
	device := edgefleet.Device{Fleet: "F", Name: "D", Description: "d", Thing: "t", Registered: at, Heartbeat: later, AgentVersion: "1"}
	models := []edgefleet.Model{{Name: "m", Version: "1", Sampled: at, Inferred: later}, {Name: "m", Version: "2"}}
	job := edgefleet.Job{Name: "J", CompilationJob: "c", Model: "m", Version: "1", RoleARN: "r", Output: output, ResourceKey: "k",
		Status: edgefleet.JobStarting, Message: "x", Artifact: "s3://b/k", SHA1: "00", Created: at, Modified: later}
	plan := edgefleet.Plan{Name: "P", Fleet: "F", Models: []edgefleet.PlannedModel{{Handle: "h", Job: "J"}}, Created: at, Modified: later}
	stage := edgefleet.Stage{Plan: "P", Number: 2, Name: "S", Selection: edgefleet.Selection{Type: "SELECTION", Names: []string{"D"}},
		OnFailure: "DO_NOTHING", Status: edgefleet.StageInProgress, Message: "x", Started: at, Success: 1, Pending: 2, Failed: 3}
	deployment := edgefleet.Deployment{Plan: "P", Stage: "S", Fleet: "F", Device: "D", Status: edgefleet.DeviceInProgress, Message: "x", Started: at}
	eachEngine(t, func(t *testing.T, db *DB) {
		for range 2 { // to insert and to replace
			edgeUpdate(t, db, func(tx edgefleet.Tx) []error {
				return []error{tx.PutFleet(fleet), tx.PutDevice(device), tx.PutModels("f", "d", models), tx.PutJob(job),
					tx.PutPlan(plan), tx.PutStage(stage), tx.PutDeployment(deployment)}
			})
		}
		edgeUpdate(t, db, func(tx edgefleet.Tx) []error {
			same(t, fleet)(tx.Fleet("f"))
			withModels := device
			withModels.Models = models
			same(t, withModels)(tx.Device("f", "d"))
			same(t, job)(tx.Job("j"))
			same(t, job)(tx.UnfinishedJob())
			same(t, plan)(tx.Plan("p"))
			stages, err := tx.Stages("p")
			same(t, []edgefleet.Stage{stage})(stages, true, err)
			same(t, deployment)(tx.Deployment("p", "d"))
			rows, err := tx.Deployments("p", "s", "", 10)
			same(t, []edgefleet.Deployment{deployment})(rows, true, err)
			rows, err = tx.Deployments("p", "s", "d", 10)
			same(t, []edgefleet.Deployment{})(rows, true, err)
			rows, err = tx.DeploymentsOf("F", "D")
			same(t, []edgefleet.Deployment{deployment})(rows, true, err)
			has, err := tx.HasPlans("F")
			same(t, true)(has, true, err)
			all, alive, err := tx.CountDevices("F", later)
			same(t, []int64{1, 1})([]int64{all, alive}, true, err)
			agents, err := tx.CountAgents("F")
			same(t, []edgefleet.AgentCount{{Version: "1", Count: 1}})(agents, true, err)
			counts, err := tx.CountModels("F", later)
			same(t, []edgefleet.ModelCount{{Name: "m", Version: "1", Connected: 1, Active: 1}, {Name: "m", Version: "2", Connected: 1}})(counts, true, err)
			return []error{tx.DeleteDeployment("p", "d"), tx.PutDeployment(deployment), tx.DeleteStage("p", "s"),
				tx.PutStage(stage), tx.PutDeployment(deployment), tx.DeletePlan("p"), tx.DeleteDevice("f", "d"), tx.DeleteFleet("f")}
		})
		edgeUpdate(t, db, func(tx edgefleet.Tx) []error {
			stages, err := tx.Stages("P")
			same(t, []edgefleet.Stage{})(stages, true, err)
			rows, err := tx.DeploymentsOf("F", "D")
			same(t, []edgefleet.Deployment{})(rows, true, err)
			counts, err := tx.CountModels("F", at)
			same(t, []edgefleet.ModelCount{})(counts, true, err)
			return nil
		})
	})
}

// edgeQueries are all ways to select and sort.
func edgeQueries(sorts ...edgefleet.Sort) []edgefleet.Query {
	all := []edgefleet.Query{{
		Contains: "a_%!", CreatedAfter: edgeTime, CreatedBefore: edgeTime, ModifiedAfter: edgeTime, ModifiedBefore: edgeTime, Limit: 1,
	}}
	for _, by := range append(sorts, edgefleet.ByName, edgefleet.ByCreation, edgefleet.ByChange) {
		value := "x"
		if by == edgefleet.ByCreation || by == edgefleet.ByChange {
			value = "1700000000123"
		}
		for _, down := range []bool{false, true} {
			all = append(all, edgefleet.Query{Sort: by, Descending: down, Limit: 2},
				edgefleet.Query{Sort: by, Descending: down, Limit: 2, After: &edgefleet.Place{Value: value, Key: "x"}})
		}
	}
	return all
}

func TestEdgeListsRunOnBothEngines(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		edgeUpdate(t, db, func(tx edgefleet.Tx) (errs []error) {
			for _, q := range edgeQueries() {
				_, err := tx.Fleets(q)
				errs = append(errs, err)
			}
			for _, q := range edgeQueries(edgefleet.ByModel, edgefleet.ByStatus) {
				q.Status, q.ModelContains = edgefleet.JobFailed, "m"
				_, err := tx.Jobs(q)
				errs = append(errs, err)
			}
			for _, q := range edgeQueries(edgefleet.ByFleet) {
				q.FleetContains = "f"
				_, err := tx.Plans(q)
				errs = append(errs, err)
			}
			for _, q := range []edgefleet.DeviceQuery{{Limit: 1}, {Fleet: "f", Contains: "a", HeartbeatAfter: edgeTime, Model: "m", AfterFleet: "f", AfterDevice: "a", Limit: 1}} {
				_, err := tx.Devices(q)
				errs = append(errs, err)
			}
			return errs
		})
	})
}

func TestEdgeListingsAreIndexed(t *testing.T) {
	db := openTest(t, t.TempDir()+"/thingd.db")
	var queries []string
	for _, q := range edgeQueries()[1:] {
		text, _ := fleetList.query(q)
		queries = append(queries, text)
	}
	for _, q := range edgeQueries(edgefleet.ByModel, edgefleet.ByStatus)[1:] {
		text, _ := edgeJobList.query(q)
		queries = append(queries, text)
	}
	for _, q := range edgeQueries(edgefleet.ByFleet)[1:] {
		text, _ := planList.query(q)
		queries = append(queries, text)
	}
	for _, q := range []edgefleet.DeviceQuery{{}, {Fleet: "f"}, {Fleet: "f", Model: "m"}} {
		text, _ := edgeDeviceQuery(q)
		queries = append(queries, text)
	}
	queries = append(queries, unfinishedJobs, modelsOfDevices, deploymentsOfStage, deploymentsOfDevice)
	for _, query := range queries {
		if plan := queryPlan(t, db, query); strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes %s", query, plan)
		}
	}
}
