package bridge

import (
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"thingd/internal/fault"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// Mistake is what is wrong with an integration, for programs: doors that speak
// other languages than English translate it. It is a fault.InvalidRequest.
type Mistake struct {
	Kind   MistakeKind
	Detail string // more, in English; may be ""
	says   string
}

// Error gives the sentence.
func (m *Mistake) Error() string { return m.Unwrap().Error() }

// Unwrap gives the fault.
func (m *Mistake) Unwrap() error {
	if m.Detail != "" {
		return fault.InvalidRequest("%s: %s", m.says, m.Detail)
	}
	return fault.InvalidRequest("%s", m.says)
}

// MistakeKind names a mistake by the field it is in.
type MistakeKind string

// The mistakes.
const (
	BadName         MistakeKind = "name"
	BadHost         MistakeKind = "host"
	BadPort         MistakeKind = "port"
	BadPrefix       MistakeKind = "prefix"
	BadSubscribe    MistakeKind = "subscribeTopic"
	WildcardInTopic MistakeKind = "subscribeTopic.wildcard"
	Overlap         MistakeKind = "subscribeTopic.overlap"
	BadRootCA       MistakeKind = "rootCa"
	BadCertificate  MistakeKind = "certificate"
	BadPrivateKey   MistakeKind = "privateKey"
	NoPrivateKey    MistakeKind = "privateKey.missing"
	NoCertificate   MistakeKind = "certificate.missing"
	KeyMismatch     MistakeKind = "privateKey.mismatch"
	BadLogin        MistakeKind = "username"
	BadVersion      MistakeKind = "version"
	BadQoS          MistakeKind = "qos"
	BadClientID     MistakeKind = "clientId"
	BadKeepAlive    MistakeKind = "keepAlive"
	BadLocalFilter  MistakeKind = "localFilter"
	BadLocalTopic   MistakeKind = "localTopic"
	BadQueue        MistakeKind = "queueMessages"
)

// Field is the member that the mistake is in.
func (k MistakeKind) Field() string {
	field, _, _ := strings.Cut(string(k), ".")
	return field
}

func mistake(kind MistakeKind, says, detail string) error {
	return &Mistake{Kind: kind, says: says, Detail: detail}
}

// Bounds of the settings.
const (
	nameMax      = 128 // characters
	hostMax      = 253 // RFC 1035
	prefixMax    = 1024
	loginMax     = 4096
	clientIDMax  = 128
	keepAliveMin = 5 * time.Second
	keepAliveMax = 65535 * time.Second
	messagesMax  = 1_000_000
	bytesMin     = 1 << 10
	bytesMax     = 1 << 30
)

// checks hold integrations against the rules.
type checks struct{ topics topic.Rules }

// check says what is wrong first, and writes the PEM fields as they should be.
func (c checks) check(in *Integration) error {
	for _, one := range []func(*Integration) error{checkPlace, checkTopics, checkPEM, checkMQTT, c.checkLocal, checkQueue} {
		if err := one(in); err != nil {
			return err
		}
	}
	return nil
}

// checkPlace is about name, host and port.
func checkPlace(in *Integration) error {
	if n := utf8.RuneCountInString(in.Name); n == 0 || n > nameMax || !printable(in.Name) {
		return mistake(BadName, "the name must have 1 to 128 characters", "")
	}
	if !isHost(in.Host) {
		return mistake(BadHost, "the host name must be a name or an address alone, without scheme and port", "")
	}
	if in.Port < 1 || in.Port > 65535 {
		return mistake(BadPort, "the port must be a number from 1 to 65535", "")
	}
	return nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// isHost takes what can be dialed: names with the letters that are in use, and
// addresses without brackets.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	if text == "" || len(text) > hostMax || strings.Trim(text, ".-") == "" {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-' && r != '_'
	})
}

// checkTopics is about the far side's. Its rules are its own, so only what MQTT
// itself says is asked for.
func checkTopics(in *Integration) error {
	if topic.HasWildcard(in.Prefix) || len(in.Prefix) > prefixMax || !printable(in.Prefix) {
		return mistake(BadPrefix, "the publish topic prefix must be plain text without the wildcards + and #", "")
	}
	if in.SubscribeTopic == "" {
		return nil
	}
	if topic.HasWildcard(in.SubscribeTopic) {
		return mistake(WildcardInTopic, "the subscribe topic must not contain the wildcards + and #", "")
	}
	if len(in.SubscribeTopic) > prefixMax || !printable(in.SubscribeTopic) || strings.HasPrefix(in.SubscribeTopic, "$share/") {
		return mistake(BadSubscribe, "the subscribe topic must be plain text of at most 1024 bytes", "")
	}
	if overlaps(in.Prefix, in.SubscribeTopic) {
		return mistake(Overlap, "the subscribe topic must not be the publish destination or lie below it: messages would come back", "")
	}
	return nil
}

