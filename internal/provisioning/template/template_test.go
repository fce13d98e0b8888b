package template

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
)

// device is a template with everything in it.
const device = `{
 "Parameters": {"SerialNumber": {"Type": "String"}, "Site": {"Type": "String", "Default": "hq"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
 "Mappings": {"Urls": {"hq": {"log": "https://log.example.net", "all": ["a", "b"]}}},
 "Resources": {
  "thing": {"Type": "AWS::IoT::Thing",
   "OverrideSettings": {"AttributePayload": "MERGE", "THING_TYPE_NAME": "REPLACE", "ThingGroups": "DO_NOTHING"},
   "Properties": {"ThingName": {"Fn::Join": ["-", ["dev", {"Ref": "SerialNumber"}]]}, "AttributePayload": {"site": {"Ref": "Site"}, "rev": 2},
    "ThingTypeName": "sensor", "ThingGroups": ["all", {"Ref": "Site"}], "BillingGroup": "bg1"}},
  "certificate": {"Type": "AWS::IoT::Certificate", "DependsOn": "thing",
   "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"}},
  "named": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "dev-policy"}},
  "own": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:Publish", "Resource": {"Fn::Sub": "arn:aws:iot:${AWS::Region}:${AWS::AccountId}:topic/${SerialNumber}/${iot:ClientId}/${!x}"}}]}}}},
 "DeviceConfiguration": {"LogUrl": {"Fn::FindInMap": ["Urls", {"Ref": "Site"}, "log"]}, "Interval": 60, "On": true,
  "Second": {"Fn::Select": ["1", {"Fn::FindInMap": ["Urls", "hq", "all"]}]}, "Last": {"Fn::Select": [1, {"Fn::Split": ["-", "x-y"]}]},
  "Made": {"Fn::Sub": ["${a}/${b}", {"a": {"Ref": "Site"}, "b": "c"}]}}}`

