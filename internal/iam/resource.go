package iam

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"thingd/internal/aws/wire"
	"thingd/internal/fault"
)

// kinds says what the members of the IoT services' inputs name: the word in
// front of the slash in the ARN. Only members that are part of a call's path
// count, and those that besides has for the call.
var kinds = map[string]string{
	"thingName": "thing", "thingTypeName": "thingtype", "thingGroupName": "thinggroup", "billingGroupName": "billinggroup",
	"policyName": "policy", "certificateId": "cert", "caCertificateId": "cacert", "certificateProviderName": "certificateprovider",
	"ruleName": "rule", "roleAlias": "rolealias", "authorizerName": "authorizer", "domainConfigurationName": "domainconfiguration",
	"streamId": "stream", "jobId": "job", "jobTemplateId": "jobtemplate", "otaUpdateId": "otaupdate", "indexName": "index",
	"templateName": "provisioningtemplate", "commandId": "command", "packageName": "package",
	"securityProfileName": "securityprofile", "scheduledAuditName": "scheduledaudit", "actionName": "mitigationaction",
	"topic": "topic", "clientId": "client", "tunnelId": "tunnel",
}

// besides are the calls whose resources are not all in the path: members by
// name. Those that end in Arn, target and principal are whole ARNs.
var besides = map[string][]string{
	"iot:AddThingToThingGroup":        {"thingName", "thingArn", "thingGroupName", "thingGroupArn"},
	"iot:RemoveThingFromThingGroup":   {"thingName", "thingArn", "thingGroupName", "thingGroupArn"},
	"iot:AddThingToBillingGroup":      {"thingName", "thingArn", "billingGroupName", "billingGroupArn"},
	"iot:RemoveThingFromBillingGroup": {"thingName", "thingArn", "billingGroupName", "billingGroupArn"},
	"iot:UpdateThingGroupsForThing":   {"thingName"},
	"iot:TagResource":                 {"resourceArn"},
	"iot:UntagResource":               {"resourceArn"},
	"iot:ListTagsForResource":         {"resourceArn"},
	"iot:SearchIndex":                 {"indexName"},
	"iot:GetCardinality":              {"indexName"},
	"iot:GetStatistics":               {"indexName"},
	"iot:GetPercentiles":              {"indexName"},
	"iot:GetBucketsAggregation":       {"indexName"},
	"iot:CreateProvisioningTemplate":  {"templateName"},
	"iot:AttachPrincipalPolicy":       {"principal"},
	"iot:DetachPrincipalPolicy":       {"principal"},
	"iot:SetDefaultAuthorizer":        {"authorizerName"},
	"iot:RotateTunnelAccessToken":     {"tunnelId"},
	"iot:DescribeTunnel":              {"tunnelId"},
	"iot:CloseTunnel":                 {"tunnelId"},
}

// instead are the calls for which AWS judges another resource than the path's:
// policies are attached to what AWS calls the target.
var instead = map[string][]string{
	"iot:AttachPolicy": {"target"},
	"iot:DetachPolicy": {"target"},
}

// resources are the ARNs that a call touches; "*" where AWS has none either.
func (s *Service) resources(ctx context.Context, a *Actor, call wire.Call) ([]string, error) {
	switch call.Service.ActionPrefix {
	case "iam":
		return s.iamResources(ctx, a, call)
	case "sagemaker":
		return s.sagemakerResources(call), nil
	}
	input := inputOf(call)
	names := pathMembers(input)
	if other, ok := instead[call.Action()]; ok {
		names = other
	}
	found := s.listed(input, call.Action())
	for _, name := range append(names, besides[call.Action()]...) {
		if arn := s.iotResource(call, name, valueOf(input, name)); arn != "" && !slices.Contains(found, arn) {
			found = append(found, arn)
		}
	}
	return orAny(found), nil
}

func orAny(arns []string) []string {
	if len(arns) == 0 {
		return []string{"*"}
	}
	return arns
}

// iotResource is the ARN that a member stands for; "" where it is absent or
// names no resource of its own.
func (s *Service) iotResource(call wire.Call, name, value string) string {
	if value == "" {
		return ""
	}
	if strings.HasPrefix(value, "arn:") && (strings.HasSuffix(name, "Arn") || name == "target" || name == "principal") {
		return value
	}
	kind := kinds[name]
	switch {
	case name == "thingName" && member(call, "shadowName") != "":
		value += "/" + member(call, "shadowName") // a named shadow is a resource of its own
	case name == "metricName" && strings.HasPrefix(call.Operation.URI, "/fleet-metric"):
		kind = "fleetmetric"
	case name == "metricName":
		kind = "custommetric"
	case name == "name" && strings.HasPrefix(call.Operation.URI, "/dimensions"):
		kind = "dimension"
	case kind == "":
		return ""
	}
	return s.scope.IoT(kind, value)
}

// lists are the calls that name resources in lists: fields of the input, and the
// kind of what they name, "" for whole ARNs.
var lists = map[string]map[string]string{
	"iot:CreateJob":                 {"Targets": ""},
	"iot:AssociateTargetsWithJob":   {"Targets": ""},
	"iot:UpdateThingGroupsForThing": {"ThingGroupsToAdd": "thinggroup", "ThingGroupsToRemove": "thinggroup"},
}

