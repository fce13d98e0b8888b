package api_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

func TestThingOperations(t *testing.T) {
	c := newControl(t)
	name := aws.String("pump:7")
	pump := &sdk.CreateThingInput{ThingName: name, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"site": "north"}}}
	made := `{"ThingName":"pump:7","ThingId":"id-1","ThingArn":"arn:aws:iot:eu-west-1:111122223333:thing/pump:7"}`
	c.gives(made)(c.CreateThing(c.ctx, pump))
	c.gives(made)(c.CreateThing(c.ctx, pump))
	_, err := c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: name})
	c.refuses(409, "ResourceAlreadyExists")(nil, err)
	var exists *types.ResourceAlreadyExistsException
	if errors.As(err, &exists) {
		same(t, []string{"id-1", "arn:aws:iot:eu-west-1:111122223333:thing/pump:7"}, []string{aws.ToString(exists.ResourceId), aws.ToString(exists.ResourceArn)})
	}
	c.refuses(404, "ResourceNotFound", "Thing type No not found")(c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: aws.String("x"), ThingTypeName: aws.String("No")}))
	c.refuses(400, "InvalidRequest")(c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: aws.String("a b")}))

	c.gives(`{"DefaultClientId":"pump:7","ThingName":"pump:7","ThingId":"id-1","ThingArn":"arn:aws:iot:eu-west-1:111122223333:thing/pump:7",
		"Attributes":{"site":"north"},"Version":1}`)(c.DescribeThing(c.ctx, &sdk.DescribeThingInput{ThingName: name}))
	c.refuses(404, "ResourceNotFound", "Thing no not found")(c.DescribeThing(c.ctx, &sdk.DescribeThingInput{ThingName: aws.String("no")}))

	c.ok()(c.UpdateThing(c.ctx, &sdk.UpdateThingInput{ThingName: name, ExpectedVersion: aws.Int64(1),
		AttributePayload: &types.AttributePayload{Attributes: map[string]string{"floor": "2"}, Merge: true}}))
	c.refuses(409, "VersionConflict", "The version for thing pump:7 does not match the expected version.")(
		c.UpdateThing(c.ctx, &sdk.UpdateThingInput{ThingName: name, ExpectedVersion: aws.Int64(1)}))
	c.refuses(404, "ResourceNotFound")(c.UpdateThing(c.ctx, &sdk.UpdateThingInput{ThingName: aws.String("no")}))
	c.ok()(c.UpdateThing(c.ctx, &sdk.UpdateThingInput{ThingName: name})) // says nothing of attributes
	c.gives(`{"DefaultClientId":"pump:7","ThingName":"pump:7","ThingId":"id-1","ThingArn":"arn:aws:iot:eu-west-1:111122223333:thing/pump:7",
		"Attributes":{"site":"north","floor":"2"},"Version":3}`)(c.DescribeThing(c.ctx, &sdk.DescribeThingInput{ThingName: name}))
	c.ok()(c.UpdateThing(c.ctx, &sdk.UpdateThingInput{ThingName: name, AttributePayload: &types.AttributePayload{Attributes: map[string]string{}}}))
	c.gives(`{"DefaultClientId":"pump:7","ThingName":"pump:7","ThingId":"id-1","ThingArn":"arn:aws:iot:eu-west-1:111122223333:thing/pump:7",
		"Attributes":{},"Version":4}`)(c.DescribeThing(c.ctx, &sdk.DescribeThingInput{ThingName: name}))

	c.gives(`{"ThingName":"pump:7","Connected":false,"DisconnectReason":"UNKNOWN"}`)(c.GetThingConnectivityData(c.ctx, &sdk.GetThingConnectivityDataInput{ThingName: name}))
	c.refuses(404, "ResourceNotFound")(c.GetThingConnectivityData(c.ctx, &sdk.GetThingConnectivityDataInput{ThingName: aws.String("no")}))

	c.refuses(409, "VersionConflict")(c.DeleteThing(c.ctx, &sdk.DeleteThingInput{ThingName: name, ExpectedVersion: aws.Int64(9)}))
	c.ok()(c.DeleteThing(c.ctx, &sdk.DeleteThingInput{ThingName: name, ExpectedVersion: aws.Int64(4)}))
	c.ok()(c.DeleteThing(c.ctx, &sdk.DeleteThingInput{ThingName: name}))
}