func TestEvaluateGivesThePlan(t *testing.T) {
	read, err := Parse(device, Fleet)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read.Evaluate(Input{Parameters: map[string]string{"SerialNumber": "A17", CertificateID: "c0ffee"}, Region: "us-east-1", Account: "111122223333"})
	if err != nil {
		t.Fatal(err)
	}
	thing := &Thing{LogicalID: "thing", Name: "dev-A17", Type: "sensor", BillingGroup: "bg1",
		Attributes: map[string]string{"site": "hq", "rev": "2"}, Groups: []string{"all", "hq"}}
	thing.Override.Attributes, thing.Override.Type, thing.Override.Groups = Merge, Replace, DoNothing
	want := Plan{
		Thing:       thing,
		Certificate: &Certificate{LogicalID: "certificate", ID: "c0ffee", Active: true, Said: true},
		Policies: []Policy{
			{LogicalID: "named", Name: "dev-policy"},
			{LogicalID: "own", Document: `{"Statement":[{"Action":"iot:Publish","Effect":"Allow","Resource":"arn:aws:iot:us-east-1:111122223333:topic/A17/${iot:ClientId}/${x}"}],"Version":"2012-10-17"}`},
		},
		DeviceConfiguration: map[string]any{"LogUrl": "https://log.example.net", "Interval": json.Number("60"), "On": true,
			"Second": "b", "Last": "y", "Made": "hq/c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMissingNamesWhatHasNeitherValueNorDefault(t *testing.T) {
	read, err := Parse(device, Fleet)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{CertificateID, "SerialNumber"}, read.Missing(nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// withThing is a template of one thing with these properties.
func withThing(properties string) string {
	return `{"Parameters":{"P":{"Type":"String"}},"Resources":{"t":{"Type":"AWS::IoT::Thing","Properties":` + properties + `}}}`
}

func withCertificate(properties string) string {
	return `{"Parameters":{},"Resources":{"c":{"Type":"AWS::IoT::Certificate","Properties":` + properties + `}}}`
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		kind Kind
		want string
	}{
		"what is no JSON":             {`{`, API, "The template is not JSON: unexpected EOF"},
		"what is no object":           {`[]`, API, "The template is not a JSON object"},
		"what follows":                {`{"Resources":{}}{}`, API, "The template is followed by something else"},
		"an unknown section":          {`{"Resource":{}}`, API, `The template has an unknown section "Resource"; it can have Parameters, Resources`},
		"mappings outside of fleets":  {`{"Resources":{},"Mappings":{}}`, JITP, `The template has an unknown section "Mappings"; it can have Parameters, Resources`},
		"no resources":                {`{"Parameters":{}}`, API, "The template has no Resources"},
		"a parameter that is no text": {`{"Parameters":{"N":{"Type":"Number"}},"Resources":{}}`, API, "Parameter N must have the Type String"},
		"a thing without name":        {withThing(`{}`), API, "Resource t has no ThingName"},
		"an unknown property":         {withThing(`{"ThingName":"x","Type":"y"}`), API, "Resource t has an unknown property Type; a resource of type AWS::IoT::Thing can have ThingName, AttributePayload, ThingTypeName, ThingGroups, BillingGroup"},
		"a reference to nothing":      {withThing(`{"ThingName":{"Ref":"Q"}}`), API, `Ref names "Q", which is no parameter of the template`},
		"an unknown function":         {withThing(`{"ThingName":{"Fn::Upper":"x"}}`), API, "The template has no function Fn::Upper; there are Fn::FindInMap, Fn::Join, Fn::Select, Fn::Split, Fn::Sub"},
		"too few arguments":           {withThing(`{"ThingName":{"Fn::Join":["x"]}}`), API, `A function of the template takes a list of 2 arguments, such as {"Fn::Join": ["-", ["a", "b"]]}`},
		"an unknown variable":         {withThing(`{"ThingName":{"Fn::Sub":"${Q}"}}`), API, "Fn::Sub uses ${Q}, which is neither a parameter nor a variable"},
		"two things":                  {`{"Resources":{"a":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":"x"}},"b":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":"y"}}}}`, API, "Resources a and b are both of type AWS::IoT::Thing; there can be one"},
		"a foreign resource":          {`{"Resources":{"a":{"Type":"AWS::S3::Bucket"}}}`, API, `Resource a has the Type "AWS::S3::Bucket"; there are AWS::IoT::Certificate, AWS::IoT::Policy, AWS::IoT::Thing`},
		"two certificates in one":     {withCertificate(`{"CertificateId":"x","CertificatePem":"y"}`), API, "Resource c must have one of CertificateSigningRequest, CertificateId and CertificatePem"},
		"a request from a fleet":      {withCertificate(`{"CertificateSigningRequest":"x"}`), Fleet, "Resource c must name the device's certificate with CertificateId"},
		"a policy by name and text":   {`{"Resources":{"p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"x","PolicyDocument":"y"}}}}`, API, "Resource p must have either PolicyName or PolicyDocument"},
		"an override that cannot be":  {`{"Resources":{"p":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":"x"},"OverrideSettings":{"ThingTypeName":"MERGE"}}}}`, API, "Resource p cannot override ThingTypeName with MERGE"},
		"nested configuration":        {`{"Resources":{},"DeviceConfiguration":{"a":{"b":"c"}}}`, Fleet, "DeviceConfiguration member a is nested; it must be a single value"},
		"functions in mappings":       {`{"Resources":{},"Mappings":{"m":{"a":{"b":{"Ref":"x"}}}}}`, Fleet, "Mappings m, a, b is neither a string nor a list of strings"},
		"too many characters":         {strings.Repeat(" ", BodyMax+1), API, "The template has 10241 characters; at most 10240 are allowed"},
		"deep nesting":                {withThing(`{"ThingName":` + strings.Repeat(`[`, 60) + strings.Repeat(`]`, 60) + `}`), API, "The template is nested more than 40 levels deep"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.body, tc.kind)
			expectFault(t, err, fault.CodeInvalidRequest, tc.want)
		})
	}
}

func TestEvaluateRefuses(t *testing.T) {
	long := strings.Repeat("${a}", 2000)
	for name, tc := range map[string]struct{ body, value, want string }{
		"a name that is a list":     {withThing(`{"ThingName":["x"]}`), "", "ThingName of resource t is not a string"},
		"a name that is empty":      {withThing(`{"ThingName":{"Ref":"P"}}`), "", "The ThingName of resource t is empty"},
		"a selection out of range":  {withThing(`{"ThingName":{"Fn::Select":[{"Ref":"P"},["a"]]}}`), "1", "Fn::Select has no value number 1 of 1"},
		"a selection by name":       {withThing(`{"ThingName":{"Fn::Select":[{"Ref":"P"},["a"]]}}`), "x", "Fn::Select has no value number x of 1"},
		"groups that are no list":   {withThing(`{"ThingName":"x","ThingGroups":"y"}`), "", "ThingGroups of resource t are not a list"},
		"a status of neither kind":  {withCertificate(`{"CertificateId":"x","Status":"Gone"}`), "", `The Status of resource c is "Gone"; it can be ACTIVE or INACTIVE`},
		"more than a device needs":  {withThing(`{"ThingName":{"Fn::Sub":["` + long + `",{"a":{"Ref":"P"}}]}}`), strings.Repeat("x", 1000), "the template makes more than 1048576 bytes of its parameters"},
		"text that multiplies":      {withThing(`{"ThingName":{"Fn::Sub":["` + long[:4000] + `",{"a":{"Fn::Sub":["` + long[:4000] + `",{"a":"xx"}]}}]}}`), "", "the template makes more than 1048576 bytes of its parameters"},
		"a split by nothing":        {withThing(`{"ThingName":{"Fn::Select":[0,{"Fn::Split":["","x"]}]}}`), "", "the delimiter of Fn::Split is empty"},
		"an attribute that is list": {withThing(`{"ThingName":"x","AttributePayload":{"a":["b"]}}`), "", "Attribute a of resource t is not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := Parse(tc.body, API)
			if err != nil {
				t.Fatal(err)
			}
			_, err = read.Evaluate(Input{Parameters: map[string]string{"P": tc.value}})
			expectFault(t, err, fault.CodeRegistrationFailure, tc.want)
		})
	}
}

