package console

// homePage is what the front page shows beside its charts.
type homePage struct {
	Connections, Sessions, In, Out, Rules, Refused int64
	Charts                                         []chart // none where the visitor may not see the metrics
}

// chart is one diagram over the last hour.
type chart struct {
	Title, Unit string
	Lines       []line
}

// line is a member of the samples, and what it is called.
type line struct{ Member, Label string }

func (v *visit) home() error {
	now, stats := v.count(), v.Broker.Stats()
	page := homePage{
		Connections: stats.Connections.Load(), Sessions: stats.Sessions.Load(), In: now.in, Out: now.out, Rules: now.rules, Refused: now.refused,
	}
	if v.mayWatch() == nil {
		page.Charts = v.charts()
	}
	return v.render("home", page)
}

func (v *visit) charts() []chart {
	perSecond := v.text("home.persecond")
	return []chart{
		{v.text("home.connections"), "", []line{{"connections", v.text("home.connected")}, {"sessions", v.text("home.sessions")}}},
		{v.text("home.messages"), perSecond, []line{{"in", v.text("home.in")}, {"out", v.text("home.out")}}},
		{v.text("home.rules"), perSecond, []line{{"rules", v.text("home.fired")}, {"failures", v.text("home.failures")}}},
		{v.text("home.trouble"), perSecond, []line{{"refused", v.text("home.refused")}, {"dropped", v.text("home.dropped")}}},
		{v.text("home.latency"), "ms", []line{{"half", v.text("home.half")}, {"most", v.text("home.most")}}},
	}
}

var overviewRoutes = []route{{"GET /console/overview/stream", (*visit).overviewStream}}
