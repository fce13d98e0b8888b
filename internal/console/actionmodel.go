package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
)

// actionKind is one kind of rule action, as AWS's model has it, with what a form
// of it asks for.
type actionKind struct {
	Member string // of the model's Action: "s3"
	Fields []actionField
}

// actionField is one member of an action.
type actionField struct {
	Path     string // below the action: "putItem.tableName"
	Required bool   // of a member of a part that may be absent: if the part is there
	Must     bool   // required always
	Type     fieldType
	Choices  []string // of a choice
}

// fieldType says how a field is asked for.
type fieldType string

const (
	fieldText    fieldType = "text"
	fieldNumber  fieldType = "number"
	fieldSwitch  fieldType = "switch"
	fieldChoice  fieldType = "choice"
	fieldPairs   fieldType = "pairs" // one name=value a line
	fieldJSON    fieldType = "json"
	fieldRole    fieldType = "role"
	fieldBucket  fieldType = "bucket"
	fieldNetwork fieldType = "destination" // a VPC destination
)

// special are the fields that are chosen from what is there.
var special = map[string]fieldType{"roleArn": fieldRole, "bucketName": fieldBucket, "destinationArn": fieldNetwork}

// actionKinds are read out of the model, so that no member of it is missing in
// the forms.
var actionKinds = readActionKinds()

func readActionKinds() []actionKind {
	var all []actionKind
	action := reflect.TypeFor[iot.Action]()
	for i := range action.NumField() {
		member := action.Field(i)
		all = append(all, actionKind{jsonName(member), fieldsOf(member.Type.Elem(), "", true)})
	}
	slices.SortFunc(all, func(a, b actionKind) int { return strings.Compare(a.Member, b.Member) })
	return all
}

// fieldsOf lists the members of a structure of the model, those of structures
// in it too; what is required comes first, and the role last.
func fieldsOf(of reflect.Type, under string, required bool) []actionField {
	var all []actionField
	for i := range of.NumField() {
		member := of.Field(i)
		name, rules := jsonName(member), strings.Split(member.Tag.Get("wire"), ",")
		path := strings.TrimPrefix(under+"."+name, ".")
		needed := slices.Contains(rules, "required")
		if member.Type.Kind() == reflect.Pointer && member.Type.Elem().Kind() == reflect.Struct {
			all = append(all, fieldsOf(member.Type.Elem(), path, required && needed)...)
			continue
		}
		f := actionField{Path: path, Required: needed, Must: required && needed, Type: typeOf(member.Type, name)}
		if enum := enumOf(rules); f.Type == fieldText && len(enum) > 0 {
			f.Type, f.Choices = fieldChoice, enum
		}
		all = append(all, f)
	}
	rank := func(f actionField) int {
		switch {
		case f.Type == fieldRole:
			return 2
		case f.Required:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b actionField) int { return rank(a) - rank(b) })
	return all
}

func typeOf(of reflect.Type, name string) fieldType {
	if kind, ok := special[name]; ok {
		return kind
	}
	switch of.Kind() {
	case reflect.Map:
		return fieldPairs
	case reflect.Slice:
		if nameMember(of) != "" {
			return fieldPairs
		}
		return fieldJSON
	case reflect.Pointer:
		if of.Elem().Kind() == reflect.Bool {
			return fieldSwitch
		}
		return fieldNumber
	}
	return fieldText
}

// nameMember is the first member of a list of structures of two texts: "key" or
// "name". The other one is "value".
func nameMember(list reflect.Type) string {
	of := list.Elem()
	if of.Kind() != reflect.Struct || of.NumField() != 2 || jsonName(of.Field(1)) != "value" || of.Field(0).Type.Kind() != reflect.String {
		return ""
	}
	return jsonName(of.Field(0))
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// enumOf gives the words that a member's shape allows.
func enumOf(rules []string) []string {
	for _, rule := range rules {
		if name, ok := strings.CutPrefix(rule, "shape="); ok {
			i, found := slices.BinarySearchFunc(iot.Service.Shapes, name, func(s wire.Shape, name string) int { return strings.Compare(s.Name, name) })
			if found {
				return iot.Service.Shapes[i].Enum
			}
		}
	}
	return nil
}

// kindOf finds a kind by its member; nil where the model has none.
func kindOf(member string) *actionKind {
	for i := range actionKinds {
		if actionKinds[i].Member == member {
			return &actionKinds[i]
		}
	}
	return nil
}

// part is the structure that a path lies in: "" for the action itself.
func part(path string) string {
	dot := strings.LastIndexByte(path, '.')
	return path[:max(dot, 0)]
}

// actionOf makes an action of what a form says: values by path. What is empty is
// absent.
func (k *actionKind) actionOf(values map[string]string) (iot.Action, error) {
	tree := map[string]any{}
	for _, f := range k.Fields {
		value, err := f.decode(k, values[f.Path])
		if err != nil {
			return iot.Action{}, err
		}
		if value != nil {
			plant(tree, strings.Split(f.Path, "."), value)
		}
	}
	if err := k.complete(values); err != nil {
		return iot.Action{}, err
	}
	var action iot.Action
	text, err := json.Marshal(map[string]any{k.Member: tree})
	if err != nil {
		return action, err
	}
	if err := json.Unmarshal(text, &action); err != nil {
		return action, fault.InvalidRequest("%s: %v", k.Member, err)
	}
	return action, nil
}

// plant puts a value into a tree.
func plant(tree map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := tree[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[name] = next
		}
		tree = next
	}
	tree[path[len(path)-1]] = value
}

