package thingd

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
)

// caller calls operations of AWS's own client by name, with inputs and outputs
// as JSON, so that tests can be tables.
type caller struct {
	h      *house
	client *sdk.Client
	others map[string]any    // clients of other services, by the word before the operation: "iam/ListUsers"
	vars   *strings.Replacer // what stands for values that only the server knows
}

func newCaller(t *testing.T, change ...func(*Config)) *caller {
	t.Helper()
	return callerOf(start(t, change...))
}

// callerOf has AWS's clients for an account.
func callerOf(h *house) *caller {
	config := aws.Config{
		Region: h.Region, BaseEndpoint: aws.String("http://" + h.HTTP), RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: wholeBodies{}},
		Credentials: credentials.NewStaticCredentialsProvider(h.keys.AccessKeyID, h.keys.SecretAccessKey, h.keys.SessionToken),
	}
	return &caller{h: h, vars: strings.NewReplacer(), client: sdk.NewFromConfig(config), others: map[string]any{
		"data": iotdataplane.NewFromConfig(config), "iam": iam.NewFromConfig(config), "sts": sts.NewFromConfig(config),
	}}
}

// wholeBodies sends requests with bodies of its own. The SDK closes a request's
// body as soon as the answer begins, and net/http may look a last time whether
// there is more of it only then: the SDK's body says EOF there, which net/http
// takes for a failure, and it closes the connection under the rest of the answer.
// A server that is as near as this one meets that, once in some thousand calls
// under load.
type wholeBodies struct{}

// RoundTrip implements http.RoundTripper.
func (wholeBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	own := r.Clone(r.Context())
	own.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(own)
}

// output is what an operation gave: with its types, and as JSON without what is
// absent.
type output struct {
	value   reflect.Value
	members map[string]any
}

// call does one call, such as
//
//	CreateThing {"thingName": "lamp"}
func (c *caller) call(line string) (output, error) {
	method, in, err := c.prepare(line)
	if err != nil {
		return output{}, err
	}
	return c.do(method, in)
}

// prepare gives the method of a line, and its input.
func (c *caller) prepare(line string) (method, in reflect.Value, err error) {
	name, input, _ := strings.Cut(c.vars.Replace(line), " ")
	var client any = c.client
	if service, operation, other := strings.Cut(name, "/"); other {
		if client, name = c.others[service], operation; client == nil {
			return method, in, fmt.Errorf("there is no client of %q", service)
		}
	}
	method = reflect.ValueOf(client).MethodByName(name)
	if !method.IsValid() {
		return method, in, fmt.Errorf("the client has no operation %q", name)
	}
	in = reflect.New(method.Type().In(1).Elem())
	if input != "" {
		err = json.Unmarshal([]byte(input), in.Interface())
	}
	return method, in, err
}

func (c *caller) do(method, in reflect.Value) (output, error) {
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), in})
	if err, _ := results[1].Interface().(error); err != nil {
		return output{}, err
	}
	text, err := json.Marshal(results[0].Interface())
	if err != nil {
		return output{}, err
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return output{}, err
	}
	delete(members, "ResultMetadata")
	return output{results[0].Elem(), withoutNull(members)}, nil
}

// withoutNull drops what is absent, and what the client shows for absent text and
// numbers; empty lists stay.
func withoutNull(members map[string]any) map[string]any {
	maps.DeleteFunc(members, func(_ string, v any) bool {
		if inner, ok := v.(map[string]any); ok {
			withoutNull(inner)
		}
		return v == nil || v == ""
	})
	return members
}

