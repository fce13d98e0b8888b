package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"thingd/internal/rules"
)

// ruleMetrics shows what rules do, by rule and action.
type ruleMetrics struct{ stats func() rules.Stats }

var _ prometheus.Collector = ruleMetrics{}

var (
	ruleMatched   = ruleDesc("rule_matched_total", "Messages that a rule's filter selected.", "rule")
	ruleExecuted  = ruleDesc("rule_executed_total", "Statements run.", "rule")
	ruleUnparsed  = ruleDesc("rule_parse_errors_total", "Payloads that were not JSON.", "rule")
	ruleThrottled = ruleDesc("rule_throttled_total", "Messages of QoS 0 dropped because too many waited in memory.", "rule")
	ruleDropped   = ruleDesc("rule_dropped_total", "Messages of QoS 1 and 2 dropped because too many waited on disk.", "rule")
	ruleFailed    = ruleDesc("rule_statement_failures_total", "Statements that failed.", "rule")
	actionDone    = ruleDesc("rule_action_success_total", "Actions that succeeded.", "rule", "action")
	actionFailed  = ruleDesc("rule_action_failure_total", "Actions that failed for good.", "rule", "action")
	rulesMissing  = ruleDesc("rule_not_found_total", "Basic Ingest messages for rules that do not run.")
	rulesOrphaned = ruleDesc("rule_orphaned_total", "Messages dropped because their rule was deleted or disabled while they waited.")
	rulesWaiting  = ruleDesc("rule_queue_messages", "Messages that wait for their rules in memory.")
	rulesOwed     = ruleDesc("rule_unfinished_messages", "Messages of QoS 1 and 2 that wait for a rule, on disk too, or are in work.")
	rulesOwedSize = ruleDesc("rule_unfinished_bytes", "Payload bytes of messages of QoS 1 and 2 that wait for a rule or are in work.")
)

func ruleDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("thingd_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (m ruleMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		ruleMatched, ruleExecuted, ruleUnparsed, ruleThrottled, ruleDropped, ruleFailed, actionDone, actionFailed,
		rulesMissing, rulesOrphaned, rulesWaiting, rulesOwed, rulesOwedSize,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m ruleMetrics) Collect(out chan<- prometheus.Metric) {
	all := m.stats()
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	count(rulesMissing, all.NotFound)
	count(rulesOrphaned, all.Orphaned)
	gauge := func(d *prometheus.Desc, n int) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	gauge(rulesWaiting, all.Waiting)
	gauge(rulesOwed, all.Owed)
	gauge(rulesOwedSize, all.OwedBytes)
	for rule, c := range all.Rules {
		count(ruleMatched, c.TopicMatch, rule)
		count(ruleExecuted, c.Executed, rule)
		count(ruleUnparsed, c.ParseError, rule)
		count(ruleThrottled, c.Throttled, rule)
		count(ruleDropped, c.Dropped, rule)
		count(ruleFailed, c.StatementFailed, rule)
		for action, a := range c.Actions {
			count(actionDone, a.Success, rule, action)
			count(actionFailed, a.Failure, rule, action)
		}
	}
}
