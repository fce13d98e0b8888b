package action

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"thingd/internal/aws/iot"
)

// compileCloudWatchMetric puts one value of a metric (cloudwatch:PutMetricData).
// Its timestamp is in seconds; now where there is none.
func compileCloudWatchMetric(c *compiler, spec *iot.Action) prepare {
	a := spec.CloudwatchMetric
	if a == nil {
		return nil
	}
	namespace, name := c.text("metricNamespace", a.MetricNamespace), c.text("metricName", a.MetricName)
	value, unit := c.text("metricValue", a.MetricValue), c.text("metricUnit", a.MetricUnit)
	at, role, t := c.optional("metricTimestamp", a.MetricTimestamp), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		space, metric, number, when := r.text(namespace), r.text(name), r.text(value), t.Now()
		r.resource = metric
		r.detail("Namespace", space)
		r.detail("Metric", metric)
		if _, err := strconv.ParseFloat(number, 64); err != nil {
			return r.fail("metricValue %q is not a number", number)
		}
		if text := r.text(at); text != "" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return r.fail("metricTimestamp %q is not a number of seconds", text)
			}
			when = time.UnixMilli(int64(seconds * 1000))
		}
		const datum = "MetricData.member.1."
		put := url.Values{
			"Namespace": {space}, datum + "MetricName": {metric}, datum + "Value": {number}, datum + "Unit": {r.text(unit)},
			datum + "Timestamp": {when.UTC().Format(time.RFC3339)},
		}
		return func(ctx context.Context) error { return t.cloudWatch(ctx, role, "PutMetricData", put) }
	}
}