func (c *caller) must(t *testing.T, line string) output {
	t.Helper()
	out, err := c.call(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

// define lets later calls write {NAME} for a value.
func (c *caller) define(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	c.vars = strings.NewReplacer(pairs...)
}

// exception says which error a call gave: status and name.
func exception(err error) string {
	problem, isAPI := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*smithyhttp.ResponseError](err)
	if !isAPI || !answered {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(response.HTTPStatusCode(), " ", problem.ErrorCode())
}

// What only the server knows is compared by its form.
var forms = []struct {
	re   *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*Z"`), `"TIME"`},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
}

// normal gives members with the forms of what only the server knows.
func normal(t *testing.T, members map[string]any) string {
	t.Helper()
	text, err := json.MarshalIndent(members, "", " ")
	must(t, err)
	for _, form := range forms {
		text = form.re.ReplaceAll(text, []byte(form.name))
	}
	return string(text)
}

// family is a kind of resource with its calls, NAME standing for the resource's.
type family struct {
	name                         string
	before                       []string // what it needs
	create, read, update, remove string
	ready                        string // what must be done before it can be removed
	want, after                  string // what read gives after create and after update
}

const doc = `{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iot:*\",\"Resource\":\"*\"}}`

var families = []family{
	{
		name:   "thing",
		before: []string{`CreateThingType {"thingTypeName":"t"}`},
		create: `CreateThing {"thingName":"NAME","thingTypeName":"t","attributePayload":{"attributes":{"a":"1"}}}`,
		read:   `DescribeThing {"thingName":"NAME"}`,
		want: `{"ThingName":"NAME","ThingId":"UUID","ThingArn":"arn:aws:iot:us-east-1:123456789012:thing/NAME","DefaultClientId":"NAME",
			"ThingTypeName":"t","Attributes":{"a":"1"},"Version":1}`,
		update: `UpdateThing {"thingName":"NAME","removeThingType":true,"attributePayload":{"attributes":{"b":"2"}}}`,
		after: `{"ThingName":"NAME","ThingId":"UUID","ThingArn":"arn:aws:iot:us-east-1:123456789012:thing/NAME","DefaultClientId":"NAME",
			"Attributes":{"b":"2"},"Version":2}`,
		remove: `DeleteThing {"thingName":"NAME"}`,
	}, {
		name:   "thing without anything",
		create: `CreateThing {"thingName":"NAME"}`,
		read:   `DescribeThing {"thingName":"NAME"}`,
		want: `{"ThingName":"NAME","ThingId":"UUID","ThingArn":"arn:aws:iot:us-east-1:123456789012:thing/NAME","DefaultClientId":"NAME",
			"Attributes":{},"Version":1}`,
		remove: `DeleteThing {"thingName":"NAME"}`,
	}, {
		name:   "thing group",
		create: `CreateThingGroup {"thingGroupName":"NAME","thingGroupProperties":{"thingGroupDescription":"d","attributePayload":{"attributes":{"a":"1"}}}}`,
		read:   `DescribeThingGroup {"thingGroupName":"NAME"}`,
		want: `{"ThingGroupName":"NAME","ThingGroupId":"UUID","ThingGroupArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/NAME","Version":1,
			"ThingGroupProperties":{"ThingGroupDescription":"d","AttributePayload":{"Attributes":{"a":"1"},"Merge":false}},"ThingGroupMetadata":{"RootToParentThingGroups":[],"CreationDate":"TIME"}}`,
		update: `UpdateThingGroup {"thingGroupName":"NAME","expectedVersion":1,"thingGroupProperties":{"thingGroupDescription":"e"}}`,
		after: `{"ThingGroupName":"NAME","ThingGroupId":"UUID","ThingGroupArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/NAME","Version":2,
			"ThingGroupProperties":{"ThingGroupDescription":"e","AttributePayload":{"Attributes":{"a":"1"},"Merge":false}},"ThingGroupMetadata":{"RootToParentThingGroups":[],"CreationDate":"TIME"}}`,
		remove: `DeleteThingGroup {"thingGroupName":"NAME"}`,
	}, {
		name:   "billing group",
		create: `CreateBillingGroup {"billingGroupName":"NAME","billingGroupProperties":{"billingGroupDescription":"d"}}`,
		read:   `DescribeBillingGroup {"billingGroupName":"NAME"}`,
		want: `{"BillingGroupName":"NAME","BillingGroupId":"UUID","BillingGroupArn":"arn:aws:iot:us-east-1:123456789012:billinggroup/NAME","Version":1,
			"BillingGroupProperties":{"BillingGroupDescription":"d"},"BillingGroupMetadata":{"CreationDate":"TIME"}}`,
		update: `UpdateBillingGroup {"billingGroupName":"NAME","billingGroupProperties":{"billingGroupDescription":"e"}}`,
		after: `{"BillingGroupName":"NAME","BillingGroupId":"UUID","BillingGroupArn":"arn:aws:iot:us-east-1:123456789012:billinggroup/NAME","Version":2,
			"BillingGroupProperties":{"BillingGroupDescription":"e"},"BillingGroupMetadata":{"CreationDate":"TIME"}}`,
		remove: `DeleteBillingGroup {"billingGroupName":"NAME"}`,
	}, {
		name:   "policy",
		create: `CreatePolicy {"policyName":"NAME","policyDocument":"` + doc + `"}`,
		read:   `GetPolicy {"policyName":"NAME"}`,
		want: `{"PolicyName":"NAME","PolicyArn":"arn:aws:iot:us-east-1:123456789012:policy/NAME","PolicyDocument":"` + doc + `","DefaultVersionId":"1",
			"GenerationId":"UUID","CreationDate":"TIME","LastModifiedDate":"TIME"}`,
		update: `CreatePolicyVersion {"policyName":"NAME","policyDocument":" ` + doc + `","setAsDefault":true}`,
		after: `{"PolicyName":"NAME","PolicyArn":"arn:aws:iot:us-east-1:123456789012:policy/NAME","PolicyDocument":" ` + doc + `","DefaultVersionId":"2",
			"GenerationId":"UUID","CreationDate":"TIME","LastModifiedDate":"TIME"}`,
		ready:  `DeletePolicyVersion {"policyName":"NAME","policyVersionId":"1"}`,
		remove: `DeletePolicy {"policyName":"NAME"}`,
	}, {
		name:   "role alias",
		create: `CreateRoleAlias {"roleAlias":"NAME","roleArn":"arn:aws:iam::123456789012:role/r"}`,
		read:   `DescribeRoleAlias {"roleAlias":"NAME"}`,
		want: `{"RoleAliasDescription":{"RoleAlias":"NAME","RoleAliasArn":"arn:aws:iot:us-east-1:123456789012:rolealias/NAME","RoleArn":"arn:aws:iam::123456789012:role/r",
			"Owner":"123456789012","CredentialDurationSeconds":3600,"CreationDate":"TIME","LastModifiedDate":"TIME"}}`,
		update: `UpdateRoleAlias {"roleAlias":"NAME","credentialDurationSeconds":900}`,
		after: `{"RoleAliasDescription":{"RoleAlias":"NAME","RoleAliasArn":"arn:aws:iot:us-east-1:123456789012:rolealias/NAME","RoleArn":"arn:aws:iam::123456789012:role/r",
			"Owner":"123456789012","CredentialDurationSeconds":900,"CreationDate":"TIME","LastModifiedDate":"TIME"}}`,
		remove: `DeleteRoleAlias {"roleAlias":"NAME"}`,
	}, {
		name:   "authorizer",
		create: `CreateAuthorizer {"authorizerName":"NAME","authorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","signingDisabled":true,"status":"ACTIVE"}`,
		read:   `DescribeAuthorizer {"authorizerName":"NAME"}`,
		want: `{"AuthorizerDescription":{"AuthorizerName":"NAME","AuthorizerArn":"arn:aws:iot:us-east-1:123456789012:authorizer/NAME","Status":"ACTIVE",
			"AuthorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","SigningDisabled":true,"EnableCachingForHttp":false,"CreationDate":"TIME","LastModifiedDate":"TIME"}}`,
		update: `UpdateAuthorizer {"authorizerName":"NAME","status":"INACTIVE","enableCachingForHttp":true}`,
		after: `{"AuthorizerDescription":{"AuthorizerName":"NAME","AuthorizerArn":"arn:aws:iot:us-east-1:123456789012:authorizer/NAME","Status":"INACTIVE",
			"AuthorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","SigningDisabled":true,"EnableCachingForHttp":true,"CreationDate":"TIME","LastModifiedDate":"TIME"}}`,
		remove: `DeleteAuthorizer {"authorizerName":"NAME"}`,
	}, {
		name: "domain configuration",
		before: []string{
			`CreateAuthorizer {"authorizerName":"z","authorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","signingDisabled":true}`},
		create: `CreateDomainConfiguration {"domainConfigurationName":"NAME","domainName":"NAME.example","authorizerConfig":{"defaultAuthorizerName":"z","allowAuthorizerOverride":true}}`,
		read:   `DescribeDomainConfiguration {"domainConfigurationName":"NAME"}`,
		want: `{"DomainConfigurationName":"NAME","DomainConfigurationArn":"arn:aws:iot:us-east-1:123456789012:domainconfiguration/NAME/UUID","DomainName":"NAME.example",
			"AuthorizerConfig":{"DefaultAuthorizerName":"z","AllowAuthorizerOverride":true},"ServerCertificates":[],"DomainConfigurationStatus":"ENABLED","ServiceType":"DATA",
			"DomainType":"CUSTOMER_MANAGED","AuthenticationType":"DEFAULT","ApplicationProtocol":"DEFAULT","LastStatusChangeDate":"TIME"}`,
		update: `UpdateDomainConfiguration {"domainConfigurationName":"NAME","removeAuthorizerConfig":true,"domainConfigurationStatus":"DISABLED","tlsConfig":{"securityPolicy":"IoTSecurityPolicy_TLS12_1_2_2022_10"}}`,
		after: `{"DomainConfigurationName":"NAME","DomainConfigurationArn":"arn:aws:iot:us-east-1:123456789012:domainconfiguration/NAME/UUID","DomainName":"NAME.example",
			"ServerCertificates":[],"DomainConfigurationStatus":"DISABLED","ServiceType":"DATA","TlsConfig":{"SecurityPolicy":"IoTSecurityPolicy_TLS12_1_2_2022_10"},
			"DomainType":"CUSTOMER_MANAGED","AuthenticationType":"DEFAULT","ApplicationProtocol":"DEFAULT","LastStatusChangeDate":"TIME"}`,
		remove: `DeleteDomainConfiguration {"domainConfigurationName":"NAME"}`,
	}, {
		name:   "certificate provider",
		create: `CreateCertificateProvider {"certificateProviderName":"NAME","lambdaFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","accountDefaultForOperations":["CreateCertificateFromCsr"]}`,
		read:   `DescribeCertificateProvider {"certificateProviderName":"NAME"}`,
		want: `{"CertificateProviderName":"NAME","CertificateProviderArn":"arn:aws:iot:us-east-1:123456789012:certificateprovider/NAME",
			"LambdaFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","AccountDefaultForOperations":["CreateCertificateFromCsr"],"CreationDate":"TIME","LastModifiedDate":"TIME"}`,
		update: `UpdateCertificateProvider {"certificateProviderName":"NAME","lambdaFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:g"}`,
		after: `{"CertificateProviderName":"NAME","CertificateProviderArn":"arn:aws:iot:us-east-1:123456789012:certificateprovider/NAME",
			"LambdaFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:g","AccountDefaultForOperations":["CreateCertificateFromCsr"],"CreationDate":"TIME","LastModifiedDate":"TIME"}`,
		remove: `DeleteCertificateProvider {"certificateProviderName":"NAME"}`,
	}, {
		name:   "provisioning template",
		create: `CreateProvisioningTemplate {"templateName":"NAME","provisioningRoleArn":"arn:aws:iam::123456789012:role/r","templateBody":"{\"Resources\":{\"t\":{\"Type\":\"AWS::IoT::Thing\",\"Properties\":{\"ThingName\":\"x\"}}}}"}`,
		read:   `DescribeProvisioningTemplate {"templateName":"NAME"}`,
		want: `{"TemplateName":"NAME","TemplateArn":"arn:aws:iot:us-east-1:123456789012:provisioningtemplate/NAME","ProvisioningRoleArn":"arn:aws:iam::123456789012:role/r",
			"TemplateBody":"{\"Resources\":{\"t\":{\"Type\":\"AWS::IoT::Thing\",\"Properties\":{\"ThingName\":\"x\"}}}}","DefaultVersionId":1,"Enabled":false,"Type":"FLEET_PROVISIONING",
			"CreationDate":"TIME","LastModifiedDate":"TIME"}`,
		update: `UpdateProvisioningTemplate {"templateName":"NAME","enabled":true,"description":"d"}`,
		after: `{"TemplateName":"NAME","TemplateArn":"arn:aws:iot:us-east-1:123456789012:provisioningtemplate/NAME","ProvisioningRoleArn":"arn:aws:iam::123456789012:role/r","Description":"d",
			"TemplateBody":"{\"Resources\":{\"t\":{\"Type\":\"AWS::IoT::Thing\",\"Properties\":{\"ThingName\":\"x\"}}}}","DefaultVersionId":1,"Enabled":true,"Type":"FLEET_PROVISIONING",
			"CreationDate":"TIME","LastModifiedDate":"TIME"}`,
		remove: `DeleteProvisioningTemplate {"templateName":"NAME"}`,
	}, {
		name:   "topic rule",
		create: `CreateTopicRule {"ruleName":"NAME","topicRulePayload":{"sql":"SELECT * FROM 'a'","actions":[{"republish":{"roleArn":"arn:aws:iam::123456789012:role/r","topic":"b"}}]}}`,
		read:   `GetTopicRule {"ruleName":"NAME"}`,
		want: `{"RuleArn":"arn:aws:iot:us-east-1:123456789012:rule/NAME","Rule":{"RuleName":"NAME","Sql":"SELECT * FROM 'a'","AwsIotSqlVersion":"2015-10-08","RuleDisabled":false,"CreatedAt":"TIME",
			"Actions":[{"Republish":{"RoleArn":"arn:aws:iam::123456789012:role/r","Topic":"b"}}]}}`,
		update: `ReplaceTopicRule {"ruleName":"NAME","topicRulePayload":{"sql":"SELECT * FROM 'c'","awsIotSqlVersion":"2016-03-23","ruleDisabled":true,"description":"d","actions":[{"republish":{"roleArn":"arn:aws:iam::123456789012:role/r","topic":"b","qos":1}}]}}`,
		after: `{"RuleArn":"arn:aws:iot:us-east-1:123456789012:rule/NAME","Rule":{"RuleName":"NAME","Sql":"SELECT * FROM 'c'","AwsIotSqlVersion":"2016-03-23","RuleDisabled":true,"CreatedAt":"TIME","Description":"d",
			"Actions":[{"Republish":{"RoleArn":"arn:aws:iam::123456789012:role/r","Topic":"b","Qos":1}}]}}`,
		remove: `DeleteTopicRule {"ruleName":"NAME"}`,
	},
}

// TestWhatIsWrittenIsRead goes the way of tools that keep infrastructure: what
// is written must come back as it is, or they want to change it forever.
func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t)
			for _, line := range f.before {
				c.must(t, line)
			}
			named := func(text string) string { return strings.ReplaceAll(text, "NAME", "one") }
			reads := func(want string) {
				t.Helper()
				out := c.must(t, named(f.read))
				var members map[string]any
				must(t, json.Unmarshal([]byte(named(want)), &members))
				if diff := cmp.Diff(normal(t, withoutNull(members)), normal(t, withoutDeepNull(out.members))); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
			gone := func() {
				t.Helper()
				_, err := c.call(named(f.read))
				if got := exception(err); got != "404 ResourceNotFoundException" && !strings.Contains(f.read, "TopicRule") {
					t.Errorf("reading what is not there gives %s", got)
				}
			}
			gone()
			c.must(t, named(f.create))
			reads(f.want)
			if f.update != "" {
				c.must(t, named(f.update))
				reads(f.after)
			}
			if f.ready != "" {
				c.must(t, named(f.ready))
			}
			c.must(t, named(f.remove))
			gone()
			c.must(t, named(f.create))
			reads(f.want)
		})
	}
}

