package datetime

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	moment := time.UnixMilli(1700000000123)
	for _, test := range []struct{ pattern, zone, want string }{
		{"yyyy-MM-dd'T'HH:mm:ss.SSS", "UTC", "2023-11-14T22:13:20.123"},
		{"EEE d MMM yyyy, HH:mm z", "Asia/Tokyo", "Wed 15 Nov 2023, 07:13 JST"},
		{"HH:mm z", "America/New_York", "17:13 EST"},
		{"zzzz", "America/New_York", "Eastern Standard Time"},
		{"Z ZZ ZZZ", "America/New_York", "-0500 -05:00 America/New_York"},
		{"Z z", "+05:30", "+0530 +05:30"},
		{"z", "America/Sao_Paulo", "-03:00"},
		{"EEEE, MMMM", "UTC", "Tuesday, November"},
		{"G C Y x w e D", "UTC", "AD 20 2023 2023 46 2 318"},
		{"yy M d h K k a", "UTC", "23 11 14 10 10 22 PM"},
		{"S SS SSSSSS", "UTC", "1 12 123000"},
		{"''yyyy'o''clock'", "UTC", "'2023o'clock"},
		{"H k", "Asia/Tokyo", "7 7"},
		{"z zzzz", "Europe/Oslo", "CET Central European Time"},
		{"zzzz", "Asia/Kolkata", "IST"},
		{"SSSSSSSSSSSS", "UTC", "123000000000"},
	} {
		zone, ok := Zone(test.zone)
		if !ok {
			t.Fatalf("no zone %s", test.zone)
		}
		if got, ok := Format(test.pattern, moment.In(zone)); !ok || got != test.want {
			t.Errorf("%s in %s: got %q, %v; want %q", test.pattern, test.zone, got, ok, test.want)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	for _, pattern := range []string{"", "q", "yyyy b", "'open"} {
		if got, ok := Format(pattern, time.UnixMilli(0)); ok {
			t.Errorf("Format(%q) = %q, want a failure", pattern, got)
		}
	}
}

func TestZoneRefuses(t *testing.T) {
	for _, name := range []string{"", "Local", "Mars/Base", "../etc/passwd", "+19:00", "+1", "utc+1"} {
		if zone, ok := Zone(name); ok {
			t.Errorf("Zone(%q) = %s, want a failure", name, zone)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ text, pattern, want string }{
		{"14 November 2023", "dd MMMM yyyy", "2023-11-14T00:00:00Z"},
		{"2023-11-14 23:13:20 +01:00", "yyyy-MM-dd HH:mm:ss XXX", "2023-11-14T22:13:20Z"},
		{"20231114221320123", "yyyyMMddHHmmssSSS", "2023-11-14T22:13:20.123Z"},
		{"2023-11-14T22:13:20Z", "yyyy-MM-dd'T'HH:mm:ssX", "2023-11-14T22:13:20Z"},
		{"2023-11-14T22:13-05", "yyyy-MM-dd'T'HH:mmX", "2023-11-15T03:13:00Z"},
		{"2023-11-14 22:13 -0530", "yyyy-MM-dd HH:mm Z", "2023-11-15T03:43:00Z"},
		{"2023-11-14 22:13 GMT+8", "yyyy-MM-dd HH:mm O", "2023-11-14T14:13:00Z"},
		{"2023-07-01 12:00 America/New_York", "yyyy-MM-dd HH:mm VV", "2023-07-01T16:00:00Z"},
		{"2023-07-01 12:00 UTC+01:00", "yyyy-MM-dd HH:mm VV", "2023-07-01T11:00:00Z"},
		{"2023-12-01 12:00 PST", "yyyy-MM-dd HH:mm z", "2023-12-01T20:00:00Z"},
		{"Tue, 14 Nov 23 10:13 PM", "EEE, d MMM yy h:mm a", "2023-11-14T22:13:00Z"},
		{"12:05 AM 1/2/2024", "h:mm a M/d/yyyy", "2024-01-02T00:05:00Z"},
		{"2023-318", "uuuu-DDD", "2023-11-14T00:00:00Z"},
		{"2023-02-31", "yyyy-MM-dd", "2023-02-28T00:00:00Z"},
		{"2023-11-14", "yyyy-MM-dd[ HH:mm]", "2023-11-14T00:00:00Z"},
		{"2023-11-14 05:06", "yyyy-MM-dd[ HH:mm]", "2023-11-14T05:06:00Z"},
		{"14.11.2023 24", "dd.MM.yyyy kk", "2023-11-14T00:00:00Z"},
		{"PM 11 14.11.2023", "a K dd.MM.yyyy", "2023-11-14T23:00:00Z"},
		{"2023-11-14 86399999", "yyyy-MM-dd A", "2023-11-14T23:59:59.999Z"},
		{"2023-11-14 1000000000", "yyyy-MM-dd N", "2023-11-14T00:00:01Z"},
		{"2023-11-14 10:00:00 5", "yyyy-MM-dd HH:mm:ss n", "2023-11-14T10:00:00.000000005Z"},
		{"0044-03-15 BC", "yyyy-MM-dd G", "-0043-03-15T00:00:00Z"},
		{"15 Mar 0044 Anno Domini", "d MMM yyyy GGGG", "0044-03-15T00:00:00Z"},
		{"-43-3-15", "u-M-d", "-0043-03-15T00:00:00Z"},
		{"+12023-11-14", "yyyy-MM-dd", "12023-11-14T00:00:00Z"},
		{"2023-11-14 22:13 GMT", "yyyy-MM-dd HH:mm O", "2023-11-14T22:13:00Z"},
		{"2023-11-14 22:13 GMT-10:30", "yyyy-MM-dd HH:mm ZZZZ", "2023-11-15T08:43:00Z"},
		{"2023-11-14 22:13 +00:00", "yyyy-MM-dd HH:mm xxx", "2023-11-14T22:13:00Z"},
		{"2023-11-14 22:13 Z", "yyyy-MM-dd HH:mm ZZZZZ", "2023-11-14T22:13:00Z"},
		{"14 o'clock 11/14/23", "H 'o''clock' MM/dd/yy", "2023-11-14T14:00:00Z"},
	} {
		got, ok := Parse(test.text, test.pattern)
		if !ok || got.UTC().Format(time.RFC3339Nano) != test.want {
			t.Errorf("%q by %q: got %s, %v; want %s", test.text, test.pattern, got.UTC(), ok, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, pattern string }{
		{"text left over", "2023-11-14 ", "yyyy-MM-dd"},
		{"text too short", "2023-11", "yyyy-MM-dd"},
		{"no date", "12:30", "HH:mm"},
		{"no year", "14 November", "dd MMMM"},
		{"month out of range", "2023-13-01", "yyyy-MM-dd"},
		{"hour out of range", "2023-11-14 24", "yyyy-MM-dd HH"},
		{"half day without AM or PM", "2023-11-14 10", "yyyy-MM-dd hh"},
		{"weekday contradicts date", "Mon 2023-11-14", "EEE yyyy-MM-dd"},
		{"case of names", "14 november 2023", "dd MMMM yyyy"},
		{"five digits without plus", "12023-11-14", "yyyy-MM-dd"},
		{"unknown letter", "2023", "b"},
		{"bracket not opened", "2023-11-14", "yyyy-MM-dd]"},
		{"year too far", "+999999999-01-01", "yyyy-MM-dd"},
		{"one field twice", "2023 2024-11-14", "yyyy yyyy-MM-dd"},
		{"minute without hour", "2023-11-14 30", "yyyy-MM-dd mm"},
		{"AM without hour", "2023-11-14 AM", "yyyy-MM-dd a"},
		{"zone twice", "2023-11-14 +01:00 +02:00", "yyyy-MM-dd XXX XXX"},
		{"offset too far", "2023-11-14 +19:00", "yyyy-MM-dd XXX"},
		{"bracket too deep", "2023-11-14", "[[[[[[[[[[yyyy-MM-dd"},
		{"reserved character", "2023-11-14#", "yyyy-MM-dd#"},
		{"day 366 of 365", "2023-366", "yyyy-DDD"},
		{"zone unknown", "2023-11-14 Mars", "yyyy-MM-dd VV"},
	} {
		if got, ok := Parse(test.text, test.pattern); ok {
			t.Errorf("%s: got %s, want a failure", test.name, got)
		}
	}
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := time.UnixMilli(rapid.Int64Range(-2e12, 4e12).Draw(t, "ms")).UTC()
		pattern := rapid.SampledFrom([]string{
			"yyyy-MM-dd HH:mm:ss.SSS", "yyyyMMddHHmmssSSS", "d MMMM yyyy hh:mm:ss a SSS", "EEE MMM dd yyyy kk:mm:ss SSS", "yyyy DDD HHmmssSSS",
		}).Draw(t, "pattern")
		text, ok := Format(pattern, moment)
		if !ok {
			t.Fatalf("Format(%q) failed", pattern)
		}
		back, ok := Parse(text, pattern)
		if !ok || !back.Equal(moment) {
			t.Fatalf("%s was written as %q and read as %s, %v", moment, text, back, ok)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("2023-11-14 23:13:20 +01:00", "yyyy-MM-dd HH:mm:ss XXX")
	f.Add("20231114", "yyyyMMdd[HH]'x'")
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if moment, ok := Parse(text, pattern); ok {
			Format(pattern, moment)
		}
		Format(pattern, time.UnixMilli(0).UTC())
	})
}
