package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

func TestThingTypeOperations(t *testing.T) {
	c := newControl(t)
	name := aws.String("Pump")
	in := &sdk.CreateThingTypeInput{ThingTypeName: name, ThingTypeProperties: &types.ThingTypeProperties{
		ThingTypeDescription: aws.String("a pump"), SearchableAttributes: []string{"site"},
		Mqtt5Configuration: &types.Mqtt5Configuration{PropagatingAttributes: []types.PropagatingAttribute{
			{UserPropertyKey: aws.String("k"), ThingAttribute: aws.String("site")}}},
	}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}}
	made := `{"ThingTypeName":"Pump","ThingTypeArn":"arn:aws:iot:eu-west-1:111122223333:thingtype/Pump","ThingTypeId":"id-1"}`
	c.gives(made)(c.CreateThingType(c.ctx, in))
	c.gives(made)(c.CreateThingType(c.ctx, in))
	c.refuses(409, "ResourceAlreadyExists")(c.CreateThingType(c.ctx, &sdk.CreateThingTypeInput{ThingTypeName: name}))
	describe := func(attribute, metadata string) {
		t.Helper()
		c.gives(`{"ThingTypeName":"Pump","ThingTypeId":"id-1","ThingTypeArn":"arn:aws:iot:eu-west-1:111122223333:thingtype/Pump",
			"ThingTypeProperties":{"ThingTypeDescription":"a pump","SearchableAttributes":["site"],
			"Mqtt5Configuration":{"PropagatingAttributes":[{"UserPropertyKey":"k",` + attribute + `}]}},
			"ThingTypeMetadata":{"CreationDate":"2023-11-14T22:13:20.123Z",` + metadata + `}}`)(
			c.DescribeThingType(c.ctx, &sdk.DescribeThingTypeInput{ThingTypeName: name}))
	}
	describe(`"ThingAttribute":"site"`, `"Deprecated":false`)
	c.refuses(404, "ResourceNotFound")(c.DescribeThingType(c.ctx, &sdk.DescribeThingTypeInput{ThingTypeName: aws.String("No")}))

	c.ok()(c.UpdateThingType(c.ctx, &sdk.UpdateThingTypeInput{ThingTypeName: name, ThingTypeProperties: &types.ThingTypeProperties{
		Mqtt5Configuration: &types.Mqtt5Configuration{PropagatingAttributes: []types.PropagatingAttribute{
			{UserPropertyKey: aws.String("k"), ConnectionAttribute: aws.String("iot:ClientId")}}}}}))
	c.refuses(400, "InvalidRequest")(c.UpdateThingType(c.ctx, &sdk.UpdateThingTypeInput{ThingTypeName: name,
		ThingTypeProperties: &types.ThingTypeProperties{SearchableAttributes: []string{"other"}}}))
	c.refuses(404, "ResourceNotFound")(c.UpdateThingType(c.ctx, &sdk.UpdateThingTypeInput{ThingTypeName: aws.String("No")}))

	c.refuses(400, "InvalidRequest")(c.DeleteThingType(c.ctx, &sdk.DeleteThingTypeInput{ThingTypeName: name}))
	c.ok()(c.DeprecateThingType(c.ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: name}))
	c.ok()(c.DeprecateThingType(c.ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: name}))
	c.refuses(404, "ResourceNotFound")(c.DeprecateThingType(c.ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: aws.String("No")}))
	describe(`"ConnectionAttribute":"iot:ClientId"`, `"Deprecated":true,"DeprecationDate":"2023-11-14T22:13:20.123Z"`)
	c.refuses(400, "InvalidRequest", "Can not create new thing with depreated thing type:Pump")(
		c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: aws.String("x"), ThingTypeName: name}))
	c.refuses(400, "InvalidRequest")(c.DeleteThingType(c.ctx, &sdk.DeleteThingTypeInput{ThingTypeName: name}))
	c.now = c.now.Add(5 * time.Minute)
	c.ok()(c.DeprecateThingType(c.ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: name, UndoDeprecate: true}))
	describe(`"ConnectionAttribute":"iot:ClientId"`, `"Deprecated":false`)
	c.ok()(c.DeprecateThingType(c.ctx, &sdk.DeprecateThingTypeInput{ThingTypeName: name}))
	c.now = c.now.Add(5 * time.Minute)
	c.ok()(c.DeleteThingType(c.ctx, &sdk.DeleteThingTypeInput{ThingTypeName: name}))
	c.refuses(404, "ResourceNotFound")(c.DeleteThingType(c.ctx, &sdk.DeleteThingTypeInput{ThingTypeName: name}))
}

