package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"thingd/internal/why"
)

// Context says what is known of a caller and a request: the values behind
// variables and condition keys.
//
// Lookup is given the canonical form of a key (see CanonicalKey; the Key
// constants are such) and returns its values, or nothing if there are none. A key
// with several values (iot:ConnectAttributes, iot:Certificate.Subject.CommonName.List)
// serves in conditions only; as ${...} it counts as having no value.
//
// The values are those of the world, unchanged: that a certificate attribute
// with an awkward value is not substituted is seen to here.
type Context interface {
	Lookup(key string) []string
}

// The keys of IoT policies, in canonical form. Below KeyThingAttributes the
// attribute's name stands in square brackets, with its letter case kept.
const (
	KeyClientID          = "iot:clientid"
	KeySourceIP          = "aws:sourceip"
	KeyDomainName        = "iot:domainname"
	KeyCertificateID     = "iot:certificateid"
	KeyThingName         = "iot:connection.thing.thingname"
	KeyThingTypeName     = "iot:connection.thing.thingtypename"
	KeyThingAttributes   = "iot:connection.thing.attributes"
	KeyThingIsAttached   = "iot:connection.thing.isattached"
	KeyConnectAttributes = "iot:connectattributes"
	KeyLastWillTopic     = "iot:lastwilltopic"
	KeySocketInformation = "iot:includesocketinformation"
	KeySubject           = "iot:certificate.subject."
	KeyIssuer            = "iot:certificate.issuer."
	KeyCurrentTime       = "aws:currenttime"
	KeyEpochTime         = "aws:epochtime"
	KeySecureTransport   = "aws:securetransport"
	KeyUserAgent         = "aws:useragent"
)

// aliases are other names for a key, both in lower case. The iot:Thing names
// stand beside the longer ones in AWS's examples (unconfirmed that they work
// there; a policy that uses them means the same).
var aliases = map[string]string{
	"iot:thing.thingname":     KeyThingName,
	"iot:thing.thingtypename": KeyThingTypeName,
	"iot:thing.isattached":    KeyThingIsAttached,
	"iot:thing.attributes":    KeyThingAttributes,
}

// CanonicalKey gives the form in which keys are compared: lower case, because
// IAM ignores the case of keys, with aliases resolved. What stands in square
// brackets is kept: names of thing attributes are case sensitive.
func CanonicalKey(key string) string {
	name, rest := key, ""
	if i := strings.IndexByte(key, '['); i >= 0 {
		name, rest = key[:i], key[i:]
	}
	name = strings.ToLower(name)
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	return name + rest
}

// lookup asks a context that may be nil.
func lookup(ctx Context, key string) []string {
	if ctx == nil {
		return nil
	}
	return ctx.Lookup(key)
}

// Values is a Context made of a map from canonical keys to their values. Fill it
// with Set and SetAttribute. A nil Values knows nothing.
type Values map[string][]string

// Lookup gives the values of a canonical key.
func (v Values) Lookup(key string) []string { return v[key] }

// Set gives a key, canonical or not, its values.
func (v Values) Set(key string, values ...string) { v[CanonicalKey(key)] = values }

// attributeValuesMax is how many values of one certificate attribute AWS IoT
// looks at.
const attributeValuesMax = 5

// SetAttribute enters a certificate attribute, such as
// iot:Certificate.Subject.CommonName, under all its names: the plain name and .0
// have the first value, .1 the second and so on up to the fifth, .List has all.
func (v Values) SetAttribute(key string, values ...string) {
	if len(values) == 0 {
		return
	}
	values = values[:min(len(values), attributeValuesMax)]
	v.Set(key, values[0])
	v.Set(key+".List", values...)
	for i, value := range values {
		v.Set(key+"."+strconv.Itoa(i), value)
	}
}

// substitutedMax is the longest certificate attribute that is substituted, in
// characters.
const substitutedMax = 1024

// Substitutable says whether the value of a certificate attribute may stand for
// a variable. Whoever asks for a certificate chooses its subject, so AWS IoT
// refuses long values and those with a character that means something in a
// policy or a topic filter.
func Substitutable(value string) bool {
	return !strings.ContainsAny(value, "*$+?#") && utf8.RuneCountInString(value) <= substitutedMax
}

// variable is one ${...}.
type variable struct {
	name     string // as written
	key      string // canonical
	fallback string // the text of ${name, 'text'}
	defaults bool   // there is a fallback
	escape   string // of ${*}, ${?}, ${$}: the character; else ""
}

// value gives the text that stands for the variable.
func (v *variable) value(ctx Context) (string, bool) {
	values := lookup(ctx, v.key)
	if len(values) == 1 && v.allows(values[0]) {
		return values[0], true
	}
	return v.fallback, v.defaults && len(values) == 0
}

// allows applies the rule for certificate attributes.
func (v *variable) allows(value string) bool {
	return !isCertificateAttribute(v.key) || Substitutable(value)
}

func isCertificateAttribute(key string) bool {
	return strings.HasPrefix(key, KeySubject) || strings.HasPrefix(key, KeyIssuer)
}

var (
	errOpen = why.Say("a ${ is never closed by }")
	errText = why.Say("the default of a variable must be in single quotes, as in ${aws:PrincipalTag/team, 'none'}")
)

