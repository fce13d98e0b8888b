package action

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"thingd/internal/aws/iot"
)

// compileLocation updates the position of a device in a tracker
// (geo:BatchUpdateDevicePosition). The SDK's client is not used: it puts
// "tracking." before the host, which only AWS has.
func compileLocation(c *compiler, spec *iot.Action) prepare {
	a := spec.Location
	if a == nil {
		return nil
	}
	tracker, device := c.text("trackerName", a.TrackerName), c.text("deviceId", a.DeviceId)
	latitude, longitude := c.text("latitude", a.Latitude), c.text("longitude", a.Longitude)
	var at, unit *parameter
	if a.Timestamp != nil {
		at, unit = c.text("timestamp.value", a.Timestamp.Value), c.optional("timestamp.unit", a.Timestamp.Unit)
	}
	role, t := c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name, update := r.text(tracker), position{DeviceID: r.text(device), SampleTime: t.Now()}
		r.resource = name
		r.detail("Tracker", name)
		y, err := strconv.ParseFloat(r.text(latitude), 64)
		if err != nil {
			return r.fail("latitude is not a number: %v", err)
		}
		x, err := strconv.ParseFloat(r.text(longitude), 64)
		if err != nil {
			return r.fail("longitude is not a number: %v", err)
		}
		update.Position = [2]float64{x, y}
		if text := r.text(at); at != nil {
			ok := false
			if update.SampleTime, ok = instant(text, r.text(unit)); !ok {
				return r.fail("timestamp %q is not a time", text)
			}
		}
		update.SampleTime = update.SampleTime.UTC()
		body, err := json.Marshal(map[string]any{"Updates": []position{update}})
		if err != nil {
			return r.fail("the position is not a number: %v", err)
		}
		return func(ctx context.Context) error { return t.updatePosition(ctx, role, name, body) }
	}
}

// position is an entry of BatchUpdateDevicePosition.
type position struct {
	DeviceID   string     `json:"DeviceId"`
	Position   [2]float64 // longitude before latitude
	SampleTime time.Time
}

func (t *Targets) updatePosition(ctx context.Context, role, tracker string, body []byte) error {
	answer, err := t.post(ctx, "geo", role, "/tracking/v0/trackers/"+url.PathEscape(tracker)+"/positions", body)
	if err != nil {
		return err
	}
	var out struct {
		Errors []struct {
			Error struct{ Code, Message string }
		}
	}
	if json.Unmarshal(answer, &out) == nil && len(out.Errors) > 0 {
		return &Failure{Text: "LocationAction failed to update the position in " + tracker + ": " + out.Errors[0].Error.Code + ": " + out.Errors[0].Error.Message}
	}
	return nil
}