func TestListThingTypes(t *testing.T) {
	c := newControl(t)
	for _, name := range []string{"Pump", "Pumpe", "Valve"} {
		if _, err := c.CreateThingType(c.ctx, &sdk.CreateThingTypeInput{ThingTypeName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	names := all(t, func(token *string, size *int32) ([]string, *string, error) {
		out, err := c.ListThingTypes(c.ctx, &sdk.ListThingTypesInput{NextToken: token, MaxResults: size})
		if err != nil {
			return nil, nil, err
		}
		var names []string
		for _, d := range out.ThingTypes {
			names = append(names, aws.ToString(d.ThingTypeName))
		}
		return names, out.NextToken, nil
	})
	same(t, []string{"Pump", "Pumpe", "Valve"}, names)
	c.gives(`{"ThingTypes":[{"ThingTypeName":"Valve","ThingTypeArn":"arn:aws:iot:eu-west-1:111122223333:thingtype/Valve","ThingTypeProperties":{},
		"ThingTypeMetadata":{"Deprecated":false,"CreationDate":"2023-11-14T22:13:20.123Z"}}]}`)(
		c.ListThingTypes(c.ctx, &sdk.ListThingTypesInput{ThingTypeName: aws.String("V")}))
}

// group makes a thing group.
func (c *control) group(name, parent string) {
	c.t.Helper()
	in := &sdk.CreateThingGroupInput{ThingGroupName: &name}
	if parent != "" {
		in.ParentGroupName = &parent
	}
	if _, err := c.CreateThingGroup(c.ctx, in); err != nil {
		c.t.Fatal(err)
	}
}

func TestThingGroupOperations(t *testing.T) {
	c := newControl(t)
	properties := &types.ThingGroupProperties{ThingGroupDescription: aws.String("d"), AttributePayload: &types.AttributePayload{Attributes: map[string]string{"a": "1"}}}
	in := &sdk.CreateThingGroupInput{ThingGroupName: aws.String("site"), ThingGroupProperties: properties}
	made := `{"ThingGroupName":"site","ThingGroupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/site","ThingGroupId":"id-1"}`
	c.gives(made)(c.CreateThingGroup(c.ctx, in))
	c.gives(made)(c.CreateThingGroup(c.ctx, in))
	c.refuses(409, "ResourceAlreadyExists", "Thing Group site already exists in current account with different properties")(
		c.CreateThingGroup(c.ctx, &sdk.CreateThingGroupInput{ThingGroupName: aws.String("site")}))
	c.refuses(404, "ResourceNotFound")(c.CreateThingGroup(c.ctx, &sdk.CreateThingGroupInput{ThingGroupName: aws.String("x"), ParentGroupName: aws.String("no")}))
	c.group("north", "site")
	c.group("hall", "north")

	c.gives(`{"ThingGroupName":"site","ThingGroupId":"id-1","ThingGroupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/site","Version":1,
		"ThingGroupProperties":{"ThingGroupDescription":"d","AttributePayload":{"Attributes":{"a":"1"},"Merge":false}},
		"ThingGroupMetadata":{"CreationDate":"2023-11-14T22:13:20.123Z","RootToParentThingGroups":[]},"Status":""}`)(
		c.DescribeThingGroup(c.ctx, &sdk.DescribeThingGroupInput{ThingGroupName: aws.String("site")}))
	out, err := c.DescribeThingGroup(c.ctx, &sdk.DescribeThingGroupInput{ThingGroupName: aws.String("hall")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "north", aws.ToString(out.ThingGroupMetadata.ParentGroupName))
	var above []string
	for _, g := range out.ThingGroupMetadata.RootToParentThingGroups {
		above = append(above, aws.ToString(g.GroupName))
	}
	same(t, []string{"site", "north"}, above)
	c.refuses(404, "ResourceNotFound")(c.DescribeThingGroup(c.ctx, &sdk.DescribeThingGroupInput{ThingGroupName: aws.String("no")}))

	c.gives(`{"Version":2}`)(c.UpdateThingGroup(c.ctx, &sdk.UpdateThingGroupInput{ThingGroupName: aws.String("site"), ExpectedVersion: aws.Int64(1),
		ThingGroupProperties: &types.ThingGroupProperties{ThingGroupDescription: aws.String("new")}}))
	c.refuses(409, "VersionConflict")(c.UpdateThingGroup(c.ctx, &sdk.UpdateThingGroupInput{ThingGroupName: aws.String("site"), ExpectedVersion: aws.Int64(1), ThingGroupProperties: properties}))
	c.refuses(404, "ResourceNotFound")(c.UpdateThingGroup(c.ctx, &sdk.UpdateThingGroupInput{ThingGroupName: aws.String("no"), ThingGroupProperties: properties}))

	c.refuses(400, "InvalidRequest", "Cannot delete thing group : north when there are still child groups attached to it")(
		c.DeleteThingGroup(c.ctx, &sdk.DeleteThingGroupInput{ThingGroupName: aws.String("north")}))
	c.refuses(409, "VersionConflict")(c.DeleteThingGroup(c.ctx, &sdk.DeleteThingGroupInput{ThingGroupName: aws.String("hall"), ExpectedVersion: aws.Int64(3)}))
	c.ok()(c.DeleteThingGroup(c.ctx, &sdk.DeleteThingGroupInput{ThingGroupName: aws.String("hall")}))
	c.ok()(c.DeleteThingGroup(c.ctx, &sdk.DeleteThingGroupInput{ThingGroupName: aws.String("hall")}))
}

func TestListThingGroups(t *testing.T) {
	c := newControl(t)
	c.group("a", "")
	c.group("b", "a")
	c.group("c", "b")
	c.group("z", "")
	names := func(in sdk.ListThingGroupsInput) []string {
		return all(t, func(token *string, size *int32) ([]string, *string, error) {
			in.NextToken, in.MaxResults = token, size
			out, err := c.ListThingGroups(c.ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			var names []string
			for _, g := range out.ThingGroups {
				names = append(names, aws.ToString(g.GroupName))
			}
			return names, out.NextToken, nil
		})
	}
	same(t, []string{"a", "b", "c", "z"}, names(sdk.ListThingGroupsInput{}))
	same(t, []string{"a", "z"}, names(sdk.ListThingGroupsInput{Recursive: aws.Bool(false)}))
	same(t, []string{"b", "c"}, names(sdk.ListThingGroupsInput{ParentGroup: aws.String("a")}))
	same(t, []string{"b"}, names(sdk.ListThingGroupsInput{ParentGroup: aws.String("a"), Recursive: aws.Bool(false)}))
	same(t, []string{"z"}, names(sdk.ListThingGroupsInput{NamePrefixFilter: aws.String("z")}))
	c.refuses(404, "ResourceNotFound")(c.ListThingGroups(c.ctx, &sdk.ListThingGroupsInput{ParentGroup: aws.String("no")}))
}

func TestMembershipOperations(t *testing.T) {
	c := newControl(t)
	c.group("a", "")
	c.group("b", "a")
	c.group("z", "")
	if _, err := c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: aws.String("t")}); err != nil {
		t.Fatal(err)
	}
	thing, thingARN := aws.String("t"), aws.String("arn:aws:iot:eu-west-1:111122223333:thing/t")
	group, groupARN := aws.String("b"), aws.String("arn:aws:iot:eu-west-1:111122223333:thinggroup/b")
	c.ok()(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingName: thing, ThingGroupArn: groupARN}))
	c.ok()(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingArn: thingARN, ThingGroupName: group}))
	c.refuses(400, "InvalidRequest")(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingName: thing}))
	c.refuses(400, "InvalidRequest")(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingName: thing, ThingGroupName: aws.String("a"), ThingGroupArn: groupARN}))
	c.refuses(400, "InvalidRequest")(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingName: thing, ThingGroupName: aws.String("a")}))
	c.refuses(404, "ResourceNotFound")(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingName: aws.String("no"), ThingGroupName: group}))
	c.refuses(404, "ResourceNotFound")(c.AddThingToThingGroup(c.ctx, &sdk.AddThingToThingGroupInput{ThingName: thing, ThingGroupName: aws.String("no")}))

	c.gives(`{"Things":[]}`)(c.ListThingsInThingGroup(c.ctx, &sdk.ListThingsInThingGroupInput{ThingGroupName: aws.String("a")}))
	c.gives(`{"Things":["t"]}`)(c.ListThingsInThingGroup(c.ctx, &sdk.ListThingsInThingGroupInput{ThingGroupName: aws.String("a"), Recursive: true}))
	c.refuses(404, "ResourceNotFound")(c.ListThingsInThingGroup(c.ctx, &sdk.ListThingsInThingGroupInput{ThingGroupName: aws.String("no")}))
	c.ok()(c.UpdateThingGroupsForThing(c.ctx, &sdk.UpdateThingGroupsForThingInput{ThingName: thing, ThingGroupsToAdd: []string{"a", "z"}, ThingGroupsToRemove: []string{"b"}}))
	c.refuses(404, "ResourceNotFound")(c.UpdateThingGroupsForThing(c.ctx, &sdk.UpdateThingGroupsForThingInput{ThingName: thing, ThingGroupsToAdd: []string{"no"}}))
	c.gives(`{"ThingGroups":[{"GroupName":"a","GroupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/a"},{"GroupName":"z","GroupArn":"arn:aws:iot:eu-west-1:111122223333:thinggroup/z"}]}`)(
		c.ListThingGroupsForThing(c.ctx, &sdk.ListThingGroupsForThingInput{ThingName: thing}))
	c.refuses(404, "ResourceNotFound")(c.ListThingGroupsForThing(c.ctx, &sdk.ListThingGroupsForThingInput{ThingName: aws.String("no")}))
	c.ok()(c.RemoveThingFromThingGroup(c.ctx, &sdk.RemoveThingFromThingGroupInput{ThingName: thing, ThingGroupName: aws.String("a")}))
	c.ok()(c.RemoveThingFromThingGroup(c.ctx, &sdk.RemoveThingFromThingGroupInput{ThingName: thing, ThingGroupName: aws.String("a")}))
	c.refuses(404, "ResourceNotFound")(c.RemoveThingFromThingGroup(c.ctx, &sdk.RemoveThingFromThingGroupInput{ThingName: thing, ThingGroupName: aws.String("no")}))
}

