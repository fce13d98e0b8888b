package action

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

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
		space, metric := r.text(namespace), r.text(name)
		r.resource = metric
		r.detail("Namespace", space)
		r.detail("Metric", metric)
		number, err := strconv.ParseFloat(r.text(value), 64)
		if err != nil {
			return r.fail("metricValue is not a number: %v", err)
		}
		datum := types.MetricDatum{MetricName: &metric, Value: &number, Unit: types.StandardUnit(r.text(unit)), Timestamp: aws.Time(t.Now())}
		if text := r.text(at); text != "" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return r.fail("metricTimestamp %q is not a number of seconds", text)
			}
			datum.Timestamp = aws.Time(time.UnixMilli(int64(seconds * 1000)))
		}
		put := &cloudwatch.PutMetricDataInput{Namespace: &space, MetricData: []types.MetricDatum{datum}}
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "monitoring", role)
			if err != nil {
				return err
			}
			_, err = cloudwatch.NewFromConfig(config).PutMetricData(ctx, put)
			return t.outcome(role, err)
		}
	}
}