// parseVariable reads the variable at the front of text, which starts with ${,
// and gives its length in bytes.
func parseVariable(text string) (variable, int, error) {
	end := variableEnd(text)
	if end < 0 {
		return variable{}, 0, errOpen
	}
	inner := text[len("${") : end-1]
	if inner == "*" || inner == "?" || inner == "$" {
		return variable{escape: inner}, end, nil
	}
	v, err := parseVariableBody(inner)
	return v, end, err
}

// variableEnd gives the length of the ${...} at the front of text, or -1. A brace
// within the quotes of a default does not close it.
func variableEnd(text string) int {
	quoted := false
	for i := len("${"); i < len(text); i++ {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case text[i] == '}' && !quoted:
			return i + 1
		}
	}
	return -1
}

func parseVariableBody(inner string) (variable, error) {
	name, fallback, defaults := strings.Cut(inner, ",")
	name, fallback = strings.TrimSpace(name), strings.TrimSpace(fallback)
	if err := checkKey(name); err != nil {
		return variable{}, why.Say("the variable ${%s}: %w", brief(inner), err)
	}
	v := variable{name: name, key: CanonicalKey(name), defaults: defaults}
	if !defaults {
		return v, nil
	}
	if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
		return variable{}, errText
	}
	v.fallback = fallback[1 : len(fallback)-1]
	if strings.Contains(v.fallback, "'") {
		return variable{}, errText
	}
	return v, nil
}

// keyMax is the longest name of a variable or condition key, in bytes: longer
// than any name of a thing attribute (128) or tag (128) makes it.
const keyMax = 400

// checkKey refuses what can't be the name of a variable or condition key.
func checkKey(name string) error {
	switch i := strings.IndexFunc(name, isForeignToKeys); {
	case name == "":
		return why.Say("its name is empty")
	case len(name) > keyMax:
		return why.Say("its name is longer than %d bytes", keyMax)
	case i >= 0:
		return why.Say("a name has no %q", name[i:i+1])
	}
	return nil
}

func isForeignToKeys(r rune) bool {
	return r < ' ' || strings.ContainsRune(`${}*?'"\`, r)
}

// subject says, for explanations, why a variable has no value. A row counts for
// the name itself and, if it ends in a dot or bracket, for all names below it.
type subject struct {
	name   string // as AWS spells it
	absent string
}

const unattached = "the certificate is not attached to a thing named like the client ID, letter case included"

// subjects are the variables that thingd knows.
var subjects = []subject{
	{"iot:ClientId", "only MQTT connections have a client ID"},
	{"aws:SourceIp", "the client's address is not known"},
	{"iot:DomainName", "the client did not say which host name it connects to"},
	{"iot:CertificateId", "the caller did not present a certificate"},
	{"iot:Connection.Thing.ThingName", unattached},
	{"iot:Connection.Thing.ThingTypeName", unattached},
	{"iot:Connection.Thing.IsAttached", "only MQTT connections have a thing"},
	{"iot:Connection.Thing.Attributes[", unattached},
	{"iot:Certificate.Subject.", "the certificate has no such value"},
	{"iot:Certificate.Issuer.", "the certificate has no such value"},
	{"iot:Certificate.SerialNumber", "the caller did not present a certificate"},
	{"iot:Certificate.AvailableKeys", "the caller did not present a certificate"},
	{"iot:ConnectAttributes", "only a CONNECT with a will or a persistent session has connect attributes"},
	{"iot:LastWillTopic", "only a CONNECT with a will has a will topic"},
	{"iot:IncludeSocketInformation", "the request does not ask for socket information"},
	{"cognito-identity.amazonaws.com:sub", "the caller is not a Cognito identity"},
	{"cognito-identity.amazonaws.com:aud", "the caller is not a Cognito identity"},
	{"cognito-identity.amazonaws.com:amr", "the caller is not a Cognito identity"},
	{"credentials-iot:ThingName", "it exists only in policies of the role behind a role alias"},
	{"credentials-iot:ThingTypeName", "it exists only in policies of the role behind a role alias"},
	{"credentials-iot:AwsCertificateId", "it exists only in policies of the role behind a role alias"},
	{"aws:CurrentTime", "the request has no time"},
	{"aws:EpochTime", "the request has no time"},
	{"aws:SecureTransport", "it is not known whether the request came over TLS"},
	{"aws:UserAgent", "the client did not say what program it is"},
}

// subjectOf finds the row of a canonical key.
func subjectOf(key string) (subject, bool) {
	i := slices.IndexFunc(subjects, func(s subject) bool { return s.covers(key) })
	if i < 0 {
		return subject{}, false
	}
	return subjects[i], true
}

func (s subject) covers(key string) bool {
	name := strings.ToLower(s.name)
	if strings.HasSuffix(name, ".") || strings.HasSuffix(name, "[") {
		return strings.HasPrefix(key, name)
	}
	return key == name
}

// spelling gives a key the way AWS writes it, or as written where thingd doesn't
// know it.
func spelling(written string) string {
	s, ok := subjectOf(CanonicalKey(written))
	switch {
	case !ok:
		return written
	case strings.HasSuffix(s.name, "["):
		return s.name + written[strings.IndexByte(written, '[')+1:]
	case strings.HasSuffix(s.name, "."):
		return written
	default:
		return s.name
	}
}