// complete wants every required field. Those of a part that may be absent count
// where something of the part is given.
func (k *actionKind) complete(values map[string]string) error {
	given := map[string]bool{}
	for path, value := range values {
		for at := part(path); at != "" && value != ""; at = part(at) {
			given[at] = true
		}
	}
	for _, f := range k.Fields {
		if values[f.Path] == "" && (f.Must || f.Required && given[part(f.Path)]) {
			return fault.InvalidRequest("%s needs %s", k.Member, f.Path)
		}
	}
	return nil
}

func memberOf(of reflect.Type, name string) (reflect.StructField, bool) {
	for i := range of.NumField() {
		if jsonName(of.Field(i)) == name {
			return of.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

// decode reads what a form says of a field; nil where it is absent.
func (f actionField) decode(k *actionKind, text string) (any, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // absent
	}
	switch f.Type {
	case fieldNumber:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fault.InvalidRequest("%s: %s must be a whole number", k.Member, f.Path)
		}
		return n, nil
	case fieldSwitch:
		return text == "true", nil
	case fieldPairs:
		return f.pairs(k, text)
	case fieldJSON:
		if !json.Valid([]byte(text)) {
			return nil, fault.InvalidRequest("%s: %s must be JSON", k.Member, f.Path)
		}
		return json.RawMessage(text), nil
	}
	return text, nil
}

// pairs reads lines of name=value: of a map or of a list of pairs, whichever the
// model has.
func (f actionField) pairs(k *actionKind, text string) (any, error) {
	of := k.goType(f.Path)
	object, list := map[string]string{}, []map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fault.InvalidRequest("%s: %s: %q: write name=value", k.Member, f.Path, line)
		}
		if name = strings.TrimSpace(name); of.Kind() == reflect.Map {
			object[name] = value
		} else {
			list = append(list, map[string]string{nameMember(of): name, "value": value})
		}
	}
	if of.Kind() == reflect.Map {
		return object, nil
	}
	return list, nil
}

// goType is the type of a member.
func (k *actionKind) goType(path string) reflect.Type {
	of := reflect.TypeFor[iot.Action]()
	for _, name := range append([]string{k.Member}, strings.Split(path, ".")...) {
		member, _ := memberOf(of, name)
		if of = member.Type; of.Kind() == reflect.Pointer && of.Elem().Kind() == reflect.Struct {
			of = of.Elem()
		}
	}
	return of
}

// valuesOf is the way back from an action: its kind, and what a form of it
// holds.
func valuesOf(action iot.Action) (*actionKind, map[string]string, error) {
	text, err := json.Marshal(action)
	if err != nil {
		return nil, nil, err
	}
	var tree map[string]json.RawMessage
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, nil, err
	}
	for member, inner := range tree {
		kind := kindOf(member)
		if kind == nil {
			return nil, nil, fmt.Errorf("the action %s is not in the model", member)
		}
		values := map[string]string{}
		for _, f := range kind.Fields {
			values[f.Path] = f.encode(kind, at(inner, strings.Split(f.Path, ".")))
		}
		return kind, values, nil
	}
	return nil, nil, fmt.Errorf("an action without a kind")
}

// at finds a value in a document; nil where there is none.
func at(document json.RawMessage, path []string) json.RawMessage {
	for _, name := range path {
		var tree map[string]json.RawMessage
		if json.Unmarshal(document, &tree) != nil {
			return nil
		}
		document = tree[name]
	}
	return document
}