// withoutDeepNull is withoutNull in lists, too.
func withoutDeepNull(members map[string]any) map[string]any {
	for _, v := range members {
		switch v := v.(type) {
		case map[string]any:
			withoutDeepNull(v)
		case []any:
			for _, element := range v {
				if inner, ok := element.(map[string]any); ok {
					withoutDeepNull(inner)
				}
			}
		}
	}
	return withoutNull(members)
}

// lists are all lists that come in pages.
var lists = []string{
	`ListThings`, `ListThings {"attributeName":"a"}`, `ListThings {"thingTypeName":"type1"}`, `ListThingTypes`, `ListThingGroups`,
	`ListThingGroups {"parentGroup":"group1","recursive":true}`, `ListBillingGroups`, `ListThingsInThingGroup {"thingGroupName":"group1"}`,
	`ListThingsInBillingGroup {"billingGroupName":"billing1"}`, `ListThingGroupsForThing {"thingName":"thing1"}`,
	`ListThingPrincipals {"thingName":"thing1"}`, `ListThingPrincipalsV2 {"thingName":"thing1"}`,
	`ListPrincipalThings {"principal":"{CERT}"}`, `ListPrincipalThingsV2 {"principal":"{CERT}"}`,
	`ListPolicies`, `ListAttachedPolicies {"target":"{CERT}"}`, `ListTargetsForPolicy {"policyName":"policy1"}`,
	`ListPrincipalPolicies {"principal":"{CERT}"}`, `ListPolicyPrincipals {"policyName":"policy1"}`,
	`ListCertificates`, `ListAuthorizers`, `ListRoleAliases`, `ListProvisioningTemplates`,
	`ListProvisioningTemplateVersions {"templateName":"template1"}`, `ListTopicRules`, `ListV2LoggingLevels`, `ListDomainConfigurations`,
	`ListCACertificates`, `ListCertificatesByCA {"caCertificateId":"{CA}"}`, `ListOutgoingCertificates`,
	`ListTopicRuleDestinations`, `ListThingRegistrationTasks`, `ListTopicRules {"topic":"a"}`,
	`ListAttachedPolicies {"target":"{CERT}","recursive":true}`, `ListAuthorizers {"ascendingOrder":true}`, `ListCertificates {"ascendingOrder":true}`,
	`data/ListNamedShadowsForThing {"thingName":"thing1"}`, `data/ListRetainedMessages`, `data/ListSubscriptions {"clientId":"listener"}`,
	`iam/ListUsers`, `iam/ListRoles`, `iam/ListPolicies {"scope":"Local"}`, `iam/ListUserPolicies {"userName":"user1"}`, `iam/ListRolePolicies {"roleName":"role1"}`,
	`iam/ListAttachedUserPolicies {"userName":"user1"}`, `iam/ListAttachedRolePolicies {"roleName":"role1"}`, `iam/ListRoleTags {"roleName":"role1"}`, `iam/ListAccessKeys {"userName":"user1"}`,
}

