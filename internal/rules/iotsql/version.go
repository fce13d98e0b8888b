package iotsql

import "thingd/internal/fault"

// Version is the awsIotSqlVersion of a rule.
type Version string

// The versions. Beta is whatever is newest and behaves as V20160323 here.
const (
	V20151008 Version = "2015-10-08"
	V20160323 Version = "2016-03-23"
	Beta      Version = "beta"
)

// ParseVersion reads awsIotSqlVersion; the empty string is V20151008, the
// default of CreateTopicRule. Other texts are fault.CodeInvalidRequest
// (unconfirmed: AWS names no error for them).
func ParseVersion(text string) (Version, error) {
	switch version := Version(text); version {
	case "":
		return V20151008, nil
	case V20151008, V20160323, Beta:
		return version, nil
	}
	return "", fault.InvalidRequest("Invalid awsIotSqlVersion %q: expected 2015-10-08, 2016-03-23 or beta", text)
}

// isFirst says whether the rules of 2015-10-08 hold.
func (v Version) isFirst() bool { return v == V20151008 }