func TestListThings(t *testing.T) {
	c := newControl(t)
	_, err := c.CreateThingType(c.ctx, &sdk.CreateThingTypeInput{ThingTypeName: aws.String("Pump")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		in := &sdk.CreateThingInput{ThingName: aws.String(fmt.Sprint("t", i))}
		if i%2 == 0 {
			in.ThingTypeName = aws.String("Pump")
			in.AttributePayload = &types.AttributePayload{Attributes: map[string]string{"site": fmt.Sprint("s", i)}}
		}
		if _, err := c.CreateThing(c.ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	names := func(in sdk.ListThingsInput) []string {
		return all(t, func(token *string, size *int32) ([]string, *string, error) {
			in.NextToken, in.MaxResults = token, size
			out, err := c.ListThings(c.ctx, &in)
			if err != nil {
				return nil, nil, err
			}
			var names []string
			for _, thing := range out.Things {
				names = append(names, aws.ToString(thing.ThingName))
			}
			return names, out.NextToken, nil
		})
	}
	same(t, []string{"t0", "t1", "t2", "t3", "t4"}, names(sdk.ListThingsInput{}))
	same(t, []string{"t0", "t2", "t4"}, names(sdk.ListThingsInput{ThingTypeName: aws.String("Pump")}))
	same(t, []string{"t2"}, names(sdk.ListThingsInput{AttributeName: aws.String("site"), AttributeValue: aws.String("s2")}))
	same(t, []string{"t0", "t2", "t4"}, names(sdk.ListThingsInput{AttributeName: aws.String("site"), AttributeValue: aws.String("s"), UsePrefixAttributeValue: true}))
	c.gives(`{"Things":[{"ThingName":"t2","ThingTypeName":"Pump","ThingArn":"arn:aws:iot:eu-west-1:111122223333:thing/t2","Attributes":{"site":"s2"},"Version":1}]}`)(
		c.ListThings(c.ctx, &sdk.ListThingsInput{AttributeName: aws.String("site"), AttributeValue: aws.String("s2")}))
	c.gives(`{"Things":[]}`)(c.ListThings(c.ctx, &sdk.ListThingsInput{ThingTypeName: aws.String("No")}))
	c.refuses(400, "InvalidRequest", "Listing things by the combination of attribute and thing type is not supported")(
		c.ListThings(c.ctx, &sdk.ListThingsInput{AttributeName: aws.String("site"), ThingTypeName: aws.String("Pump")}))
	c.refuses(400, "InvalidRequest")(c.ListThings(c.ctx, &sdk.ListThingsInput{NextToken: aws.String("nonsense")}))
	c.refuses(400, "InvalidRequest")(c.ListThings(c.ctx, &sdk.ListThingsInput{MaxResults: aws.Int32(251)}))
}

func TestPrincipalOperations(t *testing.T) {
	c := newControl(t)
	for _, name := range []string{"a", "b", "c"} {
		if _, err := c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	a, cert, own := aws.String("a"), aws.String("arn:aws:iot:eu-west-1:111122223333:cert/1"), aws.String("arn:aws:iot:eu-west-1:111122223333:cert/2")
	for _, thing := range []string{"a", "b", "a"} {
		c.ok()(c.AttachThingPrincipal(c.ctx, &sdk.AttachThingPrincipalInput{ThingName: &thing, Principal: cert}))
	}
	c.ok()(c.AttachThingPrincipal(c.ctx, &sdk.AttachThingPrincipalInput{ThingName: a, Principal: own, ThingPrincipalType: types.ThingPrincipalTypeExclusiveThing}))
	c.refuses(400, "InvalidRequest")(c.AttachThingPrincipal(c.ctx, &sdk.AttachThingPrincipalInput{ThingName: aws.String("b"), Principal: own}))
	c.refuses(404, "ResourceNotFound", "Thing no not found")(c.AttachThingPrincipal(c.ctx, &sdk.AttachThingPrincipalInput{ThingName: aws.String("no"), Principal: own}))

	c.gives(`{"Principals":["arn:aws:iot:eu-west-1:111122223333:cert/1","arn:aws:iot:eu-west-1:111122223333:cert/2"]}`)(
		c.ListThingPrincipals(c.ctx, &sdk.ListThingPrincipalsInput{ThingName: a}))
	c.refuses(404, "ResourceNotFound", "Failed to list principals for thing no because the thing does not exist in your account")(
		c.ListThingPrincipals(c.ctx, &sdk.ListThingPrincipalsInput{ThingName: aws.String("no")}))
	c.gives(`{"ThingPrincipalObjects":[{"Principal":"arn:aws:iot:eu-west-1:111122223333:cert/2","ThingPrincipalType":"EXCLUSIVE_THING"}]}`)(
		c.ListThingPrincipalsV2(c.ctx, &sdk.ListThingPrincipalsV2Input{ThingName: a, ThingPrincipalType: types.ThingPrincipalTypeExclusiveThing}))
	c.refuses(404, "ResourceNotFound")(c.ListThingPrincipalsV2(c.ctx, &sdk.ListThingPrincipalsV2Input{ThingName: aws.String("no")}))
	c.gives(`{"Things":["a","b"]}`)(c.ListPrincipalThings(c.ctx, &sdk.ListPrincipalThingsInput{Principal: cert}))
	c.gives(`{"PrincipalThingObjects":[{"ThingName":"a","ThingPrincipalType":"NON_EXCLUSIVE_THING"},{"ThingName":"b","ThingPrincipalType":"NON_EXCLUSIVE_THING"}]}`)(
		c.ListPrincipalThingsV2(c.ctx, &sdk.ListPrincipalThingsV2Input{Principal: cert}))
	out, err := c.ListPrincipalThings(c.ctx, &sdk.ListPrincipalThingsInput{Principal: cert, MaxResults: aws.Int32(1)})
	if err != nil || out.NextToken == nil {
		t.Fatal(out, err)
	}
	c.gives(`{"Things":["b"]}`)(c.ListPrincipalThings(c.ctx, &sdk.ListPrincipalThingsInput{Principal: cert, NextToken: out.NextToken}))

	c.refuses(400, "InvalidRequest", "Cannot delete. Thing a is still attached to one or more principals")(c.DeleteThing(c.ctx, &sdk.DeleteThingInput{ThingName: a}))
	c.ok()(c.DetachThingPrincipal(c.ctx, &sdk.DetachThingPrincipalInput{ThingName: a, Principal: own}))
	c.refuses(404, "ResourceNotFound")(c.DetachThingPrincipal(c.ctx, &sdk.DetachThingPrincipalInput{ThingName: a, Principal: own}))
}

func TestEventOperations(t *testing.T) {
	c := newControl(t)
	off := `"JOB":{"Enabled":false},"JOB_EXECUTION":{"Enabled":false},"POLICY":{"Enabled":false},"CERTIFICATE":{"Enabled":false},"CA_CERTIFICATE":{"Enabled":false},
		"THING_GROUP":{"Enabled":false},"THING_TYPE":{"Enabled":false},"THING_GROUP_MEMBERSHIP":{"Enabled":false},"THING_GROUP_HIERARCHY":{"Enabled":false},"THING_TYPE_ASSOCIATION":{"Enabled":false}`
	c.gives(`{"EventConfigurations":{"THING":{"Enabled":false},` + off + `}}`)(c.DescribeEventConfigurations(c.ctx, nil))
	c.ok()(c.UpdateEventConfigurations(c.ctx, &sdk.UpdateEventConfigurationsInput{EventConfigurations: map[string]types.Configuration{"THING": {Enabled: true}}}))
	c.gives(`{"EventConfigurations":{"THING":{"Enabled":true},` + off + `},"CreationDate":"2023-11-14T22:13:20.123Z","LastModifiedDate":"2023-11-14T22:13:20.123Z"}`)(
		c.DescribeEventConfigurations(c.ctx, nil))
	if _, err := c.CreateThing(c.ctx, &sdk.CreateThingInput{ThingName: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
	same(t, 1, len(c.published))
	same(t, "$aws/events/thing/a/created", c.published[0].Topic)
	c.refuses(400, "InvalidRequest")(c.UpdateEventConfigurations(c.ctx, &sdk.UpdateEventConfigurationsInput{EventConfigurations: map[string]types.Configuration{"NO": {}}}))
}