// TestListsEnd reads every list with pages of one, two and three entries, and
// whole.
func TestListsEnd(t *testing.T) {
	c := newCaller(t)
	c.populate(t)
	for _, line := range lists {
		t.Run(strings.ReplaceAll(line, "/", "_"), func(t *testing.T) {
			whole := c.readList(t, line, 0)
			if few := strings.Contains(line, "AccessKeys"); len(whole) < 4 && !few { // two at most
				t.Fatalf("the list has %d entries, want at least 4: %v", len(whole), whole)
			}
			for size := 1; size <= 3; size++ {
				if diff := cmp.Diff(whole, c.readList(t, line, size)); diff != "" {
					t.Errorf("in pages of %d (-whole +got):\n%s", size, diff)
				}
			}
		})
	}
}

// populate makes four of everything.
func (c *caller) populate(t *testing.T) {
	t.Helper()
	certs := make([]string, 4)
	for i := range certs {
		out := c.must(t, `CreateCertificateFromCsr {"setAsActive":true,"certificateSigningRequest":`+quote(newCSR(t))+`}`)
		certs[i] = out.members["CertificateArn"].(string)
	}
	c.define("CERT", certs[0])
	lines := []string{`SetV2LoggingOptions {"roleArn":"r","defaultLogLevel":"INFO"}`}
	for _, n := range []string{"1", "2", "3", "4"} {
		for _, line := range []string{
			`CreateThingType {"thingTypeName":"typeN"}`,
			`CreateThing {"thingName":"thingN","thingTypeName":"type1","attributePayload":{"attributes":{"a":"N"}}}`,
			`CreateThingGroup {"thingGroupName":"groupN"}`, `CreateThingGroup {"thingGroupName":"childN","parentGroupName":"group1"}`,
			`CreateBillingGroup {"billingGroupName":"billingN"}`,
			`AddThingToThingGroup {"thingName":"thingN","thingGroupName":"group1"}`,
			`AddThingToBillingGroup {"thingName":"thingN","billingGroupName":"billing1"}`,
			`AttachThingPrincipal {"thingName":"thingN","principal":"{CERT}"}`,
			`CreatePolicy {"policyName":"policyN","policyDocument":"` + doc + `"}`, `AttachPolicy {"policyName":"policyN","target":"{CERT}"}`,
			`CreateAuthorizer {"authorizerName":"authN","authorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","signingDisabled":true}`,
			`CreateRoleAlias {"roleAlias":"aliasN","roleArn":"arn:aws:iam::123456789012:role/r"}`,
			`CreateProvisioningTemplate {"templateName":"templateN","provisioningRoleArn":"arn:aws:iam::123456789012:role/r","templateBody":"{\"Resources\":{}}"}`,
			`CreateProvisioningTemplateVersion {"templateName":"template1","templateBody":"{\"Resources\":{}}"}`,
			`CreateTopicRule {"ruleName":"ruleN","topicRulePayload":{"sql":"SELECT * FROM 'a'","actions":[{"republish":{"roleArn":"arn:aws:iam::123456789012:role/r","topic":"b"}}]}}`,
			`SetV2LoggingLevel {"logTarget":{"targetType":"CLIENT_ID","targetName":"cN"},"logLevel":"INFO"}`,
			`CreateDomainConfiguration {"domainConfigurationName":"domainN"}`,
		} {
			lines = append(lines, strings.ReplaceAll(line, "N\"", n+"\""))
		}
	}
	for _, group := range []string{"group2", "group3", "group4"} {
		lines = append(lines, `AddThingToThingGroup {"thingName":"thing1","thingGroupName":"`+group+`"}`)
	}
	for _, cert := range certs[1:] {
		lines = append(lines, `AttachThingPrincipal {"thingName":"thing1","principal":"`+cert+`"}`, `AttachPolicy {"policyName":"policy1","target":"`+cert+`"}`)
	}
	for _, line := range lines {
		c.must(t, line)
	}
	c.populateCertificates(t)
	c.populateOthers(t)
}

