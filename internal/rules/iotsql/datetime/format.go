package datetime

import (
	"strings"
	"time"
)

// Format writes t, in its own location, with the letters of Joda-Time's
// DateTimeFormat. Not ok: a letter that language does not have, a quote that is
// not closed, a pattern that is empty or too long.
func Format(pattern string, t time.Time) (string, bool) {
	runs, ok := split(pattern)
	if !ok {
		return "", false
	}
	var out strings.Builder
	for _, r := range runs {
		text := r.literal
		if r.letter != 0 {
			if text, ok = field(r, t); !ok {
				return "", false
			}
		}
		out.WriteString(text)
	}
	return out.String(), true
}

// field writes what one run of a letter stands for.
func field(r run, t time.Time) (string, bool) {
	switch r.letter {
	case 'G':
		return era(t), true
	case 'E':
		return name(t.Weekday().String(), r.count), true
	case 'a':
		return t.Format("PM"), true
	case 'M':
		return month(t, r.count), true
	case 'S':
		return fractionOfSecond(t, r.count), true
	case 'z':
		return zoneName(t, r.count), true
	case 'Z':
		return zoneText(t, r.count), true
	case 'y', 'Y', 'x':
		return year(r, t), true
	}
	n, ok := number(r.letter, t)
	return pad(n, r.count), ok
}

func number(letter byte, t time.Time) (int, bool) {
	switch letter {
	case 'C':
		return yearOfEra(t) / 100, true
	case 'w':
		_, week := t.ISOWeek()
		return week, true
	case 'e':
		return isoWeekday(t), true
	case 'D':
		return t.YearDay(), true
	case 'd':
		return t.Day(), true
	case 'H':
		return t.Hour(), true
	case 'k':
		return (t.Hour()+23)%24 + 1, true
	case 'K':
		return t.Hour() % 12, true
	case 'h':
		return (t.Hour()+11)%12 + 1, true
	case 'm':
		return t.Minute(), true
	case 's':
		return t.Second(), true
	}
	return 0, false
}

func era(t time.Time) string {
	if t.Year() > 0 {
		return "AD"
	}
	return "BC"
}

func yearOfEra(t time.Time) int {
	if t.Year() > 0 {
		return t.Year()
	}
	return 1 - t.Year()
}

// year writes the year, the year of the era or the week year; two letters ask
// for the last two digits.
func year(r run, t time.Time) string {
	n := t.Year()
	switch r.letter {
	case 'Y':
		n = yearOfEra(t)
	case 'x':
		n, _ = t.ISOWeek()
	}
	if r.count == 2 {
		return pad((n%100+100)%100, 2)
	}
	return pad(n, r.count)
}

func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

func month(t time.Time, count int) string {
	if count < 3 {
		return pad(int(t.Month()), count)
	}
	return name(t.Month().String(), count)
}

// name is a name in full from four letters on, its first three letters before.
func name(full string, count int) string {
	if count >= 4 {
		return full
	}
	return full[:3]
}

func fractionOfSecond(t time.Time, count int) string {
	digits := pad(t.Nanosecond(), 9)
	if count > len(digits) {
		return digits + strings.Repeat("0", count-len(digits))
	}
	return digits[:count]
}

// zoneText writes +0000, +00:00, or the zone's id from three letters on.
func zoneText(t time.Time, count int) string {
	_, offset := t.Zone()
	switch count {
	case 1:
		return offsetText(offset, "")
	case 2:
		return offsetText(offset, ":")
	}
	return t.Location().String()
}

// zoneName writes the zone's short name, or the long one from four letters on
// where it is known. Zones without a name show their offset, as in Joda-Time.
func zoneName(t time.Time, count int) string {
	short, offset := t.Zone()
	if short == "" || short[0] == '+' || short[0] == '-' {
		return offsetText(offset, ":")
	}
	if long, known := longZoneName(short, offset); known && count >= 4 {
		return long
	}
	return short
}

// longZoneName spells out the abbreviations that mean one thing at one offset.
func longZoneName(short string, offset int) (string, bool) {
	for _, zone := range zoneNames() {
		if zone.short == short && zone.hours*3600 == offset {
			return zone.long, true
		}
	}
	return "", false
}

type zoneNamed struct {
	short string
	hours int
	long  string
}

func zoneNames() []zoneNamed {
	return []zoneNamed{
		{"UTC", 0, "Coordinated Universal Time"},
		{"GMT", 0, "Greenwich Mean Time"},
		{"WET", 0, "Western European Time"},
		{"WEST", 1, "Western European Summer Time"},
		{"BST", 1, "British Summer Time"},
		{"CET", 1, "Central European Time"},
		{"CEST", 2, "Central European Summer Time"},
		{"EET", 2, "Eastern European Time"},
		{"EEST", 3, "Eastern European Summer Time"},
		{"MSK", 3, "Moscow Standard Time"},
		{"CST", 8, "China Standard Time"},
		{"JST", 9, "Japan Standard Time"},
		{"KST", 9, "Korea Standard Time"},
		{"AEST", 10, "Australian Eastern Standard Time"},
		{"AEDT", 11, "Australian Eastern Daylight Time"},
		{"NZST", 12, "New Zealand Standard Time"},
		{"NZDT", 13, "New Zealand Daylight Time"},
		{"AST", -4, "Atlantic Standard Time"},
		{"ADT", -3, "Atlantic Daylight Time"},
		{"EST", -5, "Eastern Standard Time"},
		{"EDT", -4, "Eastern Daylight Time"},
		{"CST", -6, "Central Standard Time"},
		{"CDT", -5, "Central Daylight Time"},
		{"MST", -7, "Mountain Standard Time"},
		{"MDT", -6, "Mountain Daylight Time"},
		{"PST", -8, "Pacific Standard Time"},
		{"PDT", -7, "Pacific Daylight Time"},
		{"AKST", -9, "Alaska Standard Time"},
		{"AKDT", -8, "Alaska Daylight Time"},
		{"HST", -10, "Hawaii-Aleutian Standard Time"},
	}
}
