package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"thingd/internal/bridge"
	"thingd/internal/broker"
	"thingd/internal/rules"
)

// AccountStats is what is measured of an account.
type AccountStats struct {
	Account string
	Broker  *broker.Stats
	Rules   rules.Stats
	Bridge  []bridge.View
}

// accountMetrics shows further accounts under the names that the first one has,
// with a label that the first one lacks: what watches a server with one account
// need not change, and sums are over all. Accounts come and go, so nothing is
// described beforehand; Prometheus's library allows the missing label for that.
type accountMetrics struct{ all func() []AccountStats }

var _ prometheus.Collector = accountMetrics{}

// Describe implements prometheus.Collector.
func (accountMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m accountMetrics) Collect(out chan<- prometheus.Metric) {
	if m.all == nil {
		return
	}
	for _, a := range m.all() {
		for _, part := range []prometheus.Collector{
			brokerMetrics{a.Broker},
			ruleMetrics{func() rules.Stats { return a.Rules }},
			bridgeMetrics{func() []bridge.View { return a.Bridge }},
		} {
			prometheus.WrapCollectorWith(prometheus.Labels{"account": a.Account}, part).Collect(out)
		}
	}
}

// brokerMetrics shows one broker.
type brokerMetrics struct{ stats *broker.Stats }

// Describe implements prometheus.Collector.
func (brokerMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m brokerMetrics) Collect(out chan<- prometheus.Metric) {
	show := func(one metric, suffix string, kind prometheus.ValueType) {
		desc := prometheus.NewDesc("thingd_"+one.name+suffix, one.help, nil, nil)
		out <- prometheus.MustNewConstMetric(desc, kind, float64(one.value()))
	}
	for _, one := range gauges(m.stats) {
		show(one, "", prometheus.GaugeValue)
	}
	for _, one := range brokerCounters(m.stats) {
		show(one, "_total", prometheus.CounterValue)
	}
}
