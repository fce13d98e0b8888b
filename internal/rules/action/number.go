package action

import (
	"strconv"
	"strings"
	"time"

	"thingd/internal/rules/iotsql"
)

// wholeNumber gives the value of an Int that fits.
func wholeNumber(v iotsql.Value) (int64, bool) {
	if v.Kind() != iotsql.Int && v.Kind() != iotsql.Decimal {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(v.String(), ".0"), 10, 64)
	return n, err == nil
}

// instant reads a rendered timestamp in a unit of AWS's names; "" is
// milliseconds.
func instant(value, unit string) (time.Time, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	switch unit {
	case "SECONDS":
		return time.Unix(n, 0), true
	case "MILLISECONDS", "":
		return time.UnixMilli(n), true
	case "MICROSECONDS":
		return time.UnixMicro(n), true
	case "NANOSECONDS":
		return time.Unix(0, n), true
	}
	return time.Time{}, false
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
