package iotsql

import (
	"time"

	"thingd/internal/rules/iotsql/datetime"
)

func dateFunctions() []Function {
	return []Function{
		{
			Name: "parse_time", Arguments: "pattern, milliseconds[, zone]", Min: 2, Max: 3, Since: V20160323, Group: GroupDates,
			Doc: "A moment, in milliseconds since 1970, written by a pattern of Joda-Time's letters in a time zone of the IANA " +
				"database, UTC where none is given. Undefined for patterns and zones that do not exist.",
			Examples: []Example{
				example(`parse_time("yyyy-MM-dd'T'HH:mm:ss.SSS", 1700000000123)`, `"2023-11-14T22:13:20.123"`),
				example(`parse_time("EEE d MMM yyyy, HH:mm z", 1700000000123, 'Asia/Tokyo')`, `"Wed 15 Nov 2023, 07:13 JST"`),
				example("parse_time('yyyy', 0, 'Mars/Base')", "Undefined"), example("parse_time('bogus', 0)", "Undefined"),
			},
			special: parseTime,
		},
		{
			Name: "time_to_epoch", Arguments: "text, pattern", Min: 2, Max: 2, Since: V20160323, Group: GroupDates,
			Doc: "The milliseconds since 1970 of a moment written by a pattern of java.time's letters; in UTC where the text " +
				"has no zone, at midnight where it has no time. Undefined where the text does not fit the pattern.",
			Examples: []Example{
				example("time_to_epoch('14 November 2023', 'dd MMMM yyyy')", "1699920000000"),
				example("time_to_epoch('2023-11-14 23:13:20 +01:00', 'yyyy-MM-dd HH:mm:ss XXX')", "1700000000000"),
				example("time_to_epoch('tomorrow', 'yyyy-MM-dd')", "Undefined"),
			},
			code: onTexts(timeToEpoch),
		},
	}
}

// patternCost is about how many steps a letter of a pattern takes.
const patternCost = 4

func timeToEpoch(ev *evaluation, text, pattern string) Value {
	if !ev.spend(patternCost * len(pattern)) {
		return Value{}
	}
	moment, ok := datetime.Parse(text, pattern)
	if !ok {
		return Value{}
	}
	return integer(moment.UnixMilli())
}

// zoneSteps is about what finding a time zone costs.
const zoneSteps = 200

// momentMax bounds what parse_time takes, in milliseconds either side of 1970:
// some 270,000 years.
const momentMax = 8_640_000_000_000_000

// parseTime finds a zone that is written out once.
func parseTime(c *compiler, f *Function, n *callNode) evaluator {
	find := func(ev *evaluation, v Value) *time.Location {
		name, ok := ev.toText(v)
		if !ok || !ev.spend(zoneSteps) {
			return nil
		}
		zone, _ := datetime.Zone(name)
		return zone
	}
	if len(n.arguments) == 2 {
		find = func(*evaluation, Value) *time.Location { return time.UTC }
	} else if literal, is := n.arguments[2].(*literalNode); is {
		zone, _ := datetime.Zone(literal.value.Text())
		find = func(*evaluation, Value) *time.Location { return zone }
	}
	return invoke(func(ev *evaluation, args []Value) Value {
		zone := find(ev, args[len(args)-1])
		if zone == nil {
			return Value{}
		}
		return formatTime(ev, args, zone)
	}, c.arguments(f, n))
}

func formatTime(ev *evaluation, args []Value, zone *time.Location) Value {
	pattern, ok := ev.toText(args[0])
	d, also := toInt(args[1])
	milliseconds, fits := d.Int64()
	if !ok || !also || !fits || milliseconds > momentMax || milliseconds < -momentMax {
		return Value{}
	}
	if !ev.spend(patternCost * len(pattern)) {
		return Value{}
	}
	text, ok := datetime.Format(pattern, time.UnixMilli(milliseconds).In(zone))
	if !ok {
		return Value{}
	}
	return ev.string(text)
}