// listed are the ARNs in the lists that a call carries.
func (s *Service) listed(input reflect.Value, action string) []string {
	var found []string
	for name, kind := range lists[action] {
		field := input.FieldByName(name)
		if !field.IsValid() {
			continue
		}
		values, _ := field.Interface().([]string)
		for _, value := range values {
			if kind != "" {
				value = s.scope.IoT(kind, value)
			}
			found = append(found, value)
		}
	}
	return found
}

// pathMembers are the names by which an input's members stand in the path.
func pathMembers(input reflect.Value) []string {
	var names []string
	for i := range input.NumField() {
		if name, inPath := placeOf(input.Type().Field(i)); inPath {
			names = append(names, name)
		}
	}
	return names
}

// placeOf reads the tags of a member: its name there, and whether that is in the
// path.
func placeOf(field reflect.StructField) (name string, inPath bool) {
	name, _, _ = strings.Cut(field.Tag.Get("json"), ",")
	for part := range strings.SplitSeq(field.Tag.Get("wire"), ",") {
		where, other, renamed := strings.Cut(part, "=")
		if where != "uri" {
			continue
		}
		if inPath = true; renamed {
			name = other
		}
	}
	return name, inPath
}

func inputOf(call wire.Call) reflect.Value { return reflect.Indirect(reflect.ValueOf(call.Input)) }

// member is valueOf for a call's input.
func member(call wire.Call, name string) string { return valueOf(inputOf(call), name) }

// valueOf is the value of the string member of this name; "" without one.
func valueOf(input reflect.Value, name string) string {
	for i := range input.NumField() {
		if have, _ := placeOf(input.Type().Field(i)); have == name && input.Field(i).Kind() == reflect.String {
			return input.Field(i).String()
		}
	}
	return ""
}

// sagemakerResources: SageMaker writes names in lower case in ARNs.
func (s *Service) sagemakerResources(call wire.Call) []string {
	fleet := strings.ToLower(member(call, "DeviceFleetName"))
	if fleet == "" {
		return []string{"*"}
	}
	resource := "device-fleet/" + fleet
	if device := strings.ToLower(member(call, "DeviceName")); device != "" {
		resource += "/device/" + device
	}
	return []string{s.scope.Of("sagemaker", resource)}
}

// iamResources: the names of users and roles carry paths, which only the records
// know.
func (s *Service) iamResources(ctx context.Context, a *Actor, call wire.Call) ([]string, error) {
	switch {
	case call.Operation.Name == "CreatePolicy":
		return []string{s.policyARN(path(member(call, "Path")), member(call, "PolicyName"))}, nil
	case member(call, "RoleName") != "":
		return s.roleResource(ctx, call)
	case member(call, "UserName") != "":
		return s.userResource(ctx, call)
	case member(call, "PolicyArn") != "":
		return []string{member(call, "PolicyArn")}, nil
	case strings.Contains(call.Operation.Name, "AccessKey") || call.Operation.Name == "GetUser":
		return []string{a.Owner}, nil // without a user name these mean the caller
	}
	return []string{"*"}, nil
}

func (s *Service) roleResource(ctx context.Context, call wire.Call) ([]string, error) {
	role, err := s.Role(ctx, member(call, "RoleName"))
	if fault.Is(err, fault.CodeNotFound) {
		role, err = Role{Name: member(call, "RoleName"), Path: path(member(call, "Path"))}, nil
	}
	return []string{s.RoleARN(role)}, err
}

func (s *Service) userResource(ctx context.Context, call wire.Call) ([]string, error) {
	user, err := s.User(ctx, member(call, "UserName"))
	if fault.Is(err, fault.CodeNotFound) {
		user, err = User{Name: member(call, "UserName"), Path: path(member(call, "Path"))}, nil
	}
	return []string{s.UserARN(user)}, err
}

// nestedMax is deeper than any input: a structure in a list in a structure and so
// on, where each step counts.
const nestedMax = 24

// passedRoles finds the roles that a call hands to a service, wherever in the
// input they are: whoever may do so could otherwise act as any role.
func passedRoles(input any) []string {
	found := map[string]bool{}
	collectRoles(reflect.ValueOf(input), nestedMax, found)
	return slices.Sorted(maps.Keys(found))
}

func collectRoles(v reflect.Value, depth int, found map[string]bool) {
	if depth == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collectRoles(v.Elem(), depth-1, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collectRoles(v.Index(i), depth-1, found)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collectRoles(v.MapIndex(key), depth-1, found)
		}
	case reflect.Struct:
		rolesOfStruct(v, depth, found)
	}
}

func rolesOfStruct(v reflect.Value, depth int, found map[string]bool) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case !field.IsExported():
		case strings.HasSuffix(field.Name, "RoleArn") && field.Type.Kind() == reflect.String:
			if role := v.Field(i).String(); role != "" {
				found[role] = true
			}
		default:
			collectRoles(v.Field(i), depth-1, found)
		}
	}
}
