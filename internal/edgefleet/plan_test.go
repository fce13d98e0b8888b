package edgefleet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"thingd/internal/edgefleet"
	"thingd/internal/registry"
)

// site is a fleet f of devices with a plan p of one packaged model.
func site(t *testing.T, devices []string, stages ...edgefleet.Stage) *house {
	t.Helper()
	h := open(t)
	h.role()
	h.fleet("f", devices...)
	h.shelf.objects["models/out/model-1.0.tar.gz"] = "abc"
	stop := h.work()
	h.ok(h.CreateJob(t.Context(), job("j"), nil))
	h.over("j")
	stop()
	h.ok(h.CreatePlan(t.Context(), edgefleet.Plan{Name: "p", Fleet: "F", Models: []edgefleet.PlannedModel{{Handle: "eye", Job: "j"}}}, stages, nil))
	return h
}

func named(stage string, names ...string) edgefleet.Stage {
	return edgefleet.Stage{Name: stage, Selection: edgefleet.Selection{Type: "SELECTION", Names: names}}
}

func percent(stage string, n int) edgefleet.Stage {
	return edgefleet.Stage{Name: stage, Selection: edgefleet.Selection{Type: "PERCENTAGE", Percentage: n}}
}

func containing(stage, part string) edgefleet.Stage {
	return edgefleet.Stage{Name: stage, Selection: edgefleet.Selection{Type: "NAMECONTAINS", Contains: part}}
}

// state sums the stages of plan p up: "name STATUS success/pending/failed".
func (h *house) state() string {
	h.t.Helper()
	_, stages, err := h.Plan(h.t.Context(), "P")
	h.ok(err)
	var all []string
	for _, g := range stages {
		all = append(all, fmt.Sprintf("%s %s %d/%d/%d", g.Name, g.Status, g.Success, g.Pending, g.Failed))
	}
	return strings.Join(all, ", ")
}

// devices lists the devices of a stage of plan p: "name STATUS".
func (h *house) devices(stage string, onlyFree bool) string {
	h.t.Helper()
	return pages(h, func(d edgefleet.StageDevice) string {
		where := ""
		if d.DeployedIn != "" && d.DeployedIn != stage {
			where = "@" + d.DeployedIn
		}
		return d.Deployment.Device + where + ":" + string(d.Status)
	}, func(p registry.Page) ([]edgefleet.StageDevice, string, error) {
		return h.StageDevices(h.t.Context(), "p", stage, onlyFree, p)
	})
}

func (h *house) reports(device, status string) {
	h.t.Helper()
	h.beat("f", device, &edgefleet.Result{Deployment: "p", Status: status, Message: "because"})
}

func TestDeploymentFromStartToEnd(t *testing.T) {
	h, ctx := site(t, []string{"a", "b", "c"}, named("one", "C", "a", "gone")), t.Context()
	same(t, "one READYTODEPLOY 0/0/0", h.state())
	same(t, "a:READYTODEPLOY c:READYTODEPLOY", h.devices("one", false))

	h.ok(h.StartStage(ctx, "p", "one"))
	h.ok(h.StartStage(ctx, "p", "ONE")) // it is on its way
	same(t, "one INPROGRESS 0/2/0", h.state())
	orders, err := h.Orders(ctx, "F", "A")
	h.ok(err)
	same(t, []edgefleet.Order{{Plan: "p", OnFailure: "DO_NOTHING", Models: []edgefleet.OrderedModel{
		{Handle: "eye", Artifact: "s3://models/out/model-1.0.tar.gz", SHA1: "a9993e364706816aba3e25717850c26c9cd0d89d"},
	}}}, orders)
	orders, err = h.Orders(ctx, "f", "b")
	h.ok(err)
	same(t, 0, len(orders))

	h.reports("a", "INPROGRESS")
	same(t, "one INPROGRESS 0/2/0", h.state())
	h.reports("a", "SUCCESS")
	h.reports("a", "FAIL") // nobody asks any more
	h.reports("b", "SUCCESS")
	same(t, "one INPROGRESS 1/1/0", h.state())
	h.reports("c", "success")
	same(t, "one DEPLOYED 2/0/0", h.state())
	same(t, "a:DEPLOYED c:DEPLOYED", h.devices("one", false))
	orders, err = h.Orders(ctx, "f", "a")
	h.ok(err)
	same(t, 0, len(orders))
	h.refused(h.StartStage(ctx, "p", "one"), "InvalidRequest: Stage one is deployed already")
}