// checkPEM is about what was pasted, which is kept also while TLS is off.
func checkPEM(in *Integration) error {
	if strings.TrimSpace(in.RootCA) == "" {
		in.RootCA = ""
	} else if roots, err := readCertificates(in.RootCA); err != nil {
		return mistake(BadRootCA, "the root certificate is not in order", err.Error())
	} else {
		in.RootCA = normal(roots)
	}
	hasCert, hasKey := strings.TrimSpace(in.Certificate) != "", strings.TrimSpace(in.PrivateKey) != ""
	switch {
	case !hasCert && !hasKey:
		in.Certificate, in.PrivateKey = "", ""
		return nil
	case !hasCert:
		return mistake(NoCertificate, "the private key has no client certificate beside it", "")
	case !hasKey:
		return mistake(NoPrivateKey, "the client certificate has no private key beside it", "")
	}
	return checkPair(in)
}

func checkPair(in *Integration) error {
	chain, err := readCertificates(in.Certificate)
	if err != nil {
		return mistake(BadCertificate, "the client certificate is not in order", err.Error())
	}
	key, err := readKey(in.PrivateKey)
	if err != nil {
		return mistake(BadPrivateKey, "the private key is not in order", err.Error())
	}
	if !fits(chain[0], key) {
		return mistake(KeyMismatch, "the private key is not the client certificate's", "")
	}
	in.Certificate = normal(chain)
	if in.PrivateKey, err = normalKey(key); err != nil {
		return mistake(BadPrivateKey, "the private key is not in order", err.Error())
	}
	return nil
}

// checkMQTT is about CONNECT.
func checkMQTT(in *Integration) error {
	switch {
	case len(in.Username) > loginMax || len(in.Password) > loginMax || !printable(in.Username):
		return mistake(BadLogin, "user name and password must have at most 4096 bytes", "")
	case in.Username == "" && in.Password != "": // [MQTT-3.1.2-22 in 3.1.1]
		return mistake(BadLogin, "a password needs a user name", "")
	case in.Version != mqtt.V4 && in.Version != mqtt.V5:
		return mistake(BadVersion, "the protocol version must be 4 (MQTT 3.1.1) or 5", "")
	case in.QoS > mqtt.QoS1:
		return mistake(BadQoS, "the quality of service must be 0 or 1", "")
	case len(in.ClientID) > clientIDMax || !printable(in.ClientID):
		return mistake(BadClientID, "the client ID must have at most 128 bytes", "")
	case in.KeepAlive < keepAliveMin || in.KeepAlive > keepAliveMax:
		return mistake(BadKeepAlive, "the keep-alive must be 5 to 65535 seconds", "")
	}
	return nil
}

// checkLocal holds the local side against what clients may do. $aws topics that
// clients may use may be bridged, too.
func (c checks) checkLocal(in *Integration) error {
	if err := c.topics.CheckFilter(in.LocalFilter); err != nil {
		return mistake(BadLocalFilter, "the local filter is not acceptable", faultText(err))
	}
	_, _, shared := topic.Share(in.LocalFilter)
	if shared || topic.IsReserved(in.LocalFilter) && !topic.MaySubscribe(in.LocalFilter) {
		return mistake(BadLocalFilter, "the local filter is not acceptable", "nobody can subscribe to it")
	}
	return c.checkLocalTopic(in.DownlinkTopic("m"))
}

func (c checks) checkLocalTopic(name string) error {
	if err := c.topics.CheckName(name); err != nil {
		return mistake(BadLocalTopic, "the local topic is not acceptable", faultText(err))
	}
	if topic.IsReserved(name) && !topic.MayPublish(name) {
		return mistake(BadLocalTopic, "the local topic is not acceptable", "clients cannot publish to it")
	}
	return nil
}

func checkQueue(in *Integration) error {
	if in.QueueMessages < 1 || in.QueueMessages > messagesMax || in.QueueBytes < bytesMin || in.QueueBytes > bytesMax {
		return mistake(BadQueue, "the queue must have 1 to 1,000,000 messages and 1 KiB to 1 GiB", "")
	}
	return nil
}

// faultText gives the caller's part of a fault.
func faultText(err error) string {
	_, text, _ := strings.Cut(err.Error(), ": ")
	return text
}