// encode writes a field's value as the form shows it.
func (f actionField) encode(k *actionKind, value json.RawMessage) string {
	if len(value) == 0 {
		return ""
	}
	switch f.Type {
	case fieldNumber, fieldSwitch:
		return string(value)
	case fieldJSON:
		return pretty(value)
	case fieldPairs:
		return f.lines(k, value)
	}
	var text string
	_ = json.Unmarshal(value, &text) // the model says that it is one
	return text
}

func (f actionField) lines(k *actionKind, value json.RawMessage) string {
	var out strings.Builder
	of := k.goType(f.Path)
	if of.Kind() == reflect.Map {
		object := map[string]string{}
		_ = json.Unmarshal(value, &object) // the model says that it is one
		for _, name := range sortedKeys(object) {
			fmt.Fprintf(&out, "%s=%s\n", name, object[name])
		}
		return out.String()
	}
	var list []map[string]string
	_ = json.Unmarshal(value, &list) // likewise
	for _, pair := range list {
		fmt.Fprintf(&out, "%s=%s\n", pair[nameMember(of)], pair["value"])
	}
	return out.String()
}

// grant is what a role needs for an action.
type grant struct{ actions, resource string }

// grants say what the role of an action must be allowed (AWS IoT developer guide,
// "AWS IoT rule actions"). {member} stands for what the action says, and for
// everything where that has a template; {region} and {account} for ours.
var grants = map[string]grant{
	"cloudwatchAlarm":  {"cloudwatch:SetAlarmState", "arn:aws:cloudwatch:{region}:{account}:alarm:{alarmName}"},
	"cloudwatchLogs":   {"logs:CreateLogStream,logs:DescribeLogStreams,logs:PutLogEvents", "arn:aws:logs:{region}:{account}:log-group:{logGroupName}:*"},
	"cloudwatchMetric": {"cloudwatch:PutMetricData", "*"},
	"dynamoDB":         {"dynamodb:PutItem,dynamodb:UpdateItem,dynamodb:DeleteItem", "arn:aws:dynamodb:{region}:{account}:table/{tableName}"},
	"dynamoDBv2":       {"dynamodb:PutItem", "arn:aws:dynamodb:{region}:{account}:table/{putItem.tableName}"},
	"elasticsearch":    {"es:ESHttpPut", "*"},
	"firehose":         {"firehose:PutRecord,firehose:PutRecordBatch", "arn:aws:firehose:{region}:{account}:deliverystream/{deliveryStreamName}"},
	"http":             {"execute-api:Invoke", "*"},
	"iotAnalytics":     {"iotanalytics:BatchPutMessage", "*"},
	"iotEvents":        {"iotevents:BatchPutMessage", "arn:aws:iotevents:{region}:{account}:input/{inputName}"},
	"iotSiteWise":      {"iotsitewise:BatchPutAssetPropertyValue", "*"},
	"kinesis":          {"kinesis:PutRecord", "arn:aws:kinesis:{region}:{account}:stream/{streamName}"},
	"location":         {"geo:BatchUpdateDevicePosition", "arn:aws:geo:{region}:{account}:tracker/{trackerName}"},
	"openSearch":       {"es:ESHttpPut", "*"},
	"republish":        {"iot:Publish", "arn:aws:iot:{region}:{account}:topic/{topic}"},
	"s3":               {"s3:PutObject", "arn:aws:s3:::{bucketName}/*"},
	"sns":              {"sns:Publish", "{targetArn}"},
	"sqs":              {"sqs:SendMessage", "*"},
	"stepFunctions":    {"states:StartExecution", "arn:aws:states:{region}:{account}:stateMachine:{stateMachineName}"},
	"timestream":       {"timestream:WriteRecords,timestream:DescribeEndpoints", "*"},
}

// statement is what an action with these values needs.
func (g grant) statement(region, account string, values map[string]string) statement {
	resource := strings.NewReplacer("{region}", region, "{account}", account).Replace(g.resource)
	for path, value := range values {
		if strings.Contains(value, "${") {
			value = "*" // known only as the rule runs
		}
		resource = strings.ReplaceAll(resource, "{"+path+"}", value)
	}
	return statement{"Allow", g.actions, resource}
}

// readAction reads the fields of one action of a form, whose names begin with
// prefix.
func (k *actionKind) readAction(form url.Values, prefix string) map[string]string {
	values := map[string]string{}
	for _, f := range k.Fields {
		value := form.Get(prefix + f.Path)
		if f.Type != fieldPairs {
			value = strings.TrimSpace(value)
		}
		values[f.Path] = value
	}
	return values
}