func TestStageThatFailsCanBeStartedAgain(t *testing.T) {
	h, ctx := site(t, []string{"a", "b"}, percent("all", 100)), t.Context()
	h.ok(h.StartStage(ctx, "p", "all"))
	h.reports("a", "SUCCESS")
	h.reports("b", "FAIL")
	same(t, "all FAILED 1/0/1", h.state())
	h.ok(h.StartStage(ctx, "p", "all"))
	same(t, "all INPROGRESS 1/1/0", h.state())
	same(t, "a:DEPLOYED b:INPROGRESS", h.devices("all", false))
	h.reports("b", "SUCCESS")
	same(t, "all DEPLOYED 2/0/0", h.state())
}

func TestStages(t *testing.T) {
	h, ctx := site(t, []string{"aa", "ab", "ba", "bb"}, containing("one", "A"), percent("half", 50), percent("rest", 100)), t.Context()
	same(t, "aa:READYTODEPLOY ab:READYTODEPLOY ba:READYTODEPLOY", h.devices("one", false))
	same(t, "aa:READYTODEPLOY ab:READYTODEPLOY", h.devices("half", false))
	h.ok(h.StartStage(ctx, "p", "half"))
	same(t, "aa@half:INPROGRESS ab@half:INPROGRESS ba:READYTODEPLOY", h.devices("one", false))
	same(t, "ba:READYTODEPLOY", h.devices("one", true))
	h.refused(h.DeleteStage(ctx, "p", "half"), "DeleteConflict: Stage half of edge deployment plan p is in progress")
	h.refused(h.DeletePlan(ctx, "p"), "DeleteConflict: Stage half of edge deployment plan p is in progress")

	h.reports("aa", "SUCCESS")
	h.ok(h.StopStage(ctx, "p", "half"))
	h.ok(h.StopStage(ctx, "p", "half"))
	same(t, "one READYTODEPLOY 0/0/0, half STOPPED 1/0/0, rest READYTODEPLOY 0/0/0", h.state())
	orders, err := h.Orders(ctx, "f", "ab")
	h.ok(err)
	same(t, 0, len(orders))

	h.ok(h.StartStage(ctx, "p", "one")) // takes what was stopped, not what was deployed
	same(t, "one INPROGRESS 0/2/0, half STOPPED 1/0/0, rest READYTODEPLOY 0/0/0", h.state())
	same(t, "ab:INPROGRESS ba:INPROGRESS", h.devices("one", false))
	h.ok(h.Deregister(ctx, "f", []string{"ab"}))
	h.reports("ba", "whatever")
	same(t, "one FAILED 0/0/1, half STOPPED 1/0/0, rest READYTODEPLOY 0/0/0", h.state())
	h.ok(h.DeleteStage(ctx, "p", "one"))
	h.ok(h.StartStage(ctx, "p", "rest"))
	same(t, "ba:INPROGRESS bb:INPROGRESS", h.devices("rest", false))
	h.ok(h.StopStage(ctx, "p", "rest"))
	h.refused(h.DeleteFleet(ctx, "f"), "DeleteConflict: Device fleet f has devices")
	h.ok(h.Deregister(ctx, "f", []string{"aa", "ba", "bb"}))
	h.refused(h.DeleteFleet(ctx, "f"), "DeleteConflict: Device fleet f has edge deployment plans")
	h.ok(h.DeletePlan(ctx, "p"))
	h.ok(h.DeleteFleet(ctx, "f"))
}

