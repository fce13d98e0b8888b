package action

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"thingd/internal/aws/iot"
)

// compileSiteWise puts values of asset properties
// (iotsitewise:BatchPutAssetPropertyValue). They come from templates; the
// payload is not sent.
func compileSiteWise(c *compiler, spec *iot.Action) prepare {
	a := spec.IotSiteWise
	if a == nil {
		return nil
	}
	role, t := c.role(a.RoleArn), c.t
	var entries []siteWiseEntry
	for i, e := range a.PutAssetPropertyValueEntries {
		entries = append(entries, c.siteWiseEntry(fmt.Sprintf("entries[%d].", i), e))
	}
	if len(entries) == 0 {
		c.refuse("iotSiteWise needs at least one entry")
	}
	return func(r *rendering) send {
		out := make([]map[string]any, len(entries))
		for i, e := range entries {
			out[i] = e.render(r)
		}
		body, err := json.Marshal(map[string]any{"entries": out})
		if err != nil {
			return r.fail("%v", err)
		}
		return func(ctx context.Context) error {
			answer, err := t.post(ctx, "iotsitewise", role, "/properties", body)
			if err != nil {
				return err
			}
			return refusedProperties(answer)
		}
	}
}

// siteWiseEntry is an entry with its templates; absent parameters are nil.
type siteWiseEntry struct {
	id, asset, property, alias *parameter
	values                     []siteWiseValue
}

type siteWiseValue struct {
	text, integer, double, boolean *parameter
	seconds, nanos, quality        *parameter
}

func (c *compiler) siteWiseEntry(at string, e iot.PutAssetPropertyValueEntry) siteWiseEntry {
	entry := siteWiseEntry{
		id: c.optional(at+"entryId", e.EntryId), asset: c.optional(at+"assetId", e.AssetId),
		property: c.optional(at+"propertyId", e.PropertyId), alias: c.optional(at+"propertyAlias", e.PropertyAlias),
	}
	if entry.alias == nil && (entry.asset == nil || entry.property == nil) {
		c.refuse("an iotSiteWise entry needs propertyAlias, or assetId and propertyId")
	}
	for i, v := range e.PropertyValues {
		if v.Value == nil || v.Timestamp == nil {
			c.refuse("an iotSiteWise value needs value and timestamp")
			continue
		}
		at := fmt.Sprintf("%svalues[%d].", at, i)
		entry.values = append(entry.values, siteWiseValue{
			text: c.optional(at+"stringValue", v.Value.StringValue), integer: c.optional(at+"integerValue", v.Value.IntegerValue),
			double: c.optional(at+"doubleValue", v.Value.DoubleValue), boolean: c.optional(at+"booleanValue", v.Value.BooleanValue),
			seconds: c.text(at+"timeInSeconds", v.Timestamp.TimeInSeconds), nanos: c.optional(at+"offsetInNanos", v.Timestamp.OffsetInNanos),
			quality: c.optional(at+"quality", v.Quality),
		})
	}
	return entry
}

func (e siteWiseEntry) render(r *rendering) map[string]any {
	out := map[string]any{"entryId": uuid.NewString()}
	for name, p := range map[string]*parameter{"entryId": e.id, "assetId": e.asset, "propertyId": e.property, "propertyAlias": e.alias} {
		if p != nil {
			out[name] = r.text(p)
		}
	}
	if e.alias != nil {
		r.resource = fmt.Sprint(out["propertyAlias"])
	} else {
		r.resource = fmt.Sprint(out["assetId"], "/", out["propertyId"])
	}
	values := []map[string]any{}
	for _, v := range e.values {
		values = append(values, v.render(r))
	}
	out["propertyValues"] = values
	return out
}

func (v siteWiseValue) render(r *rendering) map[string]any {
	at := map[string]any{"timeInSeconds": r.integer(v.seconds)}
	if v.nanos != nil {
		at["offsetInNanos"] = r.integer(v.nanos)
	}
	out := map[string]any{"timestamp": at, "value": v.variant(r)}
	if v.quality != nil {
		out["quality"] = r.text(v.quality)
	}
	return out
}

// variant gives the value in the type that its parameter stands for.
func (v siteWiseValue) variant(r *rendering) map[string]any {
	switch {
	case v.text != nil:
		return map[string]any{"stringValue": r.text(v.text)}
	case v.integer != nil:
		return map[string]any{"integerValue": r.integer(v.integer)}
	case v.double != nil:
		text := r.text(v.double)
		number, err := strconv.ParseFloat(text, 64)
		if err != nil && r.err == nil {
			r.fail("doubleValue %q is not a number", text)
		}
		return map[string]any{"doubleValue": number}
	case v.boolean != nil:
		return map[string]any{"booleanValue": r.text(v.boolean) == "true"}
	}
	r.fail("an iotSiteWise value has none of stringValue, integerValue, doubleValue, booleanValue")
	return nil
}

// integer renders a parameter that must be a whole number.
func (r *rendering) integer(p *parameter) int64 {
	text := r.text(p)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && r.err == nil {
		r.fail("%s %q is not a whole number", p.name, text)
	}
	return n
}

// refusedProperties reads what BatchPutAssetPropertyValue did not take.
func refusedProperties(answer []byte) error {
	var out struct {
		ErrorEntries []struct {
			EntryID string `json:"entryId"`
			Errors  []struct {
				Code    string `json:"errorCode"`
				Message string `json:"errorMessage"`
			}
		}
	}
	if json.Unmarshal(answer, &out) != nil || len(out.ErrorEntries) == 0 || len(out.ErrorEntries[0].Errors) == 0 {
		return nil
	}
	first := out.ErrorEntries[0].Errors[0]
	return &Failure{
		Text:  fmt.Sprintf("IotSiteWiseAction was refused %d entries: %s: %s", len(out.ErrorEntries), first.Code, first.Message),
		Again: first.Code == "ThrottlingException" || first.Code == "InternalFailureException",
	}
}
