package action

import (
	"context"
	"net/url"

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
		name, reason, value := r.text(alarm), r.text(why), r.text(state)
		r.resource = name
		r.detail("Alarm", name)
		switch value {
		case "OK", "ALARM", "INSUFFICIENT_DATA":
		default:
			return r.fail("stateValue %q is not one of OK, ALARM, INSUFFICIENT_DATA", value)
		}
		return func(ctx context.Context) error {
			return t.cloudWatch(ctx, role, "SetAlarmState", url.Values{"AlarmName": {name}, "StateReason": {reason}, "StateValue": {value}})
		}
	}
}