// populateCertificates adds CAs, certificates of one of them, and offers to
// another account.
func (c *caller) populateCertificates(t *testing.T) {
	t.Helper()
	c.account(t, otherAccount)
	cert := c.vars.Replace("{CERT}")
	ca := newFactory(t, "ca1")
	for i, f := range []factory{ca, newFactory(t, "ca2"), newFactory(t, "ca3"), newFactory(t, "ca4")} {
		out := c.must(t, `RegisterCACertificate {"certificateMode":"SNI_ONLY","setAsActive":true,"caCertificate":`+quote(f.pem)+`}`)
		if i == 0 {
			c.define("CERT", cert, "CA", out.members["CertificateId"].(string))
		}
	}
	for range 4 {
		out := c.must(t, `RegisterCertificate {"certificatePem":`+quote(ca.leaf(t, "device"))+`}`)
		c.must(t, `TransferCertificate {"certificateId":"`+out.members["CertificateId"].(string)+`","targetAwsAccount":"`+otherAccount+`"}`)
	}
	for range 4 {
		c.must(t, `RegisterCertificate {"certificatePem":`+quote(ca.leaf(t, "device"))+`}`)
	}
}

// populateOthers adds what other services list.
func (c *caller) populateOthers(t *testing.T) {
	t.Helper()
	device := c.h.connected(t, c.h.device(t, everything), mqtt.V5, mqtt.Connect{ClientID: "listener", CleanStart: true})
	const trust = `{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{\"AWS\":\"*\"}}}`
	for _, n := range []string{"1", "2", "3", "4"} {
		device.subscribe(t, "filter"+n, mqtt.QoS0)
		for _, line := range []string{
			`CreateTopicRuleDestination {"destinationConfiguration":{"httpUrlConfiguration":{"confirmationUrl":"https://127.0.0.1/N"}}}`,
			`data/UpdateThingShadow {"thingName":"thing1","shadowName":"shadowN","payload":"eyJzdGF0ZSI6eyJkZXNpcmVkIjp7ImEiOjF9fX0="}`,
			`data/Publish {"topic":"kept/N","retain":true,"qos":1,"payload":"YQ=="}`,
			`iam/CreateUser {"userName":"userN"}`, `iam/CreateRole {"roleName":"roleN","assumeRolePolicyDocument":"` + trust + `"}`,
			`iam/CreatePolicy {"policyName":"managedN","policyDocument":"` + doc + `"}`,
			`iam/PutUserPolicy {"userName":"user1","policyName":"inlineN","policyDocument":"` + doc + `"}`,
			`iam/PutRolePolicy {"roleName":"role1","policyName":"inlineN","policyDocument":"` + doc + `"}`,
			`iam/AttachUserPolicy {"userName":"user1","policyArn":"arn:aws:iam::123456789012:policy/managedN"}`,
			`iam/AttachRolePolicy {"roleName":"role1","policyArn":"arn:aws:iam::123456789012:policy/managedN"}`,
			`iam/TagRole {"roleName":"role1","tags":[{"key":"keyN","value":"v"}]}`,
		} {
			c.must(t, strings.NewReplacer(`N"`, n+`"`).Replace(line))
		}
		c.registrationTask(t)
	}
	c.must(t, `iam/CreateAccessKey {"userName":"user1"}`)
	c.must(t, `iam/CreateAccessKey {"userName":"user1"}`)
}