func TestBillingGroupOperations(t *testing.T) {
	c := newControl(t)
	name := aws.String("north")
	in := &sdk.CreateBillingGroupInput{BillingGroupName: name, BillingGroupProperties: &types.BillingGroupProperties{BillingGroupDescription: aws.String("d")}}
	made := `{"BillingGroupName":"north","BillingGroupArn":"arn:aws:iot:eu-west-1:111122223333:billinggroup/north","BillingGroupId":"id-1"}`
	c.gives(made)(c.CreateBillingGroup(c.ctx, in))
	c.gives(made)(c.CreateBillingGroup(c.ctx, in))
	c.refuses(409, "ResourceAlreadyExists")(c.CreateBillingGroup(c.ctx, &sdk.CreateBillingGroupInput{BillingGroupName: name}))
	c.gives(`{"Version":2}`)(c.UpdateBillingGroup(c.ctx, &sdk.UpdateBillingGroupInput{BillingGroupName: name, ExpectedVersion: aws.Int64(1),
		BillingGroupProperties: &types.BillingGroupProperties{BillingGroupDescription: aws.String("e")}}))
	c.refuses(409, "VersionConflict")(c.UpdateBillingGroup(c.ctx, &sdk.UpdateBillingGroupInput{BillingGroupName: name, ExpectedVersion: aws.Int64(1),
		BillingGroupProperties: &types.BillingGroupProperties{}}))
	c.gives(`{"BillingGroupName":"north","BillingGroupId":"id-1","BillingGroupArn":"arn:aws:iot:eu-west-1:111122223333:billinggroup/north","Version":2,
		"BillingGroupProperties":{"BillingGroupDescription":"e"},"BillingGroupMetadata":{"CreationDate":"2023-11-14T22:13:20.123Z"}}`)(
		c.DescribeBillingGroup(c.ctx, &sdk.DescribeBillingGroupInput{BillingGroupName: name}))
	c.refuses(404, "ResourceNotFound")(c.DescribeBillingGroup(c.ctx, &sdk.DescribeBillingGroupInput{BillingGroupName: aws.String("no")}))

	if _, err := c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: aws.String("t")}); err != nil {
		t.Fatal(err)
	}
	c.ok()(c.AddThingToBillingGroup(c.ctx, &sdk.AddThingToBillingGroupInput{ThingName: aws.String("t"), BillingGroupArn: aws.String("arn:aws:iot:eu-west-1:111122223333:billinggroup/north")}))
	c.refuses(400, "InvalidRequest")(c.AddThingToBillingGroup(c.ctx, &sdk.AddThingToBillingGroupInput{ThingName: aws.String("t")}))
	c.refuses(404, "ResourceNotFound")(c.AddThingToBillingGroup(c.ctx, &sdk.AddThingToBillingGroupInput{ThingName: aws.String("no"), BillingGroupName: name}))
	c.gives(`{"Things":["t"]}`)(c.ListThingsInBillingGroup(c.ctx, &sdk.ListThingsInBillingGroupInput{BillingGroupName: name}))
	c.refuses(404, "ResourceNotFound")(c.ListThingsInBillingGroup(c.ctx, &sdk.ListThingsInBillingGroupInput{BillingGroupName: aws.String("no")}))
	c.gives(`{"BillingGroups":[{"GroupName":"north","GroupArn":"arn:aws:iot:eu-west-1:111122223333:billinggroup/north"}]}`)(
		c.ListBillingGroups(c.ctx, &sdk.ListBillingGroupsInput{NamePrefixFilter: aws.String("n")}))
	c.ok()(c.RemoveThingFromBillingGroup(c.ctx, &sdk.RemoveThingFromBillingGroupInput{ThingName: aws.String("t"), BillingGroupName: name}))
	c.ok()(c.RemoveThingFromBillingGroup(c.ctx, &sdk.RemoveThingFromBillingGroupInput{ThingName: aws.String("t"), BillingGroupName: name}))
	c.refuses(409, "VersionConflict")(c.DeleteBillingGroup(c.ctx, &sdk.DeleteBillingGroupInput{BillingGroupName: name, ExpectedVersion: aws.Int64(1)}))
	c.ok()(c.DeleteBillingGroup(c.ctx, &sdk.DeleteBillingGroupInput{BillingGroupName: name}))
	c.ok()(c.DeleteBillingGroup(c.ctx, &sdk.DeleteBillingGroupInput{BillingGroupName: name}))
}