// TestReferencesWithoutValueStay holds for operators' templates alone: P is
// declared and has no value.
func TestReferencesWithoutValueStay(t *testing.T) {
	thing := func(more Thing) Plan {
		more.LogicalID, more.Name = "t", "x"
		return Plan{Thing: &more, DeviceConfiguration: map[string]any{}}
	}
	policy := func(document string) string {
		return `{"Parameters":{"P":{"Type":"String"}},"Resources":{"p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":` + document + `}}}}`
	}
	written := func(document string) Plan {
		return Plan{Policies: []Policy{{LogicalID: "p", Document: document}}, DeviceConfiguration: map[string]any{}}
	}
	for name, tc := range map[string]struct {
		body string
		want Plan
	}{
		"unused":                    {withThing(`{"ThingName":"x"}`), thing(Thing{})},
		"one attribute of two":      {withThing(`{"ThingName":"x","AttributePayload":{"a":{"Ref":"P"},"b":"c"}}`), thing(Thing{Attributes: map[string]string{"b": "c"}})},
		"the only attribute":        {withThing(`{"ThingName":"x","AttributePayload":{"a":{"Ref":"P"}}}`), thing(Thing{Attributes: map[string]string{}})},
		"type and billing group":    {withThing(`{"ThingName":"x","ThingTypeName":{"Ref":"P"},"BillingGroup":{"Ref":"P"}}`), thing(Thing{})},
		"in a text of Fn::Sub":      {withThing(`{"ThingName":"x","AttributePayload":{"a":{"Fn::Sub":"1-${P}"}}}`), thing(Thing{Attributes: map[string]string{"a": "1-${P}"}})},
		"as a variable of Fn::Sub":  {withThing(`{"ThingName":"x","AttributePayload":{"a":{"Fn::Sub":["1-${v}",{"v":{"Ref":"P"}}]}}}`), thing(Thing{Attributes: map[string]string{"a": "1-${v}"}})},
		"in a policy document":      {policy(`{"Statement":[{"Resource":{"Ref":"P"}}]}`), written(`{"Statement":[{"Resource":{"Ref":"P"}}]}`)},
		"in a policy's Fn::Sub":     {policy(`{"Statement":[{"Resource":{"Fn::Sub":"topic/${P}"}}]}`), written(`{"Statement":[{"Resource":"topic/${P}"}]}`)},
		"the CA, which others have": {withParameter(withCertificate(`{"CertificatePem":"x","CACertificatePem":{"Ref":"P"}}`)), Plan{Certificate: &Certificate{LogicalID: "c", PEM: "x", Active: true}, DeviceConfiguration: map[string]any{}}},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := Parse(tc.body, API)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read.Evaluate(Input{})
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestNobodyGuessesWhatIsIndispensable(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		kind Kind
	}{
		"the thing's name":         {withThing(`{"ThingName":{"Ref":"P"}}`), API},
		"a part of a text":         {withThing(`{"ThingName":{"Fn::Join":["-",["x",{"Ref":"P"}]]}}`), API},
		"what is split":            {withThing(`{"ThingName":{"Fn::Select":[0,{"Fn::Split":["-",{"Ref":"P"}]}]}}`), API},
		"a group":                  {withThing(`{"ThingName":"x","ThingGroups":["all",{"Ref":"P"}]}`), API},
		"all groups":               {withThing(`{"ThingName":"x","ThingGroups":{"Ref":"P"}}`), API},
		"the certificate":          {withParameter(withCertificate(`{"CertificatePem":{"Ref":"P"}}`)), API},
		"its status":               {withParameter(withCertificate(`{"CertificatePem":"x","Status":{"Ref":"P"}}`)), API},
		"the policy's name":        {withParameter(`{"Resources":{"p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":{"Ref":"P"}}}}}`), API},
		"the whole policy":         {withParameter(`{"Resources":{"p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":{"Ref":"P"}}}}}`), API},
		"an attribute, of a fleet": {withThing(`{"ThingName":"x","AttributePayload":{"a":{"Ref":"P"}}}`), Fleet},
		"an attribute, by a CA":    {withThing(`{"ThingName":"x","AttributePayload":{"a":{"Ref":"P"}}}`), JITP},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := Parse(tc.body, tc.kind)
			if err != nil {
				t.Fatal(err)
			}
			_, err = read.Evaluate(Input{})
			expectFault(t, err, fault.CodeRegistrationFailure, "Parameter P has no value")
		})
	}
}

