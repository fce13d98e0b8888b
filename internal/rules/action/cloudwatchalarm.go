package action

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"thingd/internal/aws/iot"
)

// compileCloudWatchAlarm sets the state of an alarm (cloudwatch:SetAlarmState).
func compileCloudWatchAlarm(c *compiler, spec *iot.Action) prepare {
	a := spec.CloudwatchAlarm
	if a == nil {
		return nil
	}
	alarm, why, state := c.text("alarmName", a.AlarmName), c.text("stateReason", a.StateReason), c.text("stateValue", a.StateValue)
	role, t := c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name, reason, value := r.text(alarm), r.text(why), types.StateValue(r.text(state))
		r.resource = name
		r.detail("Alarm", name)
		if !slices.Contains(value.Values(), value) {
			return r.fail("stateValue %q is not one of OK, ALARM, INSUFFICIENT_DATA", value)
		}
		set := &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateReason: &reason, StateValue: value}
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "monitoring", role)
			if err != nil {
				return err
			}
			_, err = cloudwatch.NewFromConfig(config).SetAlarmState(ctx, set)
			return t.outcome(role, err)
		}
	}
}
