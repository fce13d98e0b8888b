package access

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"thingd/internal/policy"
	"thingd/internal/registry"
)

// world is what policies can ask of a connection: a policy.Context.
type world struct {
	conn        *Connection
	certificate *certificate
	service     *Service
	thing       registry.Thing // of which only the name is kept where no policy asks for more
	isThing     bool
}

// certificate holds the variables of a connection's certificate, read when a
// policy first asks for one.
type certificate struct {
	once   sync.Once
	values policy.Values
}

// question is a world that notices whether the time of day was asked for: such an
// answer must not be remembered.
type question struct {
	*world
	timed bool
}

// Lookup gives the values of a canonical key.
func (q *question) Lookup(key string) []string {
	if key == policy.KeyCurrentTime || key == policy.KeyEpochTime {
		q.timed = true
	}
	return q.world.Lookup(key)
}

// Lookup gives the values of a canonical key.
func (w *world) Lookup(key string) []string {
	switch {
	case strings.HasPrefix(key, "iot:certificate."):
		return w.certificateValues().Lookup(key)
	case strings.HasPrefix(key, thingKeys):
		return w.thingValue(key)
	default:
		return w.connectionValue(key)
	}
}

func (w *world) connectionValue(key string) []string {
	c, p := w.conn, &w.conn.Principal
	switch key {
	case policy.KeyClientID:
		return when(c.MQTT, c.ClientID)
	case policy.KeySourceIP:
		return when(p.SourceIP.IsValid(), p.SourceIP.Unmap().String())
	case policy.KeyDomainName:
		return when(true, p.ServerName)
	case policy.KeyCertificateID:
		return when(p.Kind == policy.ByCertificate, p.ID)
	case policy.KeySocketInformation:
		return when(true, c.SocketInformation)
	case policy.KeyUserAgent:
		return when(true, p.UserAgent)
	case policy.KeySecureTransport:
		return when(true, strconv.FormatBool(!c.Plaintext))
	case policy.KeyCurrentTime:
		return when(true, w.service.now().UTC().Format(time.RFC3339))
	case policy.KeyEpochTime:
		return when(true, strconv.FormatInt(w.service.now().Unix(), 10))
	case policy.KeyConnectAttributes:
		return c.attributes()
	case policy.KeyLastWillTopic:
		return when(c.HasWill, w.service.scope.IoT("topic", c.WillTopic))
	}
	return nil
}

// when gives a value that is there under a condition and not empty.
func when(there bool, value string) []string {
	if !there || value == "" {
		return nil
	}
	return []string{value}
}

// attributes gives the values of iot:ConnectAttributes.
func (c *Connection) attributes() []string {
	var set []string
	if c.MQTT && c.PersistentConnect {
		set = append(set, "PersistentConnect")
	}
	if c.MQTT && c.HasWill {
		set = append(set, "LastWill")
	}
	return set
}

// thingKeys is what the keys of a connection's thing begin with.
const thingKeys = "iot:connection.thing."

func (w *world) thingValue(key string) []string {
	switch key {
	case policy.KeyThingName:
		return when(w.isThing, w.thing.Name)
	case policy.KeyThingTypeName:
		return when(w.isThing, w.thing.Type)
	case policy.KeyThingIsAttached:
		return when(w.conn.claimed() != "", strconv.FormatBool(w.isThing))
	}
	name, ok := strings.CutPrefix(key, policy.KeyThingAttributes+"[")
	if !ok || !strings.HasSuffix(name, "]") {
		return nil
	}
	return when(w.isThing, w.thing.Attributes[strings.TrimSuffix(name, "]")])
}

func (w *world) certificateValues() policy.Values {
	w.certificate.once.Do(func() {
		if cert := w.conn.Principal.Certificate; cert != nil {
			w.certificate.values = certificateVariables(cert)
		}
	})
	return w.certificate.values
}

// asksForThings says whether a document may ask for more of the thing than its
// name. It may err on the side of yes: an escape could hide a variable.
func asksForThings(document string) bool {
	text := strings.ToLower(document)
	return strings.Contains(text, `\u`) || strings.Contains(text, ".thingtypename") || strings.Contains(text, ".attributes[")
}
