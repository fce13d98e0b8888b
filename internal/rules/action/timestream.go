package action

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/timestreamwrite"
	"github.com/aws/aws-sdk-go-v2/service/timestreamwrite/types"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/iotsql"
)

// timestreamMax is the most measures of one message.
const timestreamMax = 100

// compileTimestream writes one record per member of the payload, all with the
// same dimensions and time (timestream:WriteRecords).
func compileTimestream(c *compiler, spec *iot.Action) prepare {
	a := spec.Timestream
	if a == nil {
		return nil
	}
	s := &timestream{t: c.t, role: c.role(a.RoleArn), database: c.text("databaseName", a.DatabaseName), table: c.text("tableName", a.TableName)}
	if len(a.Dimensions) > 128 {
		c.refuse("timestream has %d dimensions; at most 128 are allowed", len(a.Dimensions))
	}
	for _, d := range a.Dimensions {
		c.checkDimension(d.Name)
		s.names = append(s.names, d.Name)
		s.values = append(s.values, c.text("dimensions."+d.Name, d.Value))
	}
	if a.Timestamp != nil {
		s.at, s.unit = c.text("timestamp.value", a.Timestamp.Value), c.text("timestamp.unit", a.Timestamp.Unit)
	}
	return s.prepare
}

// checkDimension refuses names that Timestream keeps for itself.
func (c *compiler) checkDimension(name string) {
	switch {
	case name == "measure_name", name == "time", strings.HasPrefix(name, "ts_"), strings.HasPrefix(name, "measure_value"), strings.Contains(name, ":"):
		c.refuse("dimension name %q is reserved", name)
	}
}

type timestream struct {
	t               *Targets
	role            string
	database, table *parameter
	names           []string
	values          []*parameter
	at, unit        *parameter
}

func (s *timestream) prepare(r *rendering) send {
	in := &timestreamwrite.WriteRecordsInput{DatabaseName: aws.String(r.text(s.database)), TableName: aws.String(r.text(s.table))}
	r.resource = *in.DatabaseName + "/" + *in.TableName
	r.detail("Database", *in.DatabaseName)
	r.detail("Table", *in.TableName)
	common := &types.Record{Time: aws.String(number(s.t.Now().UnixMilli())), TimeUnit: types.TimeUnitMilliseconds}
	if s.at != nil {
		common.Time, common.TimeUnit = aws.String(r.text(s.at)), types.TimeUnit(r.text(s.unit))
		if _, ok := instant(*common.Time, string(common.TimeUnit)); !ok {
			return r.fail("timestamp %q %s is not a time", *common.Time, common.TimeUnit)
		}
	}
	for i, name := range s.names {
		common.Dimensions = append(common.Dimensions, types.Dimension{Name: aws.String(name), Value: aws.String(r.text(s.values[i]))})
	}
	in.CommonAttributes, in.Records = common, measures(r.Value)
	if !r.JSON || len(in.Records) == 0 || len(in.Records) > timestreamMax {
		return r.fail("the payload is not a JSON object of 1 to %d members", timestreamMax)
	}
	return func(ctx context.Context) error {
		config, err := s.t.sdk(ctx, "timestream", s.role)
		if err != nil {
			return err
		}
		_, err = timestreamwrite.NewFromConfig(config, ownEndpoint).WriteRecords(ctx, in)
		return s.t.outcome(s.role, err)
	}
}

// ownEndpoint keeps the client from asking where to write: it was told.
func ownEndpoint(o *timestreamwrite.Options) {
	o.EndpointDiscovery.EnableEndpointDiscovery = aws.EndpointDiscoveryDisabled
}

// measures makes a record of each member that has a value.
func measures(v iotsql.Value) []types.Record {
	var records []types.Record
	for name, member := range v.Members() {
		kind, text := measure(member)
		if kind != "" {
			records = append(records, types.Record{MeasureName: aws.String(name), MeasureValueType: kind, MeasureValue: aws.String(text)})
		}
	}
	return records
}

// measure gives the type and text of a value: arrays and objects are JSON in a
// VARCHAR. Null has no measure.
func measure(v iotsql.Value) (types.MeasureValueType, string) {
	switch v.Kind() {
	case iotsql.Boolean:
		return types.MeasureValueTypeBoolean, v.String()
	case iotsql.Int:
		return types.MeasureValueTypeBigint, v.String()
	case iotsql.Decimal:
		return types.MeasureValueTypeDouble, v.String()
	case iotsql.String:
		return types.MeasureValueTypeVarchar, v.Text()
	case iotsql.Array, iotsql.Object:
		return types.MeasureValueTypeVarchar, v.String()
	}
	return "", ""
}
