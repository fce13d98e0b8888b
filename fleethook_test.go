package thingd

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
	"thingd/internal/provisioning"
)

// TestHookIsAWebhook: what AWS asks a Lambda function before it provisions a
// device is a POST to the address that stands for the function.
func TestHookIsAWebhook(t *testing.T) {
	const gate = "arn:aws:lambda:us-east-1:123456789012:function:gate"
	var asked map[string]any
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = nil
		_ = json.NewDecoder(r.Body).Decode(&asked)
		values, _ := asked["parameters"].(map[string]any)
		switch values["SerialNumber"] {
		case "good":
			_, _ = w.Write([]byte(`{"allowProvisioning":true,"parameterOverrides":{"SerialNumber":"better"}}`))
		case "bad":
			_, _ = w.Write([]byte(`{"allowProvisioning":false}`))
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	h := start(t, func(c *Config) { c.Functions = map[string]string{gate: web.URL} })
	_, err := h.provisioning.CreateTemplate(t.Context(), provisioning.NewTemplate{Name: "fleet", Enabled: true, RoleARN: "r",
		Hook: provisioning.Hook{TargetARN: gate + ":live"}, // an alias of the function
		Body: `{"Parameters":{"SerialNumber":{"Type":"String"}},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"SerialNumber"}}}}}`})
	must(t, err)
	claim := h.device(t, everything)
	s := small{h.connected(t, claim, mqtt.V4, mqtt.Connect{ClientID: "claimant", CleanStart: true}), 4096}
	_, request := signingRequest(t)
	_, made := s.call(t, "$aws/certificates/create-from-csr/cbor", writePairs(false, writeText("certificateSigningRequest"), writeText(request)))
	provision := func(serial string) map[string]any {
		_, answer := s.call(t, "$aws/provisioning-templates/fleet/provision/cbor", writePairs(false,
			writeText("certificateOwnershipToken"), writeText(made["certificateOwnershipToken"].(string)),
			writeText("parameters"), writePairs(false, writeText("SerialNumber"), writeText(serial))))
		return answer
	}
	for _, c := range []struct {
		serial string
		want   map[string]any
	}{
		{"bad", map[string]any{"statusCode": 403, "errorCode": "AccessDenied", "errorMessage": "Provisioning was not allowed by the pre-provisioning hook"}},
		{"broken", map[string]any{"statusCode": 403, "errorCode": "AccessDenied", "errorMessage": "Pre-provisioning hook failed"}},
		{"good", map[string]any{"thingName": "better", "deviceConfiguration": map[string]any{}}},
	} {
		if diff := cmp.Diff(c.want, provision(c.serial)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.serial, diff)
		}
	}
	want := map[string]any{"claimCertificateId": string(claim.id), "certificateId": made["certificateId"], "certificatePem": made["certificatePem"],
		"templateArn": "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/fleet", "clientId": "claimant", "parameters": map[string]any{"SerialNumber": "good"}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the hook was told (-want +got):\n%s", diff)
	}
}