// registrationTask starts one and waits until it is over: one can run at a time.
func (c *caller) registrationTask(t *testing.T) {
	t.Helper()
	out := c.must(t, `StartThingRegistrationTask {"templateBody":"{\"Resources\":{}}","inputFileBucket":"missing","inputFileKey":"k","roleArn":"arn:aws:iam::123456789012:role/r"}`)
	for range 1000 {
		if c.must(t, `DescribeThingRegistrationTask {"taskId":"`+out.members["TaskId"].(string)+`"}`).members["Status"] != "InProgress" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("a registration task does not end")
}

// factory is a certificate authority of a fleet's owner.
type factory struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newFactory(t *testing.T, name string) factory {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	f := factory{key: key}
	f.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	f.cert, f.pem = f.sign(t, f.cert, key.Public())
	return f
}

func (f factory) sign(t *testing.T, template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, string) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, f.cert, public, f.key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// leaf is a certificate of a device.
func (f factory) leaf(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	_, text := f.sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, key.Public())
	return text
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func newCSR(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// readList reads a list to its end, size entries at a time; 0 leaves the size to
// the server.
func (c *caller) readList(t *testing.T, line string, size int) []string {
	t.Helper()
	method, in, err := c.prepare(line)
	must(t, err)
	if field := firstOf(in.Elem(), "MaxResults", "PageSize", "MaxItems"); size > 0 {
		n := reflect.New(field.Type()).Elem()
		if n.Kind() == reflect.Pointer {
			n.Set(reflect.ValueOf(aws.Int32(int32(size))))
		} else {
			n.SetInt(int64(size))
		}
		field.Set(n)
	}
	entries := []string{}
	for range 100 {
		out, err := c.do(method, in)
		must(t, err)
		page := listOf(out.value)
		if size > 0 && page.Len() > size {
			t.Fatalf("a page of %d has %d entries", size, page.Len())
		}
		for i := range page.Len() {
			entry, err := json.Marshal(page.Index(i).Interface())
			must(t, err)
			entries = append(entries, string(entry))
		}
		next := firstOf(out.value, "NextToken", "NextMarker", "Marker")
		if next.IsNil() {
			return entries
		}
		firstOf(in.Elem(), "NextToken", "Marker").Set(next)
	}
	t.Fatal("the list has no end")
	return nil
}

// listOf gives the list of an answer. An empty list is there, not nil.
func listOf(out reflect.Value) reflect.Value {
	for i := range out.NumField() {
		if out.Field(i).Kind() == reflect.Slice {
			return out.Field(i)
		}
	}
	return reflect.ValueOf([]string{})
}

func firstOf(v reflect.Value, names ...string) reflect.Value {
	for _, name := range names {
		if field := v.FieldByName(name); field.IsValid() {
			return field
		}
	}
	return reflect.Value{}
}

// TestEmptyListsAreThere: clients iterate over what they get, and some do not
// expect nothing.
func TestEmptyListsAreThere(t *testing.T) {
	c := newCaller(t)
	c.must(t, `CreateThing {"thingName":"thing1"}`)
	c.must(t, `CreateThingGroup {"thingGroupName":"group1"}`)
	for _, line := range []string{
		`ListThingTypes`, `ListThingGroups {"parentGroup":"group1"}`, `ListBillingGroups`, `ListThingGroupsForThing {"thingName":"thing1"}`, `ListThingPrincipals {"thingName":"thing1"}`,
		`ListThingPrincipalsV2 {"thingName":"thing1"}`, `ListPolicies`, `ListCertificates`, `ListCACertificates`, `ListOutgoingCertificates`, `ListAuthorizers`,
		`ListRoleAliases`, `ListCertificateProviders`, `ListProvisioningTemplates`, `ListTopicRules`, `ListTopicRuleDestinations`,
		`ListThingRegistrationTasks`, `ListTagsForResource {"resourceArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/group1"}`,
	} {
		out := c.must(t, line)
		if list := listOf(out.value); list.IsNil() || list.Len() != 0 {
			t.Errorf("%s gives %v", line, out.members)
		}
	}
}

// TestTimesAreNow: times travel as seconds with a fraction.
func TestTimesAreNow(t *testing.T) {
	c := newCaller(t)
	before := time.Now().Add(-time.Second)
	c.must(t, `CreateAuthorizer {"authorizerName":"a","authorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","signingDisabled":true}`)
	out, err := c.client.DescribeAuthorizer(t.Context(), &sdk.DescribeAuthorizerInput{AuthorizerName: aws.String("a")})
	must(t, err)
	d := out.AuthorizerDescription
	if d.CreationDate.Before(before) || d.CreationDate.After(time.Now()) || !d.CreationDate.Equal(*d.LastModifiedDate) || d.CreationDate.Nanosecond()%1e6 != 0 {
		t.Errorf("created %v, modified %v", d.CreationDate, d.LastModifiedDate)
	}
	must(t, func() error {
		_, err := c.client.UpdateAuthorizer(t.Context(), &sdk.UpdateAuthorizerInput{AuthorizerName: aws.String("a"), Status: "ACTIVE"})
		return err
	}())
	later, err := c.client.DescribeAuthorizer(t.Context(), &sdk.DescribeAuthorizerInput{AuthorizerName: aws.String("a")})
	must(t, err)
	if got := later.AuthorizerDescription; !got.CreationDate.Equal(*d.CreationDate) || got.LastModifiedDate.Before(*d.LastModifiedDate) {
		t.Errorf("after an update created %v, modified %v", got.CreationDate, got.LastModifiedDate)
	}
}

// TestDeclaredErrors provokes the errors that the model declares for operations.
func TestDeclaredErrors(t *testing.T) {
	c := newCaller(t)
	c.populate(t)
	out := c.must(t, `DescribeCertificate {"certificateId":"`+certificateID(c.vars.Replace("{CERT}"))+`"}`)
	pemText := out.members["CertificateDescription"].(map[string]any)["CertificatePem"].(string)
	c.define("CERT", c.vars.Replace("{CERT}"), "ID", certificateID(c.vars.Replace("{CERT}")), "PEM", quote(pemText),
		"FN", "arn:aws:lambda:us-east-1:123456789012:function:f", "ROLE", "arn:aws:iam::123456789012:role/r", "NOID", strings.Repeat("0", 64))
	c.must(t, `SetDefaultAuthorizer {"authorizerName":"auth1"}`)
	c.must(t, `UpdateAuthorizer {"authorizerName":"auth2","status":"ACTIVE"}`)
	for range 4 {
		c.must(t, `CreatePolicyVersion {"policyName":"policy1","policyDocument":"`+doc+`"}`)
	}
	for want, lines := range declared {
		for _, line := range lines {
			_, err := c.call(line)
			if got := exception(err); got != want {
				t.Errorf("%s\n\tgives %s, want %s", line, got, want)
			}
		}
	}
}

func certificateID(arn string) string {
	_, id, _ := strings.Cut(arn, "/")
	return id
}

var declared = map[string][]string{
	"404 ResourceNotFoundException": {
		`DescribeThing {"thingName":"no"}`, `UpdateThing {"thingName":"no"}`, `CreateThing {"thingName":"new","thingTypeName":"no"}`,
		`DescribeThingType {"thingTypeName":"no"}`, `DeprecateThingType {"thingTypeName":"no"}`, `DeleteThingType {"thingTypeName":"no"}`,
		`DescribeThingGroup {"thingGroupName":"no"}`, `UpdateThingGroup {"thingGroupName":"no","thingGroupProperties":{}}`,
		`AddThingToThingGroup {"thingName":"no","thingGroupName":"group1"}`, `ListThingsInThingGroup {"thingGroupName":"no"}`,
		`DescribeBillingGroup {"billingGroupName":"no"}`, `ListThingsInBillingGroup {"billingGroupName":"no"}`,
		`AttachThingPrincipal {"thingName":"no","principal":"{CERT}"}`, `ListThingPrincipals {"thingName":"no"}`,
		`GetPolicy {"policyName":"no"}`, `GetPolicyVersion {"policyName":"policy1","policyVersionId":"9"}`, `DeletePolicy {"policyName":"no"}`,
		`AttachPolicy {"policyName":"no","target":"{CERT}"}`, `ListTargetsForPolicy {"policyName":"no"}`,
		`DescribeCertificate {"certificateId":"{NOID}"}`, `UpdateCertificate {"certificateId":"{NOID}","newStatus":"ACTIVE"}`, `DeleteCertificate {"certificateId":"{NOID}"}`,
		`DescribeCACertificate {"certificateId":"{NOID}"}`, `UpdateCACertificate {"certificateId":"{NOID}"}`, `DeleteCACertificate {"certificateId":"{NOID}"}`,
		`DescribeRoleAlias {"roleAlias":"no"}`, `UpdateRoleAlias {"roleAlias":"no"}`, `DeleteRoleAlias {"roleAlias":"no"}`,
		`DescribeAuthorizer {"authorizerName":"no"}`, `UpdateAuthorizer {"authorizerName":"no"}`, `DeleteAuthorizer {"authorizerName":"no"}`,
		`SetDefaultAuthorizer {"authorizerName":"no"}`, `TestInvokeAuthorizer {"authorizerName":"no"}`,
		`DescribeDomainConfiguration {"domainConfigurationName":"no"}`, `UpdateDomainConfiguration {"domainConfigurationName":"no"}`,
		`DeleteDomainConfiguration {"domainConfigurationName":"no"}`,
		`DescribeCertificateProvider {"certificateProviderName":"no"}`, `UpdateCertificateProvider {"certificateProviderName":"no"}`,
		`DescribeProvisioningTemplate {"templateName":"no"}`, `UpdateProvisioningTemplate {"templateName":"no"}`, `DeleteProvisioningTemplate {"templateName":"no"}`,
		`TagResource {"resourceArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/no","tags":[{"key":"k","value":"v"}]}`,
		`TagResource {"resourceArn":"arn:aws:iot:us-east-1:123456789012:authorizer/no","tags":[{"key":"k","value":"v"}]}`,
	},
	"409 ResourceAlreadyExistsException": {
		`CreateThing {"thingName":"thing1","attributePayload":{"attributes":{"b":"c"}}}`, `CreateThingType {"thingTypeName":"type1","thingTypeProperties":{"thingTypeDescription":"d"}}`,
		`CreateThingGroup {"thingGroupName":"group1","thingGroupProperties":{"thingGroupDescription":"d"}}`,
		`CreateBillingGroup {"billingGroupName":"billing1","billingGroupProperties":{"billingGroupDescription":"d"}}`,
		`CreatePolicy {"policyName":"policy1","policyDocument":"` + doc + `"}`, `CreateRoleAlias {"roleAlias":"alias1","roleArn":"{ROLE}"}`,
		`CreateAuthorizer {"authorizerName":"auth1","authorizerFunctionArn":"{FN}","signingDisabled":true}`, `SetDefaultAuthorizer {"authorizerName":"auth3"}`,
		`CreateDomainConfiguration {"domainConfigurationName":"domain1"}`,
		`CreateProvisioningTemplate {"templateName":"template1","provisioningRoleArn":"{ROLE}","templateBody":"{\"Resources\":{}}"}`,
		`CreateTopicRule {"ruleName":"rule1","topicRulePayload":{"sql":"SELECT * FROM 'a'","actions":[{"republish":{"roleArn":"{ROLE}","topic":"b"}}]}}`,
		`RegisterCertificateWithoutCA {"certificatePem":{PEM}}`,
	},
	"409 DeleteConflictException": {
		`DeletePolicy {"policyName":"policy1"}`,
		`DeleteAuthorizer {"authorizerName":"auth1"}`, `DeleteAuthorizer {"authorizerName":"auth2"}`,
	},
	"409 VersionConflictException": {
		`UpdateThing {"thingName":"thing1","expectedVersion":9}`, `DeleteThing {"thingName":"thing2","expectedVersion":9}`,
		`UpdateThingGroup {"thingGroupName":"group1","expectedVersion":9,"thingGroupProperties":{}}`, `DeleteThingGroup {"thingGroupName":"group2","expectedVersion":9}`,
		`UpdateBillingGroup {"billingGroupName":"billing1","expectedVersion":9,"billingGroupProperties":{}}`, `DeleteBillingGroup {"billingGroupName":"billing2","expectedVersion":9}`,
	},
	"409 VersionsLimitExceededException": {`CreatePolicyVersion {"policyName":"policy1","policyDocument":"` + doc + `"}`},
	"406 CertificateStateException":      {`DeleteCertificate {"certificateId":"{ID}"}`},
	"400 MalformedPolicyException":       {`CreatePolicy {"policyName":"p","policyDocument":"{}"}`, `CreatePolicyVersion {"policyName":"policy2","policyDocument":"hello"}`},
	"400 InvalidRequestException": {
		`DeleteThing {"thingName":"thing1"}`, `DeleteThingType {"thingTypeName":"type1"}`, `DeleteThingGroup {"thingGroupName":"group1"}`,
		`DeletePolicyVersion {"policyName":"policy1","policyVersionId":"1"}`,
		`ListThings {"nextToken":"foreign"}`, `CreateAuthorizer {"authorizerName":"new","authorizerFunctionArn":"{FN}"}`,
		`TestInvokeAuthorizer {"authorizerName":"auth2"}`, `DeleteDomainConfiguration {"domainConfigurationName":"domain1"}`,
		`CreateDomainConfiguration {"domainConfigurationName":"iot:mine"}`, `UpdateEncryptionConfiguration {"encryptionType":"CUSTOMER_MANAGED_KMS_KEY"}`,
		`SetV2LoggingLevel {"logTarget":{"targetType":"CLIENT_ID"},"logLevel":"INFO"}`,
	},
	"400 SqlParseException":              {`CreateTopicRule {"ruleName":"new","topicRulePayload":{"sql":"SELEKT","actions":[{"republish":{"roleArn":"{ROLE}","topic":"b"}}]}}`},
	"400 CertificateValidationException": {`RegisterCertificateWithoutCA {"certificatePem":"hello"}`},
}

func TestLoggingMustBeConfigured(t *testing.T) {
	c := newCaller(t)
	for _, line := range []string{`GetV2LoggingOptions`, `ListV2LoggingLevels`, `SetV2LoggingLevel {"logTarget":{"targetType":"CLIENT_ID","targetName":"c"},"logLevel":"INFO"}`} {
		if _, err := c.call(line); exception(err) != "404 NotConfiguredException" {
			t.Errorf("%s gives %s", line, exception(err))
		}
	}
	c.must(t, `SetV2LoggingOptions {"roleArn":"r","defaultLogLevel":"WARN","eventConfigurations":[{"eventType":"Connect","logLevel":"ERROR"}]}`)
	want := map[string]any{"RoleArn": "r", "DefaultLogLevel": "WARN", "DisableAllLogs": false}
	if diff := cmp.Diff(want, c.must(t, `GetV2LoggingOptions`).members); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	verbose := c.must(t, `GetV2LoggingOptions {"verbose":true}`).members["EventConfigurations"]
	if diff := cmp.Diff([]any{map[string]any{"EventType": "Connect", "LogLevel": "ERROR", "LogDestination": nil}}, verbose); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.must(t, `SetLoggingOptions {"loggingOptionsPayload":{"roleArn":"o","logLevel":"DEBUG"}}`)
	if diff := cmp.Diff(map[string]any{"RoleArn": "o", "LogLevel": "DEBUG"}, c.must(t, `GetLoggingOptions`).members); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
