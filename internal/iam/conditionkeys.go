package iam

import (
	"context"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/policy"
)

// keysOf are the condition keys that a call's input brings.
func keysOf(call wire.Call) policy.Values {
	v := policy.Values{}
	if arn := member(call, "PolicyArn"); arn != "" {
		v.Set("iam:PolicyARN", arn)
	}
	input := inputOf(call)
	tagKeys := stringsOf(input, "TagKeys")
	for _, tag := range requestTags(input) {
		v.Set("aws:RequestTag/"+tag.Key, tag.Value)
		tagKeys = append(tagKeys, tag.Key)
	}
	if len(tagKeys) > 0 {
		v.Set("aws:TagKeys", tagKeys...)
	}
	if call.Action() == "iot:GetConnection" {
		wanted, _ := fieldOf(input, "IncludeSocketInformation").(*bool)
		v.Set("iot:IncludeSocketInformation", boolText(wanted != nil && *wanted))
	}
	return v
}

// fieldOf is the value of an input's field; nil without one.
func fieldOf(input reflect.Value, name string) any {
	if field := input.FieldByName(name); field.IsValid() {
		return field.Interface()
	}
	return nil
}

func stringsOf(input reflect.Value, name string) []string {
	all, _ := fieldOf(input, name).([]string)
	return slices.Clone(all)
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// requestTags reads the tags that a call puts on something. The models have them
// as a list of pairs, as a map, and for rules as the text of a header.
func requestTags(input reflect.Value) []Tag {
	switch tags := fieldOf(input, "Tags").(type) {
	case nil:
		return nil
	case map[string]string:
		var all []Tag
		for key, value := range tags {
			all = append(all, Tag{key, value})
		}
		return all
	case string:
		pairs, _ := url.ParseQuery(tags) // what is malformed the operation refuses
		var all []Tag
		for key := range pairs {
			all = append(all, Tag{key, pairs.Get(key)})
		}
		return all
	}
	return pairsOf(input.FieldByName("Tags"))
}

func pairsOf(list reflect.Value) []Tag {
	if list.Kind() != reflect.Slice || list.Type().Elem().Kind() != reflect.Struct {
		return nil
	}
	var all []Tag
	for i := range list.Len() {
		key, value := list.Index(i).FieldByName("Key"), list.Index(i).FieldByName("Value")
		if key.Kind() == reflect.String && value.Kind() == reflect.String {
			all = append(all, Tag{key.String(), value.String()})
		}
	}
	return all
}

// services are the principals that a call hands roles to, for
// iam:PassedToService: by action, else by the service of the action.
var services = map[string]string{
	"iot:CreateRoleAlias": "credentials.iot.amazonaws.com",
	"iot:UpdateRoleAlias": "credentials.iot.amazonaws.com",
	"iot":                 "iot.amazonaws.com",
	"sagemaker":           "sagemaker.amazonaws.com",
}

// PassedTo are the condition keys of iam:PassRole.
func PassedTo(service string) policy.Values {
	v := policy.Values{}
	v.Set("iam:PassedToService", service)
	return v
}

func passedBy(call wire.Call) policy.Values {
	service, ok := services[call.Action()]
	if !ok {
		service = services[call.Service.ActionPrefix]
	}
	return PassedTo(service)
}

// resourceKeys are the condition keys of the resource that is asked for. Its tags
// are read when a condition asks for them; err is why that failed.
type resourceKeys struct {
	ctx      context.Context
	service  *Service
	resource string
	err      error
}

const resourceTag = "resourcetag/"

// Lookup implements policy.Context.
func (k *resourceKeys) Lookup(key string) []string {
	if key == "aws:resourceaccount" {
		return []string{k.account()}
	}
	prefix, name, found := strings.Cut(key, resourceTag)
	if !found || prefix != "aws:" && prefix != "iam:" && prefix != "sagemaker:" {
		return nil
	}
	tags, err := k.service.tagsOf(k.ctx, k.resource)
	if err != nil && fault.CodeOf(err) == fault.Internal {
		k.err = err // others mean that there is no such resource, or that it takes no tags
	}
	return valueOfTag(tags, name)
}

// account is the one that the resource's ARN names; S3's name none.
func (k *resourceKeys) account() string {
	if name, err := arn.Parse(k.resource); err == nil && name.Account != "" {
		return name.Account
	}
	return k.service.scope.Account
}

// tagsOf reads the tags of a resource, in whichever account of the server it is.
func (s *Service) tagsOf(ctx context.Context, resource string) ([]Tag, error) {
	name, err := arn.Parse(resource)
	home := s.of(resource)
	if err != nil || home == nil {
		return nil, nil
	}
	if name.Service != "iam" {
		return home.resourceTags(ctx, resource)
	}
	kind, path := name.Kind()
	switch last := path[strings.LastIndexByte(path, '/')+1:]; kind {
	case "role":
		role, err := home.Role(ctx, last)
		return role.Tags, err
	case "user":
		user, err := home.User(ctx, last)
		return user.Tags, err
	case "policy":
		managed, err := home.Policy(ctx, resource)
		return managed.Tags, err
	}
	return nil, nil
}
