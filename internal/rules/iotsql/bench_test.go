package iotsql

import (
	"testing"
	"time"
)

const benchPayload = `{"room":"4A","floor":4,"t":31.5,"humidity":48.25,"battery":97,"ok":true,"tags":["a","b","c"],` +
	`"readings":[{"k":"co2","val":612},{"k":"rh","val":48.5},{"k":"dp","val":9.25},{"k":"pm","val":12}],` +
	`"device":{"id":"climate-4","fw":"2.10.3","uptime":861233}}`

func benchmark(b *testing.B, sql, payload string) {
	q := query(b, sql, V20160323)
	env, message := testEnv(), testMessage("site/4/climate", payload)
	env.Now = func() time.Time { return time.UnixMilli(1700000000123) }
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := q.Evaluate(env, message); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "evaluations/s")
}

func BenchmarkSimpleFilterHit(b *testing.B) {
	benchmark(b, "SELECT room, t FROM 'site/+/climate' WHERE t > 30", benchPayload)
}

func BenchmarkSimpleFilterMiss(b *testing.B) {
	benchmark(b, "SELECT room, t FROM 'site/+/climate' WHERE t > 40", benchPayload)
}

func BenchmarkSelectAll(b *testing.B) {
	benchmark(b, "SELECT *, topic(2) AS site FROM 'site/+/climate'", benchPayload)
}

func BenchmarkBytesPassedOn(b *testing.B) {
	benchmark(b, "SELECT * FROM 'site/+/climate'", "plain text")
}

func BenchmarkNestedSelect(b *testing.B) {
	benchmark(b, "SELECT room, (SELECT k, val * 2 AS twice FROM readings WHERE val > 10) AS high, "+
		"get((SELECT VALUE val FROM readings WHERE k = 'rh'), 0) AS rh FROM 'site/+/climate'", benchPayload)
}

func BenchmarkTwentyFunctions(b *testing.B) {
	benchmark(b, "SELECT upper(room) AS a, length(room) AS b, substring(device.id, 0, 4) AS c, indexof(device.id, '-') AS d, "+
		"concat(room, '/', floor) AS e, replace(device.fw, '.', '_') AS f, regexp_substr(device.fw, '[0-9]+') AS g, "+
		"regexp_matches(device.id, '^climate') AS h, round(t) AS i, trunc(humidity, 1) AS j, power(floor, 2) AS k, mod(battery, 10) AS l, "+
		"bitand(battery, 15) AS m, get(tags, 1) AS n, isUndefined(missing) AS o, nanvl(missing, 0) AS p, "+
		"parse_time('yyyy-MM-dd HH:mm', timestamp(), 'UTC') AS q, topic(2) AS r, clientid() AS s, sha256(room) AS u FROM 'site/+/climate'",
		benchPayload)
}

func BenchmarkTemplate(b *testing.B) {
	template, err := ParseTemplate("climate/${topic(2)}/${parse_time('yyyy/MM/dd', timestamp(), 'UTC')}/${timestamp()}.json")
	if err != nil {
		b.Fatal(err)
	}
	env, message := testEnv(), testMessage("site/4/climate", benchPayload)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(env, message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("SELECT room, t FROM 'site/+/climate' WHERE t > 30 AND room <> 'hall'", V20160323); err != nil {
			b.Fatal(err)
		}
	}
}