func TestTagOperations(t *testing.T) {
	c := newControl(t)
	c.group("site", "")
	site := aws.String("arn:aws:iot:eu-west-1:111122223333:thinggroup/site")
	tag := func(key, value string) []types.Tag { return []types.Tag{{Key: &key, Value: &value}} }
	c.ok()(c.TagResource(c.ctx, &sdk.TagResourceInput{ResourceArn: site, Tags: tag("k", "v")}))
	c.ok()(c.TagResource(c.ctx, &sdk.TagResourceInput{ResourceArn: site, Tags: tag("k", "w")}))
	c.gives(`{"Tags":[{"Key":"k","Value":"w"}]}`)(c.ListTagsForResource(c.ctx, &sdk.ListTagsForResourceInput{ResourceArn: site}))
	c.ok()(c.UntagResource(c.ctx, &sdk.UntagResourceInput{ResourceArn: site, TagKeys: []string{"k", "none"}}))
	c.gives(`{"Tags":[]}`)(c.ListTagsForResource(c.ctx, &sdk.ListTagsForResourceInput{ResourceArn: site}))
	no := aws.String("arn:aws:iot:eu-west-1:111122223333:policy/no")
	c.refuses(404, "ResourceNotFound")(c.TagResource(c.ctx, &sdk.TagResourceInput{ResourceArn: no, Tags: tag("k", "v")}))
	c.refuses(404, "ResourceNotFound")(c.UntagResource(c.ctx, &sdk.UntagResourceInput{ResourceArn: no, TagKeys: []string{"k"}}))
	c.refuses(404, "ResourceNotFound")(c.ListTagsForResource(c.ctx, &sdk.ListTagsForResourceInput{ResourceArn: no}))
	var many []types.Tag
	for i := range 51 {
		many = append(many, tag(fmt.Sprint("k", i), "")...)
	}
	c.refuses(410, "LimitExceeded")(c.TagResource(c.ctx, &sdk.TagResourceInput{ResourceArn: site, Tags: many}))
}
