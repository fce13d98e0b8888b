// Package datetime writes and reads dates the way AWS IoT SQL does. The two
// directions use two different pattern languages: parse_time formats with the
// letters of Joda-Time's DateTimeFormat, time_to_epoch parses with those of
// java.time's DateTimeFormatter. Texts are English, as on AWS.
//
// The database of time zones is the one built into the program unless the
// machine has a newer one; like the tables of Unicode it is taken as a constant.
package datetime

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines that have no database of them
)

// patternMax is the longest pattern taken, in bytes. Output is at most some
// twenty times as long.
const patternMax = 512

// Zone finds a time zone: UTC, an offset such as +01:00 or UTC+01:00, or a name
// of the IANA database (case-sensitive).
func Zone(name string) (*time.Location, bool) {
	if name == "UTC" || name == "GMT" || name == "Z" || name == "UT" {
		return time.UTC, true
	}
	if offset, ok := zoneOffset(name); ok {
		return time.FixedZone(offsetText(offset, ":"), offset), true
	}
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// zoneOffset reads [UTC|GMT|UT]+hh[:mm] as seconds.
func zoneOffset(name string) (int, bool) {
	for _, prefix := range []string{"UTC", "GMT", "UT"} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			name = rest
			break
		}
	}
	if len(name) != 3 && len(name) != 6 {
		return 0, false
	}
	offset, used, ok := readOffset(name, offsetStyle{separator: ":", minutesOptional: true})
	return offset, ok && used == len(name)
}

type offsetStyle struct {
	separator       string
	minutesOptional bool
	noMinutes       bool
}

const offsetMaxHours = 18 // java.time's bound

// readOffset reads +hh, +hhmm or +hh:mm from the start of text and says how
// many bytes it took.
func readOffset(text string, style offsetStyle) (seconds, used int, ok bool) {
	if len(text) < 3 || text[0] != '+' && text[0] != '-' {
		return 0, 0, false
	}
	hours, ok := twoDigits(text[1:])
	if !ok || hours > offsetMaxHours {
		return 0, 0, false
	}
	minutes, used := 0, 3
	if !style.noMinutes {
		found := false
		if rest, separated := strings.CutPrefix(text[3:], style.separator); separated {
			minutes, found = twoDigits(rest)
		}
		switch {
		case found && minutes < 60:
			used += len(style.separator) + 2
		case !style.minutesOptional:
			return 0, 0, false
		default:
			minutes = 0
		}
	}
	seconds = hours*3600 + minutes*60
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, used, true
}

func twoDigits(text string) (int, bool) {
	if len(text) < 2 || !isDigit(text[0]) || !isDigit(text[1]) {
		return 0, false
	}
	return int(text[0]-'0')*10 + int(text[1]-'0'), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

func offsetText(seconds int, separator string) string {
	sign := byte('+')
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	out := append([]byte{sign}, pad(seconds/3600, 2)...)
	out = append(out, separator...)
	return string(append(out, pad(seconds/60%60, 2)...))
}

// pad writes n with zeros in front to at least width digits.
func pad(n, width int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	digits := strconv.Itoa(n)
	return sign + strings.Repeat("0", max(width-len(digits), 0)) + digits
}

// run is a piece of a pattern: a letter repeated, or literal text.
type run struct {
	letter  byte // 0 for text
	count   int
	literal string
}

// split cuts a pattern into runs. Both languages quote alike: text between
// apostrophes stands for itself, two apostrophes for one.
func split(pattern string) ([]run, bool) {
	if pattern == "" || len(pattern) > patternMax {
		return nil, false
	}
	var runs []run
	for i := 0; i < len(pattern); {
		var next run
		var used int
		switch c := pattern[i]; {
		case isLetter(c):
			next.letter = c
			next.count = len(pattern[i:]) - len(strings.TrimLeft(pattern[i:], string(c)))
			used = next.count
		case c == '\'':
			next.literal, used = quoted(pattern[i:])
			if used == 0 {
				return nil, false
			}
		default:
			next.literal, used = pattern[i:i+1], 1
		}
		runs = append(runs, next)
		i += used
	}
	return runs, true
}

// quoted reads 'text' or ” at the start of pattern; used is 0 where the closing
// apostrophe is missing.
func quoted(pattern string) (literal string, used int) {
	if strings.HasPrefix(pattern, "''") {
		return "'", 2
	}
	var out []byte
	for i := 1; i < len(pattern); i++ {
		if pattern[i] != '\'' {
			out = append(out, pattern[i])
			continue
		}
		if i+1 == len(pattern) || pattern[i+1] != '\'' {
			return string(out), i + 1
		}
		out = append(out, '\'')
		i++
	}
	return "", 0
}