// withParameter declares P in a template.
func withParameter(body string) string {
	return strings.Replace(strings.Replace(body, `"Parameters":{},`, "", 1), `{`, `{"Parameters":{"P":{"Type":"String"}},`, 1)
}

func expectFault(t *testing.T, err error, code fault.Code, message string) {
	t.Helper()
	want := string(code) + ": " + message
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(device, "A17")
	f.Add(withThing(`{"ThingName":{"Fn::Sub":"${P}${!P}${"}}`), "x")
	f.Fuzz(func(t *testing.T, body, value string) {
		for _, kind := range []Kind{API, Fleet, JITP} {
			read, err := Parse(body, kind)
			if err != nil {
				if fault.CodeOf(err) != fault.CodeInvalidRequest {
					t.Fatalf("parse: %v", err)
				}
				continue
			}
			if _, err := read.Evaluate(Input{}); err != nil && fault.CodeOf(err) != fault.CodeRegistrationFailure {
				t.Fatalf("evaluate without values: %v", err)
			}
			values := map[string]string{CertificateID: value}
			for _, name := range read.Missing(values) {
				values[name] = value
			}
			if _, err := read.Evaluate(Input{Parameters: values}); err != nil && fault.CodeOf(err) != fault.CodeRegistrationFailure {
				t.Fatalf("evaluate: %v", err)
			}
		}
	})
}
