package gateway

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"thingd/internal/broker"
)

// metric is one line of /metrics.
type metric struct {
	name, help string
	value      func() int64
}

// metrics serves /metrics for Prometheus.
func metrics(c LocalConfig) http.Handler {
	b, doors := c.Broker.Stats(), c.Doors
	registry := prometheus.NewRegistry()
	registry.MustRegister(ruleMetrics{c.Rules}, bridgeMetrics{c.Bridge}, accountMetrics{c.Others}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, m := range gauges(b) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "thingd_" + m.name, Help: m.help},
			func() float64 { return float64(m.value()) }))
	}
	for _, m := range append(brokerCounters(b), doorCounters(doors)...) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "thingd_" + m.name + "_total", Help: m.help},
			func() float64 { return float64(m.value()) }))
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

func gauges(b *broker.Stats) []metric {
	return []metric{
		{"connections", "MQTT clients connected now.", b.Connections.Load},
		{"connections_parked", "Of them, quiet ones that wait without a goroutine.", b.Parked.Load},
		{"sessions", "Sessions, connected or persistent.", b.Sessions.Load},
		{"subscriptions", "Filters of all sessions.", b.Subscriptions.Load},
		{"retained_messages", "Messages retained.", b.RetainedMessages.Load},
	}
}

func brokerCounters(b *broker.Stats) []metric {
	return []metric{
		{"connects", "Clients admitted.", b.Connects.Load},
		{"connects_refused", "Clients turned away at CONNECT.", b.ConnectRefused.Load},
		{"connects_throttled", "Clients turned away because they connect too often.", b.ConnectThrottled.Load},
		{"disconnects", "Connections that ended.", b.Disconnects.Load},
		{"disconnects_slow", "Of them, those cut because the client did not read.", b.SlowCut.Load},
		{"pings", "PINGREQ packets answered.", b.Pings.Load},
		{"publish_in", "Messages taken.", b.PublishIn.Load},
		{"publish_in_bytes", "Payload bytes taken.", b.PublishInBytes.Load},
		{"publish_in_denied", "Messages refused by policy.", b.PublishDenied.Load},
		{"publish_in_invalid", "Messages refused for their topic.", b.PublishInvalid.Load},
		{"publish_in_throttled", "Messages discarded because they came too fast.", b.PublishThrottled.Load},
		{"publish_in_delayed", "Messages read later because the client sends too many bytes a second.", b.PublishDelayed.Load},
		{"publish_retained_throttled", "Retained messages refused because they came too fast, or too many are retained.", b.RetainThrottled.Load},
		{"publish_out", "Messages sent to clients.", b.PublishOut.Load},
		{"publish_out_bytes", "Payload bytes sent to clients.", b.PublishOutBytes.Load},
		{"publish_out_denied", "Messages not sent because the receiver's policy does not allow iot:Receive.", b.ReceiveDenied.Load},
		{"publish_out_dropped_slow", "QoS 0 messages dropped because the client reads too slowly.", b.DroppedSlow.Load},
		{"publish_out_throttled", "QoS 0 messages dropped because they are too many a second for one client, or for all.", b.SendThrottled.Load},
		{"queued_throttled", "Messages for clients that are away dropped because they are too many a second.", b.QueueThrottled.Load},
		{"publish_out_dropped_full", "QoS 1 and 2 messages dropped because the session's queue is full.", b.DroppedFull.Load},
		{"publish_out_dropped_expired", "Messages dropped because they expired.", b.DroppedExpired.Load},
		{"publish_out_dropped_size", "Messages dropped because the client takes no packet that large.", b.DroppedTooLarge.Load},
		{"publish_out_repeats", "Messages sent again.", b.Repeats.Load},
		{"subscribes", "Filters granted.", b.Subscribes.Load},
		{"subscribes_refused", "Filters refused.", b.SubscribeRefused.Load},
		{"subscribes_throttled", "Filters refused because they are too many a second.", b.SubscribeThrottled.Load},
		{"unsubscribes", "Filters ended by clients.", b.Unsubscribes.Load},
		{"wills", "Last wills published.", b.WillsPublished.Load},
		{"store_failures", "Failures of the database that the broker met.", b.StoreFailures.Load},
	}
}

func doorCounters(doors func() *Stats) []metric {
	return []metric{
		{"accepted", "TCP connections accepted at the TLS doors.", func() int64 { return doors().Accepted.Load() }},
		{"tls_failed", "TLS handshakes that failed.", func() int64 { return doors().TLSFailed.Load() }},
		{"unrecognized", "Connections that spoke neither MQTT nor HTTP.", func() int64 { return doors().Unrecognized.Load() }},
		{"overflow", "Connections closed at once because too many were handshaking, or too few file descriptors were left.", func() int64 { return doors().Overflow.Load() }},
	}
}
