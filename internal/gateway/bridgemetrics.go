package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"thingd/internal/bridge"
)

// bridgeMetrics shows what outbound integrations do. The label is the ID: names
// are people's to change.
type bridgeMetrics struct{ all func() []bridge.View }

var _ prometheus.Collector = bridgeMetrics{}

var (
	bridgeConnected = bridgeDesc("connected", "1 while the far side is connected.")
	bridgeSent      = bridgeDesc("sent_total", "Messages given to the far side; at QoS 1, acknowledged by it.")
	bridgeReceived  = bridgeDesc("received_total", "Messages of the far side published here.")
	bridgeRefused   = bridgeDesc("refused_total", "Messages that the far side refused.")
	bridgeDropped   = bridgeDesc("dropped_total", "Messages dropped because the queue was full or they expired in it.")
	bridgeInvalid   = bridgeDesc("invalid_total", "Messages that have no place on the other side.")
	bridgeConnects  = bridgeDesc("connects_total", "Connections made.")
	bridgeFailures  = bridgeDesc("failures_total", "Attempts and connections that failed.")
	bridgeWaiting   = bridgeDesc("queue_messages", "Messages that wait for the far side.")
	bridgeBytes     = bridgeDesc("queue_bytes", "Bytes of topic and payload that wait.")
)

func bridgeDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("thingd_integration_"+name, help, []string{"integration"}, nil)
}

// Describe implements prometheus.Collector.
func (m bridgeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		bridgeConnected, bridgeSent, bridgeReceived, bridgeRefused, bridgeDropped, bridgeInvalid, bridgeConnects, bridgeFailures, bridgeWaiting, bridgeBytes,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m bridgeMetrics) Collect(out chan<- prometheus.Metric) {
	if m.all == nil {
		return
	}
	for _, v := range m.all() {
		put := func(d *prometheus.Desc, kind prometheus.ValueType, n int64) {
			out <- prometheus.MustNewConstMetric(d, kind, float64(n), v.ID)
		}
		c, up := v.Counts, int64(0)
		if v.Status.State == bridge.Connected {
			up = 1
		}
		put(bridgeConnected, prometheus.GaugeValue, up)
		put(bridgeWaiting, prometheus.GaugeValue, c.Waiting)
		put(bridgeBytes, prometheus.GaugeValue, c.WaitingBytes)
		put(bridgeSent, prometheus.CounterValue, c.Sent)
		put(bridgeReceived, prometheus.CounterValue, c.Received)
		put(bridgeRefused, prometheus.CounterValue, c.Refused)
		put(bridgeDropped, prometheus.CounterValue, c.Dropped)
		put(bridgeInvalid, prometheus.CounterValue, c.Invalid)
		put(bridgeConnects, prometheus.CounterValue, c.Connects)
		put(bridgeFailures, prometheus.CounterValue, c.Failures)
	}
}
