package action_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/action"
)

// These services are spoken to without the SDK, or have no stand-in: what goes
// over the wire is compared with their API references.
func TestSignedRequests(t *testing.T) {
	values := []iot.AssetPropertyValue{{
		Value:     &iot.AssetPropertyVariant{DoubleValue: "${t}"},
		Timestamp: &iot.AssetPropertyTimestamp{TimeInSeconds: "${floor(timestamp() / 1000)}", OffsetInNanos: "123000000"}, Quality: "GOOD",
	}}
	for _, test := range []struct {
		name    string
		spec    iot.Action
		payload string
		service string // in the signature
		line    string // method and path
		body    string
	}{
		{"openSearch", iot.Action{OpenSearch: &iot.OpenSearchAction{RoleArn: role, Endpoint: "SERVER", Index: "rooms", Type: "_doc", Id: "${name}/1"}},
			`{"name":"a"}`, "es", "PUT /rooms/_doc/a%2F1", `{"name":"a"}`},
		{"elasticsearch", iot.Action{Elasticsearch: &iot.ElasticsearchAction{RoleArn: role, Endpoint: "SERVER/", Index: "i", Type: "t", Id: "1"}},
			`{}`, "es", "PUT /i/t/1", `{}`},
		{"location", iot.Action{Location: &iot.LocationAction{RoleArn: role, TrackerName: "fleet", DeviceId: "${topic(2)}", Latitude: "${at.y}", Longitude: "${at.x}",
			Timestamp: &iot.LocationTimestamp{Value: "${timestamp()}"}}},
			`{"at":{"x":10.5,"y":59.9}}`, "geo", "POST /tracking/v0/trackers/fleet/positions",
			`{"Updates":[{"DeviceId":"7","Position":[10.5,59.9],"SampleTime":"2023-11-14T22:13:20.123Z"}]}`},
		{"iotEvents", iot.Action{IotEvents: &iot.IotEventsAction{RoleArn: role, InputName: "in", MessageId: "m-${topic(2)}"}},
			`{"n":1}`, "ioteventsdata", "POST /inputs/messages", `{"messages":[{"inputName":"in","messageId":"m-7","payload":"eyJuIjoxfQ=="}]}`},
		{"iotEvents batch", iot.Action{IotEvents: &iot.IotEventsAction{RoleArn: role, InputName: "in", BatchMode: new(true)}},
			`[{"n":1},2]`, "ioteventsdata", "POST /inputs/messages",
			`{"messages":[{"inputName":"in","messageId":"*","payload":"eyJuIjoxfQ=="},{"inputName":"in","messageId":"*","payload":"Mg=="}]}`},
		{"iotAnalytics", iot.Action{IotAnalytics: &iot.IotAnalyticsAction{RoleArn: role, ChannelArn: "arn:aws:iotanalytics:eu-west-1:123456789012:channel/c"}},
			`{"n":1}`, "iotanalytics", "POST /messages/batch", `{"channelName":"c","messages":[{"messageId":"*","payload":"eyJuIjoxfQ=="}]}`},
		{"iotSiteWise", iot.Action{IotSiteWise: &iot.IotSiteWiseAction{RoleArn: role, PutAssetPropertyValueEntries: []iot.PutAssetPropertyValueEntry{
			{EntryId: "e", PropertyAlias: "/plant/${topic(2)}", PropertyValues: values}}}},
			`{"t":21.5}`, "iotsitewise", "POST /properties",
			`{"entries":[{"entryId":"e","propertyAlias":"/plant/7","propertyValues":[{"value":{"doubleValue":21.5},
			 "timestamp":{"timeInSeconds":1700000000,"offsetInNanos":123000000},"quality":"GOOD"}]}]}`},
		{"timestream", iot.Action{Timestream: &iot.TimestreamAction{RoleArn: role, DatabaseName: "d", TableName: "t-${topic(1)}",
			Dimensions: []iot.TimestreamDimension{{Name: "device", Value: "${clientid()}"}}}},
			`{"on":true,"n":7,"t":21.5,"s":"x","a":[1],"z":null}`, "timestream", "POST /",
			`{"DatabaseName":"d","TableName":"t-lab","CommonAttributes":{"Dimensions":[{"Name":"device","Value":"dev-7"}],"Time":"1700000000123","TimeUnit":"MILLISECONDS"},
			 "Records":[{"MeasureName":"on","MeasureValue":"true","MeasureValueType":"BOOLEAN"},{"MeasureName":"n","MeasureValue":"7","MeasureValueType":"BIGINT"},
			 {"MeasureName":"t","MeasureValue":"21.5","MeasureValueType":"DOUBLE"},{"MeasureName":"s","MeasureValue":"x","MeasureValueType":"VARCHAR"},
			 {"MeasureName":"a","MeasureValue":"[1]","MeasureValueType":"VARCHAR"}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := listen(t)
			targets := newTargets(t, action.Config{Endpoints: map[string]action.Endpoint{action.Anywhere: {URL: server.URL}}})
			if test.spec.OpenSearch != nil {
				test.spec.OpenSearch.Endpoint = server.URL
			}
			if test.spec.Elasticsearch != nil {
				test.spec.Elasticsearch.Endpoint = server.URL + "/"
			}
			done(t, run(t, targets, test.spec, test.payload))
			got := server.all()[0]
			if line := got.Method + " " + got.Path; line != test.line {
				t.Error(line)
			}
			if auth := got.Header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/"+test.service+"/aws4_request") {
				t.Error(auth)
			}
			if got.Header.Get("X-Amz-Security-Token") != role {
				t.Error("not signed by a session of the role")
			}
			if diff := cmp.Diff(decoded(t, test.body), decoded(t, got.Body), anyID); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// anyID takes a UUID where a * is wanted.
var anyID = cmp.FilterValues(func(a, b string) bool { return a == "*" && len(b) == 36 || b == "*" && len(a) == 36 }, cmp.Ignore())

func decoded(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err, text)
	}
	return v
}

func TestRefusedEntriesAreFailures(t *testing.T) {
	for _, test := range []struct {
		name, answer, words string
		spec                iot.Action
		again               bool
	}{
		{"iotEvents", `{"BatchPutMessageErrorEntries":[{"messageId":"1","errorCode":"ThrottlingException","errorMessage":"slow down"}]}`,
			"IotEventsAction was refused 1 messages: ThrottlingException: slow down", iot.Action{IotEvents: &iot.IotEventsAction{RoleArn: role, InputName: "in"}}, true},
		{"iotAnalytics", `{"batchPutMessageErrorEntries":[{"messageId":"1","errorCode":"ResourceNotFoundException","errorMessage":"no"}]}`,
			"IotAnalyticsAction was refused 1 messages: ResourceNotFoundException: no", iot.Action{IotAnalytics: &iot.IotAnalyticsAction{RoleArn: role, ChannelName: "c"}}, false},
		{"location", `{"Errors":[{"DeviceId":"7","Error":{"Code":"ValidationError","Message":"no"}}]}`,
			"LocationAction failed to update the position in t: ValidationError: no",
			iot.Action{Location: &iot.LocationAction{RoleArn: role, TrackerName: "t", DeviceId: "d", Latitude: "1", Longitude: "2"}}, false},
		{"iotSiteWise", `{"errorEntries":[{"entryId":"e","errors":[{"errorCode":"InternalFailureException","errorMessage":"no"}]}]}`,
			"IotSiteWiseAction was refused 1 entries: InternalFailureException: no",
			iot.Action{IotSiteWise: &iot.IotSiteWiseAction{RoleArn: role, PutAssetPropertyValueEntries: []iot.PutAssetPropertyValueEntry{{
				AssetId: "a", PropertyId: "p", PropertyValues: []iot.AssetPropertyValue{{
					Value: &iot.AssetPropertyVariant{IntegerValue: "1"}, Timestamp: &iot.AssetPropertyTimestamp{TimeInSeconds: "1"}}}}}}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := listen(t)
			server.body = test.answer
			targets := newTargets(t, action.Config{Endpoints: map[string]action.Endpoint{action.Anywhere: {URL: server.URL}}})
			delivery, err := prepare(t, targets, test.spec, `{}`)
			done(t, err)
			err = delivery.Send(context.Background())
			if err == nil || delivery.Explain(err) != test.words || action.Retryable(err) != test.again {
				t.Error(err, action.Retryable(err))
			}
		})
	}
}

func TestSessionsAreKept(t *testing.T) {
	server := listen(t)
	now, asked := at, 0
	targets := action.New(action.Config{
		Scope: scope, Now: func() time.Time { return now }, Endpoints: map[string]action.Endpoint{action.Anywhere: {URL: server.URL}},
		Credentials: func(_ context.Context, name string) (action.Credentials, error) {
			asked++
			if asked == 1 {
				return action.Credentials{}, errors.New("not now")
			}
			return action.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", Expires: now.Add(time.Hour)}, nil
		},
	})
	defer targets.Close()
	spec := iot.Action{IotEvents: &iot.IotEventsAction{RoleArn: role, InputName: "in"}}
	var asks []int
	for _, later := range []time.Duration{0, 0, time.Minute, 53 * time.Minute, 2 * time.Minute, 0} {
		now = now.Add(later)
		_ = run(t, targets, spec, `{}`)
		asks = append(asks, asked)
	}
	// The first fails and is not kept; the next is good until 5 minutes before it ends.
	if diff := cmp.Diff([]int{1, 2, 2, 2, 3, 3}, asks); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	server := listen(t)
	targets := newTargets(t, action.Config{})
	delivery, err := prepare(t, targets, hook(server.URL, func(a *iot.HttpAction) {
		a.Headers = []iot.HttpActionHeader{{Key: "Authorization", Value: "Bearer ${get_or_default(get_secret('s', 'SecretString', '" + role + "'), 'x')}"}}
	}), `{}`)
	done(t, err)
	want := []action.Field{{Name: "url", Value: server.URL}, {Name: "headers.Authorization", Value: "(a secret)"}}
	if diff := cmp.Diff(want, delivery.Fields, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