func TestPlanRefusals(t *testing.T) {
	h, ctx := site(t, []string{"a"}, named("one", "a")), t.Context()
	model := []edgefleet.PlannedModel{{Handle: "eye", Job: "j"}}
	waiting := job("waiting")
	h.ok(h.CreateJob(ctx, waiting, nil))
	h.ok(h.CreatePlan(ctx, edgefleet.Plan{Name: "early", Fleet: "f", Models: []edgefleet.PlannedModel{{Handle: "x", Job: "waiting"}}},
		[]edgefleet.Stage{named("one", "a")}, nil))
	var eleven []edgefleet.Stage
	for i := range 11 {
		eleven = append(eleven, named(fmt.Sprint("s", i), "a"))
	}
	plan := func(p edgefleet.Plan, stages ...edgefleet.Stage) error { return h.CreatePlan(ctx, p, stages, nil) }
	ok := edgefleet.Plan{Name: "q", Fleet: "f", Models: model}
	for title, test := range map[string]struct {
		err  error
		want string
	}{
		"taken":          {plan(edgefleet.Plan{Name: "P", Fleet: "f", Models: model}), "ResourceAlreadyExists: Edge deployment plan P already exists"},
		"no fleet":       {plan(edgefleet.Plan{Name: "q", Fleet: "no", Models: model}), "ResourceNotFound: Device fleet no does not exist"},
		"no job":         {plan(edgefleet.Plan{Name: "q", Fleet: "f", Models: []edgefleet.PlannedModel{{Handle: "x", Job: "no"}}}), "ResourceNotFound: Edge packaging job no does not exist"},
		"no model":       {plan(edgefleet.Plan{Name: "q", Fleet: "f"}), "InvalidRequest: a plan has 1 to 10 ModelConfigs, not 0"},
		"handle twice":   {plan(edgefleet.Plan{Name: "q", Fleet: "f", Models: append(model, model...)}), "InvalidRequest: two ModelConfigs have the ModelHandle eye"},
		"stage twice":    {plan(ok, named("s", "a"), named("S", "a")), "ResourceAlreadyExists: Stage S of edge deployment plan q already exists"},
		"eleven stages":  {plan(ok, eleven...), "LimitExceeded: a plan has at most 10 stages"},
		"no percentage":  {plan(ok, percent("s", 0)), "InvalidRequest: a selection of type PERCENTAGE"},
		"no names":       {plan(ok, named("s")), "InvalidRequest: a selection of type SELECTION"},
		"no part":        {plan(ok, containing("s", "")), "InvalidRequest: a selection of type NAMECONTAINS"},
		"stage of none":  {h.CreateStages(ctx, "no", nil), "ResourceNotFound: Edge deployment plan no does not exist"},
		"no such stage":  {h.StartStage(ctx, "p", "no"), "ResourceNotFound: Edge deployment plan p has no stage no"},
		"not packaged":   {h.StartStage(ctx, "early", "one"), "InvalidRequest: Edge packaging job waiting is STARTING, not COMPLETED"},
		"delete missing": {h.DeletePlan(ctx, "no"), "ResourceNotFound: "},
		"stop missing":   {h.StopStage(ctx, "p", "no"), "ResourceNotFound: "},
		"remove missing": {h.DeleteStage(ctx, "p", "no"), "ResourceNotFound: "},
	} {
		t.Run(title, func(t *testing.T) { h.refused(test.err, test.want) })
	}
	h.ok(h.Deregister(ctx, "f", []string{"a"}))
	h.refused(h.StartStage(ctx, "p", "one"), "InvalidRequest: Stage one selects no device of device fleet f")
	same(t, "one READYTODEPLOY 0/0/0", h.state())
}

func TestPlanLists(t *testing.T) {
	h, ctx := site(t, []string{"a"}, named("one", "a")), t.Context()
	h.fleet("E")
	h.now = h.now.Add(time.Second)
	h.ok(h.CreatePlan(ctx, edgefleet.Plan{Name: "o", Fleet: "e", Models: []edgefleet.PlannedModel{{Handle: "eye", Job: "j"}}}, nil, nil))
	h.now = h.now.Add(time.Second)
	h.ok(h.CreateStages(ctx, "p", []edgefleet.Stage{percent("two", 1)}))
	h.ok(h.StartStage(ctx, "p", "one"))
	for want, q := range map[string]edgefleet.Query{
		"p/f/1 o/E/0":  {},
		"o/E/0 p/f/1":  {Sort: edgefleet.ByFleet},
		"o/E/0 p/f/1 ": {Sort: edgefleet.ByChange},
		"o/E/0":        {FleetContains: "e"},
		"p/f/1":        {Contains: "P"},
	} {
		got := pages(h, func(p edgefleet.Summary) string { return fmt.Sprint(p.Name, "/", p.Fleet, "/", p.Pending) },
			func(p registry.Page) ([]edgefleet.Summary, string, error) { return h.Plans(ctx, q, p) })
		same(t, strings.TrimSpace(want), got)
	}
	_, stages, err := h.Plan(ctx, "p")
	h.ok(err)
	got := pages(h, func(g edgefleet.Stage) string { return g.Name }, func(p registry.Page) ([]edgefleet.Stage, string, error) {
		p.Size = 2
		return edgefleet.StagePage("p", stages, p)
	})
	same(t, "one two", got)
}
